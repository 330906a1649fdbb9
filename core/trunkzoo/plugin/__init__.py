"""All that a plugin is written against, in one import and without torch.

    from trunkzoo.plugin import Config, TrunkSpec, hookimpl

Records describe what a plugin ships; their ``build`` imports torch, or a simulator, inside its body and returns what
the protocols ask for. Heads take every random number from :class:`Draws`. ``trunkzoo.nn`` has the torch operations
that trunks and heads share, ``trunkzoo.simulation`` rendering and kinematics for MuJoCo tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkzoo.errors import (
    CheckpointError,
    ConfigError,
    ContractError,
    DataError,
    PluginError,
    TaskError,
    TrainingError,
    UsageError,
    ZooError,
    did_you_mean,
)
from trunkzoo.plain import parse_table
from trunkzoo.plugin.config import Config, parse
from trunkzoo.plugin.contract import (
    ACTION_KEY,
    IMAGE_KEY,
    PAD_KEY,
    SEED_KEY,
    STATE_KEY,
    Contract,
    ImageSize,
    TaskContract,
)
from trunkzoo.plugin.hooks import API_VERSION, hookimpl
from trunkzoo.plugin.protocols import (
    IMAGENET,
    SYMMETRIC,
    UNIT,
    Expert,
    Head,
    InputNorm,
    Located,
    NoiseTolerant,
    Policy,
    Step,
    Task,
    VisionTrunk,
)
from trunkzoo.plugin.records import (
    HeadSpec,
    PolicyProvenance,
    PolicySpec,
    RolloutContext,
    TaskSpec,
    TrunkSpec,
    install_line,
    require_installed,
)
from trunkzoo.plugin.weights import WeightsPath, weights_directory, weights_file

if TYPE_CHECKING:
    from trunkzoo.nn.draws import Draws, sample_seeds

__all__ = [
    "ACTION_KEY",
    "API_VERSION",
    "IMAGENET",
    "IMAGE_KEY",
    "PAD_KEY",
    "SEED_KEY",
    "STATE_KEY",
    "SYMMETRIC",
    "UNIT",
    "CheckpointError",
    "Config",
    "ConfigError",
    "Contract",
    "ContractError",
    "DataError",
    "Draws",
    "Expert",
    "Head",
    "HeadSpec",
    "ImageSize",
    "InputNorm",
    "Located",
    "NoiseTolerant",
    "PluginError",
    "Policy",
    "PolicyProvenance",
    "PolicySpec",
    "RolloutContext",
    "Step",
    "Task",
    "TaskContract",
    "TaskError",
    "TaskSpec",
    "TrainingError",
    "TrunkSpec",
    "UsageError",
    "VisionTrunk",
    "WeightsPath",
    "ZooError",
    "did_you_mean",
    "hookimpl",
    "install_line",
    "parse",
    "parse_table",
    "require_installed",
    "sample_seeds",
    "weights_directory",
    "weights_file",
]

_NEED_TORCH = ("Draws", "sample_seeds")


def __getattr__(name: str) -> Any:
    if name not in _NEED_TORCH:
        raise AttributeError(f"module 'trunkzoo.plugin' has no attribute {name!r}")
    from trunkzoo.nn import draws

    return getattr(draws, name)
