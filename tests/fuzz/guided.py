"""Fuzz guided by coverage: ``python tests/fuzz/guided.py UNTIL FOLDER TARGET…``, with atheris; UNTIL in seconds of the epoch.

One process has all targets, since starting it costs seconds: the first byte of an input says which one reads the rest.
What reaches new lines of trunkzoo is edited further. How many inputs each target had stands in FOLDER. A finding ends it
with a traceback, and is kept in FOLDER.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["trunkzoo"]):
    from targets import targets

HERE = Path(__file__).parent
TRIED, FOUND = "tried.npy", "fuzz-"
LONGEST = 20_000  # bytes of an input


def seeds(names: list[str], folder: Path) -> Path:
    """The corpus of all these targets, each entry behind the number of its target."""
    folder.mkdir()
    for number, name in enumerate(names):
        for path in (HERE / "corpus" / name).iterdir():
            (folder / f"{name}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())
    return folder


def main(until: float, folder: Path, names: list[str]) -> None:
    """Run the targets until then; libFuzzer ends the process, with 0 if nothing was found."""
    reached = folder / "reached"
    reached.mkdir(parents=True)  # new inputs go to the first directory
    every = targets(folder)
    tried = np.lib.format.open_memmap(folder / TRIED, "w+", np.int64, (len(names),))  # type: ignore[no-untyped-call]

    def once(data: bytes) -> None:
        if data:
            number = data[0] % len(names)
            tried[number] += 1
            try:
                every[names[number]](data[1:])
            except Exception:
                print(f"found by {names[number]}", flush=True)
                raise

    options = [f"-max_total_time={max(1, round(until - time.time()))}", f"-max_len={LONGEST}"]
    options += [f"-artifact_prefix={folder}/{FOUND}", "-print_final_stats=1", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, str(reached), str(seeds(names, folder / "seeds"))], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
