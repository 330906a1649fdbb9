"""Trunk checks that look at what is built and at the shapes it gives."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trunkzoo.agent.assemble import require_trunk
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.plugin.contract import Contract
from trunkzoo.plugin.protocols import VisionTrunk
from trunkzoo.plugin.records import TrunkSpec
from trunkzoo.registry.recipe import EncoderConfig
from trunkzoo.testing.check import Subject, require

TrunkSubject = Subject[TrunkSpec[Any]]
SIZES = ((64, 64), (96, 80), (75, 53))  # square, oblong, odd
REFERENCE = Contract(
    cameras=("left", "right", "top"), image_size=(64, 64), state_dim=16, action_dim=16, camera_dim=64, cond_dim=208
)


class Built(NamedTuple):
    """A trunk as a module and as what it declares."""

    module: nn.Module
    out_channels: int
    stride: int


def build(subject: TrunkSubject, seed: int = 0) -> Built:
    """Build the subject's trunk on the CPU from ``seed``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trunk = subject.spec.build(subject.config)
    require(isinstance(trunk, nn.Module), f"build returned {type(trunk).__name__}; it must return a torch.nn.Module")
    return Built(trunk, int(trunk.out_channels), int(trunk.stride))


def images(n: int = 2, size: tuple[int, int] = (64, 64), seed: int = 0) -> Tensor:
    """Standard normal images (n, 3, *size), as they are after normalisation."""
    return torch.randn(n, 3, *size, generator=torch.Generator().manual_seed(seed))


def builds_on_meta(subject: TrunkSubject) -> None:
    """It builds and runs on the meta device, where neither memory nor time is spent."""
    with torch.device("meta"):
        trunk = subject.spec.build(subject.config)
        features = trunk.eval()(torch.empty(1, 3, 64, 64))
    require(features.is_meta, "part of the trunk was built elsewhere than on the device that was asked for")


def satisfies_vision_trunk(subject: TrunkSubject) -> None:
    """It is a torch module with ``out_channels``, ``stride`` and ``forward``."""
    require_trunk(subject.spec.build(subject.config), subject.id)


@torch.no_grad()
def declared_shapes(subject: TrunkSubject) -> None:
    """The feature map is (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉) for a square, an oblong and an odd image."""
    compare_shapes(build(subject).module, "cpu")


@torch.no_grad()
def compare_shapes(trunk: nn.Module, device: str, sizes: Sequence[tuple[int, int]] = SIZES) -> None:
    """Require that the feature maps of images of these sizes are what ``trunk`` declares."""
    channels, stride = trunk.out_channels, trunk.stride
    trunk.eval()
    for size in sizes:
        declared = (1, channels, *(-(-side // int(cast(int, stride))) for side in size))
        shape = tuple(trunk(images(1, size).to(device)).shape)
        require(
            shape == declared,
            f"{size} pixels with out_channels {channels} and stride {stride} should give {declared}, but give {shape}",
        )


@torch.no_grad()
def any_batch_size(subject: TrunkSubject) -> None:
    """Batches of 0, 1 and 3 images give as many feature maps."""
    trunk = build(subject).module.eval()
    for n in (0, 1, 3):
        given = len(trunk(images(n)))
        require(given == n, f"{n} images give {given} feature maps")


def same_seed_same_weights(subject: TrunkSubject) -> None:
    """The global seed decides the weights."""
    first, second = (build(subject, seed=3).module.state_dict() for _ in range(2))
    different = [key for key in first if not torch.equal(first[key], second[key])]
    require(not different, f"two builds from one seed differ in {', '.join(different[:3])}")


@torch.no_grad()
def state_dict_round_trip(subject: TrunkSubject) -> None:
    """Weights pass through safetensors, load strictly, and give the same output bit for bit."""
    trunk = build(subject).module.eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trunk.safetensors"
        save_file({key: value.contiguous().clone() for key, value in trunk.state_dict().items()}, path)
        weights = load_file(path)
    other = build(subject, seed=1).module.eval()
    other.load_state_dict(weights, strict=True)
    require(torch.equal(trunk(images()), other(images())), "the loaded copy gives other features")


@torch.no_grad()
def copies(subject: TrunkSubject) -> None:
    """A deep copy, which EMA needs, computes the same and shares no parameter."""
    trunk = build(subject).module.eval()
    twin = copy.deepcopy(trunk)
    require(torch.equal(trunk(images()), twin(images())), "the copy gives other features")
    pairs = zip(trunk.parameters(), twin.parameters(), strict=True)
    require(all(mine is not other for mine, other in pairs), "the copy shares parameters with the original")


def works_in_the_agent(subject: TrunkSubject) -> None:
    """Under the agent's encoder three cameras and the state give a condition of 3 × 64 + 16 = 208 numbers."""
    trunk = cast(VisionTrunk, build(subject).module)
    encoder = ObservationEncoder(REFERENCE, EncoderConfig(share_trunk=True), lambda: trunk)
    shape = (2, REFERENCE.obs_horizon, 3, *REFERENCE.image_size)
    window = {key: torch.randint(0, 256, shape, dtype=torch.uint8) for key in REFERENCE.image_keys}
    cond = encoder(window, torch.zeros(2, REFERENCE.obs_horizon, REFERENCE.state_dim))
    require(tuple(cond.shape) == (2, 2, 208), f"the condition is {tuple(cond.shape)}, expected (2, 2, 208)")
    require(bool(torch.isfinite(cond).all()), "the condition is not finite")
