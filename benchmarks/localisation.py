"""How exactly do an agent's eyes place an object? One camera's encoder learns the place and yaw of a two-arm task's object.

    python benchmarks/localisation.py two-arm-handover --scenes 600 [--trunk conv-18] [--set encoder.keypoint_gain=10]

The encoder of phase2-cpu's arms (trunk → SpatialSoftmax → Linear), then a small network, under supervision: an upper
bound of what the agent's own training can teach it. Figures: error of the place in cm and of the yaw in degrees, on
scenes that no training sees, along training.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from posed_demonstrations import BODIES
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.agent.assemble import build_trunk
from trunkzoo.agent.encoder import CameraEncoder, ObservationEncoder
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.catalogue.tasks import make_task
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.registry import Zoo, open_zoo, parse_assignments
from trunkzoo.registry.resolved import ResolvedRecipe
from trunkzoo.rollouts.seeds import DEMONSTRATION_SEEDS
from trunkzoo.suites.planning import load_suite
from trunkzoo.training.optimizer import adamw, learning_rate, set_rate

TESTED, BATCH, MOMENTS = 200, 32, 4
IN_PLANE = {"two-arm-handover": 2, "two-arm-lift": 0}
"""Which axis of the object lies in the table's plane."""
TRUNKS = ("resnet-18", "conv-18", "conv-deep", "tokens")
"""Arms of the suite phase2-cpu, about equal in parameters and multiply-adds."""


def scenes(task_name: str, wanted: int, file: Path, catalogue: Catalogue) -> tuple[Tensor, Tensor]:
    """Images (N, 3, 96, 96) uint8 of the first camera and the object's x, y (m), cos and sin of its yaw (N, 4)."""
    if file.exists():
        return cast("tuple[Tensor, Tensor]", torch.load(file))
    task = make_task(catalogue.configure("task", Part(name=f"robosuite/{task_name}")))
    key = task.contract.image_keys[0]
    images, poses = [], []
    for seed in range(DEMONSTRATION_SEEDS, DEMONSTRATION_SEEDS + wanted):
        task.reset(seed)
        body = cast(Any, task).data.body(BODIES[task_name])
        along = body.xmat.reshape(3, 3)[:2, IN_PLANE[task_name]]
        images.append(torch.from_numpy(np.moveaxis(task.observe()[key], -1, 0).copy()))
        poses.append(torch.from_numpy(np.concatenate([body.xpos[:2], along / np.linalg.norm(along)])).float())
    task.close()
    found = torch.stack(images), torch.stack(poses)
    torch.save(found, file)
    return found


class Keypoints(NamedTuple):
    """What is tried of the keypoints' logits: see ``--help``."""

    temperature: float
    coordinates: bool

    def said(self) -> list[str]:
        """What differs from the agent's keypoints, as rows say it."""
        temperature = [f"temperature={self.temperature:g}"] if self.temperature != 1 else []
        return [*temperature, "coordinates"] if self.coordinates else temperature


class Locator(nn.Module):
    """One camera's encoder of a recipe, and a small network from its vector to place and yaw."""

    def __init__(self, recipe: ResolvedRecipe, seed: int, keypoints: Keypoints) -> None:
        super().__init__()
        contract = recipe.recipe.contract
        one = contract.model_copy(update={"cameras": contract.cameras[:1]})
        self.key = one.image_keys[0]

        def begin(part: str) -> None:
            torch.manual_seed(seed + zlib.crc32(part.encode()))  # each part draws from its own seed, as in an agent

        self.encoder = ObservationEncoder(one, recipe.recipe.encoder, lambda: build_trunk(recipe.trunk), begin)
        to_logits = cast(CameraEncoder, self.encoder.cameras[0]).pool.conv
        self.slopes = nn.Parameter(torch.zeros(contract.keypoints, 2, 1, 1)) if keypoints.coordinates else None
        to_logits.register_forward_hook(lambda module, given, logits: self.placed(logits) / keypoints.temperature)
        begin("head")
        self.read = nn.Sequential(nn.Linear(one.camera_dim, 128), nn.SiLU(), nn.Linear(128, 4))

    def placed(self, logits: Tensor) -> Tensor:
        """Logits (B, K, h, w) of a 1×1 convolution that has two more inputs: the coordinates x and y in [-1, 1]."""
        if self.slopes is None:
            return logits
        y, x = (torch.linspace(-1, 1, size) for size in logits.shape[-2:])
        return logits + self.slopes[:, 0] * x + self.slopes[:, 1] * y[:, None]

    def forward(self, images: Tensor, draws: Draws | None = None) -> Tensor:
        """(B, 3, H, W) uint8 → normalised x, y and the yaw's cosine and sine (B, 4)."""
        return cast(Tensor, self.read(self.encoder.encode_camera(0, images[:, None], draws)[:, 0]))


