"""Agents and datasets to the hub, and an agent from there into a directory."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from trunkzoo.checkpoint.layout import AGENT_FILES, MANIFEST, MODEL
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.data.lerobot.layout import INFO_PATH
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.summary import dataset_facts
from trunkzoo.errors import CheckpointError, UsageError
from trunkzoo.hub.download import Snapshot, fetch
from trunkzoo.hub.names import HubName
from trunkzoo.hub.upload import Pushed, push_folder
from trunkzoo.plain import parse_table
from trunkzoo.sharing.card import agent_card
from trunkzoo.sharing.dataset_card import dataset_card
from trunkzoo.sharing.facts import AgentFacts, agent_facts
from trunkzoo.system.files import new_directory, readable_os_errors

CARD = "README.md"


def write_agent_folder(path: str | Path, output: Path, repo: str, licence: str | None = None) -> None:
    """Write what :func:`push_agent` sends into the new directory ``output``: weights, manifest, card, rows, provenance.

    Raises:
        UsageError: there is no checkpoint, or ``output`` exists.
        CheckpointError: it has no manifest, or is damaged.
    """
    facts = agent_facts(path)
    if not (facts.file.parent / MANIFEST).is_file():
        raise CheckpointError(f"{facts.file} has no {MANIFEST} beside it, so nothing vouches for it; push a checkpoint")
    with readable_os_errors(output), new_directory(output) as folder:
        _fill(folder, facts)
        (folder / CARD).write_text(agent_card(facts, repo, licence), encoding="utf-8")


def _fill(folder: Path, facts: AgentFacts) -> None:
    shutil.copyfile(facts.file, folder / MODEL)
    manifest = parse_table((facts.file.parent / MANIFEST).read_bytes())
    manifest["files"] = {name: entry for name, entry in manifest["files"].items() if name == MODEL}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    provenance = {"sha256": facts.sha256, "holdout_error": facts.holdout_error, **facts.run}
    (folder / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", encoding="utf-8")
    for policy, rows in facts.rows.items():
        (folder / "rows").mkdir(exist_ok=True)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "rows" / f"eval-{policy}.jsonl").write_text(text, encoding="utf-8")
    read_verified(folder / MODEL)


def push_agent(path: str | Path, name: HubName, private: bool = False, licence: str | None = None) -> Pushed:
    """Send an agent's weights, manifest, rows and card to the hub as one commit.

    Raises:
        UsageError, CheckpointError: as :func:`write_agent_folder`.
        HubError: not allowed, or no network.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "agent"
        write_agent_folder(path, folder, name.repo, licence)
        return push_folder(folder, name, "model", private, f"Agent {agent_facts(folder).header.recipe['name']}")


def pull_agent(name: HubName, output: Path | None = None) -> Snapshot:
    """Fetch an agent into the cache and, as a checkpoint directory, into ``output`` if one is given.

    Raises:
        HubError: it is not there, damaged, or out of reach.
        CheckpointError: it is no agent.
        UsageError: ``output`` exists.
    """
    found = fetch(name, AGENT_FILES, (MODEL, MANIFEST))
    read_verified(found.folder / MODEL)
    if output is None:
        return found
    with readable_os_errors(output), new_directory(output) as folder:
        for file in sorted(path for path in found.folder.rglob("*") if path.is_file()):
            target = folder / file.relative_to(found.folder)
            target = folder / target.name if target.parent.name == "rows" else target  # where a checkpoint has them
            shutil.copyfile(file, target)
        (folder / "source.json").write_text(json.dumps({"hub": str(found.name)}) + "\n", encoding="utf-8")
    return Snapshot(output, found.name)


def push_dataset(directory: Path, name: HubName, private: bool = False, licence: str | None = None) -> Pushed:
    """Send a LeRobot v3 dataset to the hub with a card of its facts.

    Raises:
        UsageError, DataError: there is no dataset, or it is damaged.
        HubError: not allowed, or no network.
    """
    card = dataset_card(dataset_facts(LeRobotReader(directory)), name.repo, licence)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "data"
        write_dataset_folder(directory, folder, card)
        return push_folder(folder, name, "dataset", private, "Dataset of demonstrations")


def write_dataset_folder(directory: Path, output: Path, card: str) -> None:
    """The dataset's files, as links to where they are, and its card in the new directory ``output``."""
    if not (directory / INFO_PATH).is_file():
        raise UsageError(f"{directory} is no dataset: it has no {INFO_PATH}")
    with new_directory(output) as folder:
        for part in ("meta", "data", "videos", "images"):
            if (directory / part).is_dir():
                shutil.copytree(directory / part, folder / part, copy_function=_linked)
        (folder / CARD).write_text(card, encoding="utf-8")


def _linked(source: str, target: str) -> None:
    Path(target).symlink_to(Path(source).resolve())
