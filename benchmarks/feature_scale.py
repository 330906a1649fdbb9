"""How large is a trunk's feature map before any training? Its scale sets how sharp the first keypoints are.

    python benchmarks/feature_scale.py two-arm-lift -o rows.jsonl

Trunks are the arms of phase2-cpu at their settings, with random weights; images are those of the task's first camera.
``rms`` is that of the map; ``logit_deviation`` that of a keypoint's logits over the places of an image, which is what
the softmax sees; ``peak`` is its largest probability times the number of places, 1 where it is uniform.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import torch
from localisation import TRUNKS, Keypoints, Locator, recipe_of, scenes
from posed_demonstrations import BODIES
from torch import Tensor

from trunkzoo.agent.encoder import CameraEncoder
from trunkzoo.registry import open_zoo


@torch.no_grad()
def scale(model: Locator, images: Tensor) -> dict[str, float]:
    """Figures of a camera's first feature maps on images (N, 3, 96, 96)."""
    features = model.encoder.feature_map(0, images[:, None])  # (N, C, h, w)
    logits = cast(CameraEncoder, model.encoder.cameras[0]).pool.conv(features).flatten(2)  # (N, K, h·w)
    return {
        "rms": float(features.square().mean().sqrt()),
        "logit_deviation": float(logits.std(-1, correction=0).mean()),
        "peak": float(logits.softmax(-1).amax(-1).mean() * logits.shape[-1]),
    }


def main() -> None:
    """One line for every trunk and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(BODIES))
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cache", type=Path, default=Path("runs"), help="where the rendered scenes are kept")
    parser.add_argument("-o", "--out", type=Path, help="add a row for each trunk and seed to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    zoo = open_zoo()
    options.cache.mkdir(parents=True, exist_ok=True)
    file = options.cache / f"{options.task}-{options.images}-images.pt"
    images, _ = scenes(options.task, options.images, file, zoo.catalogue)
    for trunk in TRUNKS:
        for seed in options.seeds:
            model = Locator(recipe_of(zoo, trunk, []), seed, Keypoints(1, False)).eval()
            row = {"task": options.task, "trunk": trunk, "seed": seed, "images": options.images}
            line = json.dumps(row | scale(model, images))
            print(line, flush=True)
            if options.out:
                with options.out.open("a", encoding="utf-8") as rows:
                    rows.write(line + "\n")


if __name__ == "__main__":
    main()
