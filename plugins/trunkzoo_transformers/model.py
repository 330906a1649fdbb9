"""A Hugging Face backbone as a trunk: one feature map of one stage, for images of any size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoBackbone, AutoConfig

from trunkzoo.plugin import IMAGENET, SYMMETRIC, UNIT, CheckpointError, ConfigError, InputNorm, weights_directory
from trunkzoo_transformers.config import BackboneConfig

from_config = cast(Callable[[Any], nn.Module], AutoBackbone.from_config)
NORMS = {"imagenet": IMAGENET, "symmetric": SYMMETRIC, "unit": UNIT}
PROBE_SIDE = 672  # a multiple of every patch size and stride in use: 4, 8, 12, 14, 16, 32


class Backbone(nn.Module):
    """Images are padded with the mean colour to a multiple of the stride, so that the map is ⌈side / stride⌉ wide."""

    def __init__(self, config: BackboneConfig) -> None:
        """Build the architecture, and load its weights if there are any.

        Raises:
            ConfigError: transformers does not know the architecture, or refuses its settings or stage.
            CheckpointError: the weights do not fit.
        """
        super().__init__()
        self.input_norm: InputNorm = NORMS[config.input_norm]
        described = _describe(config)
        probe = _probe(described)
        self.out_channels, self.stride = probe.channels, probe.stride
        self.net = _load(config, described) if config.weights is not None else from_config(described)
        for name, parameter in self.net.named_parameters():
            parameter.requires_grad_(not config.frozen and name not in probe.unused)
        self.frozen = config.frozen
        self.train(self.training)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
        n, _, h, w = images.shape
        if n == 0:  # transformers cannot reshape an empty batch
            return images.new_zeros(0, self.out_channels, -(-h // self.stride), -(-w // self.stride))
        padded = F.pad(images, (0, -w % self.stride, 0, -h % self.stride))
        return cast(Tensor, self.net(padded).feature_maps[0])

    def train(self, mode: bool = True) -> Backbone:
        """A frozen backbone stays in eval mode: no dropout, no new batch statistics."""
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self


class _Probe(NamedTuple):
    channels: int
    stride: int
    unused: frozenset[str]
    """Parameters on which the feature map does not depend (mask tokens, norms of other stages): DDP must not wait."""


def _describe(config: BackboneConfig) -> Any:
    """The configuration object of transformers."""
    if "out_indices" in config.settings or "out_features" in config.settings:
        raise ConfigError("settings name output stages; use stage instead")
    try:
        return AutoConfig.for_model(config.architecture, **{**config.settings, "out_indices": [config.stage]})
    except (ValueError, TypeError) as error:
        raise ConfigError(f"architecture '{config.architecture}' with settings {config.settings}: {error}") from None


def _probe(described: Any) -> _Probe:
    """Learn channels, stride and unused parameters from a twin on the meta device, where nothing is computed."""
    with torch.device("meta"), torch.enable_grad():
        twin = from_config(described)
        features = twin(torch.zeros(1, 3, PROBE_SIDE, PROBE_SIDE)).feature_maps[0]
        features.sum().backward()
    _, channels, height, _ = features.shape
    if PROBE_SIDE % height:
        raise ConfigError(f"{PROBE_SIDE} pixels give {height} cells: the stride of this backbone is no whole number")
    unused = frozenset(name for name, parameter in twin.named_parameters() if parameter.grad is None)
    return _Probe(int(channels), PROBE_SIDE // int(height), unused)


def _load(config: BackboneConfig, described: Any) -> nn.Module:
    """Read the weights, from safetensors only; every parameter must be there."""
    with torch.device("meta"):
        architecture: Any = type(from_config(described))  # AutoBackbone itself looks for a name on the hub
    try:
        net, found = architecture.from_pretrained(
            str(weights_directory(cast(Path, config.weights))),
            config=described,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot load {config.weights}: {str(error).splitlines()[0]}") from None
    problems = sorted(map(str, [*found["missing_keys"], *found["mismatched_keys"]]))
    if problems:
        raise CheckpointError(f"{config.weights} does not fit {config.architecture}: {', '.join(problems[:3])} …")
    return cast(nn.Module, net)
