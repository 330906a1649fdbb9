"""Errors made for people: each names the value, the rule it broke and the next step.

The CLI prints ``str(error)`` and leaves with ``error.exit_code``; a traceback means a bug of ours.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class ZooError(Exception):
    """Something failed that is not a bug: the message is one or two lines for the user."""

    exit_code: ClassVar[int] = 1


class UsageError(ZooError):
    """The request itself is wrong: an unknown name, a bad path, an option that does not fit."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A configuration value breaks a rule of its schema."""


class ContractError(ZooError):
    """Two parts disagree about the agent's contract; the message shows both sides."""


class CheckpointError(ZooError):
    """A checkpoint cannot be read, is damaged, or does not fit."""


class DiskError(ZooError):
    """A file cannot be written, for example because the disk is full; what was there is untouched."""


class DataError(ZooError):
    """A dataset is missing, damaged, or does not fit the contract."""


class PluginError(ZooError):
    """A plugin is absent or broken."""


class TaskError(ZooError):
    """A simulator task cannot be built or run."""


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
    except Exception:  # noqa: BLE001 - the message is a plugin's code too
        lines = []
    kind, text = type(error).__name__, lines[0] if lines else ""
    if isinstance(error, SystemExit):
        return f"it ended the process ({kind}: {text})"
    if isinstance(error, ZooError) and text:
        return text
    return f"{kind}: {text}" if text else kind
