"""What trunkzoo itself costs as work grows: suites, reports, datasets, plugins and metrics of ten to a million.

Every figure is beside its prediction, written down before the first run; a cost that grows linearly has equal figures per
cell, frame, plugin or row.

    python benchmarks/growth.py [suites] [report] [datasets] [plugins] [metrics]    # ten minutes for all
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from trunkzoo.data import open_dataset
from trunkzoo.data.lerobot.images import image_blocks
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.data.windows import WindowDataset
from trunkzoo.plugin.contract import Contract
from trunkzoo.registry import open_zoo
from trunkzoo.report.suite_page import write_suite_page
from trunkzoo.rollouts.job import EpisodeResult
from trunkzoo.rollouts.rows import make_row
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.engine import Failure, LocalEngine, Tick
from trunkzoo.suites.layout import DONE, RUN, report_rows, selection_rows
from trunkzoo.suites.plan import SuitePlan, every_cell, seeds_of
from trunkzoo.suites.planning import plan_suite
from trunkzoo.suites.results import read_results
from trunkzoo.suites.run import run_suite
from trunkzoo.suites.status import status_of
from trunkzoo.training.metrics import read_metrics

CELL_MS = 5.0  # target: milliseconds per cell of planning, status and scheduling together
REPORT = (10.0, 20.0)  # targets: seconds and megabytes
Row = tuple[str, ...]
PROVENANCE = {  # as long as that of a task in robosuite
    "policy": "agent",
    "recipe": "tour-resnet",
    "step": 300,
    "checkpoint_sha256": "0" * 64,
    "task": "reach/detour",
    "task_config": {"cameras": ["agentview", "robot0_eye_in_hand", "robot1_eye_in_hand"], "image_size": [96, 96]},
    "success_rule": "some step with reward 1: the pot is more than 10 cm above the table and tilted under 30 degrees",
    "max_steps": 40,
    "noise_seed": 0,
    "device": "cpu",
    "versions": dict.fromkeys(
        ("trunkzoo", "python", "torch", "numpy", "accelerate", "safetensors", "mujoco"), "1.15.0"
    ),
}


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this process and of the children it waited for."""
    before = _used()
    work()
    return _used() - before


def _used() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class Nothing:
    """An engine whose cells need no work; every hundredth is looked at while it runs."""

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """Do nothing, and no cell fails."""
        for cell in cells[::100]:
            tick([cell])
        return []


def finish(cell: Cell) -> None:
    """Write down a result, as if the cell had run."""
    cell.prepare()
    write_json(cell.directory / DONE, {"seconds": 1.0, **_result(cell)})


def _result(cell: Cell) -> dict[str, Any]:
    if cell.kind == "smoke":
        sizes = {"parameters": 2_000_000, "trunk_parameters": 1_000_000, "head_parameters": 500_000, "cond_dim": 34}
        return {**sizes, "feature_map": [64, 3, 3], "multiply_adds": 3_000_000}
    if cell.kind == "train":
        return {"train_seconds": 65.0, "steps": 300, "holdout_error": None}
    if cell.kind == "evaluate":
        return {"selection": {"150": 0.25, "300": 0.5}, "chosen": 300, "latency_ms": 3.0}
    return {}


