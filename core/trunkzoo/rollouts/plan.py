"""From a request (which checkpoint, which policy, which task) to a job and the provenance of its rows. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.edits import edition
from trunkzoo.catalogue.part import KINDS, Found, Part
from trunkzoo.checkpoint import read_header
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.parts import changed_versions, recipe_of, require_parts, resolve_parts
from trunkzoo.errors import UsageError
from trunkzoo.export.record import is_export, read_export, sha256_of
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry.resolved import check_task
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
    """Plan the evaluation of a policy: find task and checkpoint, check their contract, and note the provenance.

    ``task`` may stay away with a checkpoint, whose recipe names one; ``max_steps`` defaults to the task's own cap.

    Raises:
        UsageError: there is no task, a policy that acts by a network has no checkpoint, the device is not there, or a
            number is out of range.
        CheckpointError, ContractError: the checkpoint is damaged or does not fit the task.
    """
    _check_request(policy, checkpoint, max_steps, noise_seed)
    file, header = _source(Path(checkpoint)) if checkpoint is not None else (None, None)
    exported = file is not None and is_export(file)
    recipe = recipe_of(header, file) if header and file else None
    if header and file and task is None:  # a floor needs no more of the checkpoint than its task
        require_parts(header, catalogue, file, KINDS if policy in NEEDS_CHECKPOINT and not exported else ("task",))
    part = task or (recipe.task if recipe else None)
    if part is None:
        raise UsageError("no task to act in: name one (`zoo list` shows them)", ["task"])
    scene = catalogue.configure("task", part)
    if recipe:
        check_task(recipe, scene)
    if policy not in NEEDS_CHECKPOINT:
        file = header = recipe = None  # they only named the task
    if exported and device != "cpu":
        raise UsageError(f"device {device}: an exported agent acts on the CPU", ["device"])
    if file is not None and device != "cpu":
        from trunkzoo.system.devices import device_of  # torch, which a plan does not need otherwise

        device_of(device)
    job = Job(scene.as_part(), policy, max_steps or scene.spec.max_steps, file, noise_seed, device)
    parts: list[Found[Any]] = [scene]
    if recipe and header and file and not exported:
        resolved = resolve_parts(header, recipe, catalogue, file)
        changed_versions(header, resolved.parts, file)
        parts += [resolved.trunk, resolved.head]
    plugins = {part.plugin.distribution: edition(part.plugin) for part in parts}
    if file is not None and exported:
        plugins["onnxruntime"] = metadata.version("onnxruntime") if find_spec("onnxruntime") else "not installed"
    return Plan(job, _provenance(job, scene.spec, header, plugins))


def _source(path: Path) -> tuple[Path, CheckpointHeader]:
    """The file that acts, absolute since workers may run elsewhere, and what it says about itself."""
    if is_export(path):
        graph, record = read_export(path)
        record.require_acting(graph)
        return graph.resolve(), record.header()
    file = model_file(path)
    file = file.parent.resolve() / file.name  # not the file itself: a cache has links to blobs without a manifest
    return file, read_header(file)


def _check_request(policy: PolicyKind, checkpoint: str | Path | None, max_steps: int | None, noise_seed: int) -> None:
    if policy in NEEDS_CHECKPOINT and checkpoint is None:
        raise UsageError(f"policy '{policy}' needs a trained agent: give a run directory or a checkpoint")
    if noise_seed < 0 or (max_steps is not None and max_steps < 1):
        raise UsageError(f"noise seed {noise_seed} must be 0 or more, and max steps {max_steps} 1 or more")


def _provenance(
    job: Job, spec: TaskSpec[Any], header: CheckpointHeader | None, plugins: dict[str, str]
) -> dict[str, Any]:
    """What decides or describes an episode beside its seed; no paths, which differ between machines."""
    return {
        "policy": job.policy,
        "recipe": header.recipe["name"] if header else None,
        "step": header.step if header else None,
        "checkpoint_sha256": sha256_of(job.checkpoint) if job.checkpoint else None,
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
