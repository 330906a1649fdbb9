"""What training costs beyond the network: overhead of a step, data, saving, a second process; what compiling saves.

python benchmarks/training_speed.py                  # about four minutes on two cores
python benchmarks/training_speed.py --only save
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file

from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo.bench.clock import in_turns
from trunkzoo.checkpoint import save_checkpoint
from trunkzoo.checkpoint.save import TrainingState
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.plugin.contract import Contract
from trunkzoo.registry import open_zoo
from trunkzoo.training.metrics import read_metrics
from trunkzoo.training.optimizer import adamw
from trunkzoo.training.step import Learner

CAMERAS = ("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand")
CONTRACT = Contract(cameras=CAMERAS, image_size=(96, 96), state_dim=16, action_dim=16, cond_dim=208)
CPU = torch.device("cpu")


def step_overhead(name: str, batch_size: int) -> float:
    """CPU time of a training step (noise, clipping, average, bookkeeping) ÷ forward + backward + fused AdamW."""
    resolved = open_zoo().recipe(name)
    recipe = resolved.recipe
    batch = random_batch(recipe.contract, batch_size)
    bare, whole = (assemble(resolved) for _ in range(2))
    for agent in (bare, whole):
        agent.fit_normalizers(unit_statistics(recipe.contract))
    bare.train()
    optimizer = adamw(bare, recipe.train)
    learner = Learner(whole, recipe.train, 0, Accelerator(cpu=True))

    def bare_step() -> None:
        bare(batch)["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    times = in_turns({"bare": bare_step, "whole": lambda: learner.step(0, [batch], False)}, CPU, rounds=7)
    return times["whole"] / times["bare"]


def compiled_step(name: str, batch_size: int) -> float:
    """CPU time of a training step under torch.compile ÷ that of an eager one."""
    zoo = open_zoo()
    recipes = {compile: zoo.recipe(name, {"train.compile": compile}) for compile in (False, True)}
    learners = {}
    for compile, resolved in recipes.items():
        agent = assemble(resolved)
        agent.fit_normalizers(unit_statistics(resolved.recipe.contract))
        learners[compile] = Learner(agent, resolved.recipe.train, 0, Accelerator(cpu=True))
    batch = random_batch(recipes[False].recipe.contract, batch_size)

    def step(compile: bool) -> Callable[[], object]:
        return lambda: learners[compile].step(0, [batch], False)

    times = in_turns({"eager": step(False), "compiled": step(True)}, CPU, rounds=9)
    return times["compiled"] / times["eager"]


def train(
    folder: Path, data: Path, recipe: str, batch_size: int, processes: int = 1, steps: int = 8
) -> dict[str, float]:
    """The last row of metrics of a short run in processes of their own, one thread each."""
    out = Path(tempfile.mkdtemp(dir=folder)) / "run"
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes)] if processes > 1 else []
    half = steps // 2  # the first half warms up; the row covers the second
    settings = [f"train.{item}" for item in (f"steps={steps}", f"batch_size={batch_size}", f"log_every={half}")]
    command = [sys.executable, *launcher, "-m", "trunkzoo_cli", "train", recipe, "--data", str(data), "-o", str(out)]
    command += ["--device", "cpu", "--threads", "1", *(part for item in settings for part in ("--set", item))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TRUNKZOO_CACHE": str(folder / "cache")}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return read_metrics(out)[-1]


def data_wait(folder: Path, data: Path, recipe: str) -> float:
    """Share of a step that waits for data: 96 px, 3 cameras, batch 64."""
    return train(folder, data, recipe, batch_size=64)["data_wait"]


def second_process(folder: Path, data: Path, recipe: str) -> float:
    """Samples/s of two processes ÷ those of one with half the batch, one thread each; best of two turns."""
    one, two = (
        max(train(folder, data, recipe, 32 * processes, processes, steps=16)["steps_per_second"] for _ in range(2))
        for processes in (1, 2)
    )
    return 2 * two / one


def save_cost(folder: Path, megabytes: int = 100) -> tuple[float, float]:
    """Wall time of an atomic, synced, hashed checkpoint ÷ the library's plain save of the same tensors: two ratios.

    The first against a plain save that is synced too, the second against one left to the page cache.
    """
    agent = assemble(open_zoo().recipe("imf-resnet18-demo"))
    state = TrainingState({f"t{i}": torch.randn(1 << 18) for i in range(megabytes)}, {"format": "1"})
    counter = iter(range(10_000))

    def atomic() -> None:
        save_checkpoint(folder / f"atomic-{next(counter)}", agent, state)

    def plain(sync: bool) -> None:
        path = folder / f"plain-{next(counter)}"
        path.mkdir()
        save_file(agent.state_dict(), path / "model.safetensors")
        save_file(dict(state.tensors), path / "training_state.safetensors")
        if sync:
            for file in path.iterdir():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())

    candidates = {"atomic": atomic, "synced": lambda: plain(True), "plain": lambda: plain(False)}
    times = {name: min(wall) for name, wall in walls(candidates, rounds=9).items()}  # neighbours only ever add
    return times["atomic"] / times["synced"], times["atomic"] / times["plain"]


def walls(candidates: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Wall times in turns; saving waits for the disk, which CPU time does not see."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, work in candidates.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="imf-resnet18-demo")
    parser.add_argument("--only", choices=["step", "compile", "wait", "processes", "save"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = folder / "data"
        write_synthetic(data, CONTRACT, [75] * 4)
        if options.only in (None, "step"):
            print(f"training step ÷ bare step           {step_overhead(options.recipe, 32):6.3f}   must be ≤ 1.05")
        if options.only in (None, "compile"):
            print(f"compiled step ÷ eager step          {compiled_step(options.recipe, 32):6.3f}   must be ≤ 0.85")
        if options.only in (None, "wait"):
            print(
                f"data-wait share of a step           {data_wait(folder, data, options.recipe):6.3f}   must be ≤ 0.05"
            )
        if options.only in (None, "processes"):
            print(
                f"two processes ÷ one, samples/s      {second_process(folder, data, options.recipe):6.3f}   must be ≥ 1.7"
            )
        if options.only in (None, "save"):
            synced, plain = save_cost(folder)
            print(f"checkpoint ÷ plain save, both synced {synced:5.3f}   must be ≤ 1.3")
            print(f"checkpoint ÷ plain save, not synced  {plain:5.3f}")


if __name__ == "__main__":
    main()
