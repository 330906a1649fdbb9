"""Does a trained agent need its depth weights? The same agent with uniform weights in their place, at test time.

    python benchmarks/depth_ablation.py runs/suites/mine/cells/train-conv-*/run [--episodes 60] [-o rows.jsonl]

Two lines for each run: as trained, and with every depth query of its trunks set to zero, which makes the weights uniform and
leaves everything else. ``error`` is the action error on the run's held-out demonstrations, ``entropy`` that of the depth
weights there (1 is uniform). What falls is what the agent needs them for; the rest was trained beside them, so a fall says
nothing of what an agent trained with uniform weights can do: that is the arm's control.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from trunkzoo.agent.agent import Agent
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint.load import load_agent
from trunkzoo.checkpoint.save import save_checkpoint
from trunkzoo.data.windows import WindowDataset
from trunkzoo.nn.stack import Query, Static
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import REPORT_SEEDS, Evaluation, plan, run
from trunkzoo.training.directory import read_run
from trunkzoo.training.probes import Holdout, depth_entropy

LEARNED, UNIFORM = "learned", "uniform"


@torch.no_grad()
def make_uniform(agent: Agent) -> None:
    """Set every depth query of the agent's trunks to zero: a softmax of equal logits is uniform."""
    for module in agent.encoder.trunks.modules():
        if isinstance(module, Query):
            module.query.zero_()
            if module.up_query is not None:
                module.up_query.zero_()
        elif isinstance(module, Static):
            module.static_query.zero_()


def judge(
    agent: Agent, holdout: Holdout, windows: WindowDataset, episodes: int, catalogue: Catalogue
) -> dict[str, Any]:
    """Held-out action error, entropy of the depth weights, and the test scenes that are solved."""
    held_out = {"error": holdout.measure(agent).error, **depth_entropy(agent, windows.gather(holdout.indices))}
    return held_out | (rollouts(agent, episodes, catalogue) if episodes else {})


def rollouts(agent: Agent, episodes: int, catalogue: Catalogue) -> dict[str, Any]:
    """The seeds of the report's scenes that are solved, and the mean reward."""
    with TemporaryDirectory() as home:
        checkpoint = Path(home) / "agent"
        save_checkpoint(checkpoint, agent)
        report = Evaluation(plan(catalogue, "agent", checkpoint), REPORT_SEEDS[:episodes])
        run([report], workers=1)
    solved = [row["seed"] for row in report.ordered if row["success"]]
    return {"solved": solved, "episodes": len(report.ordered), "reward": _mean(report.ordered, "average_reward")}


def _mean(rows: list[Any], key: str) -> float:
    return sum(float(row[key]) for row in rows) / len(rows)


def ablate(directory: Path, kinds: Collection[str], episodes: int, catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """The run's newest agent as trained, then with uniform depth weights, as far as asked."""
    facts, agent = read_run(directory), load_agent(directory, catalogue)
    windows = WindowDataset(Path(facts["data"]["path"]), agent.contract, {})
    holdout = Holdout(windows, agent.recipe.train.holdout_episodes)
    about = {"arm": agent.recipe.name, "seed": facts["seed"]}
    if LEARNED in kinds:
        yield {**about, "weights": LEARNED, **judge(agent, holdout, windows, episodes, catalogue)}
    make_uniform(agent)
    if UNIFORM in kinds:
        yield {**about, "weights": UNIFORM, **judge(agent, holdout, windows, episodes, catalogue)}


def main() -> None:
    """A line for each run and kind of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--weights", choices=(LEARNED, UNIFORM), nargs="+", default=(LEARNED, UNIFORM))
    parser.add_argument("--episodes", type=int, default=0, help="test scenes to play")
    parser.add_argument("-o", "--out", type=Path, help="add every line to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    catalogue = open_zoo().catalogue
    for directory in options.runs:
        for row in ablate(directory, options.weights, options.episodes, catalogue):
            print(json.dumps(row), flush=True)
            if options.out:
                with options.out.open("a", encoding="utf-8") as rows:
                    rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
