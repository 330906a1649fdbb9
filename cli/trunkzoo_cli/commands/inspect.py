"""``zoo inspect``: print the header of a checkpoint, and pictures of where its agent looks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.completion import complete_run, complete_task
from trunkzoo_cli.options import MAX_SEED, JsonOption
from trunkzoo_cli.output import emit_json, emit_table, note

if TYPE_CHECKING:
    from trunkzoo.checkpoint import CheckpointHeader
    from trunkzoo.training.runs import CheckpointScores


def inspect(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|CKPT",
            help="A run directory, a checkpoint, a model.safetensors, or hf:ORG/NAME[@REVISION].",
            autocompletion=complete_run,
        ),
    ],
    tensors: Annotated[bool, typer.Option("--tensors", help="List every stored tensor.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Play an episode and write what the agent looks at."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The task of that episode. (default: the checkpoint's own)", autocompletion=complete_task),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="The seed of that episode.")] = 0,
    json: JsonOption = False,
) -> None:
    """Read a checkpoint's header and check its checksum, without building anything: no plugin and no torch is needed.

    With -o the agent plays one episode, and PNG files show its keypoints over the camera images and, where its trunk
    attends over depth, how much each read takes from each source.

    Examples: zoo inspect runs/attnres
              zoo inspect runs/attnres --task two-arm-lift -o pictures
    """
    from trunkzoo.checkpoint.layout import model_file
    from trunkzoo.checkpoint.manifest import read_verified
    from trunkzoo.errors import UsageError
    from trunkzoo.training.runs import checkpoint_scores

    if out is None and (task or seed):
        raise UsageError("--task and --seed choose the episode that is played with -o DIR; give -o too")
    file = model_file(checkpoint)
    header, verified = read_verified(file)
    pictures = _pictures(file, task, seed, out) if out else []
    scored = checkpoint_scores(checkpoint)
    if json:
        kept = header.model_dump(mode="json", exclude=None if tensors else {"tensors"})
        facts = {"file": str(file), "verified": verified, "numbers": header.numbers, "pictures": pictures}
        emit_json({**facts, "checkpoints": [each.to_dict() for each in scored], **kept})
        return
    emit_table(("what", "value"), _rows(file, header, verified), title=str(file))
    if scored:
        emit_table(("checkpoint", "held-out action error", "solved"), [_scores(each) for each in scored])
    for picture in pictures:
        note(picture)
    if tensors:
        emit_table(("tensor", "dtype", "shape"), [(n, t.dtype, t.shape) for n, t in sorted(header.tensors.items())])


def _pictures(file: Path, task: str | None, seed: int, out: Path) -> list[str]:
    from trunkzoo.catalogue.part import Part
    from trunkzoo.registry import open_zoo
    from trunkzoo.report.pictures import write_pictures
    from trunkzoo.rollouts import plan
    from trunkzoo.rollouts.record_gaze import gaze_of_job

    catalogue = open_zoo().catalogue
    job = plan(catalogue, "agent", file, Part(name=task) if task else None).job
    return [str(picture) for picture in write_pictures(gaze_of_job(job, seed, catalogue), out)]


def _rows(file: Path, header: CheckpointHeader, verified: bool) -> list[tuple[str, str]]:
    recipe, contract = header.recipe, header.contract
    return [
        ("recipe", str(recipe["name"])),
        *((use.kind, f"{use.id}  ({use.distribution} {use.version}, API {use.api})") for use in header.plugins),
        *(
            (f"{kind} settings", _settings(recipe[kind]["config"]))
            for kind in ("trunk", "head")
            if recipe[kind]["config"]
        ),
        ("step", f"{header.step:,}"),
        ("contract", contract.sum_line()),
        ("cameras", f"{', '.join(contract.cameras)} at {contract.image_size[0]} × {contract.image_size[1]}"),
        (
            "horizons",
            f"{contract.obs_horizon} observed → {contract.pred_horizon} predicted, {contract.num_action_steps} executed",
        ),
        ("numbers", f"{header.numbers:,} in {len(header.tensors)} tensors, {file.stat().st_size / 1e6:.1f} MB"),
        ("checksum", "as in the manifest" if verified else "unknown: no manifest beside the file"),
        ("made with", ", ".join(f"{name} {version}" for name, version in header.versions.items())),
    ]


def _scores(found: CheckpointScores) -> tuple[str, str, str]:
    error = "–" if found.holdout_error is None else f"{found.holdout_error:.4g}"
    return f"step {found.step}", error, "–" if found.solved is None else f"{found.solved}/{found.episodes}"


def _settings(config: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in config.items())