@contextmanager
def planned(arms: int, trainings: int, episodes: int = 200) -> Iterator[Callable[[], SuitePlan]]:
    """What plans a suite of so many arms and training seeds on the tour's task, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        registry = Path(folder) / "registry.toml"
        names = ", ".join(f'{{ name = "arm-{i}", recipe = "tour-resnet" }}' for i in range(arms))
        seeds, tasks = list(range(trainings)), '[{ name = "reach/detour", demonstrations = 20 }]'
        registry.write_text(
            f"format = 1\n[suites.many]\nsummary = 'many'\narms = [{names}]\ntasks = {tasks}\n"
            f"training_seeds = {seeds}\nsteps = 300\nbatch_size = 32\ncheckpoints = 2\nselection_episodes = 10\n"
            f"report_episodes = {episodes}\n"
        )
        yield lambda: plan_suite("many", open_zoo(registry), Path(folder) / "runs")


def suite(arms_and_trainings: tuple[int, int]) -> Row:
    """Planning, status of none done, running without work, status of all done; and what the process of a cell costs."""
    with planned(*arms_and_trainings) as plan_it:
        start = _used()
        plan = plan_it()
        planning, cells = _used() - start, every_cell(plan)
        before = seconds(lambda: status_of(plan))
        running = seconds(lambda: run_suite(plan, Nothing()))
        for cell in cells:
            finish(cell)
        after = seconds(lambda: status_of(plan))
        few = cells[:4]  # done: their processes look and leave
        process = seconds(lambda: LocalEngine(1).run(few, lambda running: None)) / len(few)
    spent = [planning, before, running, after]
    each = [f"{1000 * part / len(cells):.2f}" for part in (*spent, sum(spent))]
    peak = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB"
    return f"{len(cells):,}", *each, peak, f"{process:.2f} s"


def report(arms: int) -> Row:
    """A page of so many arms × 10 trainings × 200 episodes, and what `--json` prints besides."""
    with planned(arms, 10) as plan_it:
        plan = plan_it()
        for cell in every_cell(plan):
            finish(cell)
            _play(cell)
        page = plan.directory / "report.html"
        spent = seconds(lambda: write_suite_page(plan, read_results(plan), page))
        command = [sys.executable, "-m", "trunkzoo_cli", "suite", "report", "many", "-o", str(plan.directory)]
        registry = {**os.environ, "TRUNKZOO_REGISTRY": str(plan.directory.parent / "registry.toml")}
        table = seconds(lambda: _run(command, registry))
        numbers = seconds(lambda: _run([*command, "--json"], registry))
        return str(arms), f"{spent:.1f} s", f"{page.stat().st_size / 1e6:.1f} MB", f"{table:.1f} s", f"{numbers:.1f} s"


def _play(cell: Cell) -> None:
    """Rows and metrics of a cell, drawn at random."""
    if cell.kind == "train":
        (cell.directory / RUN).mkdir()
        lines = [json.dumps({"step": step, "loss": 2.0, "mse_v": 2 - 0.001 * step}) for step in range(50, 301, 50)]
        (cell.directory / RUN / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if cell.kind == "evaluate":
        for step in (150, 300):
            _rows(selection_rows(cell.directory, step), seeds_of(cell.inputs["selection"]))
        _rows(report_rows(cell.directory, "agent"), seeds_of(cell.inputs["report"]))
        if cell.inputs["blind"]:
            _rows(report_rows(cell.directory, "blind"), seeds_of(cell.inputs["report"]))
    if cell.kind == "floor":
        _rows(report_rows(cell.directory, cell.inputs["policy"]), seeds_of(cell.inputs["report"]))


def _rows(path: Path, seeds: range) -> None:
    rng = np.random.default_rng(abs(hash(path.parent.name)) % 2**32)
    lines = [json.dumps(make_row(_episode(seed, rng), PROVENANCE)) for seed in seeds]
    path.write_text("".join(f"{line}\n" for line in lines))


def _episode(seed: int, rng: np.random.Generator) -> EpisodeResult:
    success, reward = bool(rng.random() < 0.5), rng.random()
    return EpisodeResult(seed, success, int(rng.integers(1, 41)) if success else None, reward, 40 * reward, 1.0, 40)


def dataset(frames: int) -> Row:
    """Opening, building the cache, decoding alone, opening with it, gathering a batch of 64."""
    contract = Contract(cameras=("top",), image_size=(32, 32), state_dim=2, action_dim=2, camera_dim=32, cond_dim=34)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRUNKZOO_CACHE"] = f"{folder}/cache"
        data = Path(folder) / "data"
        write_synthetic(data, contract, [100] * (frames // 100))
        reader = LeRobotReader(data)
        opening = seconds(lambda: LeRobotReader(data))
        decoding = seconds(lambda: _decode(reader))
        building = seconds(lambda: open_dataset(data, contract))
        again = seconds(lambda: open_dataset(data, contract))
        gathering = _gather(open_dataset(data, contract))
    rate = f"{frames / building:,.0f}", f"{frames / decoding:,.0f}"
    return f"{frames:,}", f"{opening:.2f} s", *rate, f"{again:.2f} s", f"{1000 * gathering:.2f} ms"


def _decode(reader: LeRobotReader) -> None:
    for block in image_blocks(reader, reader.info.cameras[0]):
        for _ in block.read(block.rows):
            pass


def _gather(dataset: WindowDataset) -> float:
    rng, batches = np.random.default_rng(0), 200
    indices = [torch.from_numpy(rng.integers(0, len(dataset), 64)) for _ in range(batches)]
    return seconds(lambda: [dataset.gather(each) for each in indices]) / batches


PLUGIN = """from trunkzoo.plugin import Config, TrunkSpec, hookimpl


