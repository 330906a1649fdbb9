"""A GPU in ten minutes: its tests, what trunks, agents and trainings cost on it, and a slice of the suite ``phase2``.

    python benchmarks/gpu.py -o gpu                     # --device cpu: everything small, to see that it works

Every step has its own time and writes into the folder as it goes, so a cut loses only what was not done: ``steps.json``
says how each step ended, ``*.json`` has its figures, ``suite/`` the rows of the episodes and the logs of the cells.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
ZOO = [sys.executable, "-m", "trunkzoo_cli"]
SLICE = """format = 1

[suites.slice]
extends = "phase2"
summary = "phase2 in minutes: three arms, one training seed, few steps"
tasks = [{ name = "robosuite/two-arm-lift", demonstrations = 20 }]
training_seeds = [0]
steps = 400
checkpoints = 1
selection_episodes = 2
report_episodes = 16
holdout_episodes = 0
sight_scenes = 0

[suites.small]
extends = "tour"
summary = "the tour in a minute"
steps = 20
checkpoints = 1
selection_episodes = 2
report_episodes = 4
"""
KEPT = (".json", ".jsonl", ".txt", ".html")
LARGEST = 4 * 2**20  # bytes of a file that is kept: rows and logs, no weights
GRACE = 10.0  # seconds between SIGTERM and SIGKILL


class Step(NamedTuple):
    """One thing that is run, and how long it may take."""

    name: str
    seconds: float
    command: Sequence[str]
    json: bool = False
    """Its output is kept as ``NAME.json``, otherwise as ``NAME.log``."""


def steps(device: str, out: Path, work: Path) -> Iterator[Step]:
    """What is run, in its order: 560 seconds at most on a GPU."""
    small = device == "cpu"
    yield Step("doctor", 40, [*ZOO, "doctor", "--json"], json=True)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "cuda",
        "-v",
        "-p",
        "no:cacheprovider",
        f"--junitxml={out / 'tests.xml'}",
    ]
    yield Step("tests", 120, [*tests, "tests/training/test_cuda.py"])
    recipes = ["tour-resnet", "tour-attnres"] if small else ["imf-resnet18", "imf-attnres"]
    batch, rounds = ("8", "2") if small else ("256", "20")
    for precision in ("fp32", "tf32", "bf16"):
        settings = ["--set", f"train.precision={precision}", "--set", f"train.batch_size={batch}"]
        train = [*ZOO, "bench", "train", *recipes, "--device", device, "--steps", rounds, *settings, "--json"]
        yield Step(f"train-{precision}", 40, train, json=True)
    trunks = ["resnet-18", "attnres-conv-18"]
    measured = ["--batch", batch, "--rounds", rounds, "--device", device, "--json"]
    yield Step("trunks", 30, [*ZOO, "bench", "trunks", *trunks, *measured], json=True)
    yield Step("agents", 30, [*ZOO, "bench", "agent", *recipes, *measured], json=True)
    arms = [] if small else ["--only", "resnet-18", "--only", "conv-18", "--only", "conv-18-uniform"]
    name = "small" if small else "slice"
    yield Step("suite", 200, [*ZOO, "suite", "run", name, "-o", str(work / "suite"), *arms])
    yield Step("status", 20, [*ZOO, "suite", "status", name, "-o", str(work / "suite"), *arms, "--json"], json=True)


def run(step: Step, out: Path, work: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run a step to its end or until its time is over; small files of its work are copied as they grow."""
    began = time.monotonic()
    paths = out / f"{step.name}.{'json' if step.json else 'log'}", out / f"{step.name}.err"
    with paths[0].open("wb") as said, paths[1].open("wb") as complaints:
        process = subprocess.Popen(
            step.command, cwd=ROOT, env=environment, stdout=said, stderr=complaints, start_new_session=True
        )
        cut = False
        while process.poll() is None:
            time.sleep(0.5)
            mirror(work, out)
            spent = time.monotonic() - began
            if spent > step.seconds:
                cut = True
                os.killpg(process.pid, signal.SIGTERM if spent < step.seconds + GRACE else signal.SIGKILL)
    mirror(work, out)
    return {"step": step.name, "rc": process.returncode, "cut": cut, "seconds": round(time.monotonic() - began, 1)}


def mirror(work: Path, out: Path) -> None:
    """Copy rows, logs and pages that are new or longer than their copy."""
    for file in work.rglob("*"):
        copy = out / file.relative_to(work)
        try:
            size = file.stat().st_size
            if file.suffix not in KEPT or size > LARGEST or (copy.exists() and copy.stat().st_size == size):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        except FileNotFoundError:  # a cell renamed it meanwhile
            continue


def main() -> int:
    """Run all steps; 0 if each ended well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path(os.environ.get("OUT", "gpu")))
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    options = parser.parse_args()
    out: Path = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    done: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "registry.toml").write_text(SLICE)
        environment = {
            **os.environ,
            "TRUNKZOO_REGISTRY": str(work / "registry.toml"),
            "TRUNKZOO_CACHE": str(work / "cache"),
        }
        for step in steps(options.device, out, work):
            print(f"{step.name}: at most {step.seconds:.0f} s", flush=True)
            done.append(run(step, out, work, environment))
            print(f"    {done[-1]}", flush=True)
            (out / "steps.json").write_text(json.dumps(done, indent=1))
    return int(any(each["rc"] or each["cut"] for each in done))


if __name__ == "__main__":
    sys.exit(main())
