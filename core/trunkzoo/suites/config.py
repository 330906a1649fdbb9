"""``[suites.NAME]`` of registry.toml; importable without torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from trunkzoo.plugin.config import Config
from trunkzoo.rollouts.named import BLIND
from trunkzoo.rollouts.references import REFERENCES
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS, SEEDS_PER_PURPOSE
from trunkzoo.statistics.ridge import FEWEST

RESERVED = (*REFERENCES, BLIND)  # floors and parts of the published rows, which arms stand beside
LONGEST_LABEL = 100  # bytes; names of cells, in which more stands, have at most 255
BETWEEN_SETS = 10_000  # seeds from one demonstration set to the next: far more than a set has attempts


def _by_name(key: str) -> BeforeValidator:
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str) else value)


class ArmConfig(Config):
    """One side of the comparison; a plain string means the recipe of that name."""

    recipe: str = Field(description="a recipe of registry.toml")
    name: str = Field(default="", description="what tables call it; the recipe's name if empty")
    trunk: str | None = Field(default=None, description="another trunk, with its own defaults")
    set: dict[str, Any] = Field(default={}, description="dotted keys over the recipe, applied last")
    control: str = Field(default="", description="the arm that differs from this one in the treatment alone")
    trained_as: str = Field(
        default="",
        description="the name of the arm, of this suite or another, whose trainings these are; its own if empty",
    )
    num_action_steps: PositiveInt | None = Field(
        default=None,
        description="actions of each chunk that are executed when it is judged; no training depends on it, so an arm "
        "that is `trained_as` another can differ from it in this alone",
    )

    @property
    def label(self) -> str:
        """The arm's name in tables and files, and by which it is chosen."""
        return self.name or self.recipe


FILLED_IN = ("data", "episodes", "output", "steps", "batch_size", "seed")