@hookimpl
def trunkzoo_trunks():
    return [TrunkSpec(name="small", summary="one of many", config=Config, build=lambda config: None)]
"""


def plugins(count: int) -> Row:
    """``zoo list --json`` with so many plugins of one trunk each, first and again."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            _write_plugin(Path(folder), number)
        places = {
            "PYTHONPATH": folder,
            "PYTHONPYCACHEPREFIX": f"{folder}/bytecode",
            "TRUNKZOO_CACHE": f"{folder}/cache",
        }
        environment = {**os.environ, **places, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-m", "trunkzoo_cli", "list", "--json"]
        first, *others = [seconds(lambda: _run(command, environment)) for _ in range(3)]
    return str(count), f"{first:.2f} s", f"{min(others):.2f} s"


def _run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
    subprocess.run(command, env=environment, capture_output=True, check=True)


def _write_plugin(folder: Path, number: int) -> None:
    (folder / f"many_{number}.py").write_text(PLUGIN)
    info = folder / f"many_{number}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: many-{number}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[trunkzoo.v1]\nmany-{number} = many_{number}\n")


def metrics(count: int) -> Row:
    """Reading ``metrics.jsonl``, and `zoo runs` of a folder with such a run."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        with (run / "metrics.jsonl").open("w") as file:
            for step in range(count):
                file.write(json.dumps({"step": step, "loss": 1.0, "lr": 1e-4, "mse": 0.1}) + "\n")
        reading = seconds(lambda: read_metrics(run))
        listing = seconds(lambda: _run([sys.executable, "-m", "trunkzoo_cli", "runs", folder, "--json"]))
    return f"{count:,}", f"{reading:.2f} s", f"{listing:.2f} s"


class Table(NamedTuple):
    """One table: what measures a line, the sizes, the columns, and what was expected before the first run."""

    measure: Callable[[Any], Row]
    sizes: Sequence[Any]
    columns: Row
    predicted: str


TABLES = {
    "suites": Table(
        suite,
        [(1, 2), (2, 23), (10, 49), (20, 249)],
        ("cells", "plan, ms each", "status", "run", "status, done", "all, ms each", "peak", "a process"),
        "2 ms per cell in all, equal for every size; 300 MB with 10 000",
    ),
    "report": Table(
        report,
        [6, 20, 60],
        ("arms", "page", "its size", "zoo suite report", "with --json"),
        "60 arms take 20 s (bootstrap of 59 pairs) and 5 MB; with rows read once and nothing resampled that is not shown, 9 s",
    ),
    "datasets": Table(
        dataset,
        [1_000, 10_000, 100_000, 1_000_000],
        ("frames", "open", "cache, frames/s", "decode alone", "open again", "batch of 64"),
        "the cache at 0.8 of decoding, opening under 1 s per million, a batch equal for every size",
    ),
    "plugins": Table(plugins, [0, 10, 100, 1000], ("plugins", "first", "again"), "2 ms per plugin, so 1000 take 2.5 s"),
    "metrics": Table(metrics, [1_000, 100_000, 1_000_000], ("rows", "read", "zoo runs"), "2 s for a million rows"),
}


def main() -> None:
    """Print the tables that were asked for."""
    for name in sys.argv[1:] or TABLES:
        table = TABLES[name]
        print(f"\n{name}; predicted: {table.predicted}")
        print("  ".join(f"{column:>16}" for column in table.columns), flush=True)
        for size in table.sizes:
            print("  ".join(f"{cell:>16}" for cell in table.measure(size)), flush=True)


if __name__ == "__main__":
    main()
