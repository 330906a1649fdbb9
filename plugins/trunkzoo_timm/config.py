"""Settings of a timm model; importable without timm."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from pydantic import Field, model_validator

from trunkzoo.plugin import Config, WeightsPath


class TimmConfig(Config):
    """Any model of timm that gives feature maps (``timm.create_model(…, features_only=True)``).

    ``pretrained`` becomes the ``weights`` that timm has for the model, pinned to a commit of the hub.
    """

    model: str = Field(default="resnet18", description="its name in timm, e.g. convnext_tiny, or with a tag of weights")
    pretrained: bool = Field(
        default=False, description="take timm's own weights of the model, of its tag if it has one"
    )
    weights: WeightsPath | None = Field(
        default=None,
        description="its weights, whole model or features: a safetensors file, or a name such as hf:timm/resnet18.tv_in1k",
    )
    stage: int = Field(default=-1, description="which feature map: the number of its stage; -1 is the last")
    frozen: bool = Field(default=False, description="keep the weights as they are; batch norm uses its statistics")

    @model_validator(mode="before")
    @classmethod
    def _own_weights(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("pretrained") is not True or values.get("weights") is not None:
            return values
        return {**values, "weights": f"hf:{hub_name(str(values.get('model', 'resnet18')))}"}

    @model_validator(mode="after")
    def _one_source(self) -> TimmConfig:
        if self.pretrained and not str(self.weights).startswith("hf:"):
            raise ValueError(f"pretrained = true takes timm's own weights, and weights names {self.weights}; keep one")
        return self


def hub_name(model: str) -> str:
    """Where timm keeps the weights of a model; a tag behind a dot chooses among several.

    Raises:
        ValueError: it has none, or timm is needed to tell and is not installed.
    """
    if find_spec("timm") is None or find_spec("torchvision") is None:
        if "." in model:
            return f"timm/{model}"
        raise ValueError(
            f"pretrained = true needs timm to know the tag of {model}; install trunkzoo[timm], or name a tag"
        )
    import timm

    found = timm.get_pretrained_cfg(model) if timm.is_model(model) else None
    if found is None or not found.hf_hub_id:
        raise ValueError(f"timm has no weights for '{model}'; `timm.list_pretrained()` lists those it has")
    return str(found.hf_hub_id)