@torch.no_grad()
def errors(model: Locator, images: Tensor, poses: Tensor, scale: Tensor) -> tuple[float, float]:
    """Mean error of the place in cm and of the yaw in degrees."""
    model.eval()
    guess = torch.cat([model(part) for part in torch.split(images, 64)])
    model.train()
    place = (guess[:, :2] * scale - poses[:, :2]).norm(dim=-1).mean() * 100
    turn = torch.atan2(guess[:, 3], guess[:, 2]) - torch.atan2(poses[:, 3], poses[:, 2])
    return float(place), float(torch.atan2(turn.sin(), turn.cos()).abs().mean().rad2deg())


def train(model: Locator, recipe: ResolvedRecipe, data: tuple[Tensor, Tensor], seed: int, steps: int) -> dict[str, Any]:
    """One training on all scenes but the last TESTED; its errors along the way and its CPU seconds."""
    images, poses = data
    centre, scale = poses[:-TESTED, :2].mean(0), poses[:-TESTED, :2].std()
    poses = torch.cat([poses[:, :2] - centre, poses[:, 2:]], dim=1)
    config = recipe.recipe.train.model_copy(update={"steps": steps})
    optimizer, generator = adamw(model, config), torch.Generator().manual_seed(seed)
    start, along = time.process_time(), {}
    for step in range(steps):
        index = torch.randint(len(images) - TESTED, (BATCH,), generator=generator)
        target = torch.cat([poses[index, :2] / scale, poses[index, 2:]], dim=1)
        guess = model(images[index], Draws(sample_seeds(seed, step, index)))
        torch.autograd.backward(F.smooth_l1_loss(guess, target, beta=0.1))
        nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        set_rate(optimizer, learning_rate(step, config))
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % (steps // MOMENTS) == 0:
            along[step + 1] = errors(model, images[-TESTED:], poses[-TESTED:], scale)
    return {"errors": along, "cpu_seconds": round(time.process_time() - start, 1)}


def recipe_of(zoo: Zoo, trunk: str, settings: list[str]) -> ResolvedRecipe:
    """The recipe of an arm of phase2-cpu, with other settings."""
    arm = next(arm for arm in load_suite(zoo.registry, "phase2-cpu").arms if arm.label == trunk)
    return zoo.recipe(arm.recipe, {**arm.set, **parse_assignments(settings)}, arm.trunk)


def main() -> None:
    """Train every asked arm and seed; one line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=list(BODIES))
    parser.add_argument("--scenes", type=int, default=600, help="to train on")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trunk", choices=TRUNKS, nargs="+", default=list(TRUNKS[:2]))
    parser.add_argument("--set", metavar="KEY=VALUE", nargs="*", default=[], help="settings of the recipe")
    parser.add_argument("--temperature", type=float, default=1.0, help="what the logits are divided by, always")
    parser.add_argument("--coordinates", action="store_true", help="x and y as channels of the map that logits read")
    parser.add_argument("--cache", type=Path, default=Path("runs"), help="where the rendered scenes are kept")
    parser.add_argument("-o", "--out", type=Path, help="add a row for each training to this file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    zoo = open_zoo()
    options.cache.mkdir(parents=True, exist_ok=True)
    file = options.cache / f"{options.task}-{options.scenes}-scenes.pt"
    keypoints = Keypoints(options.temperature, options.coordinates)
    data = scenes(options.task, options.scenes + TESTED, file, zoo.catalogue)
    for seed in options.seeds:
        for trunk in options.trunk:
            recipe = recipe_of(zoo, trunk, options.set)
            model = Locator(recipe, seed, keypoints)
            settings = [*options.set, *keypoints.said()]
            row = {"task": options.task, "trunk": trunk, "set": settings, "scenes": options.scenes, "seed": seed}
            row |= train(model, recipe, data, seed, options.steps)
            print(json.dumps(row), flush=True)
            if options.out:
                with options.out.open("a", encoding="utf-8") as rows:
                    rows.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
