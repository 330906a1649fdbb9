"""Start an agent from parts of another one's checkpoint: a named part fits wholly or is refused, all others stay as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from trunkzoo.agent.agent import Agent
from trunkzoo.checkpoint.header import CheckpointHeader
from trunkzoo.checkpoint.layout import AGENT_PARTS, AgentPart
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.checkpoint.parts import changed_versions
from trunkzoo.checkpoint.tensors import read_tensors
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.registry.resolved import ResolvedRecipe

_RECORDS: tuple[Literal["trunk", "head"], ...] = ("trunk", "head")
_NORMALIZERS = ("state_normalizer.", "action_normalizer.")


def transfer(agent: Agent, file: Path, parts: Sequence[AgentPart]) -> list[str]:
    """Copy the weights of ``parts`` from the model file of another agent into ``agent``; cameras are matched by name.

    Returns one line per part: what was taken or left as it was, and settings in which the two agents differ.

    Raises:
        CheckpointError: the file is damaged, or a part of it is of another trunk, head, camera or size.
    """
    header, _ = read_verified(file)
    _require_records(agent, header, file, parts)
    found, state = read_tensors(file), agent.state_dict()
    sizes: dict[AgentPart, int] = {}
    for part in parts:
        prefixes = dict(_prefixes(part, agent, header, file))
        sources = {
            name: source + name.removeprefix(target)
            for target, source in prefixes.items()
            for name in state
            if name.startswith(target)
        }
        ours = tuple(prefixes.values())
        unused = [name for name in found if name.startswith(ours) and name not in sources.values()]
        _require_fit(state, found, sources, unused, f"{file}: {part}", part)
        for name, source in sources.items():
            state[name].copy_(found[source])
        sizes[part] = sum(state[name].numel() for name in sources)
    return [_line(part, agent, header, sizes) for part in AGENT_PARTS]


def _prefixes(part: AgentPart, agent: Agent, header: CheckpointHeader, file: Path) -> Iterator[tuple[str, str]]:
    """Beginnings of state-dict keys, here and in the source."""
    if part == "head":
        yield "head.", "head."
    elif part == "normalizers":
        yield from ((name, name) for name in _NORMALIZERS)
    elif part == "cameras":
        for i, camera in enumerate(agent.contract.cameras):
            yield f"encoder.cameras.{i}.", f"encoder.cameras.{_camera(camera, agent, header, file, part)}."
    elif header.recipe.get("encoder", {}).get("share_trunk", False):  # one for all: every camera here gets it
        yield from ((f"encoder.trunks.{i}.", "encoder.trunks.0.") for i in range(len(agent.encoder.trunks)))
    elif agent.recipe.encoder.share_trunk and len(header.contract.cameras) > 1:
        raise CheckpointError(
            f"{file} has a trunk for each of its {len(header.contract.cameras)} cameras, and this recipe one for all: "
            "none of them is the one to take; set encoder.share_trunk = false"
        )
    else:
        for i, camera in enumerate(agent.contract.cameras[: len(agent.encoder.trunks)]):
            yield f"encoder.trunks.{i}.", f"encoder.trunks.{_camera(camera, agent, header, file, part)}."


def _camera(name: str, agent: Agent, header: CheckpointHeader, file: Path, part: AgentPart) -> int:
    """Which camera of the source is this one: that of its name, or the only one."""
    there = header.contract.cameras
    if name in there:
        return there.index(name)
    if len(there) == 1 and (part == "trunk" or len(agent.contract.cameras) == 1):
        return 0
    raise CheckpointError(
        f"{file} has the cameras {', '.join(there)}, and none is '{name}', so nothing tells what its {part} starts from; "
        f"leave {part} out of what is taken",
        ["start.parts"],
    )


def _require_records(agent: Agent, header: CheckpointHeader, file: Path, parts: Sequence[AgentPart]) -> None:
    """A trunk's or head's weights are those of the same record, and of the same API."""
    for kind in _RECORDS:
        there, here = str(header.recipe[kind]["name"]), getattr(agent.recipe, kind).name
        if kind in parts and there != here:
            raise CheckpointError(
                f"{file} has the {kind} '{there}', and the recipe '{agent.recipe.name}' has '{here}', which its weights do "
                f"not fit; leave {kind} out of what is taken",
                ["start.parts"],
            )
    taken = tuple(use for use in header.plugins if use.kind in parts)
    changed_versions(header.model_copy(update={"plugins": taken}), agent.parts, file)


def _require_fit(
    state: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    sources: Mapping[str, str],
    unused: Sequence[str],
    what: str,
    part: AgentPart,
) -> None:
    problems = [f"lacks {source}" for source in sources.values() if source not in found]
    problems += [f"has {name}, which has no place here" for name in unused]
    problems += [
        f"{source} is {tuple(found[source].shape)} there, {tuple(state[name].shape)} here"
        for name, source in sources.items()
        if source in found and (found[source].shape, found[source].dtype) != (state[name].shape, state[name].dtype)
    ]
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        raise CheckpointError(
            f"{what} does not fit: {shown}. Give both agents equal settings, or leave {part} out of what is taken",
            ["start.parts"],
        )


def _line(part: AgentPart, agent: Agent, header: CheckpointHeader, sizes: Mapping[AgentPart, int]) -> str:
    if part not in sizes:
        return f"{part}: fresh" + (", from the data" if part == "normalizers" else "")
    other = differing_settings(part, agent, header)
    return f"{part}: {sizes[part]:,} numbers taken" + (f" ({'; '.join(other)})" if other else "")


def differing_settings(part: AgentPart, agent: Agent, header: CheckpointHeader) -> list[str]:
    """Settings of a trunk or head that differ between the source and the agent: ``output_stride 16 there, 8 here``."""
    if part not in _RECORDS:
        return []
    there: Mapping[str, Any] = header.recipe[part]["config"]
    here: Mapping[str, Any] = getattr(agent.recipe, part).config
    return [f"{key} {there[key]} there, {here[key]} here" for key in there if key in here and there[key] != here[key]]


def require_no_initial(recipe: ResolvedRecipe, parts: Sequence[AgentPart]) -> None:
    """Refuse a trunk's file of initial weights beside a start that replaces them all.

    Raises:
        UsageError: the recipe names such a file and ``parts`` has the trunk.
    """
    config, spec = recipe.trunk.config, recipe.trunk.spec
    idle = [name for name in spec.initial if getattr(config, name) != type(config).model_fields[name].default]
    if "trunk" in parts and idle:
        raise UsageError(
            f"trunk.{idle[0]} = {getattr(config, idle[0])} has no effect where the trunk is taken from a checkpoint; "
            "remove it, or leave trunk out of what is taken",
            ["start.parts"],
        )
