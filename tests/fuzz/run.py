"""Fuzz for a stated time: ``python tests/fuzz/run.py SECONDS [TARGET…]``. A finding is shrunk, printed, and ends it with 1.

Inputs are entries of the committed corpus, edited: bytes cut out, doubled, replaced and inserted, whole tokens among
them. Where atheris is installed it has half of the time (``guided.py``). The time is that of the whole run, starting
included. What is found is kept under ``build`` and goes into the corpus with its mend.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE, STDOUT

START = time.time()  # before what takes seconds to import

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from targets import Target, targets

CORPUS = Path(__file__).parent / "corpus"
KEPT = Path(__file__).parents[2] / "build"
BATCH = 200
TOKENS = [
    b"", b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"true", b"-1", b"0", b"1e999", b"NaN", b"Infinity", b"9" * 30,
    b"9" * 5000, b"[" * 2000, b'{"a":' * 2000, b"\\ud800", b"\xff", b"\x00", b"\x1b[31m", "\u202e".encode(), b"../", b"=", b".",
    b"a." * 1500, b"\n", b"'", b"#", b"1979-05-27", b"{chunk_index}", b"%s", b"x" * 300,
]  # fmt: skip
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.sampled_from(TOKENS) | st.binary(max_size=8)), max_size=6
)


def edited(entry: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """``entry`` with, at each place (a share of its length), some bytes replaced."""
    for where, length, new in changes:
        start = round(where * len(entry))
        entry = entry[:start] + new + entry[start + length :]
    return entry


def fuzz(name: str, target: Target, until: float) -> int:
    """Run one target until then, every entry of its corpus at least; returns how many inputs were tried."""
    entries = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    tried = 0

    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(entries), edits)
    def once(entry: bytes, changes: list[tuple[float, int, bytes]]) -> None:
        nonlocal tried
        if time.time() < until:  # the rest of a batch passes
            tried += 1
            target(edited(entry, changes))

    for entry in entries:
        target(entry)
    while time.time() < until:
        once()
    return tried + len(entries)


def guided(names: Sequence[str], until: float, folder: Path) -> list[int]:
    """Run the targets under atheris, in a process of its own; returns how many inputs each had."""
    command = [sys.executable, str(Path(__file__).with_name("guided.py")), str(until), str(folder), *names]
    run = subprocess.run(command, text=True, errors="replace", check=False, stdout=PIPE, stderr=STDOUT)
    if run.returncode:
        KEPT.mkdir(exist_ok=True)
        for found in folder.glob("fuzz-*"):
            shutil.copy(found, KEPT)
        sys.exit(f"guided by coverage, kept in {KEPT}:\n{run.stdout}")
    return [int(number) for number in np.load(folder / "tried.npy")]


def main(seconds: float, names: list[str]) -> None:
    """Share the time among the targets, and between edits by chance and by coverage."""
    by_coverage = importlib.util.find_spec("atheris") is not None
    with tempfile.TemporaryDirectory(prefix="trunkzoo-fuzz-") as folder:
        chosen = {name: target for name, target in targets(Path(folder)).items() if not names or name in names}
        share = (START + seconds - time.time()) / len(chosen) / (1 + by_coverage)
        begun = time.time()
        ends = [begun + share * number for number in range(1, len(chosen) + 1)]
        tried = [fuzz(name, target, end) for (name, target), end in zip(chosen.items(), ends, strict=True)]
        more = guided(list(chosen), START + seconds, Path(folder) / "guided") if by_coverage else [0] * len(chosen)
    for name, by_chance, by_lines in zip(chosen, tried, more, strict=True):
        print(f"{name}: {by_chance + by_lines:,} inputs, {by_lines:,} of them guided by coverage")
    print(f"{sum(tried) + sum(more):,} inputs, no finding")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2:])
