"""Where things lie: in a suite's directory its cells and its report, in a cell's directory what that cell writes."""

from __future__ import annotations

from pathlib import Path

CELLS, REPORT = "cells", "report.html"
CELL, DONE, LOG = "cell.json", "done.json", "log.txt"
RUN = "run"  # the run directory of a training
DATA, ATTEMPTS = "data", "attempts.jsonl"  # the dataset of a collection, and a line per demonstration that was tried
LOOK = "look.npz"  # through the agent's eyes
_FILMS, _SELECTION, _REPORT = "films", "selection", "report"


def selection_rows(cell: Path, step: int) -> Path:
    """Rows of the checkpoint after ``step`` steps on the seeds that choose one."""
    return cell / f"{_SELECTION}-{step}.jsonl"


def report_rows(cell: Path, policy: str) -> Path:
    """Rows of a policy (the chosen agent, the same blind, a floor, the expert) on fresh seeds."""
    return cell / f"{_REPORT}-{policy}.jsonl"


def parts_of(cell: Path) -> list[tuple[str, Path]]:
    """All files of rows, each with what its episodes were for: ``selection``, ``report``, or ``blind``."""
    named = [(path.stem.partition("-"), path) for path in cell.glob("*-*.jsonl")]
    return [("blind" if of == "blind" else kind, path) for (kind, _, of), path in named]


def film_file(cell: Path, outcome: str, seed: int) -> Path:
    """The film of an episode that was a ``success`` or a ``failure``."""
    return cell / _FILMS / f"{outcome}-{seed}.mp4"


def films_of(cell: Path) -> list[tuple[str, str, Path]]:
    """Outcome, seed and file of every film, successes first."""
    files = sorted((cell / _FILMS).glob("*-*.mp4"), reverse=True)
    return [(*_outcome_and_seed(file), file) for file in files]


def _outcome_and_seed(film: Path) -> tuple[str, str]:
    outcome, _, seed = film.stem.partition("-")
    return outcome, seed
