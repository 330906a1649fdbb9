"""``zoo train``: a thin shell over ``trunkzoo.training.train``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_recipe_or_run, complete_run
from trunkzoo_cli.options import MAX_COUNT, MAX_PROCESSES, MAX_SEED, JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, note, say

if TYPE_CHECKING:
    from trunkzoo.registry import Zoo
    from trunkzoo.registry.recipe import Recipe
    from trunkzoo.registry.resolved import ResolvedRecipe
    from trunkzoo.training import RunConfig, TrainResult


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|RUN",
            help="A recipe; see `zoo list --kind recipe`. With --resume alone, the run directory.",
            autocompletion=complete_recipe_or_run,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="LeRobot v3 dataset, e.g. from `zoo collect`, or hf:ORG/NAME."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="RUN", help="Run directory; new unless --resume.")
    ] = None,
    trunk: TrunkOption = None,
    set_: SetOption = None,
    steps: Annotated[int | None, typer.Option(max=MAX_COUNT, help="Optimiser steps, in place of the recipe's.")] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, max=MAX_SEED, help="Decides initial weights, batches and every sample's noise. (default: 0)"
        ),
    ] = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN|CKPT",
            help="Start from the weights of this agent, or of hf:ORG/NAME.",
            autocompletion=complete_run,
        ),
    ] = None,
    from_parts: Annotated[
        str | None,
        typer.Option(
            metavar="PARTS",
            help="What --from gives, of trunk, cameras, head and normalizers, with commas between. "
            "(default: trunk,cameras,head)",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue RUN from its newest checkpoint; RUN alone is enough.")
    ] = False,
    camera: Annotated[
        list[str] | None,
        typer.Option(metavar="OURS=THEIRS", help="Which camera of the data is camera OURS of the contract."),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu or cuda. (default: auto, or what a resumed run had)")
    ] = None,
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
    track: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="wandb, trackio, mlflow or tensorboard gets the metrics too; may be repeated."
        ),
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events to RUN too.")] = False,
    json: JsonOption = False,
) -> None:
    """Train an agent on demonstrations, with checkpoints and metrics.jsonl in the run directory.

    Ctrl-C (or SIGTERM) finishes the step, saves and leaves with 130 (143); `zoo train --resume RUN` continues exactly
    where it stopped, also after a kill -9. More --steps on resume follow the cosine of the new length.

    --from starts from another agent: each part named fits wholly (same trunk or head, same sizes, cameras by their names)
    or nothing begins; all others start fresh, the statistics from the new data. run.json keeps the hash of its weights.

    metrics.jsonl has every logged row, whatever --track says; a tracker that fails on the way is left out, not the training.
    wandb without its service: WANDB_MODE=offline.

    Examples: zoo train imf-attnres --data data/lift -o runs/attnres
              zoo train --resume runs/attnres
              zoo train imf-attnres --data data/handover -o runs/next --from runs/attnres --from-parts trunk,cameras
              torchrun --nproc-per-node 2 -m trunkzoo_cli train imf-resnet18 --data data/lift -o runs/two
    """
    from trunkzoo.data.match import parse_camera_map
    from trunkzoo.plugin.config import parse
    from trunkzoo.training.config import RunConfig
    from trunkzoo.training.loop import train

    settings = {"steps": steps, "workers": workers, "compile": compile_ or None, "skip_nonfinite": skip_nonfinite}
    given = [f"train.{key}={str(value).lower()}" for key, value in settings.items() if value is not None]
    chosen, start = _start(recipe, data, out, trunk, [*(set_ or []), *given], resume=resume)
    options = {
        "seed": seed,
        "start": _start_of(from_, from_parts),
        "device": device,
        "threads": threads,
        "cameras": parse_camera_map(camera or [], "--camera") or None,
    }
    values = {
        **start,
        **{key: value for key, value in options.items() if value is not None},
        "recipe": chosen.recipe,
        "resume": resume,
        "stop_at": stop_at,
        "tensorboard": tensorboard or "tensorboard" in (track or []),
        "track": [name for name in dict.fromkeys(track or []) if name != "tensorboard"],
    }
    run = parse(RunConfig, values, "zoo train")
    if _first_process():
        _remark(run, chosen)
    result = train(run, chosen)
    if _first_process():
        _report(result, chosen.recipe, json)
    if result.signal is not None:
        raise typer.Exit(128 + result.signal)


def _start_of(path: str | None, parts: str | None) -> dict[str, Any] | None:
    """The values of ``--from`` and ``--from-parts``."""
    from trunkzoo.errors import UsageError

    if path is None:
        if parts is not None:
            raise UsageError("--from-parts says what is taken of an agent; give it with --from RUN")
        return None
    given = [part.strip() for part in parts.split(",")] if parts is not None else None
    return {"path": path, **({"parts": given} if given else {})}


def _first_process() -> bool:
    """torchrun starts one process per rank; one of them speaks."""
    return os.environ.get("RANK", "0") == "0"


def _start(
    recipe: str | None, data: Path | None, out: Path | None, trunk: str | None, settings: list[str], *, resume: bool
) -> tuple[ResolvedRecipe, dict[str, Any]]:
    """The recipe to train, and the fields of RunConfig that it brings: those typed, or those of the run to resume."""
    from trunkzoo.data import dataset_directory
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import open_zoo

    zoo = open_zoo()
    if resume and data is None and trunk is None and (out is None) != (recipe is None):
        return _continue(out or Path(str(recipe)), settings, zoo)
    missing = [name for name, value in (("RECIPE", recipe), ("--data DIR", data), ("-o RUN", out)) if value is None]
    if missing or recipe is None or out is None or data is None:
        raise UsageError(
            f"missing {', '.join(missing)}: `zoo train RECIPE --data DIR -o RUN` starts, `zoo train --resume RUN` continues"
        )
    kept = _kept_steps(out, settings) if resume else []
    chosen = recipe_of(recipe, trunk, [*kept, *settings], zoo)
    return chosen, {"data": dataset_directory(data), "output": out}


def _continue(run: Path, settings: list[str], zoo: Zoo) -> tuple[ResolvedRecipe, dict[str, Any]]:
    """Everything from ``run.json``; the settings typed now go over it."""
    from trunkzoo.registry.layers import Labels
    from trunkzoo.registry.written import resolve_again
    from trunkzoo.training.begun import begun
    from trunkzoo_cli.options import assigned

    before = begun(run)
    chosen = resolve_again(before.recipe, assigned(settings), zoo.catalogue, Labels("--set", "--trunk"))
    fields = {"seed": before.seed, "device": before.device, "threads": before.threads, "cameras": before.cameras}
    return chosen, {"data": before.data, "output": run, **fields}


def _kept_steps(run: Path, settings: list[str]) -> list[str]:
    """The length of the run that is resumed, where no other is typed: a recipe's own may be shorter."""
    from trunkzoo.training.begun import begun
    from trunkzoo.training.directory import RUN

    if not (run / RUN).is_file() or any(setting.partition("=")[0].strip() == "train.steps" for setting in settings):
        return []
    steps = begun(run).recipe.train.steps
    note(f"{steps} steps, as {run} was started with; --steps says otherwise")
    return [f"train.steps={steps}"]


def _remark(run: RunConfig, recipe: ResolvedRecipe) -> None:
    from trunkzoo.training.remarks import remarks

    for line in remarks(run.data, recipe, run.cameras):
        note(line)


def _report(result: TrainResult, recipe: Recipe, json: bool) -> None:
    if json:
        emit_json(result.to_dict())
        return
    from trunkzoo.training.metrics import losses

    known = result.metrics if result.metrics.get("loss") is not None else {}
    say(", ".join([f"step {result.step}", *([losses(known)] if known else []), f"{result.seconds:.0f} s"]))
    say(f"checkpoint {result.checkpoint}")
    say(f"next: {_next(result, recipe)}")


def _next(result: TrainResult, recipe: Recipe) -> str:
    """What to type after this training."""
    left = recipe.train.steps - result.step
    if left:
        return f"`zoo train --resume {result.output}` does the other {left} steps"
    if recipe.task is None:  # data of a real robot: there is no simulator to act in
        return f'zoo inspect {result.output}; trunkzoo.load_agent("{result.output}") acts (recipe without a task)'
    return f"zoo eval {result.output}"
