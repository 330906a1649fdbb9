"""``zoo bench``: measure parameters, multiply-adds, time and memory on this machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.completion import complete_recipe
from trunkzoo_cli.options import MAX_PROCESSES, JsonOption, SetOption, TrunkOption, recipe_of
from trunkzoo_cli.output import emit_json, emit_table


class TrainDevice(StrEnum):
    """Where trainings are measured."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


bench = typer.Typer(no_args_is_help=True, help="Measure what trunks and agents cost on this machine.")


@bench.callback()
def _group() -> None:
    """Measure what trunks and agents cost on this machine."""


@bench.command("trunks")
def trunks(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TRUNK[,KEY=VALUE]...]...", help="Trunks with settings; the first is the reference."),
    ] = None,
    size: Annotated[int, typer.Option(min=32, max=8192, help="Side of the square images, pixels.")] = 96,
    batch: Annotated[int, typer.Option(min=1, max=65_536, help="Images in a batch.")] = 32,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
    rounds: Annotated[int, typer.Option(min=1, max=1_000_000, help="Timings per figure; the median counts.")] = 5,
    threads: Annotated[int, typer.Option(min=1, max=MAX_PROCESSES, help="CPU threads.")] = 1,
    compile_: Annotated[bool, typer.Option("--compile", help="Measure under torch.compile.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure trunks side by side: each figure, and in brackets its ratio to the first trunk. No names: all installed.

    Example: zoo bench trunks resnet-18,norm=group attnres-conv-18 --size 96 --batch 32
    """
    from dataclasses import asdict

    from trunkzoo.bench.trunks import as_table, bench_trunks
    from trunkzoo.plugin.records import install_line
    from trunkzoo.registry import open_zoo

    catalogue = open_zoo().catalogue
    rows = bench_trunks(
        names or [id for id, spec in catalogue.trunks.items() if not install_line(spec)],
        catalogue,
        size,
        batch,
        device,
        rounds=rounds,
        threads=threads,
        compile=compile_,
    )
    if json:
        emit_json([asdict(row) | {"ratios": row.ratios(rows[0])} for row in rows])
        return
    columns, cells = as_table(rows)
    clock = "CPU time of the process" if device == "cpu" else "wall time"
    emit_table(
        columns, cells, title=f"{batch} images of {size} × {size} on {device}, {clock}, median of {rounds} rounds"
    )


@bench.command("agent")
def agent(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE|EXPORT...",
            help="Recipes of registry.toml, and exports of `zoo export`.",
            autocompletion=complete_recipe,
        ),
    ],
    batch: Annotated[int, typer.Option(min=2, max=65_536, help="The batch size beside 1.")] = 8,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, …")] = "cpu",
    rounds: Annotated[int, typer.Option(min=2, max=1_000_000, help="Timings per figure.")] = 20,
    threads: Annotated[int, typer.Option(min=1, max=MAX_PROCESSES, help="CPU threads.")] = 1,
    compile_: Annotated[bool, typer.Option("--compile", help="Measure under torch.compile.")] = False,
    trunk: TrunkOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Latency of one prediction (median / 95th percentile), split into trunk, encoder and head, for batch 1 and n.

    An export acts in onnxruntime on the CPU; its graph is one piece.

    Examples: zoo bench agent imf-resnet18-demo imf-attnres-demo --batch 8
              zoo bench agent imf-resnet18-demo exports/resnet
    """
    from dataclasses import asdict

    from trunkzoo.bench.agent import as_table, bench_agent
    from trunkzoo.export.record import is_export
    from trunkzoo.registry import open_zoo

    zoo = open_zoo()
    exports = [Path(name) for name in names if is_export(Path(name))]
    recipes = [recipe_of(name, trunk, set_, zoo) for name in names if Path(name) not in exports]
    rows = bench_agent(recipes, (1, batch), device, rounds=rounds, threads=threads, compile=compile_, exports=exports)
    if json:
        emit_json([asdict(row) | {"head_share": row.head_share} for row in rows])
        return
    columns, cells = as_table(rows)
    clock = "CPU time of the process" if device == "cpu" else "wall time"
    emit_table(columns, cells, title=f"One prediction on {device}, {clock}, {rounds} rounds")


@bench.command("train")
def train(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RECIPE...", help="Recipes of registry.toml.", autocompletion=complete_recipe),
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A dataset to train on. (default: random numbers in memory)")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, max=1_000_000, help="Steps measured, after as many of warm-up.")] = 20,
    device: Annotated[TrainDevice, typer.Option(help="auto takes a GPU where there is one.")] = TrainDevice.auto,
    threads: Annotated[
        int | None, typer.Option(min=1, max=MAX_PROCESSES, help="CPU threads of torch. (default: torch's choice)")
    ] = None,
    trunk: TrunkOption = None,
    set_: SetOption = None,
    json: JsonOption = False,
) -> None:
    """Samples per second of whole training steps, their share of the card's peak in bf16, and the wait for data.

    Nothing is kept of what is trained.

    Example: zoo bench train imf-resnet18 imf-attnres --set train.precision=bf16 --set train.batch_size=256
    """
    from trunkzoo.registry import open_zoo
    from trunkzoo.training.speed import as_table, bench_training

    zoo = open_zoo()
    recipes = [recipe_of(name, trunk, set_, zoo) for name in names]
    rows = bench_training(recipes, data, device.value, steps=steps, threads=threads)
    if json:
        emit_json([row.to_dict() for row in rows])
        return
    columns, cells = as_table(rows)
    emit_table(columns, cells, title=f"Training on {device.value}, wall time over {steps} steps")
