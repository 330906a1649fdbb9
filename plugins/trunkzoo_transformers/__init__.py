"""Built-in plugin: backbones of Hugging Face transformers (``pip install 'trunkzoo[transformers]'``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from trunkzoo.plugin import TrunkSpec, hookimpl, require_installed
from trunkzoo_transformers.config import BackboneConfig

if TYPE_CHECKING:
    from trunkzoo_transformers.model import Backbone

SIZES: dict[str, tuple[str, str, dict[str, Any]]] = {  # name → summary, architecture, settings
    "dinov2-small": (
        "DINOv2 ViT-S/14",
        "dinov2",
        {"hidden_size": 384, "num_attention_heads": 6, "patch_size": 14, "image_size": 518},
    ),
    "dinov2-registers-small": (
        "DINOv2 ViT-S/14 with four register tokens",
        "dinov2_with_registers",
        {"hidden_size": 384, "num_attention_heads": 6, "patch_size": 14, "image_size": 518},
    ),
    "convnextv2-atto": (
        "ConvNeXt V2 Atto",
        "convnextv2",
        {"depths": [2, 2, 6, 2], "hidden_sizes": [40, 80, 160, 320]},
    ),
    "swin-tiny": ("Swin-T, windows of 7", "swin", {}),
}


def build(config: BackboneConfig) -> Backbone:
    """Build any backbone that ``AutoBackbone`` knows.

    Raises:
        PluginError: transformers is not installed.
    """
    require_installed(BACKBONE)
    from trunkzoo_transformers.model import Backbone

    return Backbone(config)


def _spec(name: str, summary: str, **defaults: Any) -> TrunkSpec[BackboneConfig]:
    return TrunkSpec(
        name=name,
        summary=summary,
        config=BackboneConfig,
        build=build,
        defaults=defaults,
        requires=("transformers",),
        extra="transformers",
        initial=("weights",),
    )


BACKBONE = _spec("backbone", "any backbone of Hugging Face transformers, from settings or a directory of weights")


@hookimpl
def trunkzoo_trunks() -> Iterable[TrunkSpec[Any]]:
    """One record for any backbone, and four usual ones."""
    yield BACKBONE
    for name, (summary, architecture, settings) in SIZES.items():
        yield _spec(name, summary, architecture=architecture, settings=settings)
