"""``zoo inspect``: what a checkpoint says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, emit_table

if TYPE_CHECKING:
    from trunkzoo.checkpoint import CheckpointHeader


def inspect(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="RUN|CKPT", help="A run directory, a checkpoint or a model.safetensors.")
    ],
    tensors: Annotated[bool, typer.Option("--tensors", help="List every stored tensor.")] = False,
    json: JsonOption = False,
) -> None:
    """Read a checkpoint's header and check its checksum, without building anything: no plugin and no torch is needed.

    Example: zoo inspect runs/attnres
    """
    from trunkzoo.checkpoint import read_header
    from trunkzoo.checkpoint.layout import model_file
    from trunkzoo.checkpoint.manifest import verify

    file = model_file(checkpoint)
    header = read_header(file)
    verified = verify(file)
    if json:
        kept = header.model_dump(mode="json", exclude=None if tensors else {"tensors"})
        emit_json({"file": str(file), "verified": verified, "numbers": header.numbers, **kept})
        return
    emit_table(("what", "value"), _rows(file, header, verified), title=str(file))
    if tensors:
        emit_table(("tensor", "dtype", "shape"), [(n, t.dtype, t.shape) for n, t in sorted(header.tensors.items())])


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
            f"{contract.obs_horizon} observations → {contract.pred_horizon} actions, {contract.num_action_steps} executed",
        ),
        ("numbers", f"{header.numbers:,} in {len(header.tensors)} tensors, {file.stat().st_size / 1e6:.1f} MB"),
        ("checksum", "as in the manifest" if verified else "unknown: no manifest beside the file"),
        ("made with", ", ".join(f"{name} {version}" for name, version in header.versions.items())),
    ]


def _settings(config: dict[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in config.items())
