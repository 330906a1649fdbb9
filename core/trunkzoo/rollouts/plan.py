"""From a request (which policy or checkpoint, which task) to a job and the provenance of its rows. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.edits import edition
from trunkzoo.catalogue.part import RECIPE_KINDS, Configured, Found, Part
from trunkzoo.catalogue.policies import PolicyRecord, provenance_of, require_fit, require_local
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.checkpoint import read_header
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.checkpoint.parts import changed_versions, recipe_of, require_parts, resolve_parts
from trunkzoo.errors import UsageError
from trunkzoo.export.record import is_export, read_export, sha256_of
from trunkzoo.hub.names import folder_name, is_hub_name
from trunkzoo.plugin.records import TaskSpec
from trunkzoo.registry.resolved import check_task
from trunkzoo.rollouts.job import Job
from trunkzoo.rollouts.named import AGENT, AGENTS, BLIND, configure_policy, named_policy
from trunkzoo.rollouts.references import REFERENCES
from trunkzoo.system.versions import library_versions

Scene = Configured[TaskSpec[Any]]


@dataclass(frozen=True)
class Plan:
    """A job, and what every row of it says about where it comes from."""

    job: Job
    provenance: dict[str, Any]
    home: Path | None = None
    """Folder of the files that act, beside which rows are kept; None where there are none."""

    @property
    def label(self) -> str:
        """What tables call it: ``agent``, ``noop``, ``lerobot/lerobot (act)``."""
        name = self.provenance["recipe"]
        return f"{self.job.policy} ({name})" if self.job.record and name else self.job.policy

    @property
    def default_file(self) -> Path | None:
        """Where its rows are kept: beside what acts; nowhere for a reference, which is quick to repeat."""
        return self.home / f"eval-{self.job.policy.rpartition('/')[2]}.jsonl" if self.home else None


@dataclass(frozen=True)
class AgentFile:
    """The file of an agent, absolute since workers may run elsewhere, and what it says about itself."""

    file: Path
    header: CheckpointHeader
    home: Path
    """Where rows are kept: beside the file; in a folder here for one that lies in the cache of the hub."""

    @property
    def exported(self) -> bool:
        """Whether it is a graph, which acts without the agent's plugins."""
        return is_export(self.file)


def plan(
    catalogue: Catalogue,
    policy: str | Part = AGENT,
    checkpoint: str | Path | None = None,
    task: Part | None = None,
    max_steps: int | None = None,
    noise_seed: int = 0,
    device: str = "cpu",
    *,
    blind: bool = False,
    num_action_steps: int | None = None,
) -> Plan:
    """Plan the evaluation of a policy: find task and checkpoint, check their contract, and note the provenance.

    ``policy`` is ``agent`` or ``blind``, which act by a checkpoint, or a policy as a part or as the text that names it
    (``noop``, ``lerobot:PATH``); ``blind`` blanks the images of either. ``task`` may stay away with a checkpoint, whose
    recipe names one; ``max_steps`` defaults to the task's own cap. ``num_action_steps`` is how many actions of each chunk
    an agent executes, its contract's if None; no training depends on it.

    Raises:
        UsageError: there is no task or no such policy, an agent has no checkpoint, the device is not there, or a
            number is out of range.
        CheckpointError, ContractError: the checkpoint is damaged, or what acts does not fit the task.
        PluginError: what the policy requires is not installed.
    """
    _check_numbers(max_steps, noise_seed)
    by_agent = policy in AGENTS
    if by_agent and checkpoint is None:
        raise UsageError(f"policy '{policy}' needs a trained agent: give a run directory or a checkpoint")
    source = _source(Path(checkpoint)) if checkpoint is not None else None
    scene = _scene(catalogue, task, source, by_agent)
    blinded = blind or policy == BLIND
    job = Job(scene.as_part(), BLIND if blinded else AGENT, max_steps or scene.spec.max_steps, None, noise_seed, device)
    if by_agent and source:
        return _agent_plan(catalogue, replace(job, num_action_steps=num_action_steps), scene, source)
    if num_action_steps is not None:
        raise UsageError("only an agent predicts chunks of which some actions are executed", ["num_action_steps"])
    part = named_policy(catalogue, policy) if isinstance(policy, str) else policy
    return _record_plan(job, scene, configure_policy(catalogue, part))


def _check_numbers(max_steps: int | None, noise_seed: int) -> None:
    if noise_seed < 0 or (max_steps is not None and max_steps < 1):
        raise UsageError(f"noise seed {noise_seed} must be 0 or more, and max steps {max_steps} 1 or more")


