"""Fetch files of a repository into the cache of huggingface_hub, whole and unchanged, and without the network from there."""

from __future__ import annotations

import hashlib
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from trunkzoo.errors import HubError, one_line
from trunkzoo.hub.names import HubName, RepoKind

_COPY = 1 << 20  # bytes read at once


class Snapshot(NamedTuple):
    """What was fetched."""

    folder: Path
    """In the cache; belongs to the library, so nothing is written there."""
    name: HubName
    """With the commit as its revision."""


def fetch(name: HubName, patterns: Sequence[str], needed: Sequence[str] = (), kind: RepoKind = "model") -> Snapshot:
    """Fetch the files that match ``patterns``, unless the cache has them; ``needed`` must be among them.

    Every file is held against its hash on the hub, each time. A commit that is in the cache is never asked for again.

    Raises:
        HubError: no such repository, revision or file, no network and nothing in the cache, or a file is damaged.
    """
    found = _cached(name, patterns, kind) if name.pinned else None
    folder = found if found and all((found / file).is_file() for file in needed) else _download(name, patterns, kind)
    absent = [file for file in needed if not (folder / file).is_file()]
    if absent:
        raise HubError(f"{name} has no {', '.join(absent)}, so it is nothing that is read here; look at its files")
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        _verify(file, name)
    return Snapshot(folder, HubName(name.repo, folder.name))


def _cached(name: HubName, patterns: Sequence[str], kind: RepoKind) -> Path | None:
    from huggingface_hub import snapshot_download

    try:
        found = snapshot_download(
            name.repo, repo_type=kind, revision=name.revision, allow_patterns=list(patterns), local_files_only=True
        )
    except Exception:  # noqa: BLE001 - not there, or not whole: the library has a class for each
        return None
    return Path(str(found))


def _download(name: HubName, patterns: Sequence[str], kind: RepoKind) -> Path:
    from huggingface_hub import snapshot_download

    show_progress()
    try:
        found = snapshot_download(name.repo, repo_type=kind, revision=name.revision, allow_patterns=list(patterns))
    except Exception as error:  # noqa: BLE001 - of the library, of its HTTP client, of the system: all are one line
        explain(error, name, kind, f"not to be had; with a network, `{fetch_command(name, kind, patterns)}` fetches it")
    return Path(str(found))


def show_progress() -> None:
    """Bars of the library in a terminal; elsewhere nothing draws."""
    from huggingface_hub.utils.tqdm import disable_progress_bars, enable_progress_bars

    (enable_progress_bars if sys.stderr.isatty() else disable_progress_bars)()


def explain(error: Exception, name: HubName, kind: RepoKind, advice: str) -> NoReturn:
    """Raise what went wrong on the way as one line with the next step; ``advice`` where nothing better is known."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        line = "asks for an agreement first: accept it on its page, then `hf auth login`"
    elif isinstance(error, errors.RepositoryNotFoundError):
        line = f"no {kind} of this name, or a private one: check the name, or `hf auth login`"
    elif isinstance(error, errors.RevisionNotFoundError):
        line = f"no revision '{name.revision}'; leave it out for the newest, or name a commit, tag or branch"
    elif isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        line = "the hub refuses: `hf auth login` with a token that may do this"
    else:
        line = f"{advice} ({one_line(error.__cause__ or error)})"
    raise HubError(f"{name}: {line}") from error


def fetch_command(name: HubName, kind: RepoKind, patterns: Sequence[str]) -> str:
    """The line that fills the cache, for a machine with a network."""
    words = ["hf", "download", name.repo, *(["--repo-type", kind] if kind != "model" else [])]
    words += ["--revision", name.revision] if name.revision else []
    words += [word for pattern in patterns for word in ("--include", pattern)]
    return shlex.join(words)


def _verify(file: Path, name: HubName) -> None:
    """Hold a file of the cache against the hash that names its blob: SHA-256 of a large one, git's of a small one."""
    blob = file.resolve()
    if blob == file.absolute() or len(blob.name) not in (40, 64):
        return  # a cache without links: the library compared the size, and that is all there is
    large, size = len(blob.name) == 64, blob.stat().st_size
    digest = hashlib.sha256() if large else hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with blob.open("rb") as stream:
        while part := stream.read(_COPY):
            digest.update(part)
    if digest.hexdigest() != blob.name:
        blob.unlink()
        file.unlink()
        raise HubError(
            f"{name}: {file.name} arrived damaged, or was changed in the cache; removed there, so fetch again"
        )
