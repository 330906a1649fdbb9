"""Does a trained agent need its depth weights? The same agent with fixed ones in their place, at test time.

    python benchmarks/depth_ablation.py runs/suites/mine/cells/train-conv-*/run [--episodes 60] [-o rows.jsonl]

Three lines for each run: as trained; with the weights of every read of its trunks put at their mean over all places of the
held-out images, so that no read looks at what it reads; and with every depth query at zero, which makes the weights uniform.
All else is left. ``error`` is the action error on the run's held-out demonstrations, ``depth_entropy`` that of the
depth weights there (1 is uniform). What falls is what the agent needs them for; the rest was trained beside them, so a fall says
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
from trunkzoo.agent.assemble import assemble
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint.load import load_agent
from trunkzoo.checkpoint.save import save_checkpoint
from trunkzoo.data.windows import WindowDataset
from trunkzoo.nn.stack import DepthMix, Query, Static, collect_weights
from trunkzoo.plugin.contract import STATE_KEY
from trunkzoo.registry import open_zoo
from trunkzoo.registry.resolved import resolve
from trunkzoo.rollouts import REPORT_SEEDS, Evaluation, plan, run
from trunkzoo.training.batches import Batch
from trunkzoo.training.directory import read_run
from trunkzoo.training.probes import Holdout, depth_entropy

KINDS = LEARNED, MEAN, UNIFORM = "learned", "mean", "uniform"


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


def with_mean_weights(agent: Agent, batch: Batch, catalogue: Catalogue) -> Agent:
    """An agent whose trunks weigh the sources of every read by their mean weights on ``batch``, everywhere alike."""
    state = agent.state_normalizer.normalize(batch[STATE_KEY])
    for name, weights in collect_weights(agent.encoder, batch, state).items():
        place, _, read = name.rpartition(".")
        mix = agent.encoder.get_submodule(place)
        if isinstance(mix, DepthMix) and read in mix.reads:
            constant = Static(len(weights))
            constant.static_query.data = weights.flatten(1).mean(1).log()  # softmax of its logarithm is the mean itself
            mix.reads[read] = constant
    settings = {**agent.recipe.trunk.config, "mixing": "static", "query_rank": 0}  # the same trunk with such weights
    trunk = agent.recipe.trunk.model_copy(update={"config": settings})
    other = assemble(resolve(agent.recipe.model_copy(update={"trunk": trunk}), catalogue))
    other.load_state_dict(agent.state_dict())
    return other.eval()


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
    """The run's newest agent with each kind of depth weights that is asked for."""
    facts, agent = read_run(directory), load_agent(directory, catalogue)
    windows = WindowDataset(Path(facts["data"]["path"]), agent.contract, {})
    holdout = Holdout(windows, agent.recipe.train.holdout_episodes)
    about = {"arm": agent.recipe.name, "seed": facts["seed"]}
    batch = windows.gather(holdout.indices)
    for kind in kinds:
        agent = load_agent(directory, catalogue)
        if kind == MEAN:
            agent = with_mean_weights(agent, batch, catalogue)
        elif kind == UNIFORM:
            make_uniform(agent)
        yield {**about, "weights": kind, **judge(agent, holdout, windows, episodes, catalogue)}


def main() -> None:
    """A line for each run and kind of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--weights", choices=KINDS, nargs="+", default=KINDS)
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
