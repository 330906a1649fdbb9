"""A timm model as a trunk: one feature map of one stage, for images of any size."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, cast

import timm
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from trunkzoo.plugin import CheckpointError, ConfigError, InputNorm, weights_file
from trunkzoo_timm.config import TimmConfig

SIDES = (96, 224)
"""Images that a model must take, after padding, without being built for either."""
SIZES: tuple[dict[str, bool], ...] = ({}, {"dynamic_img_size": True}, {"strict_img_size": False})
"""What timm's families call «any size»: nothing (convolutions), resampled position embeddings (ViT), windows (Swin)."""


class TimmTrunk(nn.Module):
    """Images are padded with the mean colour to a multiple of the stride, so that the map is ⌈side / stride⌉ wide.

    Position embeddings are resampled to the grid of each image, as timm does it.
    """

    def __init__(self, config: TimmConfig) -> None:
        """Build the features, and load weights if there are any.

        Raises:
            ConfigError: timm has no such model, it gives no feature maps of that stage, or takes one size only.
            CheckpointError: the weights do not fit.
            HubError: the weights are named on the hub and cannot be had.
        """
        super().__init__()
        probe = _probe(config)
        self.net: Any = _create(config, probe.options)
        self.out_channels, self.stride, self.channels_last = probe.channels, probe.stride, probe.channels_last
        facts = timm.get_pretrained_cfg(config.model)
        self.input_norm = InputNorm(tuple(facts.mean), tuple(facts.std))
        if config.weights is not None:
            _load(self.net, config)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(not config.frozen and name not in probe.unused)
        self.frozen = config.frozen
        self.train(self.training)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
        n, _, h, w = images.shape
        if n == 0:  # some families reshape by the batch
            return images.new_zeros(0, self.out_channels, -(-h // self.stride), -(-w // self.stride))
        features = self.net(F.pad(images, (0, -w % self.stride, 0, -h % self.stride)))[0]
        return cast(Tensor, features.permute(0, 3, 1, 2) if self.channels_last else features)  # (N, C, h, w)

    def train(self, mode: bool = True) -> TimmTrunk:
        """A frozen trunk stays in eval mode: no dropout, no new batch statistics."""
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self


class _Probe(NamedTuple):
    options: dict[str, bool]
    """One of :data:`SIZES`."""
    channels: int
    stride: int
    channels_last: bool
    """The features come as (N, h, w, C)."""
    unused: frozenset[str]
    """Parameters on which the feature map does not depend: DDP must not wait for their gradients."""


def _create(config: TimmConfig, options: dict[str, bool]) -> Any:
    return timm.create_model(config.model, features_only=True, out_indices=(config.stage,), **options)


def _probe(config: TimmConfig) -> _Probe:
    """Learn what the features are from twins on the meta device, where nothing is computed."""
    faults = []
    for options in SIZES:
        try:
            with torch.device("meta"), torch.enable_grad():
                return _probe_one(_create(config, options).eval(), options)
        except (RuntimeError, ValueError, IndexError, AttributeError, TypeError, AssertionError, KeyError) as error:
            faults.append(str(error).split("\n")[0])
            if options == {} and not timm.is_model(config.model.partition(".")[0]):
                break
    raise ConfigError(f"timm model '{config.model}', stage {config.stage}: {faults[0]}") from None


def _probe_one(net: Any, options: dict[str, bool]) -> _Probe:
    channels, stride = int(net.feature_info.channels()[0]), int(net.feature_info.reduction()[0])
    layouts = []
    for side in SIDES:
        cells = -(-side // stride)
        features = net(torch.zeros(1, 3, cells * stride, cells * stride))[0]
        layouts.append({(1, channels, cells, cells): False, (1, cells, cells, channels): True}[tuple(features.shape)])
    if layouts[0] != layouts[1]:
        raise ValueError("its features change their layout with the size of the image")
    features.sum().backward()
    unused = frozenset(name for name, parameter in net.named_parameters() if parameter.grad is None)
    return _Probe(options, channels, stride, layouts[0], unused)


def _load(net: nn.Module, config: TimmConfig) -> None:
    """Read safetensors; keys of a classifier and of later stages may be left over, none may be missing."""
    file = weights_file(cast(Any, config.weights))
    try:
        weights: dict[str, Tensor] = load_file(str(file))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {file}: {error}") from None
    own = net.state_dict()
    renamed = {name: value for key, value in weights.items() for name in _names(key) if name in own}
    missing = sorted(own.keys() - renamed.keys())
    if missing:
        raise CheckpointError(f"{config.weights} does not fit {config.model}: it lacks {', '.join(missing[:3])}")
    try:
        net.load_state_dict(renamed)
    except RuntimeError as error:  # sizes
        lines = [line.strip() for line in str(error).splitlines()]
        raise CheckpointError(
            f"{config.weights} does not fit {config.model}: {lines[min(1, len(lines) - 1)]}"
        ) from None


def _names(key: str) -> tuple[str, str, str]:
    """What a tensor of the whole model may be called among its features: as it is, wrapped, or of a flattened stage."""
    return key, f"model.{key}", re.sub(r"^(\w+)\.(\d+)\.", r"\1_\2.", key)
