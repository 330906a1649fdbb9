"""Configuration and result of a training run; importable without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from trunkzoo.checkpoint.layout import AGENT_PARTS, AgentPart
from trunkzoo.plugin.config import Config
from trunkzoo.registry.recipe import Recipe

TrackerName = Literal["wandb", "trackio", "mlflow"]


class StartConfig(Config):
    """Whose weights a training starts from."""

    path: Path = Field(description="a run, a checkpoint or a model.safetensors")
    parts: tuple[AgentPart, ...] = Field(
        default=("trunk", "cameras", "head"),
        min_length=1,
        description=f"what is taken, of {', '.join(AGENT_PARTS)}; all else starts fresh",
    )


class RunConfig(Config):
    """One training run: a recipe, its data, and where and how it runs."""

    recipe: Recipe = Field(description="the agent and its training settings")
    data: Path = Field(description="dataset directory")
    output: Path = Field(description="run directory; must not exist yet unless resume")
    seed: int = Field(
        default=0,
        ge=-(2**62),
        le=2**62,
        description="decides the initial weights, the batches and every sample's noise",
    )
    resume: bool = Field(default=False, description="continue from the newest checkpoint in output")
    start: StartConfig | None = Field(default=None, description="start from another agent's weights; not with resume")
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="auto takes a GPU where there is one")
    threads: PositiveInt | None = Field(
        default=None, le=4096, description="CPU threads of torch; None leaves its choice"
    )
    cameras: dict[str, str] = Field(
        default={}, description="camera of the contract → camera of the data, where they differ"
    )
    stop_at: PositiveInt | None = Field(default=None, description="save and leave after this step, as on SIGTERM")
    tensorboard: bool = Field(default=False, description="write TensorBoard events beside metrics.jsonl")
    track: tuple[TrackerName, ...] = Field(default=(), description="services that get the rows of metrics.jsonl too")
    progress: bool = Field(default=True, description="report progress on stderr")

    @model_validator(mode="after")
    def _starts_once(self) -> RunConfig:
        if self.resume and self.start is not None:
            raise ValueError("start has no effect with resume: a run goes on from its own checkpoint; leave start out")
        return self


@dataclass(frozen=True)
class TrainResult:
    """Result of a training session: checkpoints, times and the last metrics."""

    output: Path
    step: int
    """Optimiser steps done, those of earlier sessions included."""
    began: int
    """Steps that earlier sessions had done; as many as ``step`` where nothing was left to do."""
    checkpoint: Path
    best: Path | None
    seconds: float
    """Wall time of this session."""
    cpu_seconds: float
    """Process CPU time of this session, of the main process."""
    signal: int | None
    """The signal that stopped the run early, or None."""
    metrics: dict[str, Any]
    """The last row of metrics.jsonl."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {key: str(value) if isinstance(value, Path) else value for key, value in asdict(self).items()}
