"""``zoo train``: a thin shell over ``trunkzoo.training.train``."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_recipe_or_run, complete_run
from trunkzoo_cli.options import MAX_COUNT, MAX_PROCESSES, MAX_SEED, JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, note, option_of, say

if TYPE_CHECKING:
    from trunkzoo.registry.recipe import Recipe
    from trunkzoo.registry.resolved import ResolvedRecipe
    from trunkzoo.training import RunConfig, TrainResult


class DeviceName(StrEnum):
    """Where a training runs; ``auto`` takes a GPU where there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Tracker(StrEnum):
    """What may get the rows of metrics.jsonl too."""

    wandb = "wandb"
    trackio = "trackio"
    mlflow = "mlflow"
    tensorboard = "tensorboard"


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            metavar="RECIPE|RUN",
            help="A recipe; see `zoo list --kind recipe`. With --resume alone, the run directory.",
            autocompletion=complete_recipe_or_run,
        ),
    ] = None,
    resumed: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN", help="The run, where --resume stands with a recipe.", autocompletion=complete_run
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
        DeviceName | None, typer.Option(help="Where it trains. (default: auto, or what a resumed run had)")
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
        list[Tracker] | None, typer.Option(help="This tracker gets the metrics too; may be repeated.")
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
    typed = [*(set_ or []), *given]
    if resume:
        chosen, start = _continue(*_run_of(recipe, resumed, out), data, trunk, typed)
    else:
        chosen, start = _start(recipe, resumed, data, out, trunk, typed)
    options = {
        "seed": seed,
        "start": _start_of(from_, from_parts),
        "device": device and device.value,
        "threads": threads,
        "cameras": parse_camera_map(camera or [], "--camera") or None,
    }
    values = {
        **start,
        **{key: value for key, value in options.items() if value is not None},
        "recipe": chosen.recipe,
        "resume": resume,
        "stop_at": stop_at,
        "tensorboard": tensorboard or Tracker.tensorboard in (track or []),
        "track": [name.value for name in dict.fromkeys(track or []) if name is not Tracker.tensorboard],
    }
    run = parse(RunConfig, values, "", option_of)
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
    recipe: str | None, more: Path | None, data: Path | None, out: Path | None, trunk: str | None, settings: list[str]
) -> tuple[ResolvedRecipe, dict[str, Any]]:
    """The recipe to train, and the fields of RunConfig that begin a run."""
    from trunkzoo.data import dataset_directory
    from trunkzoo.errors import UsageError
    from trunkzoo.registry import open_zoo

    missing = [name for name, value in (("RECIPE", recipe), ("--data DIR", data), ("-o RUN", out)) if value is None]
    if recipe is None or out is None or data is None or more is not None:
        wrong = f"missing {', '.join(missing)}" if missing else f"'{more}' is one name too many"
        raise UsageError(f"{wrong}: `zoo train RECIPE --data DIR -o RUN` starts, `zoo train --resume RUN` continues")
    return recipe_of(recipe, trunk, settings, open_zoo()), {"data": dataset_directory(data), "output": out}


def _run_of(first: str | None, second: Path | None, out: Path | None) -> tuple[str | None, Path]:
    """Recipe, if one is typed, and run directory of a command with ``--resume``; the run stands in -o, or last."""
    from trunkzoo.errors import UsageError

    names = [str(name) for name in (first, second, out) if name is not None]
    if not 1 <= len(names) <= 2:
        wrong = f"'{names[1]}' is one name too many" if names else "missing RUN"
        raise UsageError(f"{wrong}: `zoo train --resume RUN` continues")
    return (names[0] if names[1:] else None), Path(names[-1])


def _continue(
    recipe: str | None, run: Path, data: Path | None, trunk: str | None, settings: list[str]
) -> tuple[ResolvedRecipe, dict[str, Any]]:
    """Everything from ``run.json``; what is typed now goes over it, and is held against it when the run is opened."""
    from trunkzoo.data import dataset_directory
    from trunkzoo.registry import open_zoo
    from trunkzoo.registry.layers import Labels
    from trunkzoo.registry.written import resolve_again
    from trunkzoo.training.begun import begun
    from trunkzoo_cli.options import assigned

    before, zoo = begun(run), open_zoo()
    if recipe is None:
        again = {**({"trunk.name": trunk} if trunk else {}), **assigned(settings)}
        chosen = resolve_again(before.recipe, again, zoo.catalogue, Labels("--set", "--trunk"))
    else:
        chosen = recipe_of(recipe, trunk, [*_kept_steps(run, before.recipe.train.steps, settings), *settings], zoo)
    fields = {"seed": before.seed, "device": before.device, "threads": before.threads, "cameras": before.cameras}
    return chosen, {"data": dataset_directory(data) if data else before.data, "output": run, **fields}


def _kept_steps(run: Path, steps: int, settings: list[str]) -> list[str]:
    """The length of the run that is resumed, where no other is typed: a recipe's own may be shorter."""
    if any(setting.partition("=")[0].strip() == "train.steps" for setting in settings):
        return []
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
    if result.began == result.step == recipe.train.steps:
        longer = f"`zoo train --resume {result.output} --steps {2 * result.step}` trains on"
        say(f"{result.output} is finished, all {result.step} steps are done; {longer}")
    else:
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
