"""Which Meta-World tasks need eyes? Imitation from numbers alone: without the objects, with them, and the expert.

    python benchmarks/metaworld_floors.py --tasks push pick-place        # nothing renders; half a CPU minute a task
    python benchmarks/metaworld_floors.py --tasks push --seed 1 --json   # other episodes and weights, every solved seed

Two small networks of one kind regress action chunks (L1) on the same demonstrations, those that `zoo collect` records.
"blind" sees the robot state, all that an agent has beside its images: what it solves says nothing about seeing.
"full state" sees the simulator's own numbers, objects and goal among them: about as much as perfect eyes would give.
A task tests a vision trunk where blind is low and full state is high.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trunkzoo.agent.normalizer import Normalizer
from trunkzoo.data.lerobot.stats import statistics
from trunkzoo.plugin import TaskError, did_you_mean
from trunkzoo.plugin.contract import ACTION_KEY, STATE_KEY, Contract
from trunkzoo.plugin.protocols import Policy, Task
from trunkzoo.plugin.records import install_line
from trunkzoo.rollouts.collect import demonstrate
from trunkzoo.rollouts.episode import run_episode
from trunkzoo.rollouts.scripted import ExpertPolicy
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS, REPORT_SEEDS
from trunkzoo.statistics import Interval, newcombe_paired, wilson
from trunkzoo_metaworld import TASKS
from trunkzoo_metaworld.config import ACTION_DIM, MetaworldConfig
from trunkzoo_metaworld.task import MetaworldTask

FULL_KEY = "full_state"
VIEWS = {"full state": FULL_KEY, "blind": STATE_KEY}
VERIFIED = ("push", "pick-place", "coffee-button", "button-press-topdown", "assembly", "peg-insert-side")
SETTINGS = {  # default, what is allowed, what it means
    "demos": (30, range(1, 2001), "successful demonstrations to learn from"),
    "steps": (1500, range(1, 10**7), "training steps of each network"),
    "episodes": (20, range(1, 10_001), "fresh episodes per policy"),
    "seed": (0, range(100), "decides the episodes, the initial weights and the batches"),
}
WIDTH, BATCH, LR = 256, 128, 1e-3
OBSERVATIONS, CHUNK, EXECUTED = (
    Contract.model_fields[name].default for name in ("obs_horizon", "pred_horizon", "num_action_steps")
)
APART = 10_000  # episode seeds between one --seed and the next
Demo = Mapping[str, NDArray[Any]]


class Numbers(MetaworldTask):
    """The task without cameras: nothing renders, and the full state is part of the observation."""

    def observe(self) -> Mapping[str, NDArray[Any]]:
        """State (4,) and full state (39,): hand, gripper, objects, the same one step ago, goal; all in m or [0, 1]."""
        return {STATE_KEY: super().observe()[STATE_KEY], FULL_KEY: self.full_state.astype(np.float32)}


def demonstrations(task: Numbers, name: str, count: int, seed: int) -> Sequence[Demo]:
    """``count`` successful demonstrations as ``zoo collect`` makes them: noise on what is executed, clean commands."""
    first, tries = DEMONSTRATION_SEEDS + seed * APART, 10 + 4 * count
    episodes = (demonstrate(task, first + i, 1.0, TASKS[name].demo_steps) for i in range(tries))
    kept = list(islice((demo.frames for demo in episodes if demo.first_success is not None), count))
    if len(kept) < count:
        raise TaskError(f"{name}: only {len(kept)} of {tries} demonstrations succeeded; ask for fewer with --demos")
    return kept


def windows(demo: Demo, key: str) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Every window of a demonstration: what is seen (T, O, S), the chunk (T, P, A), and which of it is real (T, P)."""
    now = np.arange(len(demo[ACTION_KEY]))[:, None]
    seen = np.maximum(now + np.arange(1 - OBSERVATIONS, 1), 0)  # (T, O)
    ahead = now + np.arange(CHUNK)  # (T, P)
    return demo[key][seen], demo[ACTION_KEY][np.minimum(ahead, len(now) - 1)], ahead < len(now)


class Regressor(nn.Module):
    """Numbers of the newest observations (B, O, S) → a chunk of actions (B, P, A)."""

    def __init__(self, demos: Sequence[Demo], key: str) -> None:
        super().__init__()
        values = np.concatenate([demo[key] for demo in demos])
        self.normalizer = Normalizer("mean_std", values.shape[1], key)
        self.normalizer.fit({key: statistics(values)})
        sizes = (OBSERVATIONS * values.shape[1], WIDTH, WIDTH)
        hidden = [layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())]
        self.net = nn.Sequential(*hidden, nn.Linear(WIDTH, CHUNK * ACTION_DIM))

    def forward(self, seen: Tensor) -> Tensor:
        chunk: Tensor = self.net(self.normalizer.normalize(seen).flatten(1))
        return chunk.view(-1, CHUNK, ACTION_DIM)


