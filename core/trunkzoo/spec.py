"""Plugin API v1: the records that plugins hand over, and the protocols of what they build.

A record describes without torch; ``build`` imports torch (or a simulator) inside its body.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from trunkzoo.config import Config
from trunkzoo.contract import Contract, TaskContract

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from trunkzoo.draws import Draws

ConfigT = TypeVar("ConfigT", bound=Config)
NAME_RULE = re.compile(r"[a-z][a-z0-9]*([-_.][a-z0-9]+)*")


class InputNorm(NamedTuple):
    """Per-channel mean and standard deviation of RGB images in [0, 1] that a trunk expects removed."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


IMAGENET = InputNorm((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
SYMMETRIC = InputNorm((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
UNIT = InputNorm((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


@runtime_checkable
class VisionTrunk(Protocol):
    """An image network: ``(N, 3, H, W)`` → feature map ``(N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)``.

    What a trunk's ``build`` returns is a ``torch.nn.Module`` with these members. Images arrive with
    ``input_norm`` applied (a trunk without that attribute gets ImageNet's mean and deviation).
    """

    out_channels: int
    stride: int

    def forward(self, images: Tensor) -> Tensor: ...


@runtime_checkable
class Head(Protocol):
    """An action head: a ``torch.nn.Module`` that maps a condition to a chunk of normalised actions."""

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        """Training loss.

        ``cond`` (B, obs_horizon, cond_dim), ``actions`` (B, pred_horizon, action_dim) in about [-1, 1],
        ``valid`` (B, pred_horizon) bool, False where the chunk runs past its episode. Every random number
        comes from ``draws``, so a sample's loss does not depend on its batch. Returns ``{"loss": scalar, …}``
        where every other entry is a detached scalar to log.
        """
        ...

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        """A chunk (B, pred_horizon, action_dim) from ``cond`` and standard normal ``noise`` of that shape."""
        ...


class Step(NamedTuple):
    """What one control step of a task returns."""

    reward: float
    success: bool


class Task(Protocol):
    """A simulator scene. An episode is a function of its seed alone."""

    contract: TaskContract
    action_low: NDArray[np.float32]
    """Smallest action (action_dim,) that the task accepts; larger or smaller ones are clipped."""
    action_high: NDArray[np.float32]

    def reset(self, seed: int) -> None:
        """Start the episode of ``seed``: the same seed gives the same observations, in any process."""
        ...

    def observe(self) -> Mapping[str, NDArray[Any]]:
        """The observation now; image keys render when they are read, so unread images cost nothing.

        Keys ``observation.images.<camera>`` (H, W, 3) uint8 and ``observation.state`` (state_dim,) float32.
        """
        ...

    def step(self, action: NDArray[np.float32]) -> Step:
        """Apply one action (action_dim,) for one control step; ``success`` is the task's own rule, now."""
        ...

    def hold(self) -> NDArray[np.float32]:
        """The action (action_dim,) that keeps the robot still now: what a no-op policy sends."""
        ...

    def expert(self, seed: int) -> Expert:
        """The scripted demonstrator of the episode just reset; ``seed`` decides its own choices."""
        ...

    def close(self) -> None: ...


class Expert(Protocol):
    """A scripted demonstrator with privileged access to its task."""

    def act(self) -> NDArray[np.float32] | None:
        """The clean command (action_dim,) for the next step, or None when the demonstration is over."""
        ...


@runtime_checkable
class NoiseTolerant(Protocol):
    """What an expert may add: how much noise on its commands the demonstration survives (none is added otherwise)."""

    def tolerance(self) -> NDArray[np.float32]:
        """Standard deviation (action_dim,) that the next command survives; 0 where it must be exact."""
        ...


def _check_name(name: str, kind: str) -> None:
    if not NAME_RULE.fullmatch(name):
        raise ValueError(f"{kind} name {name!r}: use lower-case letters, digits and single - _ . between them")


@dataclass(frozen=True, kw_only=True)
class TrunkSpec(Generic[ConfigT]):
    """One vision trunk. ``build(config)`` returns a :class:`VisionTrunk`."""

    name: str
    summary: str
    config: type[ConfigT]
    build: Callable[[ConfigT], Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    known_gaps: Mapping[str, str] = field(default_factory=dict)
    """Conformance checks this trunk cannot pass, each with its reason; a gap that has closed is an error."""
    requires: tuple[str, ...] = ()
    """Import names of optional packages; where one is absent, checks skip and ``build`` says how to install it."""
    extra: str = ""
    """Name of the extra that installs them: ``pip install 'trunkzoo[extra]'``."""
    initial: tuple[str, ...] = ()
    """Settings that only choose initial weights, such as a file: a checkpoint is rebuilt without them."""

    def __post_init__(self) -> None:
        _check_name(self.name, "trunk")


@dataclass(frozen=True, kw_only=True)
class HeadSpec(Generic[ConfigT]):
    """One action head. ``build(config, contract)`` returns a :class:`Head`."""

    name: str
    summary: str
    config: type[ConfigT]
    build: Callable[[ConfigT, Contract], Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    known_gaps: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_name(self.name, "head")


@dataclass(frozen=True, kw_only=True)
class TaskSpec(Generic[ConfigT]):
    """One simulator task. ``contract(config)`` needs no simulator; ``build(config)`` returns a :class:`Task`."""

    name: str
    summary: str
    config: type[ConfigT]
    contract: Callable[[ConfigT], TaskContract]
    build: Callable[[ConfigT], Any]
    fps: int
    """Control steps per second."""
    max_steps: int
    """Step cap of an evaluation episode."""
    demo_steps: int
    """Step cap of a demonstration; an expert that needs more has failed."""
    success_rule: str
    """The rule in words, written into every result row."""
    expert_success: float
    """Share of 20 seeds that the expert reaches at least."""
    reward_range: tuple[float, float] = (-math.inf, math.inf)
    """Smallest and largest reward of one step; conformance holds every reward against what is stated."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    """Import names of the simulator's packages; absent ones make ``build`` fail with the line that installs them."""
    known_gaps: Mapping[str, str] = field(default_factory=dict)
    extra: str = ""
    """Name of the extra that installs them: ``pip install 'trunkzoo[extra]'``."""

    def __post_init__(self) -> None:
        _check_name(self.name, "task")


def install_line(spec: TrunkSpec[Any] | TaskSpec[Any]) -> str:
    """The line that installs what ``spec`` requires and this environment lacks; empty when nothing is absent."""
    absent = [name for name in spec.requires if find_spec(name.partition(".")[0]) is None]
    if not absent:
        return ""
    return f"pip install 'trunkzoo[{spec.extra}]'" if spec.extra else f"pip install {' '.join(absent)}"


AnySpec = TrunkSpec[Any] | HeadSpec[Any] | TaskSpec[Any]
