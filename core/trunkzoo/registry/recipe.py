"""A recipe: a named combination trunk × head × task × contract × training settings. No torch here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, model_validator

from trunkzoo.catalogue.part import Part
from trunkzoo.plugin.config import Config
from trunkzoo.plugin.contract import Contract, ImageSize
from trunkzoo.registry.train_config import TrainConfig

NormKind = Literal["min_max", "mean_std", "quantile"]


class EncoderConfig(Config):
    """How observations become the condition vector."""

    share_trunk: bool = Field(default=False, description="one trunk for all cameras instead of one per camera")
    crop: ImageSize | None = Field(default=None, description="(h, w) kept: random in training, centre otherwise")
    shift: NonNegativeInt = Field(default=0, le=4096, description="random shift in training, ± pixels, edges repeated")
    colour_jitter: float = Field(default=0.0, ge=0, lt=1, description="random brightness and contrast, ± share")
    feature_norm: bool = Field(
        default=False, description="bring every feature map to mean 0 and rms 1 before its keypoints"
    )
    keypoint_gain: PositiveFloat = Field(
        default=1.0, description="factor on the first weights of the keypoints' logits; above 1 they begin as peaks"
    )
    state_noise: NonNegativeFloat = Field(default=0.0, description="training noise on the normalised state, std")
    blank_images: bool = Field(default=False, description="show black images only: the blind floor")

    @model_validator(mode="after")
    def _shift_or_crop(self) -> EncoderConfig:
        if self.crop is not None and self.shift:
            raise ValueError(f"shift {self.shift} has no effect beside crop {self.crop}; choose one of them")
        if self.blank_images and (self.crop or self.shift or self.colour_jitter):
            raise ValueError("crop, shift and colour_jitter have no effect with blank_images; remove them")
        return self


class NormalizeConfig(Config):
    """How raw numbers become network units."""

    state: NormKind = Field(default="min_max", description="normalisation of observation.state")
    action: NormKind = Field(default="min_max", description="normalisation of action; min_max also clips samples")


class Recipe(Config):
    """Everything that defines an agent and its training; stored whole in every checkpoint."""

    name: str
    summary: str = ""
    trunk: Part
    head: Part
    task: Part | None = Field(default=None, description="the simulator task; absent for data of a real robot")
    contract: Contract
    encoder: EncoderConfig = EncoderConfig()
    normalize: NormalizeConfig = NormalizeConfig()
    train: TrainConfig = TrainConfig()

    @model_validator(mode="after")
    def _crop_fits(self) -> Recipe:
        crop, size = self.encoder.crop, self.contract.image_size
        if crop is not None and (crop[0] > size[0] or crop[1] > size[1]):
            raise ValueError(f"encoder.crop {crop} is larger than contract.image_size {size}")
        return self
