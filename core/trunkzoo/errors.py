"""Errors made for people: each names the value, the rule it broke and the next step.

The CLI prints ``str(error)`` with its options for ``error.settings`` and leaves with ``error.exit_code``; a traceback
means a bug of ours.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar
from unicodedata import category

LONGEST = 500  # characters of somebody else's message that a line of ours quotes
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[[a-z0-9-]+\])?", re.ASCII)
_VERSION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.!+_-]*[A-Za-z0-9])?")


class ZooError(Exception):
    """Something failed that is not a bug: the message is one or two lines for the user.

    ``settings`` are the arguments that the next step is about, by their names in Python, each with the values that are
    proposed for it (none for most). Messages speak of settings; whoever has options for them, as the CLI has, adds those.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str = "", settings: Mapping[str, Sequence[str]] | Sequence[str] = ()) -> None:
        super().__init__(message)
        self.settings = dict(settings) if isinstance(settings, Mapping) else dict.fromkeys(settings, ())


class UsageError(ZooError):
    """The request itself is wrong: an unknown name, a bad path, a setting that does not fit."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A configuration value breaks a rule of its schema."""


class ContractError(ZooError):
    """Two parts disagree about the agent's contract; the message shows both sides."""


class CheckpointError(ZooError):
    """A checkpoint cannot be read, is damaged, or does not fit."""


class HubError(ZooError):
    """Something on the hub is absent, refused, damaged or out of reach."""


class DiskError(ZooError):
    """A file cannot be written, for example because the disk is full; what was there is untouched."""


class DataError(ZooError):
    """A dataset is missing, damaged, or does not fit the contract."""


class PluginError(ZooError):
    """A plugin is absent or broken."""


class TaskError(ZooError):
    """A simulator task cannot be built or run."""


class ExportError(ZooError):
    """An exported graph does not compute what the agent computes."""


class TrainingError(ZooError):
    """A training run cannot go on."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the nearest known name, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{near[0]}'?" if near else ""


def one_line(error: BaseException) -> str:
    """Class and first line of the message; our own errors speak for themselves, so their class is left out."""
    try:
        lines = str(error).strip().splitlines()
    except BaseException:  # noqa: BLE001 - the message is a plugin's code too, and may ask to leave
        lines = []
    kind, text = printable(type(error).__name__) or "error", printable(lines[0], LONGEST) if lines else ""
    if isinstance(error, SystemExit):
        return f"it ended the process ({kind}: {text})"
    if isinstance(error, ZooError) and text:
        return text
    return f"{kind}: {text}" if text else kind


def printable(text: str, longest: int | None = None) -> str:
    """``text`` on one line of visible characters: what steers a terminal is written out, as ``\\x1b``.

    So are line ends, directions of writing and halves of surrogate pairs. Beyond ``longest`` characters it is cut.
    """
    if longest is not None and len(text) > longest:
        text = f"{text[:longest]}… ({len(text):,} characters)"
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() or category(sign) == "Zs" else _written_out(sign) for sign in text)


def printable_lines(text: str, longest: int | None = None) -> str:
    """``text`` as :func:`printable` makes it, its lines kept."""
    return "\n".join(printable(line, longest) for line in text.split("\n"))


def _written_out(sign: str) -> str:
    return sign.encode("unicode_escape", "backslashreplace").decode("ascii")


def install_command(distribution: str, version: str = "", verb: str = "install") -> str:
    """``pip install 'name==1.0'``; words instead if these are no name and version of a package (PEP 508, PEP 440).

    People paste such a line, and its parts may come from a file of anybody's.
    """
    requirement = f"{distribution}=={version}" if version else distribution
    if not (_NAME.fullmatch(distribution) and (not version or _VERSION.fullmatch(version))):
        return f"nothing, for {printable(ascii(requirement), LONGEST)} is no package that pip could {verb.split()[0]}"
    return (
        f"pip {verb} {requirement}"
        if distribution == requirement and "[" not in requirement
        else f"pip {verb} '{requirement}'"
    )
