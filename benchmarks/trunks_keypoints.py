"""Do the trunks learn to see? Find a red disc among distractors, every family beside its controls, three seeds.

    python benchmarks/trunks_keypoints.py [--steps 300] [--seeds 3] [--only tokens] [-o keypoints.json]

Every arm: the narrow trunk (16/32/64/128 channels, group norm, output stride 16), SpatialSoftmax, a linear layer, AdamW
at one learning rate, the same stream of images per seed. The figure is the mean distance in pixels on fresh images.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.agent.assemble import build_trunk
from trunkzoo.agent.encoder import SpatialSoftmax
from trunkzoo.catalogue.part import Part
from trunkzoo.nn.stack import relative_entropy
from trunkzoo.registry import open_zoo

SIZE, BATCH, KEYPOINTS, LR, WARMUP = 64, 16, 32, 1e-3, 20
NARROW = {"widths": [16, 32, 64, 128], "heads": [1, 2, 4, 8], "output_stride": 16}
FAMILIES = ("attnres-conv-18", "attnres-conv-deep", "attnres-tokens", "attnres-hybrid")


def arms() -> dict[str, Part]:
    """ResNet-18, and each family with learned, uniform and additive mixing."""
    found = {"resnet-18": Part(name="resnet-18", config={"norm": "group", "width": 16, "output_stride": 16})}
    for family in FAMILIES:
        for mixing in ("full", "uniform", "residual"):
            found[f"{family} {mixing}"] = Part(name=family, config={**NARROW, "mixing": mixing})
    return found


def scenes(n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (n, 3, SIZE, SIZE) in [0, 1] and the red disc's centre (n, 2) as x, y in [-1, 1].

    Beside the disc: a red square, a blue disc, three bars of any colour, noise.
    """
    axis = torch.linspace(-1, 1, SIZE)
    y, x = axis[:, None], axis[None, :]

    def uniform(*shape: int, low: float = -0.85, high: float = 0.85) -> Tensor:
        return torch.rand(n, *shape, generator=generator) * (high - low) + low

    def paint(image: Tensor, where: Tensor, colour: Tensor) -> Tensor:
        return torch.where(where[:, None], colour[:, :, None, None], image)

    def disc(centre: Tensor, radius: float) -> Tensor:
        return (x - centre[:, 0, None, None]) ** 2 + (y - centre[:, 1, None, None]) ** 2 < radius**2

    def box(centre: Tensor, width: Tensor, height: Tensor) -> Tensor:
        across = (x - centre[:, 0, None, None]).abs() < width[:, None, None]
        return across & ((y - centre[:, 1, None, None]).abs() < height[:, None, None])

    red, blue = torch.tensor([0.9, 0.1, 0.1]).expand(n, 3), torch.tensor([0.1, 0.1, 0.9]).expand(n, 3)
    image = uniform(3, low=0, high=1)[:, :, None, None].expand(n, 3, SIZE, SIZE)
    for _ in range(3):
        size = uniform(2, low=0.03, high=0.5)
        image = paint(image, box(uniform(2), size[:, 0], size[:, 1]), uniform(3, low=0, high=1))
    side = torch.full((n,), 0.14)
    image = paint(image, box(uniform(2), side, side), red)
    image = paint(image, disc(uniform(2), 0.16), blue)
    target = uniform(2)
    image = paint(image, disc(target, 0.16), red)
    return (image + 0.1 * torch.randn(n, 3, SIZE, SIZE, generator=generator)).clamp(0, 1), target


class Pointer(nn.Module):
    """trunk → SpatialSoftmax → the disc's coordinates."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk
        self.pool = SpatialSoftmax(trunk.out_channels, KEYPOINTS)
        self.point = nn.Linear(2 * KEYPOINTS, 2)

    def forward(self, images: Tensor) -> Tensor:
        normalised = ((images - 0.45) / 0.225).contiguous(memory_format=torch.channels_last)
        return cast(Tensor, self.point(self.pool(self.trunk(normalised)).flatten(1)))


def train(part: Part, seed: int, steps: int) -> Iterator[Pointer]:
    """Train one arm; yields the model before and after."""
    torch.manual_seed(seed)
    model = Pointer(build_trunk(open_zoo().catalogue.configure("trunk", part)))
    plain = [p for n, p in model.named_parameters() if p.dim() < 2 or n.endswith("query")]
    decayed = [p for n, p in model.named_parameters() if p.dim() >= 2 and not n.endswith("query")]
    groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": plain, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=LR, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: min((s + 1) / WARMUP, (1.02 - s / steps) / 1.02))
    stream = torch.Generator().manual_seed(1000 + seed)
    yield model
    for _ in range(steps):
        images, target = scenes(BATCH, stream)
        torch.autograd.backward(F.smooth_l1_loss(model(images), target, beta=0.1))
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        schedule.step()
    yield model


@torch.no_grad()
def error(model: Pointer, n: int = 256) -> float:
    """Mean distance in pixels on ``n`` images that no training sees."""
    model.eval()
    images, target = scenes(n, torch.Generator().manual_seed(7))
    distance = float((model(images) - target).norm(dim=-1).mean()) * (SIZE - 1) / 2
    model.train()
    return distance


def entropy(model: Pointer) -> float | None:
    """Mean entropy of the depth weights over that of uniform ones; None where nothing is mixed."""
    if not hasattr(model.trunk, "depth_weights"):
        return None
    images, _ = scenes(16, torch.Generator().manual_seed(7))
    weights = model.trunk.depth_weights((images - 0.45) / 0.225).values()
    return statistics.mean(float(relative_entropy(w)) for w in weights if w.shape[0] > 1)


def run(part: Part, seed: int, steps: int) -> dict[str, float | None]:
    """One training: error before and after, CPU seconds, entropy of the weights."""
    training = train(part, seed, steps)
    before = error(next(training))
    start = time.process_time()
    model = next(training)
    seconds = time.process_time() - start
    learned = "mixing" in part.config and part.config["mixing"] == "full"
    return {"before": before, "after": error(model), "seconds": seconds, "entropy": entropy(model) if learned else None}


def main() -> None:
    """Train every arm and print one line each, as found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="arms whose name contains this")
    parser.add_argument("-o", "--out", type=Path, help="write every run as JSON")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = {}
    print(f"{'arm':28} {'before':>7} {'error, px: mean':>16} {'per seed':>20} {'CPU s':>6}  entropy / log N")
    for name, part in arms().items():
        if options.only not in name:
            continue
        runs = [run(part, seed, options.steps) for seed in range(options.seeds)]
        results[name] = runs
        before, after, seconds = ([cast(float, r[k]) for r in runs] for k in ("before", "after", "seconds"))
        each = " ".join(f"{e:5.2f}" for e in after)
        spread = [f"{r['entropy']:.3f}" for r in runs if r["entropy"] is not None]
        means = [statistics.mean(values) for values in (before, after, seconds)]
        print(f"{name:28} {means[0]:7.1f} {means[1]:16.2f} {each:>20} {means[2]:6.1f}  {' '.join(spread)}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
