"""Settings of a Hugging Face backbone; importable without transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from trunkzoo.plugin import Config, WeightsPath, ZooError, parse_table, weights_directory

NormName = Literal["imagenet", "symmetric", "unit"]
_NOT_SETTINGS = {
    "out_features",
    "out_indices",
    "stage_names",
    "architectures",
    "transformers_version",
    "torch_dtype",
    "dtype",
}


class BackboneConfig(Config):
    """Any architecture that ``transformers.AutoBackbone`` knows.

    With ``weights`` and no ``architecture``, both architecture and settings are read from the directory, and are part
    of this configuration from then on: a checkpoint can be rebuilt where the directory is gone.
    """

    architecture: str = Field(default="dinov2", description="model_type of transformers, e.g. dinov2, convnextv2, swin")
    settings: dict[str, Any] = Field(default={}, description="its configuration, where it differs from its defaults")
    weights: WeightsPath | None = Field(
        default=None,
        description="config.json and model.safetensors, as save_pretrained writes them: a directory, or a name such as "
        "hf:facebook/dinov2-small",
    )
    stage: int = Field(default=-1, description="which feature map: the number of its stage; -1 is the last")
    input_norm: NormName = Field(default="imagenet", description="mean and deviation that the weights expect removed")
    frozen: bool = Field(default=False, description="keep the weights as they are; batch norm uses its statistics")

    @model_validator(mode="before")
    @classmethod
    def _read_directory(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "architecture" in values:
            return values
        if not isinstance(values.get("weights"), str | Path):  # absent, or refused by the field's own type
            return values
        folder = _folder(Path(values["weights"]))
        found = _read_json(folder / "config.json")
        settings = {key: value for key, value in found.items() if key not in _NOT_SETTINGS and not key.startswith("_")}
        norm = _norm_of(folder / "preprocessor_config.json")
        return {"architecture": settings.pop("model_type", ""), "settings": settings, **norm, **values}

    @model_validator(mode="after")
    def _weights_are_a_directory(self) -> BackboneConfig:
        local = self.weights is not None and not str(self.weights).startswith("hf:")
        if self.weights is not None and local and not (self.weights / "config.json").is_file():
            raise ValueError(f"weights {self.weights} has no config.json; give a directory of save_pretrained")
        return self


def _folder(weights: Path) -> Path:
    try:
        return weights_directory(weights)
    except ZooError as error:
        raise ValueError(str(error)) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return parse_table(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}; give a directory of save_pretrained") from None
    except ValueError as error:
        raise ValueError(f"{path} holds no configuration: {error}") from None


def _norm_of(path: Path) -> dict[str, NormName]:
    """The normalisation that a preprocessor file states, if it is one that has a name here."""
    if not path.is_file():
        return {}
    mean = [round(float(value), 3) for value in _read_json(path).get("image_mean", [])]
    names: dict[tuple[float, ...], NormName] = {
        (0.485, 0.456, 0.406): "imagenet",
        (0.5, 0.5, 0.5): "symmetric",
        (0.0, 0.0, 0.0): "unit",
    }
    if tuple(mean) not in names:
        raise ValueError(f"{path}: image_mean {mean} has no name here; set input_norm yourself")
    return {"input_norm": names[tuple(mean)]}
