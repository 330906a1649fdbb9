"""Fuzz one target guided by coverage: ``python tests/fuzz/guided.py TARGET SECONDS FOLDER``, with atheris.

What reaches new lines of trunkzoo is edited further. A finding ends it with a traceback, and is kept under ``build``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["trunkzoo"]):
    from targets import targets

HERE = Path(__file__).parent
LONGEST = 20_000  # bytes of an input


def main(name: str, seconds: str, folder: Path) -> None:
    """Run the target for that long; libFuzzer ends the process, with 0 if nothing was found."""
    reached, kept = folder / "reached", HERE.parents[1] / "build"
    reached.mkdir(parents=True)  # new inputs go to the first directory
    if not kept.is_dir():
        kept.mkdir()
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-artifact_prefix={kept}/fuzz-{name}-"]
    places = [str(reached), str(HERE / "corpus" / name)]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", "-verbosity=0", *places], targets(folder)[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
