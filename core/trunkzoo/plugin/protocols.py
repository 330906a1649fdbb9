"""What plugins build: the protocols of a trunk, a head, a task, its expert and a policy, and a trunk's input norm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from trunkzoo.plugin.contract import TaskContract

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from trunkzoo.nn.draws import Draws


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


@runtime_checkable
class Located(Protocol):
    """What a task may add: where its objects are, by which suites measure how exactly an agent sees. No policy reads it."""

    def places(self) -> Mapping[str, NDArray[np.float64]]:
        """By object its place now, (3,), in m."""
        ...


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


class Policy(Protocol):
    """What acts in the episodes of a task, one after another."""

    latencies: list[float]
    """Milliseconds of each chunk prediction of this episode, rendering left out; empty for what predicts no chunks."""

    def reset(self, task: Task, seed: int) -> None:
        """Begin the episode of ``seed``, to which the task has been reset; its actions are a function of that seed."""
        ...

    def act(self, task: Task) -> NDArray[np.float32]:
        """The action (action_dim,) of the next step; observes the task, and never resets or steps it."""
        ...

    def close(self) -> None:
        """Let go of processes and devices; the policy is not used again."""
        ...
