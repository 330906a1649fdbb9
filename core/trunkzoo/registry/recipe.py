"""A recipe: a named combination trunk × head × task × contract × training settings. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from trunkzoo.catalogue.guard import foreign
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import ContractError
from trunkzoo.plugin.config import Config, Locate, nowhere, parse
from trunkzoo.plugin.contract import Contract, ImageSize, differences
from trunkzoo.registry.train_config import TrainConfig

if TYPE_CHECKING:
    from trunkzoo.catalogue.catalogue import Catalogue

ConfigT = TypeVar("ConfigT", bound=Config)
NormKind = Literal["min_max", "mean_std", "quantile"]


class Part(Config):
    """A plugin's record by name, with the configuration that goes to its ``build``."""

    name: str = Field(description="plugin/name, or the short name while it is unique")
    config: dict[str, Any] = Field(default_factory=dict, description="validated by the record's own schema")


class EncoderConfig(Config):
    """How observations become the condition vector."""

    share_trunk: bool = Field(default=False, description="one trunk for all cameras instead of one per camera")
    crop: ImageSize | None = Field(default=None, description="(h, w) kept: random in training, centre otherwise")
    shift: NonNegativeInt = Field(default=0, description="random shift in training, ± pixels, edges repeated")
    colour_jitter: float = Field(default=0.0, ge=0, lt=1, description="random brightness and contrast, ± share")
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


def part_config(part: Part, schema: type[ConfigT], defaults: Any, where: str, locate: Locate = nowhere) -> ConfigT:
    """Validate a part's keys on top of the record's own defaults."""
    return parse(schema, {**defaults, **part.config}, where, lambda path: locate((where, *path)))


def resolve(recipe: Recipe, catalogue: Catalogue, locate: Locate = nowhere) -> Recipe:
    """Replace short names by full ids and fill in every default, so that the recipe stands alone.

    Raises:
        UsageError: a part's name is unknown.
        ConfigError: a part's configuration breaks its schema.
    """
    parts: dict[str, Part | None] = {}
    for kind in ("trunk", "head", "task"):
        part: Part | None = getattr(recipe, kind)
        if part is None:
            parts[kind] = None
            continue
        found = getattr(catalogue, kind)(part.name)
        config = part_config(part, found.spec.config, found.spec.defaults, kind, locate)
        with foreign(f"the settings of {kind} '{found.id}' as JSON"):
            parts[kind] = Part(name=found.id, config=config.model_dump(mode="json"))
    return recipe.model_copy(update=parts)


def check_task(recipe: Recipe, catalogue: Catalogue) -> None:
    """Hold the recipe's contract against what its task offers.

    Raises:
        ContractError: they differ; the message shows both sides of every field.
    """
    if recipe.task is None:
        return
    spec = catalogue.task(recipe.task.name).spec
    offered = contract_of(spec, part_config(recipe.task, spec.config, spec.defaults, "task"))
    lines = differences(recipe.contract, offered)
    if lines:
        both = "; ".join(lines)
        raise ContractError(f"recipe '{recipe.name}' and task '{recipe.task.name}' disagree (recipe ≠ task): {both}")


def without_initial(recipe: Recipe, catalogue: Catalogue) -> Recipe:
    """The recipe without the settings that only choose a trunk's initial weights: its own weights are at hand."""
    initial = catalogue.trunk(recipe.trunk.name).spec.initial
    config = {key: value for key, value in recipe.trunk.config.items() if key not in initial}
    return recipe.model_copy(update={"trunk": recipe.trunk.model_copy(update={"config": config})})