def _check_executed(num_action_steps: int | None, pred_horizon: int) -> None:
    if num_action_steps is not None and not 1 <= num_action_steps <= pred_horizon:
        raise UsageError(
            f"num_action_steps {num_action_steps}: this agent predicts {pred_horizon} actions, of which it can execute "
            f"1 to {pred_horizon}",
            ["num_action_steps"],
        )


def _source(path: Path) -> AgentFile:
    if is_export(path):
        graph, record = read_export(path)
        record.require_acting(graph)
        return AgentFile(graph.resolve(), record.header(), graph.resolve().parent)
    found = model_file(path)
    file = found.parent.resolve() / found.name  # the cache of the hub has links to blobs, without a manifest
    home = Path(folder_name(path, file.parent.name)) if is_hub_name(path) else file.parent
    return AgentFile(file, read_header(file), home)


def _scene(catalogue: Catalogue, task: Part | None, source: AgentFile | None, by_agent: bool) -> Scene:
    """The task that was asked for, or that of the checkpoint's recipe, which must fit it."""
    recipe = recipe_of(source.header, source.file) if source else None
    if source and task is None:  # a floor needs no more of the checkpoint than its task
        kinds = RECIPE_KINDS if by_agent and not source.exported else ("task",)
        require_parts(source.header, catalogue, source.file, kinds)
    part = task or (recipe.task if recipe else None)
    if part is None:
        raise UsageError("no task to act in: name one (`zoo list` shows them)", ["task"])
    scene = catalogue.configure("task", part)
    if recipe:
        check_task(recipe, scene)
    return scene


def _agent_plan(catalogue: Catalogue, job: Job, scene: Scene, source: AgentFile) -> Plan:
    if job.device != "cpu":
        if source.exported:
            raise UsageError(f"device {job.device}: an exported agent acts on the CPU", ["device"])
        from trunkzoo.system.devices import device_of  # torch, which a plan does not need otherwise

        device_of(job.device)
    header, versions = source.header, _editions(scene)
    _check_executed(job.num_action_steps, recipe_of(header, source.file).contract.pred_horizon)
    if source.exported:
        versions["onnxruntime"] = metadata.version("onnxruntime") if find_spec("onnxruntime") else "not installed"
    else:
        resolved = resolve_parts(header, recipe_of(header, source.file), catalogue, source.file)
        changed_versions(header, resolved.parts, source.file)
        versions |= _editions(resolved.trunk, resolved.head)
    origin = {"recipe": header.recipe["name"], "step": header.step, "checkpoint_sha256": sha256_of(source.file)}
    return Plan(replace(job, checkpoint=source.file), _provenance(job, scene.spec, origin, versions), source.home)


def _record_plan(job: Job, scene: Scene, policy: PolicyRecord) -> Plan:
    """The plan of a policy that is no agent; rows of one from a plugin say its settings too."""
    require_local(policy)
    require_fit(policy, contract_of(scene), scene.id)
    ours = policy.id in REFERENCES
    found = provenance_of(policy)
    origin: dict[str, Any] = {
        "recipe": None if ours else found.name,
        "step": found.step,
        "checkpoint_sha256": found.sha256,
    }
    if not ours:
        origin["policy_record"] = {"name": policy.id, "settings": dict(found.settings)}
    job = replace(job, policy=BLIND if job.policy == BLIND else policy.id, record=policy.as_part())
    versions = _editions(scene, *(() if ours else (policy,))) | dict(found.versions)
    return Plan(job, _provenance(job, scene.spec, origin, versions), _folder(policy))


def _folder(policy: PolicyRecord) -> Path | None:
    """Where the files lie that the policy's argument names, if it names any."""
    given = getattr(policy.config, policy.spec.argument) if policy.spec.argument else None
    path = Path(str(given)) if given else None
    if path is None or not path.exists():
        return None
    return path if path.is_dir() else path.parent


def _editions(*parts: Found[Any]) -> dict[str, str]:
    return {part.plugin.distribution: edition(part.plugin) for part in parts}


def _provenance(job: Job, spec: TaskSpec[Any], origin: dict[str, Any], versions: dict[str, str]) -> dict[str, Any]:
    """What decides or describes an episode beside its seed; no paths, which differ between machines."""
    executed = {} if job.num_action_steps is None else {"num_action_steps": job.num_action_steps}
    return {
        "policy": job.policy,
        **origin,
        **executed,
        "task": job.task.name,
        "task_config": job.task.config,
        "success_rule": spec.success_rule,
        "max_steps": job.max_steps,
        "noise_seed": job.noise_seed,
        "device": job.device,
        "versions": versions | library_versions() | _simulator_versions(spec),
    }


def _simulator_versions(spec: TaskSpec[Any]) -> dict[str, str]:
    owners = metadata.packages_distributions() if spec.requires else {}
    return {owner: metadata.version(owner) for name in spec.requires for owner in owners.get(name, [])}
