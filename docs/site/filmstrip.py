"""Makes README's picture: ``python docs/site/filmstrip.py RUN SEED``, an episode of a trained agent with its keypoints."""

from __future__ import annotations

import sys
from pathlib import Path

from trunkzoo.registry import open_zoo
from trunkzoo.report.pictures import keypoint_sheet
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.record_gaze import gaze_of_job

PICTURE = Path(__file__).parents[1] / "assets" / "two-arms.webp"


def main(run: str, seed: int) -> None:
    """Play the episode of ``seed`` and write the sheet: cameras down, steps across."""
    catalogue = open_zoo().catalogue
    gaze = gaze_of_job(plan(catalogue, "agent", run).job, seed, catalogue)
    keypoint_sheet(gaze).save(PICTURE, quality=70)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1000:.0f} kB, steps {', '.join(map(str, gaze.steps))}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
