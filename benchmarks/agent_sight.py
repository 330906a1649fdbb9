"""How exactly do trained agents see? The places of their task's objects, read from the condition vector by a linear map.

    python benchmarks/agent_sight.py runs/suites/mine/cells/train-*/run [--scenes 200] [-o rows.jsonl]

What a suite measures with ``sight_scenes``, for runs that are there already. ``guess`` is the error of the mean place.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, cast

import numpy as np

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.plugin import Located
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.seeds import REPORT_SEEDS
from trunkzoo.rollouts.sight import place_error


def sight(run: Path, scenes: int, catalogue: Catalogue) -> dict[str, Any]:
    """Error of the newest checkpoint and of a guess, in cm."""
    job = plan(catalogue, "agent", run).job
    task = make_task(catalogue.configure("task", job.task))
    seeds, places = REPORT_SEEDS[:scenes], []
    for seed in seeds:
        task.reset(seed)
        places.append(next(iter(cast(Located, task).places().values())))
    error = place_error(make_agent_policy(job, catalogue), task, seeds)
    task.close()
    guess = float(np.linalg.norm(places - np.mean(places, axis=0), axis=1).mean())
    return {"place_error": None if error is None else round(100 * error, 3), "guess": round(100 * guess, 3)}


def main() -> None:
    """One line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("-o", "--out", type=Path, help="add a row for each run to this file")
    options = parser.parse_args()
    catalogue = open_zoo().catalogue
    for run in options.runs:
        label = run.parent.name if run.name == "run" else run.name
        row = {"run": label, "scenes": options.scenes, **sight(run, options.scenes, catalogue)}
        print(json.dumps(row), flush=True)
        if options.out:
            with options.out.open("a", encoding="utf-8") as rows:
                rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
