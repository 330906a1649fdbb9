"""Makes the pictures of the gallery: ``python docs/site/gallery.py [NAME …]``, an hour on two cores for all of them.

Films are of the tasks' experts, pictures of trunks are where a small agent on that trunk looks after a training on the
tour's task. Everything is a function of seeds, so that the same versions give the same pictures.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

import trunkzoo
from gallery_pages import MADE, PICTURES
from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.registry import open_zoo
from trunkzoo.report.pictures import keypoint_sheet, source_sheet
from trunkzoo.rollouts import REPORT_SEEDS
from trunkzoo.rollouts.collect import collect
from trunkzoo.rollouts.film import camera_images
from trunkzoo.rollouts.gaze import Gaze
from trunkzoo.rollouts.record_gaze import gaze_of_job

DEMONSTRATIONS, STEPS = 20, 300  # as the suite `tour` has
NARROW = [16, 32, 64, 128]
SETTINGS: dict[str, dict[str, Any]] = {  # of each trunk in a width that a CPU trains in minutes
    "resnet/resnet-18": {"norm": "group", "width": 16},
    "resnet/resnet-34": {"norm": "group", "width": 16},
    "resnet/resnet-50": {"norm": "group", "width": 16},
    "attnres/attnres-conv-18": {"widths": NARROW},
    "attnres/attnres-conv-deep": {"widths": [16, 32, 48, 96], "depths": [3, 5, 8, 5]},
    "attnres/attnres-tokens": {"widths": NARROW, "heads": [1, 1, 2, 4]},
    "attnres/attnres-hybrid": {"widths": NARROW, "heads": [1, 1, 2, 4]},
}
TILE, ACROSS = 96, 10  # of the sheet of fifty tasks: pixels, and tiles in a line
Pictures = dict[str, str]
"""File name → what it shows."""


def film_of(task: str) -> Pictures:
    """The first fresh episode of a task's expert."""
    name = f"{task.replace('/', '-')}.mp4"
    with tempfile.TemporaryDirectory() as folder:
        played = trunkzoo.evaluate(policy="expert", task=task, seeds=REPORT_SEEDS[:1], films=Path(folder), filmed=1)
        (film,) = Path(folder).glob("*.mp4")
        shutil.copyfile(film, PICTURES / name)
    row = played.ordered[0]
    end = f"success at step {row['success_step']}" if row["success"] else "no success"
    return {name: f"the expert of {task}, episode seed {row['seed']}: {end}"}


def sheet_of_metaworld() -> Pictures:
    """How every task of Meta-World begins, in the order of their names."""
    catalogue = open_zoo().catalogue
    names = sorted(id for id in catalogue.tasks if id.startswith("metaworld/"))
    sheet = Image.new("RGB", (ACROSS * TILE, -(-len(names) // ACROSS) * TILE))
    for index, name in enumerate(names):
        task = make_task(catalogue.configure("task", Part(name=name)))
        task.reset(REPORT_SEEDS[0])
        tile = Image.fromarray(camera_images(task)[0]).resize((TILE, TILE), Image.Resampling.LANCZOS)
        sheet.paste(tile, (index % ACROSS * TILE, index // ACROSS * TILE))
        task.close()
    sheet.save(PICTURES / "metaworld.webp", quality=75)
    first = catalogue.task(names[0]).spec
    camera = first.contract(first.config.model_validate(first.defaults)).cameras[0]
    about = f"How episode {REPORT_SEEDS[0]} of each task begins, seen by {camera}: {names[0].partition('/')[2]} to {names[-1].partition('/')[2]}"
    return {"metaworld.webp": about}


def gaze_of_trunk(trunk: str) -> tuple[Gaze, str]:
    """Where an agent on that trunk looks in a fresh episode, and what became of the agent."""
    with tempfile.TemporaryDirectory() as folder:
        zoo, data, run = open_zoo(), Path(folder) / "data", Path(folder) / "run"
        changes = {f"trunk.{key}": value for key, value in {**SETTINGS[trunk], "output_stride": 8}.items()}
        changes |= {"train.steps": STEPS, "train.checkpoint_every": STEPS}
        recipe = trunkzoo.load_recipe("tour-resnet", changes, trunk)
        assert recipe.task is not None
        collect(zoo.catalogue.configure("task", recipe.task), DEMONSTRATIONS, data, workers=1)
        trunkzoo.train(
            trunkzoo.RunConfig(recipe=recipe, data=data, output=run, device="cpu", threads=1, progress=False)
        )
        played = trunkzoo.evaluate(run, seeds=REPORT_SEEDS[:20])
        solved = sum(row["success"] for row in played.ordered)
        gaze = gaze_of_job(played.plan.job, REPORT_SEEDS[0], zoo.catalogue)
    narrow = ", ".join(f"{key} {value}" for key, value in SETTINGS[trunk].items())
    return (
        gaze,
        f"{trunk} ({narrow}) after {STEPS} steps on {DEMONSTRATIONS} demonstrations, which solved {solved} of 20",
    )


def pictures_of_trunk(trunk: str) -> Pictures:
    """Keypoints, and the mean weights of attention over depth where the trunk has any."""
    gaze, agent = gaze_of_trunk(trunk)
    stem = trunk.replace("/", "-")
    found = {f"{stem}-keypoints.webp": (keypoint_sheet(gaze), f"Keypoints of {agent}")}
    if gaze.sources:
        about = f"Mean weight that each read (down) gives to each source (across), of {agent}"
        found[f"{stem}-depth.webp"] = (source_sheet(gaze.sources), about)
    for name, (picture, _) in found.items():
        picture.save(PICTURES / name, quality=75)
    return {name: about for name, (_, about) in found.items()}


def wanted() -> dict[tuple[str, str], Callable[[], Pictures]]:
    """What the gallery shows: (section, name) → what makes its pictures."""
    zoo = open_zoo()
    tasks = [id for id in zoo.catalogue.tasks if not id.startswith("metaworld/")]
    found: dict[tuple[str, str], Callable[[], Pictures]] = {("tasks", id): partial(film_of, id) for id in tasks}
    found["tasks", "metaworld"] = sheet_of_metaworld
    return found | {("trunks", id): partial(pictures_of_trunk, id) for id in SETTINGS}


def main(patterns: Sequence[str]) -> None:
    """Make the pictures of the names that match, of all without patterns."""
    PICTURES.mkdir(exist_ok=True)
    for (section, name), make in wanted().items():
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns):
            pictures = make()
            made = json.loads(MADE.read_text(encoding="utf-8")) if MADE.exists() else {"tasks": {}, "trunks": {}}
            made[section][name] = pictures
            MADE.write_text(json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
            print(name, *pictures)


if __name__ == "__main__":
    main(sys.argv[1:])
