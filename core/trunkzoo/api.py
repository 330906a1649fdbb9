"""The public Python API: what the CLI does, in a notebook. ``trunkzoo`` itself exports these names.

Each call opens the zoo of this environment, as each command does; what lies below is handed what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkzoo.catalogue.part import Part
from trunkzoo.data import dataset_directory
from trunkzoo.registry.resolved import resolve
from trunkzoo.registry.zoo import open_zoo
from trunkzoo.rollouts import Evaluation, Row, plan, run
from trunkzoo.training import RunConfig, TrainResult

__all__ = [
    "RunConfig",
    "assemble",
    "create_trunk",
    "evaluate",
    "list_trunks",
    "load_agent",
    "load_recipe",
    "open_zoo",
    "train",
]

if TYPE_CHECKING:
    from trunkzoo.agent.agent import Agent
    from trunkzoo.plugin.protocols import VisionTrunk
    from trunkzoo.registry.recipe import Recipe


def list_trunks(pattern: str = "*") -> list[str]:
    """Full names ``plugin/trunk`` of the installed trunks that match a shell pattern."""
    return [name for name in open_zoo().catalogue.trunks if fnmatchcase(name, pattern)]


def create_trunk(name: str, **config: Any) -> VisionTrunk:
    """Build one trunk with its plugin's defaults and these settings over them.

    >>> trunk = create_trunk("resnet-18", norm="group")  # a torch.nn.Module
    """
    from trunkzoo.agent.assemble import build_trunk

    return build_trunk(open_zoo().catalogue.configure("trunk", Part(name=name, config=config)))


def load_recipe(name: str, overrides: Mapping[str, Any] | None = None, trunk: str | None = None) -> Recipe:
    """A recipe of registry.toml with ``{"train.steps": 100, …}`` over it, and another trunk if one is named."""
    return open_zoo().recipe(name, overrides, trunk).recipe


def assemble(recipe: Recipe | str, seed: int = 0) -> Agent:
    """Build the agent of a recipe or of a recipe's name; the same seed gives the same weights."""
    from trunkzoo.agent.assemble import assemble as build

    zoo = open_zoo()
    return build(zoo.recipe(recipe) if isinstance(recipe, str) else resolve(recipe, zoo.catalogue), seed)


def load_agent(path: str | Path, expect: Recipe | None = None) -> Agent:
    """Rebuild the agent of a run, a checkpoint, a lone ``model.safetensors`` or ``hf:ORG/NAME[@REVISION]``, in eval mode.

    Raises:
        CheckpointError: it is absent, damaged, does not fit the code, or needs a plugin that is not installed.
        ContractError: its contract is not that of the recipe ``expect``.
    """
    from trunkzoo.checkpoint.load import load_agent as load

    return load(path, open_zoo().catalogue, expect)


def train(run: RunConfig) -> TrainResult:
    """Train the recipe of ``run`` on its data; see :func:`trunkzoo.training.loop.train` for what it raises."""
    from trunkzoo.training.loop import train as train_recipe

    run = run.model_copy(update={"data": dataset_directory(run.data)})
    return train_recipe(run, resolve(run.recipe, open_zoo().catalogue))


def evaluate(
    checkpoint: str | Path | None = None,
    *,
    seeds: Sequence[int],
    policy: str | Part = "agent",
    task: Part | str | None = None,
    workers: int = 1,
    max_steps: int | None = None,
    noise_seed: int = 0,
    device: str = "cpu",
    num_action_steps: int | None = None,
    file: Path | None = None,
    films: Path | None = None,
    filmed: int = 0,
    on_row: Callable[[Evaluation, Row], None] = lambda evaluation, row: None,
) -> Evaluation:
    """Roll a policy out on ``seeds``; equal rows for any number of ``workers``.

    An agent executes ``num_action_steps`` actions of each chunk, its contract's if None.

    Raises:
        UsageError: the request does not fit together, or ``file`` holds rows of another evaluation.
        TaskError: an episode failed three times, or gave another row than before when it was filmed.
    """
    part = Part(name=task) if isinstance(task, str) else task
    catalogue = open_zoo().catalogue
    planned = plan(
        catalogue, policy, checkpoint, part, max_steps, noise_seed, device, num_action_steps=num_action_steps
    )
    evaluation = Evaluation(planned, seeds, file, films, filmed)
    run([evaluation], workers, on_row)
    return evaluation