class ForeignConfig(Config):
    """A policy that another package trains on the same demonstrations and budget; it stands below the arms."""

    name: str = Field(description="what tables call it")
    policy: str = Field(description="the policy of a plugin that plays what the training leaves, such as lerobot")
    settings: dict[str, Any] = Field(default={}, description="settings of that policy, such as python")
    command: tuple[str, ...] = Field(
        min_length=1,
        description="trains one; {data}, {episodes} (those to learn from, [0, 1] say), {output}, {steps}, {batch_size} "
        "and {seed} stand in it and are filled in",
    )

    @field_validator("command")
    @classmethod
    def _takes_the_budget(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        absent = [f"{{{name}}}" for name in FILLED_IN if not any(f"{{{name}}}" in word for word in command)]
        if absent:
            raise ValueError(f"{', '.join(absent)} must stand in it: data, seeds and budget are those of the arms")
        return command


class SuiteTask(Config):
    """One task, and the demonstrations that every arm learns it from."""

    name: str = Field(description="plugin/task")
    config: dict[str, Any] = Field(default={}, description="the task's own settings")
    demonstrations: PositiveInt = Field(description="successful demonstrations to collect")
    first_seed: int = Field(
        default=DEMONSTRATION_SEEDS, ge=DEMONSTRATION_SEEDS, description="seed of the first demonstration"
    )


Arm = Annotated[ArmConfig, _by_name("recipe")]
TrainingSeed = Annotated[
    int, Field(strict=True, le=10**9)
]  # its demonstrations' seeds, BETWEEN_SETS apart, are seeds too


SbatchValue = Annotated[str, Field(pattern=r"^[\w.,:|&*@/()\[\]=+-]*$")]
"""A value for a line of a batch script, which it cannot leave."""


class SlurmConfig(Config):
    """``[engines.slurm]``: what the jobs of a suite ask SLURM for; an empty text or None leaves it to the cluster."""

    partition: SbatchValue = Field(default="", description="where jobs queue")
    account: SbatchValue = Field(default="", description="who pays")
    qos: SbatchValue = Field(default="", description="quality of service")
    constraint: SbatchValue = Field(default="", description="features that a node must have")
    cpus: PositiveInt = Field(
        default=1, description="cores of a job that trains, collects or measures latency; every other job takes one"
    )
    memory_gb: PositiveFloat | None = Field(default=None, description="memory of a job")
    minutes: PositiveInt = Field(
        default=60, description="time limit of a job; a cell that reaches it saves, queues again and goes on"
    )
    poll_seconds: PositiveFloat = Field(default=10.0, description="how often the queue is asked")


class SuiteConfig(Config):
    """Recipes × tasks × training seeds. Every budget is stated once, for all arms."""

    summary: str = ""
    arms: tuple[Arm, ...] = Field(min_length=1, description="what is compared, each with the first")
    baselines: tuple[Arm, ...] = Field(default=(), description="trained and evaluated alike, shown below the arms")
    foreign: tuple[ForeignConfig, ...] = Field(
        default=(), description="policies that other packages train by commands of their own, shown below the arms"
    )
    tasks: tuple[SuiteTask, ...] = Field(min_length=1, description="where they act")
    training_seeds: tuple[TrainingSeed, ...] = Field(
        default=(0,), min_length=1, description="trainings per arm and task"
    )
    steps: PositiveInt = Field(description="optimiser steps of every training")
    batch_size: PositiveInt = Field(description="samples per step of every training")
    demonstrations_per_seed: bool = Field(
        default=True, description="training seed s learns from demonstration set s, the same for all arms"
    )
    holdout_episodes: NonNegativeInt = Field(
        default=0, description="demonstrations kept from every training to measure its action error on"
    )
    report_checkpoint: Literal["last", "chosen"] = Field(
        default="last", description="which checkpoint is reported: the last, or the best on the selection seeds"
    )
    checkpoints: PositiveInt = Field(default=4, description="checkpoints of every training, evenly spaced")
    set: dict[str, Any] = Field(default={}, description="dotted keys over all recipes")
    selection_episodes: PositiveInt = Field(
        default=10, le=SEEDS_PER_PURPOSE, description="episodes per checkpoint: max avg_reward is of these"
    )
    report_episodes: PositiveInt = Field(
        default=20, le=SEEDS_PER_PURPOSE, description="fresh episodes of the reported checkpoint"
    )
    sight_scenes: NonNegativeInt = Field(
        default=0,
        le=SEEDS_PER_PURPOSE,
        description="fresh scenes at whose start it is measured how exactly a linear map reads the objects' places from the "
        "condition; 0 leaves it out",
    )
    blind: bool = Field(default=True, description="also run the reported checkpoints of the arms on blanked images")
    gpus_per_training: float = Field(
        default=0.0, ge=0, description="GPUs that Ray or SLURM reserves for a training; SLURM whole ones"
    )
    minutes: dict[str, PositiveFloat] = Field(default={}, description="how long each stage takes, for its heading")

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """The optimiser steps after which checkpoints are evaluated."""
        every = self.steps // self.checkpoints
        return tuple(range(every, self.steps + 1, every))

    @property
    def everyone(self) -> tuple[ArmConfig, ...]:
        """Arms, then baselines."""
        return (*self.arms, *self.baselines)

    def demonstration_seed(self, task: SuiteTask, training_seed: int) -> int:
        """First seed of the demonstrations that a training learns from."""
        return task.first_seed + (BETWEEN_SETS * training_seed if self.demonstrations_per_seed else 0)

    @field_validator("training_seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice or min(seeds) < 0:
            wrong = f"{', '.join(map(str, twice))} appear twice" if twice else f"{min(seeds)} is negative"
            raise ValueError(
                f"{wrong}: every training needs a seed ≥ 0 of its own, or it counts as one more that it is not"
            )
        return seeds

    @model_validator(mode="after")
    def _controls(self) -> SuiteConfig:
        arms = [arm.label for arm in self.arms]
        for arm in self.everyone:
            if arm.control and (arm.control not in arms or arm.control == arm.label or arm.label not in arms):
                others = ", ".join(label for label in arms if label != arm.label)
                raise ValueError(
                    f"control '{arm.control}' of '{arm.label}' is none of the other arms ({others}); name one"
                )
        return self

    @model_validator(mode="after")
    def _fits(self) -> SuiteConfig:
        labels = [arm.label for arm in self.everyone] + [it.name for it in self.foreign]
        for label in labels:
            odd = not label.isprintable() or len(label.encode("utf-8", "replace")) > LONGEST_LABEL
            if odd or label in RESERVED or label.startswith(".") or any(sign in label for sign in "/\\"):
                raise ValueError(
                    f"arm '{label[:LONGEST_LABEL]}': a label names a file of rows, so it has no / or \\, "
                    f"no control sign and at most {LONGEST_LABEL} bytes, begins with no dot and is none of "
                    f"{', '.join(RESERVED)}; give the arm another name"
                )
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(f"arms {', '.join(twice)} appear twice; give one of them another name")
        if 0 < self.sight_scenes < FEWEST:
            raise ValueError(
                f"sight_scenes {self.sight_scenes}: a linear map needs {FEWEST} scenes at least, or 0 for none"
            )
        if self.steps % self.checkpoints:
            raise ValueError(f"steps {self.steps} do not divide into {self.checkpoints} checkpoints evenly")
        own = {"train.steps", "train.batch_size", "train.checkpoint_every", "train.keep", "train.holdout_episodes"}
        unequal = [f"{arm.label}: {key}" for arm in self.everyone for key in own & arm.set.keys()]
        if unequal:
            raise ValueError(f"an arm cannot have a budget of its own ({', '.join(unequal)}); set it for the suite")
        return self
