"""From camera images and robot state to the condition vector: trunk → SpatialSoftmax → Linear, per camera."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trunkzoo.agent.augment import centre_crop, colour_jitter, random_crop, random_shift
from trunkzoo.nn.draws import Draws
from trunkzoo.plugin.contract import Contract
from trunkzoo.plugin.protocols import IMAGENET, InputNorm, VisionTrunk
from trunkzoo.registry.recipe import EncoderConfig

Begin = Callable[[str], None]


def any_values(part: str) -> None:
    """Leave the random numbers of torch as they are."""


def expected_coordinates(logits: Tensor) -> Tensor:
    """Softmax each map over its pixels and return the expected (x, y), both in [-1, 1].

    ``logits`` (N, K, h, w) → (N, K, 2). Finn et al. 2016, "Deep spatial autoencoders", eq. 2.
    """
    n, k, h, w = logits.shape
    mass = logits.float().flatten(2).softmax(-1).view(n, k, h, w)  # sums to 1 over each map
    ys = torch.linspace(-1, 1, h, device=logits.device) if h > 1 else mass.new_zeros(1)
    xs = torch.linspace(-1, 1, w, device=logits.device) if w > 1 else mass.new_zeros(1)
    return torch.stack([(mass.sum(2) * xs).sum(-1), (mass.sum(3) * ys).sum(-1)], dim=-1)  # (N, K, 2)


class SpatialSoftmax(nn.Module):
    """K keypoints of a feature map: 1×1 convolution, then :func:`expected_coordinates`.

    ``normed`` brings each map to mean 0 and rms 1 first, so that all trunks start with one softmax temperature; ``gain``
    multiplies the first weights of the convolution, so that keypoints begin as peaks of the map, not near its middle.
    """

    def __init__(self, channels: int, keypoints: int, normed: bool = False, gain: float = 1.0) -> None:
        super().__init__()
        self.normed = normed
        self.conv = nn.Conv2d(channels, keypoints, kernel_size=1)
        self.conv.weight.data *= gain

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) → (N, K, 2)."""
        if self.normed:
            features = F.group_norm(features, num_groups=1)
        return expected_coordinates(self.conv(features))


class CameraEncoder(nn.Module):
    """One camera: the pooled keypoints of its feature map as one vector of ``camera_dim`` numbers."""

    def __init__(
        self, channels: int, contract: Contract, config: EncoderConfig, begin: Begin = any_values, name: str = "camera"
    ) -> None:
        super().__init__()
        begin(f"{name}.pool")
        self.pool = SpatialSoftmax(channels, contract.keypoints, config.feature_norm, config.keypoint_gain)
        begin(f"{name}.project")  # a seed of its own: the pool draws as many values as the trunk has channels
        self.project = nn.Linear(2 * contract.keypoints, contract.camera_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, h, w) → (N, camera_dim)."""
        return cast(Tensor, self.project(self.pool(features).flatten(1).to(features.dtype)))


class ObservationEncoder(nn.Module):
    """All cameras in declared order, then the state: ``cond`` (B, obs_horizon, cond_dim)."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        contract: Contract,
        config: EncoderConfig,
        build_trunk: Callable[[], VisionTrunk],
        begin: Begin = any_values,
    ) -> None:
        """``begin`` is told the name of each part before its initial values are drawn."""
        super().__init__()
        self.contract, self.config = contract, config
        n = len(contract.cameras)
        trunks = []
        for i in range(1 if config.share_trunk else n):
            begin(f"trunk.{i}")
            trunks.append(cast(nn.Module, build_trunk()))
        self.trunks = nn.ModuleList(trunks)
        self.out_channels = int(cast(VisionTrunk, trunks[0]).out_channels)
        self.cameras = nn.ModuleList(
            CameraEncoder(self.out_channels, contract, config, begin, f"camera.{i}") for i in range(n)
        )
        norm = cast(InputNorm, getattr(trunks[0], "input_norm", IMAGENET))
        self.register_buffer("mean", torch.tensor(norm.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(norm.std).view(1, 3, 1, 1), persistent=False)

    def trunk(self, camera: int) -> nn.Module:
        """The trunk that sees camera number ``camera``."""
        return self.trunks[0 if self.config.share_trunk else camera]

    def forward(self, obs: Mapping[str, Tensor], state: Tensor, draws: Draws | None = None) -> Tensor:
        """Images of ``obs`` (B, T, 3, H, W) and normalised ``state`` (B, T, state_dim) → (B, T, cond_dim).

        ``draws`` switches training augmentation on.
        """
        vectors = [self.encode_camera(i, obs[key], draws) for i, key in enumerate(self.contract.image_keys)]
        if draws is not None and self.config.state_noise:
            state = state + self.config.state_noise * draws.normal(*state.shape[1:]).to(state)
        return torch.cat([*vectors, state], dim=-1)  # (B, T, cameras · D + S)

    def encode_camera(self, camera: int, images: Tensor, draws: Draws | None = None) -> Tensor:
        """One camera's (B, T, 3, H, W) → (B, T, camera_dim)."""
        b, t = images.shape[:2]
        vectors = self.cameras[camera](self.feature_map(camera, images, draws))  # (B·T or 1, D)
        return cast(Tensor, vectors.expand(b * t, -1).view(b, t, -1))

    def feature_map(self, camera: int, images: Tensor, draws: Draws | None = None) -> Tensor:
        """The trunk's map (B·T, C, h, w) of one camera; blank images are all alike, so one stands for all."""
        frames = images.flatten(0, 1)  # (B·T, 3, H, W)
        if self.config.blank_images:
            frames = torch.zeros_like(frames[:1])  # (1, 3, H, W)
        return cast(Tensor, self.trunk(camera)(self.prepare(frames, draws, images.shape[1])))

    def prepare(self, frames: Tensor, draws: Draws | None, window: int) -> Tensor:
        """Crop, scale to [0, 1], augment and normalise (N, 3, H, W); uint8 or float [0, 1] in, float out."""
        if self.config.blank_images:
            draws = None
        if self.config.crop is not None:
            size = self.config.crop
            frames = centre_crop(frames, size) if draws is None else random_crop(frames, size, draws, window)
        elif draws is not None and self.config.shift:
            frames = random_shift(frames, self.config.shift, draws, window)
        images = frames.to(self.mean.dtype) / 255 if frames.dtype == torch.uint8 else frames
        if draws is not None and self.config.colour_jitter:
            images = colour_jitter(images, self.config.colour_jitter, draws, window)
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
