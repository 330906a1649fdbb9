"""``zoo push`` and ``zoo push-data``: an agent or a dataset to the Hugging Face hub, with a card of what is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trunkzoo_cli.completion import complete_run
from trunkzoo_cli.options import JsonOption
from trunkzoo_cli.output import emit_json, note, say

if TYPE_CHECKING:
    from trunkzoo.hub.upload import Pushed

NameArgument = Annotated[str, typer.Argument(metavar="ORG/NAME", help="The repository; it is made if there is none.")]
PrivateOption = Annotated[bool, typer.Option("--private", help="Make a new repository private.")]
LicenceOption = Annotated[
    str | None,
    typer.Option(
        "--license", metavar="ID", help="Licence as the hub writes it, e.g. apache-2.0. (default: not stated)"
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Send nothing; write the folder to -o DIR.")]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="New directory for --dry-run.")]


def push(
    checkpoint: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|CKPT", help="A run directory or a checkpoint; see `zoo runs`.", autocompletion=complete_run
        ),
    ],
    name: NameArgument,
    private: PrivateOption = False,
    license_: LicenceOption = None,
    dry_run: DryRunOption = False,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Send an agent to the hub: its weights as they are, the manifest, the rows of its evaluations, and a card.

    The card (README.md) is written from facts: contract, recipe, data, budget, scores with intervals between their floors,
    and what is not known. `zoo eval RUN` before gives it its scores. A repository that exists gets a new commit; what is
    there already is not sent again. Log in once with `hf auth login`.

    Examples: zoo push runs/resnet someone/reach-resnet --license apache-2.0
              zoo push runs/resnet someone/reach-resnet --dry-run -o look
    """
    from trunkzoo.hub.names import parse_hub_name
    from trunkzoo.sharing.push import push_agent, write_agent_folder

    repo = parse_hub_name(name)
    if folder := _dry(dry_run, out):
        write_agent_folder(checkpoint, folder, repo.repo, license_)
        _written(folder, json)
        return
    _sent(push_agent(checkpoint, repo, private, license_), json, "zoo eval")


def push_data(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A LeRobot v3 dataset.")],
    name: NameArgument,
    private: PrivateOption = False,
    license_: LicenceOption = None,
    dry_run: DryRunOption = False,
    out: OutOption = None,
    json: JsonOption = False,
) -> None:
    """Send a dataset to the hub, where lerobot reads it too, with a card of its features and numbers.

    Example: zoo push-data data/reach someone/reach-demonstrations --license cc-by-4.0
    """
    from trunkzoo.data.lerobot.reader import LeRobotReader
    from trunkzoo.data.summary import dataset_facts
    from trunkzoo.hub.names import parse_hub_name
    from trunkzoo.sharing.dataset_card import dataset_card
    from trunkzoo.sharing.push import push_dataset, write_dataset_folder

    repo = parse_hub_name(name)
    if folder := _dry(dry_run, out):
        write_dataset_folder(
            directory, folder, dataset_card(dataset_facts(LeRobotReader(directory)), repo.repo, license_)
        )
        _written(folder, json)
        return
    _sent(push_dataset(directory, repo, private, license_), json, "zoo data info")


def _dry(dry_run: bool, out: Path | None) -> Path | None:
    from trunkzoo.errors import UsageError

    if dry_run != (out is not None):
        raise UsageError("--dry-run writes the folder that would be sent to -o DIR; give both, or neither")
    return out


def _written(folder: Path, json: bool) -> None:
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    if json:
        emit_json({"directory": str(folder), "files": files})
        return
    say("\n".join(files))
    note(f"nothing was sent; {folder / 'README.md'} is the card")


def _sent(pushed: Pushed, json: bool, then: str) -> None:
    if json:
        emit_json({"url": pushed.url, "name": str(pushed.name), "commit": pushed.name.revision})
        return
    say(pushed.url)
    note(f"`{then} {pushed.name}` reads exactly this commit")
