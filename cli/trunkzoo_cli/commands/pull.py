"""``zoo pull``: an agent from the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, note, say


def pull(
    name: Annotated[str, typer.Argument(metavar="ORG/NAME[@REVISION]", help="An agent that `zoo push` sent.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", help="Write a checkpoint directory. (default: the cache only)"),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fetch an agent: safetensors and JSON only, each file held against its hash, and the commit said.

    Without -o it lies in the cache of huggingface_hub, from which hf:ORG/NAME@COMMIT is read wherever a run is asked for,
    without a network too.

    Examples: zoo pull someone/reach-resnet -o agents/reach
              zoo eval hf:someone/reach-resnet@v1 --episodes 50
    """
    from trunkzoo.hub.names import parse_hub_name
    from trunkzoo.sharing.push import pull_agent

    found = pull_agent(parse_hub_name(name), out)
    if json:
        emit_json({"directory": str(found.folder), "name": str(found.name), "commit": found.name.revision})
        return
    say(found.folder)
    note(f"this is {found.name}; `zoo inspect {out or found.name}` shows what it is")
