"""File names of a suite: of its cells and its report, and of all that a cell writes into its directory."""

from __future__ import annotations

from pathlib import Path

REPORT = "report.html"
LOOKS = "looks.json"  # of a suite that may end early: what was seen after each training seed
INDEX = "cells.json"  # beside published rows: the results of the cells that they come from
SLURM = "slurm"  # the folder of job scripts, their output, and the file that says which job has which cell
CELL, DONE, LOG = "cell.json", "done.json", "log.txt"
RUN = "run"  # the run directory of a training
DATA, ATTEMPTS = "data", "attempts.jsonl"  # the dataset of a collection, and a line per demonstration that was tried
GAZE = "look.npz"  # where the agent looked: its keypoints and depth weights
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
    return [("blind" if policy == "blind" else kind, path) for (kind, _, policy), path in named]


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
