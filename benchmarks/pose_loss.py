"""Does an auxiliary pose loss help? An arm of a suite, trained once more with the object's true pose as a second target.

    python benchmarks/pose_loss.py phase2-lift --arm resnet-18 --weight 0 0.1 --seed 0 --home runs/phase2-lift [-o rows.jsonl]

A linear map reads the pose (place, and two columns of the rotation) from the part of the condition that cameras fill; its
error, ``weight`` times, is added to the head's loss. The map is dropped after training, so the agent and its contract are
unchanged. Weight 0 is the suite's own training, to the last digit. ``--home`` holds the suite's demonstrations, whose
poses are found by playing them again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate import Accelerator
from posed_demonstrations import BODIES, POSE_DIM, POSE_KEY, Posed
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.assemble import assemble
from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.checkpoint.save import save_checkpoint
from trunkzoo.data.windows import WindowDataset
from trunkzoo.nn.draws import Draws
from trunkzoo.plugin.contract import ACTION_KEY, PAD_KEY, SEED_KEY, STATE_KEY
from trunkzoo.registry import Zoo, open_zoo
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import ResolvedRecipe, resolve
from trunkzoo.rollouts import REPORT_SEEDS, Evaluation, plan, run
from trunkzoo.rollouts.collect import demonstrate
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.sight import measure_sight
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.layout import DATA
from trunkzoo.suites.planning import plan_suite
from trunkzoo.training.batches import Sampler
from trunkzoo.training.probes import Holdout
from trunkzoo.training.step import Learner

SCENES, LEAST_SCALE, BETA = 200, 0.01, 0.1


def poses(data: Path, states: Tensor, zoo: Zoo) -> Tensor:
    """The true pose (frames, 9) of the object in every frame of some demonstrations, which are played again for it.

    Raises:
        ValueError: the episodes played are not those that were recorded.
    """
    origin = json.loads((data / "meta" / "trunkzoo.json").read_text(encoding="utf-8"))
    task = zoo.catalogue.configure("task", Part(name=origin["task"], config=origin["config"]))
    posed = Posed(make_task(task), BODIES[task.spec.name])
    played = [demonstrate(posed, seed, origin["noise"], task.spec.demo_steps).frames for seed in origin["seeds"]]
    posed.close()
    seen = torch.cat([torch.from_numpy(frames[STATE_KEY]) for frames in played])
    if seen.shape != states.shape or not torch.equal(seen, states):
        raise ValueError(f"{data}: the scripted expert does not do again what is recorded there")
    return torch.cat([torch.from_numpy(frames[POSE_KEY]) for frames in played])


class Supervised(nn.Module):
    """An agent that learns the object's pose beside its actions."""

    def __init__(self, agent: Agent, known: Tensor, weight: float) -> None:
        super().__init__()
        self.agent, self.weight = agent, weight
        self.seen = agent.contract.cond_dim - agent.contract.state_dim  # numbers of the condition that cameras fill
        self.read = nn.Linear(self.seen, POSE_DIM)
        self.centre, self.scale = known.mean(0), known.std(0).clamp_min(LEAST_SCALE)

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The head's loss, and ``weight`` times the error of the pose in units of its deviation over all frames."""
        draws = Draws(batch[SEED_KEY])
        cond = self.agent.condition(batch, draws)  # (B, T, cond_dim)
        actions = self.agent.action_normalizer.normalize(batch[ACTION_KEY])
        scalars: dict[str, Tensor] = self.agent.head(cond, actions, ~batch[PAD_KEY], draws)
        if not self.weight:
            return scalars
        wanted = (batch[POSE_KEY] - self.centre) / self.scale
        missed = F.smooth_l1_loss(self.read(cond[:, -1, : self.seen]), wanted, beta=BETA)
        return {**scalars, "loss": scalars["loss"] + self.weight * missed, "pose_loss": missed}


