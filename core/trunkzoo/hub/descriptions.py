"""What the JSON files beside weights say of the images that a network wants: timm's and transformers' spelling."""

from __future__ import annotations

from typing import Any

from trunkzoo.plain import parse_table


def described(config: str, preprocessor: str) -> dict[str, Any]:
    """Architecture, input size, mean, deviation and patch size, as far as ``config.json`` and the preprocessor tell."""
    settings, images = _table(config), _table(preprocessor)
    timm = settings.get("pretrained_cfg")
    timm = timm if isinstance(timm, dict) else {}
    size = timm.get("input_size") or settings.get("image_size") or images.get("size")
    values = {
        "architecture": settings.get("architecture") or settings.get("model_type"),
        "trained at": size,
        "mean": timm.get("mean") or images.get("image_mean"),
        "deviation": timm.get("std") or images.get("image_std"),
        "patch size": settings.get("patch_size"),
    }
    return {key: value for key, value in values.items() if value is not None}


def _table(text: str) -> dict[str, Any]:
    try:
        return parse_table(text)
    except ValueError:
        return {}
