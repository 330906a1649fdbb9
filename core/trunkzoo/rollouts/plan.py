"""From a request (which checkpoint, which policy, which task) to a job and the provenance of its rows. No torch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue, Found
from trunkzoo.checkpoint import read_header
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.errors import UsageError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry.recipe import Part, Recipe, check_task, part_config
from trunkzoo.rollouts.job import NEEDS_CHECKPOINT, Job, PolicyKind
from trunkzoo.system.versions import library_versions


@dataclass(frozen=True)
class Plan:
    """A job, and what every row of it says about where it comes from."""

    job: Job
    provenance: dict[str, Any]


def plan(
    catalogue: Catalogue,
    policy: PolicyKind,
    checkpoint: str | Path | None = None,
    task: Part | None = None,
    max_steps: int | None = None,
    noise_seed: int = 0,
    device: str = "cpu",
) -> Plan:
    """Resolve a request.

    ``task`` may stay away with a checkpoint, whose recipe names one; ``max_steps`` defaults to the task's own cap.

    Raises:
        UsageError: there is no task, a policy that acts by a network has no checkpoint, the device is not there, or a
            number is out of range.
        CheckpointError, ContractError: the checkpoint is damaged or does not fit the task.
    """
    if policy in NEEDS_CHECKPOINT and checkpoint is None:
        raise UsageError(f"--policy {policy} needs a trained agent: give a run directory or a checkpoint")
    if noise_seed < 0 or (max_steps is not None and max_steps < 1):
        raise UsageError(f"noise seed {noise_seed} must be 0 or more, and max steps {max_steps} 1 or more")
    file = model_file(Path(checkpoint)).resolve() if checkpoint is not None else None
    header = read_header(file) if file else None
    recipe = parse(Recipe, header.recipe, "recipe") if header else None
    part = task or (recipe.task if recipe else None)
    if part is None:
        raise UsageError("no task to act in: give --task NAME (`zoo list --kind task` shows them)")
    found = catalogue.task(part.name)
    config = part_config(part, found.spec.config, found.spec.defaults, "task")
    part = Part(name=found.id, config=config.model_dump(mode="json"))
    if recipe:
        check_task(recipe.model_copy(update={"task": part}), catalogue)
    acting = file if policy in NEEDS_CHECKPOINT else None
    if acting is not None and device != "cpu":
        from trunkzoo.system.devices import device_of  # torch, which a plan does not need otherwise

        device_of(device)
    job = Job(part, policy, max_steps or found.spec.max_steps, acting, noise_seed, device)
    parts: list[Found[Any]] = [found]
    if recipe and acting:
        parts += [catalogue.trunk(recipe.trunk.name), catalogue.head(recipe.head.name)]
    plugins = {part.plugin_row.distribution: part.plugin_row.version for part in parts}
    return Plan(job, _provenance(job, found.spec, header if acting else None, plugins))


def _provenance(
    job: Job, spec: TaskSpec[Any], header: CheckpointHeader | None, plugins: dict[str, str]
) -> dict[str, Any]:
    """What decides or describes an episode beside its seed; no paths, which differ between machines."""
    return {
        "policy": job.policy,
        "recipe": header.recipe["name"] if header else None,
        "step": header.step if header else None,
        "checkpoint_sha256": sha256(job.checkpoint) if job.checkpoint else None,
        "task": job.task.name,
        "task_config": job.task.config,
        "success_rule": spec.success_rule,
        "max_steps": job.max_steps,
        "noise_seed": job.noise_seed,
        "device": job.device,
        "versions": plugins | library_versions() | _simulator_versions(spec),
    }


def _simulator_versions(spec: TaskSpec[Any]) -> dict[str, str]:
    owners = metadata.packages_distributions() if spec.requires else {}
    return {owner: metadata.version(owner) for name in spec.requires for owner in owners.get(name, [])}


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
