"""Send a folder to the hub as one commit."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from trunkzoo.hub.download import explain, show_progress
from trunkzoo.hub.names import HubName, RepoKind


class Pushed(NamedTuple):
    """Where a folder arrived."""

    url: str
    name: HubName
    """With the commit as its revision."""


def push_folder(folder: Path, name: HubName, kind: RepoKind, private: bool, message: str) -> Pushed:
    """Upload all files of ``folder``; the repository is made if there is none. What is there already is not sent again.

    ``private`` decides for a new repository only.

    Raises:
        HubError: not allowed, or no network.
    """
    from huggingface_hub import HfApi

    show_progress()
    try:
        api = HfApi()
        api.create_repo(name.repo, repo_type=kind, private=private or None, exist_ok=True)
        done = api.upload_folder(
            repo_id=name.repo, repo_type=kind, folder_path=folder, revision=name.revision, commit_message=message
        )
    except Exception as error:  # noqa: BLE001 - as for downloads
        explain(error, name, kind, "not sent; try again, and only what is not there yet is sent")
    return Pushed(str(done.commit_url), HubName(name.repo, str(done.oid)))
