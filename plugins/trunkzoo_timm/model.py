"""A timm model as a trunk: one feature map of one stage, for images of any size."""

from __future__ import annotations

from typing import Any, cast

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from trunkzoo.plugin import CheckpointError, ConfigError, InputNorm
from trunkzoo_timm.config import TimmConfig


class TimmTrunk(nn.Module):
    """Images are padded with the mean colour to a multiple of the stride, so that the map is ⌈side / stride⌉ wide."""

    def __init__(self, config: TimmConfig) -> None:
        """Build the features, and load weights if there are any.

        Raises:
            ConfigError: timm has no such model, or it gives no feature maps of that stage.
            CheckpointError: the weights do not fit.
        """
        super().__init__()
        try:
            self.net: Any = timm.create_model(config.model, features_only=True, out_indices=(config.stage,))
        except (RuntimeError, ValueError, IndexError, AttributeError) as error:
            raise ConfigError(f"timm model '{config.model}', stage {config.stage}: {error}") from None
        self.out_channels = int(self.net.feature_info.channels()[0])
        self.stride = int(self.net.feature_info.reduction()[0])
        facts = timm.get_pretrained_cfg(config.model)
        self.input_norm = InputNorm(tuple(facts.mean), tuple(facts.std))
        if config.weights is not None:
            _load(self.net, config)
        self.requires_grad_(not config.frozen)
        self.frozen = config.frozen
        self.train(self.training)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, out_channels, ⌈H/stride⌉, ⌈W/stride⌉)."""
        h, w = images.shape[-2:]
        return cast(Tensor, self.net(F.pad(images, (0, -w % self.stride, 0, -h % self.stride)))[0])

    def train(self, mode: bool = True) -> TimmTrunk:
        """A frozen trunk stays in eval mode: no dropout, no new batch statistics."""
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self


def _load(net: nn.Module, config: TimmConfig) -> None:
    """Read a safetensors file; keys of a classifier and of later stages may be left over, none may be missing."""
    try:
        weights: dict[str, torch.Tensor] = load_file(str(config.weights))
    except OSError as error:
        raise CheckpointError(f"cannot read {config.weights}: {error}") from None
    missing, _ = net.load_state_dict(weights, strict=False)
    if missing:
        raise CheckpointError(f"{config.weights} does not fit {config.model}: it lacks {', '.join(missing[:3])}")
