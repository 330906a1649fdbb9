"""``zoo train``: a thin shell over ``trunkzoo.training.train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.options import MAX_COUNT, MAX_PROCESSES, MAX_SEED, JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, say

if TYPE_CHECKING:
    from trunkzoo.training import TrainResult


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe of registry.toml; see `zoo list --kind recipe`.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="LeRobot v3 dataset, e.g. from `zoo collect`.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="RUN", help="Run directory; new unless --resume.")],
    trunk: TrunkOption = None,
    set_: SetOption = None,
    steps: Annotated[int | None, typer.Option(max=MAX_COUNT, help="Optimiser steps, in place of the recipe's.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Decides initial weights, batches and every sample's noise.")
    ] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue RUN from its newest checkpoint.")] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Which camera of the data is camera OURS of the contract."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, max=MAX_PROCESSES, help="CPU threads of torch. (default: torch's choice)")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--num-workers", min=0, max=MAX_PROCESSES, help="Threads that gather batches; no result depends on it."
        ),
    ] = None,
    compile_: Annotated[bool, typer.Option("--compile", help="Run the agent through torch.compile.")] = False,
    skip_nonfinite: Annotated[
        int | None, typer.Option(max=MAX_COUNT, metavar="N", help="Tolerate N steps whose loss is not finite.")
    ] = None,
    stop_at: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, help="Save and leave after this step; --resume continues.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events to RUN too.")] = False,
    json: JsonOption = False,
) -> None:
    """Train an agent on demonstrations, with checkpoints and metrics.jsonl in the run directory.

    Ctrl-C (or SIGTERM) finishes the step, saves and leaves with 130 (143); the same command with --resume continues
    exactly where it stopped, also after a kill -9. More --steps on resume follow the cosine of the new length.

    Examples: zoo train imf-attnres --data data/lift -o runs/attnres
              torchrun --nproc-per-node 2 -m trunkzoo_cli train imf-resnet18 --data data/lift -o runs/two
    """
    from trunkzoo.registry import open_zoo

    settings = {"steps": steps, "workers": workers, "compile": compile_ or None, "skip_nonfinite": skip_nonfinite}
    given = [f"train.{key}={str(value).lower()}" for key, value in settings.items() if value is not None]
    chosen = recipe_of(recipe, trunk, [*(set_ or []), *given], open_zoo())
    from trunkzoo.data.match import parse_camera_map
    from trunkzoo.plugin.config import parse
    from trunkzoo.training.config import RunConfig
    from trunkzoo.training.loop import train

    values = {
        "recipe": chosen.recipe,
        "data": data,
        "output": out,
        "seed": seed,
        "resume": resume,
        "device": device,
        "threads": threads,
        "cameras": parse_camera_map(camera or [], "--camera"),
        "stop_at": stop_at,
        "tensorboard": tensorboard,
    }
    result = train(parse(RunConfig, values, "zoo train"), chosen)
    if os.environ.get("RANK", "0") == "0":  # torchrun starts one process per rank; one of them speaks
        _report(result, chosen.recipe.train.steps, json)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _report(result: TrainResult, steps: int, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
        return
    loss = result.metrics.get("loss")
    say(f"step {result.step}" + (f", loss {loss:.4g}" if loss is not None else "") + f", {result.seconds:.0f} s")
    say(f"checkpoint {result.checkpoint}")
    unfinished = f"the same command with --resume (without --stop-at) does the other {steps - result.step} steps"
    say(f"next: {unfinished if result.step < steps else f'zoo eval {result.output}'}")
