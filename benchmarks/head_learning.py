"""How fast a head learns where the eyes are perfect: poses in place of images, held-out action error at equal steps.

    python benchmarks/head_learning.py --task two-arm-handover --seeds 3 --steps 800 -o rows.jsonl
    python benchmarks/head_learning.py --arm imf --arm regression --episodes 60      # rollouts too
    python benchmarks/head_learning.py --arm 'wide={"name": "imf/imf", "width": 192, "heads": 6}'
    python benchmarks/head_learning.py --arm imf --arm regression --set train.lr=2e-3       # for all arms

Every arm is a head; demonstrations, their order, the optimiser and the encoder (the object's pose through a small
network in place of the cameras) are the same for all, with the settings of the recipe imf-resnet18-demo. ``error`` is
the mean |action error| of the executed actions on held-out demonstrations, in units of the normalised range [-1, 1];
``spread`` is the deviation over start noises at a fixed observation, in the same units.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from pose_agent import ENTRY, Learner, PoseAgent
from posed_demonstrations import BODIES, POSE_KEY, Posed, Windows, demonstrations

from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin.contract import STATE_KEY
from trunkzoo.registry import open_zoo, parse_assignments
from trunkzoo.registry.recipe import Recipe
from trunkzoo.rollouts.seeds import REPORT_SEEDS

HELD_OUT, EVERY, NOISES, CHECKPOINTS = 10, 6, 4, 4
CHUNKS = {"contract.pred_horizon": 16, "contract.num_action_steps": 8}  # of all rows in results/head-learning
EVALUATIONS = (1, 2, 10)
"""Of the network per chunk: what a trained head that samples in steps is also judged at."""
BEFORE = {"output": "sample", "draws_per_sample": 2}
"""What the heads of the demo recipes had in common before this script was written."""


def arms(recipes: Mapping[str, Recipe]) -> dict[str, dict[str, Any]]:
    """Name → the head and its settings: those of the recipes, and what they were."""
    now = {
        name: {"name": recipe.head.name, **recipe.head.config}
        for name, recipe in (
            ("imf", recipes["imf-resnet18-demo"]),
            ("flow", recipes["flow-resnet18-demo"]),
            ("drift", recipes["drift-resnet18-demo"]),
            ("regression", recipes["regression-resnet18-demo"]),
        )
    }
    size = {key: now["imf"][key] for key in ("width", "blocks", "heads")}
    imf = {"name": "imf/imf", **size, **BEFORE, "times": {"one_step_share": 0.4, "noise_share": 0.1}, ENTRY: "wide"}
    flow = {"name": "imf/flow", **size, **BEFORE, "times": {"noise_share": 0.2}, ENTRY: "wide"}
    return {**now, "wide": {**now["imf"], ENTRY: "wide"}, "imf-before": imf, "flow-before": flow}


# ── Scores ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class Score(NamedTuple):
    """What an agent does on held-out demonstrations."""

    error: float
    spread: float


def held_out_score(agent: PoseAgent, windows: Windows, noises: int = NOISES) -> Score:
    """Error and spread over every sixth window."""
    state, pose, actions, valid = windows.take(torch.arange(0, len(windows), EVERY))
    wanted, valid = agent.action.normalize(actions)[:, : agent.steps], valid[:, : agent.steps]
    found = []
    for draw in range(noises):
        noise = Draws(sample_seeds(draw, torch.arange(len(state)))).normal(*actions.shape[1:])
        found.append(agent.chunk(state, pose, noise)[:, : agent.steps])
    error = torch.stack([(chunk - wanted).abs().mean(-1)[valid].mean() for chunk in found]).mean()
    spread = torch.stack(found).std(0, correction=min(1, noises - 1))
    return Score(float(error), float(spread.mean(-1)[valid].mean()))


def at_evaluations(agent: PoseAgent, windows: Windows) -> dict[int, float]:
    """Evaluations of the network per chunk → error, for heads that sample in steps."""
    own = agent.head.config
    if "sample_steps" not in type(own).model_fields:
        return {}
    errors = {}
    for steps in EVALUATIONS:
        agent.head.config = own.model_copy(update={"sample_steps": steps})
        errors[steps] = held_out_score(agent, windows, noises=1).error
    agent.head.config = own
    return errors


def rollouts(agent: PoseAgent, task: Posed, cap: int, episodes: int) -> tuple[list[bool], list[float]]:
    """Success and average reward of each report episode."""
    pairs = [_rollout(agent, task, cap, seed) for seed in REPORT_SEEDS[:episodes]]
    return [success for success, _ in pairs], [reward for _, reward in pairs]


def _rollout(agent: PoseAgent, task: Posed, cap: int, seed: int) -> tuple[bool, float]:
    task.reset(seed)
    rewards, success = [], False
    for step in range(cap):
        if step % agent.steps == 0:
            seen = task.observe()
            state, pose = (torch.from_numpy(seen[key])[None] for key in (STATE_KEY, POSE_KEY))
            noise = Draws(sample_seeds(0, seed, step).reshape(1)).normal(*agent.chunk_shape)
            queue = agent.action.denormalize(agent.chunk(state, pose, noise))[0].numpy()
        done = task.step(queue[step % agent.steps])
        rewards.append(done.reward)
        success |= done.success
    return success, sum(rewards) / cap


# ── The table ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Bench:
    """The data of a task, and trainings on it."""

    def __init__(self, options: argparse.Namespace) -> None:
        zoo = open_zoo()
        self.options, self.catalogue = options, zoo.catalogue
        self.recipes = {name: zoo.recipe(name).recipe for name in zoo.registry.recipe_names()}
        self.recipe = zoo.recipe("imf-resnet18-demo", {**CHUNKS, **parse_assignments(options.set)}).recipe
        task = self.catalogue.configure("task", Part(name=options.task))
        self.spec, self.task = task.spec, Posed(make_task(task), BODIES[options.task])
        episodes = demonstrations(self.task, self.spec, options.demonstrations + HELD_OUT, options.data)
        horizon = self.recipe.contract.pred_horizon
        self.training = Windows(episodes[: options.demonstrations], horizon)
        self.held_out = Windows(episodes[options.demonstrations :], horizon)

    def run(self, arm: str, head: dict[str, Any], seed: int) -> dict[str, Any]:
        """Train one arm; a row with its error along the way."""
        agent = PoseAgent(self.recipe, head, self.catalogue, seed)
        agent.fit(self.training)
        config = self.recipe.train.model_copy(update={"steps": self.options.steps})
        learner = Learner(agent, config, seed, self.training)
        errors, seconds = {}, 0.0
        for step in range(config.steps):
            start = time.process_time()
            learner.step(step)
            seconds += time.process_time() - start
            if (step + 1) % (config.steps // CHECKPOINTS) == 0:
                errors[step + 1] = held_out_score(learner.acting(), self.held_out, noises=1).error
                learner.back()
        score = held_out_score(learner.acting(), self.held_out)
        row = {"task": self.options.task, "arm": arm, "seed": seed, "head": head, "steps": config.steps}
        row |= {"demonstrations": self.options.demonstrations, "errors": errors, **score._asdict(), "cpu": seconds}
        row |= {"set": self.options.set} if self.options.set else {}
        return row | {"at_evaluations": at_evaluations(agent, self.held_out)} | self.rollouts(agent)

    def rollouts(self, agent: PoseAgent) -> dict[str, Any]:
        """Success and reward, where episodes are asked for."""
        if not self.options.episodes:
            return {}
        success, reward = rollouts(agent, self.task, self.spec.max_steps, self.options.episodes)
        return {"successes": sum(success), "episodes": len(success), "reward": statistics.mean(reward)}


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """One line per arm: means over seeds, and the deviation of the error."""
    yield f"{'arm':24} {'n':>2} {'error':>7} {'± sd':>6} {'spread':>7} {'CPU s':>6}  error along training"
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        error, spread, seconds = ([row[key] for row in mine] for key in ("error", "spread", "cpu"))
        sd = statistics.stdev(error) if len(mine) > 1 else math.nan
        way = " ".join(f"{statistics.mean(row['errors'][at] for row in mine):.4f}" for at in mine[0]["errors"])
        means = (
            f"{statistics.mean(error):7.4f} {sd:6.4f} {statistics.mean(spread):7.4f} {statistics.mean(seconds):6.0f}"
        )
        yield f"{arm:24} {len(mine):2} {means}  {way}{_at(mine)}{_rolled(mine)}"


def _at(rows: Sequence[Mapping[str, Any]]) -> str:
    """Errors at other numbers of evaluations."""
    pairs = [f"{n}: {statistics.mean(row['at_evaluations'][n] for row in rows):.4f}" for n in rows[0]["at_evaluations"]]
    return f"  evaluations {', '.join(pairs)}" if pairs else ""


def _rolled(rows: Sequence[Mapping[str, Any]]) -> str:
    if "episodes" not in rows[0]:
        return ""
    successes, episodes = (sum(row[key] for row in rows) for key in ("successes", "episodes"))
    return f"  {successes}/{episodes} reward {statistics.mean(row['reward'] for row in rows):.3f}"


def chosen(names: Sequence[str], known: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The arms asked for: known names, or ``name={JSON}``."""
    split = [name.partition("=") for name in names or known]
    return {name: json.loads(text) if text else known[name] for name, _, text in split}


def main() -> None:
    """Train every arm with every seed; print rows as they come and the table at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=BODIES, default="two-arm-handover")
    parser.add_argument("--arm", action="append", default=[], help="a known arm or NAME={JSON}; default all known")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--demonstrations", type=int, default=40)
    parser.add_argument("--episodes", type=int, default=0, help="rollouts per training")
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="*", default=[], help="train.* of the recipe, for all arms")
    parser.add_argument("--data", type=Path, help="keep the demonstrations in this file, and take them from it")
    parser.add_argument("-o", "--out", type=Path, help="append every row as a JSON line")
    options = parser.parse_args()
    for assignment in options.set:
        if not assignment.startswith("train.") or assignment.startswith("train.steps"):
            parser.error(
                f"--set {assignment}: only train.* reaches these agents; a head's settings go into --arm, steps into --steps"
            )
    torch.set_num_threads(1)
    bench, rows = Bench(options), []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for arm, head in chosen(options.arm, arms(bench.recipes)).items():
            rows.append(bench.run(arm, head, seed))
            print(json.dumps(rows[-1]), flush=True)
            if options.out:
                with options.out.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    print(*table(rows), sep="\n")


if __name__ == "__main__":
    main()
