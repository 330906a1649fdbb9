"""What each kind of cell does, in its own process. Every one of them continues where a killed one stopped."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import ZooError
from trunkzoo.registry import Zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.rollouts.collect import Demonstration, collect
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.foreign import evaluate_foreign, train_foreign
from trunkzoo.suites.layout import ATTEMPTS, DATA, DONE, RUN, parts_of
from trunkzoo.suites.scoring import evaluate_cell, floor_cell
from trunkzoo.training.config import RunConfig
from trunkzoo.training.directory import is_begun
from trunkzoo.training.metrics import read_metrics

LATENCY_ROUNDS = 20


def run_cell(cell: Cell, zoo: Zoo) -> None:
    """Do the work of a cell and write down its result, unless that is there already."""
    if cell.done() is not None:
        return
    cell.prepare()
    start, spent = time.perf_counter(), _cpu_seconds()
    work: dict[str, Callable[[Cell, Catalogue], dict[str, Any]]] = {
        "smoke": smoke_cell,
        "collect": collect_cell,
        "train": train_foreign if "command" in cell.inputs else train_cell,
        "evaluate": evaluate_foreign if "policy" in cell.inputs else evaluate_cell,
        "floor": floor_cell,
        "latency": latency_cell,
    }
    result = work[cell.kind](cell, zoo.catalogue)
    took = {"seconds": time.perf_counter() - start, "cpu_seconds": _cpu_seconds() - spent}
    write_json(cell.directory / DONE, {**result, **{name: round(value, 1) for name, value in took.items()}})


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def smoke_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Try every promise of the recipe once; the sizes of its agent are the result."""
    from trunkzoo.agent.assemble import assemble
    from trunkzoo.agent.numbers import count_multiply_adds, count_parameters
    from trunkzoo.testing.smoke import smoke

    resolved = resolve(Recipe.model_validate(cell.inputs["recipe"]), catalogue)
    recipe = resolved.recipe
    checks = list(smoke(resolved, catalogue, expect_cond_dim=recipe.contract.cond_dim))
    failed = [f"{check.name}: {check.detail}" for check in checks if not check.ok]
    if failed:
        raise ZooError(f"smoke test of {recipe.name} failed: {'; '.join(failed)}")
    agent = assemble(resolved)
    side = max(recipe.contract.image_size)
    return {
        "checks": [check.to_dict() for check in checks],
        "trunk_parameters": count_parameters(agent.encoder.trunks),
        "head_parameters": count_parameters(agent.head),
        "parameters": count_parameters(agent),
        "cond_dim": agent.probe.cond_dim,
        "feature_map": agent.probe.feature_map,
        "multiply_adds": count_multiply_adds(agent.encoder.trunk(0), side),
    }


def collect_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Record the demonstrations; a dataset appears whole, so one that is there is finished."""
    episodes, attempts = int(cell.inputs["episodes"]), cell.directory / ATTEMPTS
    attempts.unlink(missing_ok=True)

    def count(demonstration: Demonstration) -> None:
        with attempts.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"seed": demonstration.seed, "success_step": demonstration.first_success}) + "\n")

    if (cell.directory / DATA).exists():
        return {"episodes": episodes}
    collected = collect(
        catalogue.configure("task", Part.model_validate(cell.inputs["task"])),
        episodes,
        cell.directory / DATA,
        first_seed=cell.inputs["first_seed"],
        workers=cell.slots,
        on_episode=count,
    )
    return {"episodes": episodes, "failed": len(collected.failed_seeds), "frames": collected.frames}


def train_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Train one arm; a run directory that is there is continued."""
    from trunkzoo.training.loop import train

    output = cell.directory / RUN
    begun = is_begun(output)
    if not begun:
        shutil.rmtree(output, ignore_errors=True)  # killed before its first word: nothing to continue
    given = Recipe.model_validate(cell.inputs["recipe"])
    how = given.train.model_copy(update={"compile": given.train.compile or cell.compile})
    recipe = resolve(given.model_copy(update={"train": how}), catalogue)
    collect = next(cell.home.glob(f"collect-*-{cell.inputs['data']}"))
    config = RunConfig(
        recipe=recipe.recipe,
        data=collect / DATA,
        output=output,
        seed=cell.inputs["seed"],
        resume=begun,
        threads=cell.slots,
        progress=False,
    )
    result = train(config, recipe)
    if result.signal is not None:
        raise SystemExit(128 + result.signal)  # saved; not finished
    metrics = read_metrics(output)
    return {
        "steps": result.step,
        "train_seconds": round(train_seconds(metrics), 1),
        "train_cpu_seconds": train_cpu_seconds(metrics),
        "holdout_error": _last(metrics, "holdout_error"),
        "holdout_spread": _last(metrics, "holdout_spread"),
        "depth_entropy": _last(metrics, "depth_entropy"),
    }


def _last(metrics: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """The last value that was logged under this name, None if there is none."""
    return next((row[name] for row in reversed(metrics) if row.get(name) is not None), None)


def latency_cell(cell: Cell, catalogue: Catalogue) -> dict[str, Any]:
    """Processor milliseconds of one prediction of every arm, all in this process and in turns: A B A B."""
    from trunkzoo.bench.agent import bench_agent

    recipes = {
        label: resolve(Recipe.model_validate(of["recipe"]), catalogue) for label, of in cell.inputs["arms"].items()
    }
    rows = bench_agent(list(recipes.values()), batches=(1,), rounds=LATENCY_ROUNDS)
    return {"latency_ms": {label: 1000 * row.total.median for label, row in zip(recipes, rows, strict=True)}}


def train_seconds(metrics: Sequence[Mapping[str, Any]]) -> float:
    """Wall time of all sessions together, from the speed of every row."""
    return sum(steps / float(row["steps_per_second"]) for steps, row in _spans(metrics))


def train_cpu_seconds(metrics: Sequence[Mapping[str, Any]]) -> float | None:
    """Processor seconds of this process for the steps that count, all sessions together; None where a row does not tell.

    What a killed session lost, the start of a session and what follows the last row are not among them.
    """
    spans = list(_spans(metrics))
    if any(row.get("cpu_per_step") is None for _, row in spans):
        return None
    return round(sum(steps * float(row["cpu_per_step"]) for steps, row in spans), 1)


def _spans(metrics: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows of steps, each with the number of steps that it speaks of."""
    rows = [row for row in metrics if row.get("steps_per_second")]
    steps = [int(row["step"]) for row in rows]
    return zip((now - then for then, now in zip([0, *steps], steps, strict=False)), rows, strict=True)


def progress_of(cell: Cell) -> tuple[int, int, str]:
    """Done, total and a remark, read from what the cell has written so far; total 0 if that cannot be known."""
    if cell.kind == "train" and "recipe" in cell.inputs:
        row = (read_metrics(cell.directory / RUN) or [{"step": 0}])[-1]
        loss = f"loss {row['loss']:.3g}" if row.get("loss") is not None else ""
        return int(row["step"]), int(cell.inputs["recipe"]["train"]["steps"]), loss
    if cell.kind in ("evaluate", "floor"):
        report = int(cell.inputs["report"][1])
        per_checkpoint = int(cell.inputs.get("selection", (0, 0))[1]) * len(cell.inputs.get("checkpoints", ()))
        total = per_checkpoint + report * (2 if cell.inputs.get("blind") else 1)
        return sum(_lines(path) for _, path in parts_of(cell.directory)), total, "episodes"
    if cell.kind == "collect":
        return _lines(cell.directory / ATTEMPTS), int(cell.inputs["episodes"]), "demonstrations"
    return 0, 0, ""


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0
