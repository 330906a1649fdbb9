"""How exactly do trained agents see? The places of their task's objects, read from the condition vector by a linear map.

    python benchmarks/agent_sight.py runs/suites/mine/cells/train-*/run [--scenes 200] [-o rows.jsonl]

What a suite measures with ``sight_scenes``, for runs that are there already. ``guess`` is the error of the mean place.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.policies import make_agent_policy
from trunkzoo.rollouts.seeds import REPORT_SEEDS
from trunkzoo.rollouts.sight import measure_sight
from trunkzoo.statistics.ridge import FEWEST


def sight(run: Path, scenes: int, catalogue: Catalogue) -> dict[str, float | None]:
    """Error of the newest checkpoint and of a guess, in cm."""
    job = plan(catalogue, "agent", run).job
    task = make_task(catalogue.configure("task", job.task))
    found = measure_sight(make_agent_policy(job, catalogue), task, REPORT_SEEDS[:scenes])
    task.close()
    values = (None, None) if found is None else (round(100 * found.error, 3), round(100 * found.guess, 3))
    return dict(zip(("place_error", "guess"), values, strict=True))


def main() -> None:
    """One line for each run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("-o", "--out", type=Path, help="add a row for each run to this file")
    options = parser.parse_args()
    if options.scenes < FEWEST:
        parser.error(f"--scenes {options.scenes}: a linear map needs {FEWEST} at least")
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