def learn(recipe: ResolvedRecipe, windows: WindowDataset, known: Tensor, seed: int, weight: float) -> Agent:
    """One training, as a suite does it but for the second loss; the agent has its averaged weights."""
    config = recipe.recipe.train
    agent = assemble(recipe, seed)
    agent.fit_normalizers(windows.stats)
    learner = Learner(Supervised(agent, known, weight), config, seed, Accelerator(cpu=True))
    sampler = Sampler(seed, Holdout(windows, config.holdout_episodes).first, config.batch_size)
    for step in range(config.steps):
        index = sampler.indices(step)
        batch = {**windows.gather(index), SEED_KEY: sampler.seeds(step), POSE_KEY: known[index]}
        learner.step(step, [batch], stop=False)
    own = {name.removeprefix("agent."): value for name, value in learner.acting_weights().items()}
    agent.load_state_dict({name: own[name] for name in agent.state_dict()})
    return agent.eval()


def judge(agent: Agent, windows: WindowDataset, episodes: int, zoo: Zoo) -> dict[str, Any]:
    """Held-out action error, error of the places read from the condition in cm, and the fresh episodes."""
    held_out = Holdout(windows, agent.recipe.train.holdout_episodes).measure(agent)
    with TemporaryDirectory() as home:
        save_checkpoint(Path(home) / "agent", agent)
        planned = plan(zoo.catalogue, "agent", Path(home) / "agent")
        report = Evaluation(planned, REPORT_SEEDS[:episodes])
        run([report], workers=1)
        task = make_task(zoo.catalogue.configure("task", planned.job.task))
        sight = measure_sight(make_agent_policy(planned.job, zoo.catalogue), task, REPORT_SEEDS[:SCENES])
        task.close()
    rewards = [float(row["average_reward"]) for row in report.ordered]
    return {
        "holdout_error": held_out.error,
        "place_error": sight and round(100 * sight.error, 3),
        "successes": [row["seed"] for row in report.ordered if row["success"]],
        "episodes": len(report.ordered),
        "reward": statistics.mean(rewards),
    }


def cells(suite: str, arm: str, home: Path, zoo: Zoo) -> Iterator[tuple[Cell, Path]]:
    """The trainings of an arm, in the order of their seeds, each with its demonstrations."""
    task = plan_suite(suite, zoo, home, [arm]).tasks[0]
    for cell, collect in zip(task.arms[0].trains, task.collects, strict=True):
        yield cell, collect.directory / DATA


def main() -> None:
    """Train every asked weight; one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="its first task is taken")
    parser.add_argument("--arm", default="resnet-18")
    parser.add_argument("--home", type=Path, required=True, help="directory of the suite's cells")
    parser.add_argument("--weight", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument("--seed", type=int, default=0, help="training seed of the suite")
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--steps", type=int, help="other than the suite's, to try the script")
    parser.add_argument("-o", "--out", type=Path, help="add a row for each training to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    zoo = open_zoo()
    cell, data = next(
        (it for it in cells(options.suite, options.arm, options.home, zoo) if it[0].inputs["seed"] == options.seed),
        (None, None),
    )
    if cell is None or data is None or not data.is_dir():
        parser.error(f"{options.home} holds no demonstrations of training seed {options.seed} of {options.suite}")
    recipe = Recipe.model_validate(cell.inputs["recipe"])
    if options.steps:
        recipe = recipe.model_copy(update={"train": recipe.train.model_copy(update={"steps": options.steps})})
    resolved = resolve(recipe, zoo.catalogue)
    windows = WindowDataset(data, recipe.contract, {})
    known = poses(data, windows.gather(torch.arange(len(windows)))[STATE_KEY][:, -1], zoo)
    for weight in options.weight:
        start = time.process_time()
        agent = learn(resolved, windows, known, options.seed, weight)
        row = {
            "suite": options.suite,
            "arm": options.arm,
            "seed": options.seed,
            "weight": weight,
            "steps": recipe.train.steps,
        }
        row |= {"cpu_seconds": round(time.process_time() - start, 1), **judge(agent, windows, options.episodes, zoo)}
        print(json.dumps(row), flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
