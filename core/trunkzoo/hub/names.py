"""``hf:ORG/NAME[@REVISION]``: how a repository on the hub is written wherever a file or directory is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple

from trunkzoo.errors import UsageError

PREFIX = "hf:"
RepoKind = Literal["model", "dataset"]
_REPO = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*"
_NAME = re.compile(rf"(?:{PREFIX})?(?P<repo>{_REPO})(?:@(?P<revision>[A-Za-z0-9][\w./-]*))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class HubName(NamedTuple):
    """A repository and what is wanted of it."""

    repo: str
    """Owner and name."""
    revision: str | None = None
    """A branch, a tag or a commit; None is the newest of the main branch."""

    @property
    def pinned(self) -> bool:
        """Whether it names a commit, which never changes."""
        return bool(self.revision and _COMMIT.fullmatch(self.revision))

    def __str__(self) -> str:
        return f"{PREFIX}{self.repo}" + (f"@{self.revision}" if self.revision else "")


def is_hub_name(path: str | Path) -> bool:
    """Whether a path is meant as a name on the hub: it begins with ``hf:``."""
    return str(path).startswith(PREFIX)


def parse_hub_name(text: str | Path) -> HubName:
    """The repository that ``text`` names, with or without ``hf:``.

    Raises:
        UsageError: it has another form.
    """
    match = _NAME.fullmatch(str(text))
    if match is None or ".." in str(text):
        raise UsageError(f"'{text}' is no name on the hub; write {PREFIX}ORG/NAME or {PREFIX}ORG/NAME@REVISION")
    return HubName(match["repo"], match["revision"])


def folder_name(text: str | Path, commit: str) -> str:
    """A folder for what is made with the repository that ``text`` names: ``ORG--NAME-COMMIT``, eight digits of the last."""
    return f"{parse_hub_name(text).repo.replace('/', '--')}-{commit[:8]}"
