"""The runs below a directory: what each is, how far it came, how well its agent did. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trunkzoo.checkpoint.layout import checkpoints_of
from trunkzoo.errors import CheckpointError
from trunkzoo.plain import parse_table
from trunkzoo.system.locks import is_held
from trunkzoo.training.directory import CELLS, LOCK, METRICS, RUN, read_run

ROWS = "eval-agent.jsonl"  # what `zoo eval` writes beside a checkpoint


@dataclass(frozen=True)
class RunFacts:
    """One run as a list shows it."""

    path: str
    recipe: str
    step: int
    """Of the newest checkpoint."""
    steps: int
    score: str
    """The best that is known: solved episodes, else the held-out error, else the training loss; in words."""
    megabytes: float
    state: str
    """``training``, ``done``, ``stopped``, ``begun`` (no checkpoint yet) or ``damaged``."""
    suite: str | None = None
    """Directory of the suite whose cell it is; None for a run of its own."""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def find_runs(directory: Path) -> Iterator[Path]:
    """Every directory below, or at, ``directory`` that holds a ``run.json``, by name; nothing inside a run."""
    if (directory / RUN).is_file():
        yield directory
        return
    for folder in sorted(path for path in directory.iterdir() if path.is_dir() and not path.is_symlink()):
        if not folder.name.startswith("."):
            yield from find_runs(folder)


def suite_of(run: Path) -> Path | None:
    """The directory of the suite that trains this run as one of its cells; None for a run of its own."""
    path = run if len(run.parts) > 3 else run.absolute()  # DIR/cells/CELL/run
    return path.parents[2] if len(path.parts) > 3 and path.parents[1].name == CELLS else None


def facts_of_run(run: Path) -> RunFacts:
    """What a list says of one run; a damaged one is a line too."""
    size = round(
        sum(path.stat().st_size for path in run.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6, 1
    )
    step = max(checkpoints_of(run), default=0)
    suite = None if (found := suite_of(run)) is None else str(found)
    try:
        recipe = read_run(run)["recipe"]
        name, steps = str(recipe["name"]), int(recipe["train"]["steps"])
    except (CheckpointError, LookupError, TypeError, ValueError):
        return RunFacts(str(run), "?", step, 0, "", size, "damaged", suite)
    return RunFacts(str(run), name, step, steps, score_of(run), size, _state(run, step, steps), suite)


def _state(run: Path, step: int, steps: int) -> str:
    if is_held(run / LOCK):
        return "training"
    return "done" if step >= steps else "stopped" if step else "begun"


def score_of(run: Path) -> str:
    """The best score of a run in words, such as ``12/20 solved at step 400``; empty where nothing is known."""
    played = [path / ROWS for path in checkpoints_of(run).values()]
    solved = [_solved(path) for path in played if path.is_file() and path.stat().st_size]
    if solved:
        won, episodes, step = max(solved, key=lambda found: (found[0] / found[1], found[1]))
        return f"{won}/{episodes} solved at step {step}"
    rows = _rows(run / METRICS)
    if held := _logged(rows, "holdout_error"):
        return "held-out error {:.3g} at step {}".format(*min((error, step) for step, error in held.items()))
    losses = [*_logged(rows, "loss").values()]
    return f"loss {losses[-1]:.3g}" if losses else ""


@dataclass(frozen=True)
class CheckpointScores:
    """What is known of one checkpoint of a run."""

    step: int
    holdout_error: float | None
    """Error of predicted actions on held-out episodes, in normalised units."""
    solved: int | None
    """Of ``episodes`` that the agent played; None where it has played none."""
    episodes: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def checkpoint_scores(run: Path) -> list[CheckpointScores]:
    """Every finished checkpoint of a run directory with its scores, oldest first; none for any other path."""
    held = _logged(_rows(run / METRICS), "holdout_error")
    found = []
    for step, path in checkpoints_of(run).items():
        played = path / ROWS
        won, episodes, _ = _solved(played) if played.is_file() and played.stat().st_size else (None, 0, step)
        found.append(CheckpointScores(step, held.get(step), won, episodes))
    return found


def _solved(path: Path) -> tuple[int, int, int]:
    rows = _rows(path)
    return sum(bool(row.get("success")) for row in rows), max(len(rows), 1), int(path.parent.name.removeprefix("step-"))


def _logged(rows: list[dict[str, Any]], name: str) -> dict[int, float]:
    """A number that was logged, by its step."""
    found = {row.get("step"): row.get(name) for row in rows}
    return {step: value for step, value in found.items() if isinstance(step, int) and isinstance(value, int | float)}


def _rows(path: Path) -> list[dict[str, Any]]:
    """The whole JSON lines of a file; none where there is no file."""
    found: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        with suppress(ValueError):  # cut by a kill
            found.append(parse_table(line))
    return found
