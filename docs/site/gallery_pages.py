"""The gallery: facts from registry.toml and the records, beside pictures that docs/site/gallery.py made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tables import code, table
from trunkzoo.plugin import TaskSpec
from trunkzoo.registry import open_zoo

PICTURES = Path(__file__).parents[1] / "gallery"
MADE = PICTURES / "made.json"
"""What was run for each picture."""
TRUNKS = """# Trunks

Facts are asserted in `registry.toml`, and a test rebuilds each trunk and compares every number. The pictures show where an agent on
that trunk looks: the trunk in a width that a CPU trains in minutes, on the task of the [tour](../start.md), its keypoints over one
fresh episode. They say what a keypoint is, not which trunk is better; for that, see [results](../results/words.md).

"""
TASKS = """# Tasks

Every task has a scripted expert, which gives demonstrations and the ceiling of a score. The films show the first fresh episode of
that expert; the strip below is the reward of each step, green from the first success on.

"""


def write_trunks() -> str:
    """Every trunk that registry.toml vouches for, then those that only need another library."""
    zoo, made = open_zoo(), _made()
    parts = [TRUNKS]
    for id, facts in zoo.registry.trunks.items():
        rows = [
            (name, f"{value:,}".replace(",", " ") if isinstance(value, int) else value)
            for name, value in facts.model_dump(exclude={"golden"}).items()
            if value
        ]
        parts.append(f"## {id}\n\n{_sentence(zoo.catalogue.trunks[id].summary)}\n\n{table(('fact', 'value'), rows)}")
        parts += [f"![{about}]({name})\n\n*{about}*\n\n" for name, about in made["trunks"].get(id, {}).items()]
    others = [id for id in zoo.catalogue.trunks if id not in zoo.registry.trunks]
    rows = [(code(id), zoo.catalogue.trunks[id].summary) for id in others]
    return "".join([*parts, "## Backbones of other libraries\n\n", table(("trunk", "what"), rows)])


def write_tasks() -> str:
    """Every installed task; the fifty of Meta-World in one table."""
    zoo, made = open_zoo(), _made()
    many = {id: spec for id, spec in zoo.catalogue.tasks.items() if id.startswith("metaworld/")}
    single = [(id, spec) for id, spec in zoo.catalogue.tasks.items() if id not in many]
    parts = [TASKS, *(_task(id, spec, made["tasks"].get(id, {})) for id, spec in single)]
    parts.append("## metaworld\n\nOne arm and fifty tasks of Meta-World, with its scripted policies as experts.\n\n")
    parts += [_shown(name, about) for name, about in made["tasks"].get("metaworld", {}).items()]
    parts.append(table(("task", "what"), [(code(id), spec.summary) for id, spec in many.items()]))
    return "".join(parts)


def _task(id: str, spec: TaskSpec[Any], pictures: dict[str, str]) -> str:
    contract = spec.contract(spec.config.model_validate(spec.defaults))
    size = " × ".join(map(str, contract.image_size))
    facts = [
        ("success", spec.success_rule),
        ("cameras", f"{', '.join(contract.cameras)}; {size} pixels"),
        ("state, action", f"{contract.state_dim}, {contract.action_dim}"),
        ("steps", f"{spec.max_steps} at most, {spec.fps} per second"),
        ("the expert solves at least", f"{spec.expert_success:.0%}"),
    ]
    shown = "".join(_shown(name, about) for name, about in pictures.items())
    return f"## {id}\n\n{_sentence(spec.summary)}\n\n{shown}{table(('fact', 'value'), facts)}"


def _shown(name: str, about: str) -> str:
    if name.endswith(".mp4"):
        return f'<video controls loop muted playsinline preload="metadata" src="{name}" title="{about}"></video>\n\n'
    return f"![{about}]({name})\n\n*{about}*\n\n"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _made() -> dict[str, dict[str, dict[str, str]]]:
    nothing: dict[str, dict[str, dict[str, str]]] = {"tasks": {}, "trunks": {}}
    return {**nothing, **json.loads(MADE.read_text(encoding="utf-8"))} if MADE.exists() else nothing
