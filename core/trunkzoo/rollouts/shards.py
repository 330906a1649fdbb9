"""An evaluation in parts: each shard plays every n-th seed into a file of its own, and a merge joins the files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkzoo.errors import DataError, UsageError
from trunkzoo.rollouts.evaluation import Evaluation
from trunkzoo.rollouts.plan import Plan
from trunkzoo.rollouts.rows import Row, RowFile, read_rows, times_file

_TEXT = re.compile(r"(\d{1,6})/(\d{1,6})")
_LISTED = 5


@dataclass(frozen=True)
class Shard:
    """Part ``index`` (1 to ``count``) of an evaluation."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def of(self, seeds: range, whole: Path) -> tuple[range, Path]:
        """Its seeds and its file."""
        return self.seeds(seeds), self.file(whole)

    def seeds(self, seeds: range) -> range:
        """Its seeds: every ``count``-th, so that parts are of equal size within one episode.

        Raises:
            UsageError: there are fewer episodes than shards.
        """
        if self.count > len(seeds):
            raise UsageError(
                f"{self.count} shards of {len(seeds)} episodes: some would have none; ask for fewer", ["shard"]
            )
        return seeds[self.index - 1 :: self.count]

    def file(self, whole: Path) -> Path:
        """Where its rows lie, beside those of the whole evaluation."""
        return whole.with_name(f"{whole.stem}.shard-{self.index}-of-{self.count}{whole.suffix}")


def parse_shard(text: str) -> Shard:
    """Shard ``i/n``.

    Raises:
        UsageError: it is none, or i is not among 1 to n.
    """
    match = _TEXT.fullmatch(text.strip())
    shard = Shard(int(match[1]), int(match[2])) if match else Shard(0, 0)
    if not 1 <= shard.index <= shard.count:
        raise UsageError(f"shard '{text}' must be i/n with i from 1 to n, for example 2/8", ["shard"])
    return shard


def merge(plan: Plan, seeds: range, whole: Path) -> Evaluation:
    """Join the shards beside ``whole`` into it; the whole evaluation, played. Repeated, it changes nothing.

    Every seed must be there once, and all rows must come from one evaluation: the checkpoint, task and settings of
    ``plan``, and the same versions and kind of device in every shard (which this machine need not have).

    Raises:
        DataError: a shard or a seed is missing, is there twice, or nobody asked for it.
        UsageError: rows are of another checkpoint, task, setting, version or device, or somebody still writes them.
    """
    shards = _shards_beside(whole)
    expected = {**plan.provenance, **_made_on(shards[0].file(whole))}
    rows: dict[int, Row] = {}
    times: dict[int, list[float]] = {}
    for shard in shards:
        rows |= _rows_of(shard, shard.seeds(seeds), whole, expected)
        times |= _times_of(shard.file(whole))
    with RowFile(whole, expected) as file:
        there = file.rows_of(seeds)
        for seed in sorted(rows):
            if seed not in there:
                file.append(rows[seed], times.get(seed, ()))
            elif there[seed] != rows[seed]:
                raise DataError(f"{whole} has another row of seed {seed} already; remove it and merge again")
        file.finish()
    chunk_ms = [ms for seed in seeds for ms in times.get(seed, ())]
    return Evaluation(plan, seeds, whole, rows=rows, chunk_ms=chunk_ms, resumed=len(rows))


def _made_on(path: Path) -> Row:
    """Versions and device that the first row of a shard was made with."""
    first = next(iter(read_rows(path)), {})
    return {key: first.get(key) for key in ("versions", "device")}


def _times_of(path: Path) -> dict[int, list[float]]:
    """Milliseconds per chunk of every episode of a shard that predicted chunks."""
    times = times_file(path)
    return {int(row["seed"]): row["chunk_ms"] for row in read_rows(times)} if times.exists() else {}


def _shards_beside(whole: Path) -> list[Shard]:
    """All shards of the evaluation, of which every one has a file."""
    name = re.compile(rf"{re.escape(whole.stem)}\.shard-(\d+)-of-(\d+){re.escape(whole.suffix)}")
    found = [Shard(int(m[1]), int(m[2])) for path in sorted(whole.parent.glob("*")) if (m := name.fullmatch(path.name))]
    counts = sorted({shard.count for shard in found})
    if not counts:
        raise DataError(f"no shards beside {whole}; `zoo eval` writes them, shard 1/n to n/n")
    if len(counts) > 1:
        raise DataError(
            f"shards of {' and of '.join(map(str, counts))} lie beside {whole}: keep those of one evaluation"
        )
    shards = [Shard(index, counts[0]) for index in range(1, counts[0] + 1)]
    if absent := [str(shard) for shard in shards if shard not in found]:
        raise DataError(f"shards {_some(absent)} are missing beside {whole}; run them with the same settings")
    return shards


def _rows_of(shard: Shard, seeds: Sequence[int], whole: Path, expected: dict[str, object]) -> dict[int, Row]:
    """The rows of one shard, each of its seeds once."""
    path = shard.file(whole)
    with RowFile(path, expected):  # waits for nobody: it refuses a file that is being written
        rows = read_rows(path)
    played = [int(row["seed"]) for row in rows]
    if strange := sorted(set(played) - set(seeds)):
        raise DataError(f"{path} holds seeds {_some(strange)}, which are not of shard {shard}; name the same seeds")
    if twice := sorted({seed for seed in played if played.count(seed) > 1}):
        raise DataError(f"{path} holds seeds {_some(twice)} twice; remove it and run shard {shard} again")
    if gaps := sorted(set(seeds) - set(played)):
        raise DataError(
            f"shard {shard} lacks {len(gaps)} of {len(seeds)} episodes (seeds {_some(gaps)}); the same command with "
            f"shard {shard} continues it",
            {"shard": [str(shard)]},
        )
    return {int(row["seed"]): row for row in rows}


def _some(values: Sequence[object]) -> str:
    return f"{', '.join(map(str, values[:_LISTED]))}{', …' if len(values) > _LISTED else ''}"