def train(demos: Sequence[Demo], key: str, steps: int, seed: int) -> Regressor:
    """Regress the chunks of ``demos`` on their ``key`` by L1; AdamW, its rate falling to zero along a cosine."""
    torch.manual_seed(seed)
    model = Regressor(demos, key)
    seen, chunks, real = (
        torch.from_numpy(np.concatenate(part)) for part in zip(*(windows(d, key) for d in demos), strict=True)
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        batch = torch.randint(len(seen), (BATCH,))
        error = (model(seen[batch]) - chunks[batch]).abs().mean(-1)  # (B, P)
        error[real[batch]].mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    return model.eval()


class ChunkPolicy:
    """Predicts a chunk, executes its first actions, predicts again."""

    def __init__(self, model: Regressor, key: str) -> None:
        self._model, self._key = model, key
        self._seen: deque[NDArray[Any]] = deque(maxlen=OBSERVATIONS)
        self._queue: deque[NDArray[np.float32]] = deque()
        self.latencies: list[float] = []  # not measured here

    def reset(self, task: Task, seed: int) -> None:
        """Forget the last episode; the first observation stands for those before it."""
        self._queue.clear()
        self._seen.extend([task.observe()[self._key]] * OBSERVATIONS)

    @torch.no_grad()
    def act(self, task: Task) -> NDArray[np.float32]:
        """The next action (A,)."""
        self._seen.append(task.observe()[self._key])
        if not self._queue:
            seen = torch.from_numpy(np.stack(self._seen))[None]
            self._queue.extend(self._model(seen)[0, :EXECUTED].numpy())
        return self._queue.popleft()

    def close(self) -> None:
        """Nothing is held."""


def measure(name: str, demos: int, steps: int, episodes: int, seed: int) -> dict[str, list[bool]]:
    """Train both views of task ``name``; policy → whether it solved each fresh episode."""
    task = Numbers(name, MetaworldConfig())
    shown = demonstrations(task, name, demos, seed)
    policies: dict[str, Policy] = {"expert": ExpertPolicy()}
    policies |= {view: ChunkPolicy(train(shown, key, steps, seed), key) for view, key in VIEWS.items()}
    seeds, cap = report_seeds(episodes, seed), TASKS[name].max_steps
    solved = {p: [run_episode(task, policy, s, cap).success for s in seeds] for p, policy in policies.items()}
    task.close()
    return solved


def report_seeds(episodes: int, seed: int) -> range:
    """Seeds of the episodes that are reported; no demonstration and no choice ever uses them."""
    return REPORT_SEEDS[seed * APART :][:episodes]


def gain(solved: Mapping[str, Sequence[bool]]) -> Interval:
    """Success of the full state minus that of the blind policy, paired by episode, with Newcombe's interval."""
    pairs = list(zip(*(solved[view] for view in VIEWS), strict=True))
    return newcombe_paired(*(pairs.count(p) for p in ((True, True), (True, False), (False, True), (False, False))))


def row(name: str, solved: Mapping[str, Sequence[bool]]) -> str:
    """One line of the table, with Wilson's intervals."""
    counts = [(sum(solved[p]), len(solved[p])) for p in ("expert", *VIEWS)]
    cells = [f"{k:2}/{n} {wilson(k, n).text().partition(' ')[2]}" for k, n in counts]
    return f"{name:21}" + "".join(f"{cell:20}" for cell in (*cells, gain(solved).text(signed=True)))


def arguments() -> argparse.Namespace:
    """The command line, refused in one line where it cannot be run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=VERIFIED, metavar="TASK", help="names without metaworld/")
    for name, (default, _, text) in SETTINGS.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: {default})")
    parser.add_argument("--json", action="store_true", help="print JSON alone: the outcome of every episode")
    options = parser.parse_args()
    for task in options.tasks:
        if task not in TASKS:
            parser.error(f"Meta-World has no task '{task}'.{did_you_mean(task, TASKS)}")
    for name, (_, allowed, _) in SETTINGS.items():
        if getattr(options, name) not in allowed:
            parser.error(f"--{name} {getattr(options, name)}: must be from {allowed.start} to {allowed.stop - 1}")
    if absent := install_line(TASKS[options.tasks[0]]):
        parser.error(f"the simulator is not installed here: {absent}")
    return options


def main() -> None:
    """Measure every task and print its row as found."""
    options = arguments()
    torch.set_num_threads(1)
    settings = {name: getattr(options, name) for name in SETTINGS}
    out = sys.stderr if options.json else sys.stdout  # rows are progress where JSON is the answer
    titles = ("expert", *VIEWS, "full state − blind")
    print(f"{'task':21}" + "".join(f"{title:20}" for title in titles) + "CPU s", file=out, flush=True)
    found = {}
    for name in options.tasks:
        start = time.process_time()
        try:
            found[name] = measure(name, **settings)
        except TaskError as error:
            raise SystemExit(str(error)) from None
        print(f"{row(name, found[name])}{time.process_time() - start:5.0f}", file=out, flush=True)
    if options.json:
        seeds = report_seeds(options.episodes, options.seed)
        print(json.dumps({**settings, "first_episode": seeds.start, "solved": found}, indent=1))


if __name__ == "__main__":
    main()
