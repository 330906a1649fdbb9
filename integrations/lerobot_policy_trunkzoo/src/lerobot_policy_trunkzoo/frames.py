"""From lerobot's batches to an agent's observations: camera names, image sizes, float images in [0, 1]."""

from __future__ import annotations

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor

from trunkzoo.plugin import IMAGE_KEY, STATE_KEY, Contract


class Frames:
    """Reads the cameras and the state of a contract from batches whose cameras lie under ``keys`` (name → key)."""

    def __init__(self, contract: Contract, keys: Mapping[str, str]) -> None:
        self._size = contract.image_size
        self._keys = {IMAGE_KEY + camera: keys[camera] for camera in contract.cameras}

    def window(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Observations of a training batch: images (B, T, 3, H, W), state (B, T, state_dim)."""
        images = {
            ours: self._image(batch[theirs].flatten(0, 1), batch[theirs].shape[:2])
            for ours, theirs in self._keys.items()
        }
        return {**images, STATE_KEY: batch[STATE_KEY].float()}

    def frame(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """One time step: images (B, 3, H, W), state (B, state_dim)."""
        images = {ours: self._resized(batch[theirs]) for ours, theirs in self._keys.items()}
        return {**images, STATE_KEY: batch[STATE_KEY].float()}

    def _image(self, images: Tensor, shape: tuple[int, ...]) -> Tensor:
        resized = self._resized(images)
        return resized.view(*shape, *resized.shape[1:])

    def _resized(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) at the contract's size; each side on its own, as trunkzoo's own training data are."""
        if tuple(images.shape[-2:]) == tuple(self._size):
            return images
        scaled = images.float() / 255 if not images.is_floating_point() else images
        return F.interpolate(scaled, self._size, mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
