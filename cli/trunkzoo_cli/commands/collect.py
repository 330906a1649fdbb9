"""``zoo collect``: record a task's scripted demonstrations."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_task
from trunkzoo_cli.options import MAX_COUNT, MAX_PROCESSES, MAX_SEED, JsonOption, assigned
from trunkzoo_cli.output import emit_json, note, numbered, say

if TYPE_CHECKING:
    from trunkzoo.catalogue.part import Configured
    from trunkzoo.rollouts.collect import Demonstration


def collect(
    task: Annotated[str, typer.Argument(help="A task; see `zoo list --kind task`.", autocompletion=complete_task)],
    episodes: Annotated[
        int, typer.Option("-n", "--episodes", min=1, max=MAX_COUNT, help="Successful demonstrations to record.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The dataset to write; must be new.")],
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_SEED, help="Seed of the first attempt. (default: 3000000, apart from evaluation's)"
        ),
    ] = None,
    noise: Annotated[
        float, typer.Option(min=0, max=1e6, help="Command noise; 1 is what the expert says it survives.")
    ] = 1.0,
    workers: Annotated[
        int, typer.Option(min=1, max=MAX_PROCESSES, help="Processes; what is recorded does not depend on it.")
    ] = 2,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting of the task; repeatable.")
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="Store images as mp4 (smaller, lossy) instead of PNG.")
    ] = False,
    reuse: Annotated[bool, typer.Option("--reuse", help="Be content if DIR holds this very collection.")] = False,
    json: JsonOption = False,
) -> None:
    """Record demonstrations of a task's scripted expert as a LeRobot v3 dataset.

    The dataset appears when it is complete; a kill leaves nothing under its name. Each episode's seed is stored.

    Example: zoo collect robosuite/two-arm-lift -n 40 -o data/lift
    """
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.registry.assignments import overlay
    from trunkzoo.rollouts.collect import collect as record
    from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS
    from trunkzoo.system.files import refuse_existing, require_writable
    from trunkzoo.system.progress import progress

    first_seed = DEMONSTRATION_SEEDS if seed is None else seed
    part = Part(name=task, config=overlay({}, assigned(set_)))
    chosen = open_zoo().catalogue.configure("task", part)
    if reuse and out.exists():
        facts = _reused(out, chosen, episodes, first_seed, noise)
    else:
        refuse_existing(out)
        require_writable(out)
        with progress(f"collecting {task}", episodes) as advance:

            def advance_if_kept(demo: Demonstration) -> None:
                advance(int(demo.first_success is not None))

            done = record(
                chosen, episodes, out, first_seed=first_seed, noise=noise, workers=workers, video=video,
                on_episode=advance_if_kept,
            )  # fmt: skip
        facts = {"directory": str(out), "reused": False, "episodes": len(done.seeds), "frames": done.frames}
        facts |= {"seeds": done.seeds, "failed_seeds": done.failed_seeds}
    if json:
        emit_json(facts)
        return
    failed = len(facts["failed_seeds"])
    kept, attempts = numbered(facts["episodes"], "demonstration"), numbered(failed, "failed attempt")
    say(f"{out}: {kept}, {numbered(facts['frames'], 'frame')}, {attempts} left out")
    name = shlex.quote(str(out))
    note(f"`zoo data info {name} --sheet FILE.png` shows them; `zoo train RECIPE --data {name} -o RUN` trains on them")


def _reused(out: Path, task: Configured[Any], episodes: int, first_seed: int, noise: float) -> dict[str, Any]:
    """The facts of the collection in ``out``, once it is the one that was asked for."""
    from trunkzoo.data.lerobot.layout import read_info
    from trunkzoo.data.reuse import require_same_collection
    from trunkzoo.data.summary import read_origin

    part = task.as_part()
    require_same_collection(out, {"task": part.name, "config": part.config, "noise": noise}, episodes, first_seed)
    note(f"{out} holds this collection already; reused")
    info, origin = read_info(out), read_origin(out) or {}
    facts = {"directory": str(out), "reused": True, "episodes": info.total_episodes, "frames": info.total_frames}
    return facts | {"seeds": origin["seeds"], "failed_seeds": origin["failed_seeds"]}
