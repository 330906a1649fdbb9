"""``zoo data``: summarize, check and convert datasets."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note, numbered, say

data = typer.Typer(no_args_is_help=True, help="Look into a LeRobot v3 dataset, check it, convert others to it.")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A LeRobot v3 dataset, or hf:ORG/NAME[@REVISION].")]


@data.command()
def info(
    directory: Directory,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Write a contact sheet: episodes × cameras.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show episodes, frames, cameras, dimensions and statistics of a dataset.

    Example: zoo data info data/lift --sheet lift.png
    """
    from trunkzoo.data import dataset_directory
    from trunkzoo.data.lerobot.reader import LeRobotReader
    from trunkzoo.data.summary import contact_sheet, dataset_facts

    reader = LeRobotReader(dataset_directory(directory))
    facts = dataset_facts(reader)
    if sheet is not None:
        contact_sheet(reader, sheet)
        note(f"contact sheet in {sheet}")
    if json:
        emit_json(facts)
        return
    lengths = facts["episode_lengths"]
    say(
        f"{directory}: {facts['episodes']} episodes, {facts['frames']} frames, {facts['seconds']} s at {facts['fps']:g} Hz"
    )
    say(f"episode length: {lengths['min']} to {lengths['max']} frames, median {lengths['median']:g}")
    say(f"tasks: {'; '.join(facts['tasks'])}\n")
    emit_table(("feature", "type", "shape"), [_feature_row(*item) for item in facts["features"].items()])
    for key, stats in facts["statistics"].items():
        say()
        emit_table(("dimension", "min", "q01", "mean", "std", "q99", "max"), _statistics_rows(stats), title=key)


@data.command()
def check(directory: Directory, json: JsonOption = False) -> None:
    """Check that a dataset is whole: files, indices, timestamps, finite numbers, shapes, images, video frames.

    Every image is decoded. Leaves with 1 if a fault is found. Example: zoo data check data/lift
    """
    from trunkzoo.data import dataset_directory
    from trunkzoo.data.check import check_dataset

    checks = check_dataset(dataset_directory(directory))
    if json:
        emit_json([{"check": one.name, "ok": not one.faults, "faults": list(one.faults)} for one in checks])
    else:
        emit_table(("check", "result"), [(one.name, "FAILED" if one.faults else "ok") for one in checks])
        for fault in (fault for one in checks for fault in one.faults):
            say(f"- {fault}")
    if any(one.faults for one in checks):
        raise typer.Exit(1)


@data.command()
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A robomimic .hdf5 file or a diffusion_policy zarr.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The dataset to write.")],
    task: Annotated[str | None, typer.Option(help="The task in words; default: the environment's name.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames per second, if the source does not say.")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY[a:b]", help="A part of observation.state, in order; may be repeated."),
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(metavar="NAME=KEY", help="A camera and its image array; may be repeated.")
    ] = None,
    video: Annotated[
        bool, typer.Option("--video", help="Store images as mp4 (smaller, lossy) instead of PNG.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Convert robomimic HDF5 or a diffusion_policy zarr to a LeRobot v3 dataset.

    Example: zoo data convert image_v15.hdf5 -o data/square --camera front=agentview_image
    """
    from trunkzoo.data.convert.convert import convert_dataset
    from trunkzoo.data.convert.sources import Choices
    from trunkzoo.data.match import parse_camera_map

    choices = Choices(task=task, fps=fps, state=tuple(state or ()), cameras=parse_camera_map(camera or [], "--camera"))
    facts = convert_dataset(source, out, choices, video=video)
    if json:
        emit_json(facts)
        return
    say(f"{numbered(facts['episodes'], 'episode')}, {numbered(facts['frames'], 'frame')} written to {out}")
    note(f"`zoo data info {shlex.quote(str(out))}` shows what is in it")


def _feature_row(key: str, feature: dict[str, Any]) -> tuple[str, str, str]:
    return key, feature["dtype"], " × ".join(str(n) for n in feature["shape"])


def _statistics_rows(stats: dict[str, list[float]]) -> list[tuple[str, ...]]:
    names = ("min", "q01", "mean", "std", "q99", "max")
    return [(str(i), *(f"{stats[name][i]:.4g}" for name in names)) for i in range(len(stats["min"]))]
