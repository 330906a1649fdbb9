"""SpatialSoftmax against its closed form; camera order, blank images, cropping and augmentation."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trunkzoo.agent.augment import centre_crop, cut, random_crop, random_shift
from trunkzoo.agent.encoder import ObservationEncoder, SpatialSoftmax, expected_coordinates
from trunkzoo.nn.draws import Draws, sample_seeds
from trunkzoo.plugin import Contract
from trunkzoo.registry.recipe import EncoderConfig


class Conv(nn.Module):
    """One strided convolution: the smallest real trunk."""

    out_channels = 8
    stride = 4

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=4, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


def contract(**changes: Any) -> Contract:
    values: dict[str, Any] = {
        "cameras": ("a", "b"),
        "image_size": (24, 32),
        "state_dim": 5,
        "action_dim": 4,
        "keypoints": 6,
        "camera_dim": 10,
        "cond_dim": 25,
    }
    return Contract(**values | changes)


def images(n: int = 3, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"observation.images.{camera}": torch.randint(0, 256, (n, 2, 3, 24, 32), generator=generator, dtype=torch.uint8)
        for camera in "ab"
    }


def test_expected_coordinates_of_a_peak() -> None:
    logits = torch.full((1, 1, 5, 9), -1e4)
    logits[0, 0, 4, 2] = 1e4  # last row, third column
    torch.testing.assert_close(expected_coordinates(logits), torch.tensor([[[-0.5, 1.0]]]))


def test_expected_coordinates_against_float64() -> None:
    logits = torch.randn(2, 3, 4, 7, generator=torch.Generator().manual_seed(0))
    mass = logits.double().flatten(2).softmax(-1).view_as(logits)
    ys, xs = torch.meshgrid(torch.linspace(-1, 1, 4).double(), torch.linspace(-1, 1, 7).double(), indexing="ij")
    exact = torch.stack([(mass * xs).sum((2, 3)), (mass * ys).sum((2, 3))], -1)
    torch.testing.assert_close(expected_coordinates(logits).double(), exact, rtol=0, atol=1e-6)


def test_one_pixel_map_sits_in_the_centre() -> None:
    assert expected_coordinates(torch.randn(2, 3, 1, 1)).abs().max() == 0


@pytest.mark.parametrize("share", [False, True])
def test_cond_is_cameras_in_order_then_state(share: bool) -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(contract(), EncoderConfig(share_trunk=share), Conv)
    obs, state = images(), torch.randn(3, 2, 5)
    cond = encoder(obs, state)
    assert cond.shape == (3, 2, 25)
    torch.testing.assert_close(cond[..., 20:], state)
    torch.testing.assert_close(cond[..., :10], encoder.encode_camera(0, obs["observation.images.a"]))
    assert len(encoder.trunks) == (1 if share else 2)


def test_uint8_and_unit_floats_agree() -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(contract(), EncoderConfig(), Conv)
    obs, state = images(), torch.zeros(3, 2, 5)
    floats = {key: value / 255 for key, value in obs.items()}
    torch.testing.assert_close(encoder(obs, state), encoder(floats, state))


def test_blank_images_see_nothing_and_equal_black_ones() -> None:
    torch.manual_seed(0)
    encoder = ObservationEncoder(contract(), EncoderConfig(blank_images=True), Conv)
    state = torch.randn(3, 2, 5)
    blind = encoder(images(), state)
    torch.testing.assert_close(blind, encoder(images(seed=1), state), rtol=0, atol=0)
    seeing = ObservationEncoder(contract(), EncoderConfig(), Conv)
    seeing.load_state_dict(encoder.state_dict())
    black = {key: torch.zeros_like(value) for key, value in images().items()}
    torch.testing.assert_close(blind, seeing(black, state), rtol=1e-5, atol=1e-6)


def test_augmentation_needs_draws_and_belongs_to_the_sample() -> None:
    torch.manual_seed(0)
    config = EncoderConfig(shift=3, colour_jitter=0.2, state_noise=0.1)
    encoder = ObservationEncoder(contract(), config, Conv)
    obs, state, seeds = images(), torch.zeros(3, 2, 5), sample_seeds(0, torch.arange(3))
    torch.testing.assert_close(encoder(obs, state), encoder(obs, state), rtol=0, atol=0)
    augmented = encoder(obs, state, Draws(seeds))
    assert not torch.allclose(augmented, encoder(obs, state))
    alone = encoder({k: v[1:2] for k, v in obs.items()}, state[1:2], Draws(seeds[1:2]))
    torch.testing.assert_close(augmented[1:2], alone, rtol=1e-5, atol=1e-6)


def test_shift_moves_whole_windows_and_repeats_edges() -> None:
    frames = torch.arange(24 * 32).view(1, 1, 24, 32).expand(4, 3, -1, -1)  # two samples of two frames
    shifted = random_shift(frames, 2, Draws(sample_seeds(0, torch.arange(2))), frames=2)
    assert torch.equal(shifted[0], shifted[1])
    assert torch.equal(shifted[2], shifted[3])
    rows = {int(shifted[i, 0, 10, 10]) // 32 - 10 for i in (0, 2)}
    assert all(-2 <= row <= 2 for row in rows)


def test_cut_inside_is_slicing() -> None:
    frames = torch.randint(0, 256, (2, 3, 24, 32), dtype=torch.uint8)
    window = cut(frames, torch.tensor([1, 5]), torch.tensor([0, 7]), (8, 9))
    assert torch.equal(window[0], frames[0, :, 1:9, 0:9])
    assert torch.equal(window[1], frames[1, :, 5:13, 7:16])
    assert window.is_contiguous(memory_format=torch.channels_last)


def test_crop_is_random_in_training_and_central_in_evaluation() -> None:
    frames = torch.randint(0, 256, (2, 3, 24, 32), dtype=torch.uint8)
    assert torch.equal(centre_crop(frames, (20, 20)), frames[..., 2:22, 6:26])
    cropped = random_crop(frames, (20, 28), Draws(sample_seeds(0, torch.arange(2))), frames=1)
    assert cropped.shape == (2, 3, 20, 28)
    encoder = ObservationEncoder(contract(), EncoderConfig(crop=(20, 28)), Conv)
    assert encoder.feature_map(0, images()["observation.images.a"]).shape == (6, 8, 5, 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"crop": 20, "shift": 2}, "no effect beside crop"), ({"blank_images": True, "shift": 2}, "with blank_images")],
)
def test_settings_without_effect_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EncoderConfig(**values)


def test_a_gain_sharpens_the_first_keypoints_alone() -> None:
    torch.manual_seed(0)
    plain = SpatialSoftmax(8, 4)
    torch.manual_seed(0)
    sharp = SpatialSoftmax(8, 4, gain=10)
    assert torch.equal(sharp.conv.weight, 10 * plain.conv.weight)
    assert torch.equal(sharp.state_dict()["conv.bias"], plain.state_dict()["conv.bias"])
    features = torch.randn(2, 8, 6, 6)
    assert sharp(features).abs().mean() > 3 * plain(features).abs().mean()  # peaks lie further out than means


def test_normed_maps_give_the_same_keypoints_at_any_scale() -> None:
    features = torch.randn(2, 8, 6, 6) + 3
    pool = SpatialSoftmax(8, 4, normed=True)
    assert torch.allclose(pool(features), pool(20 * features), atol=1e-5)
    plain = SpatialSoftmax(8, 4)
    assert not torch.allclose(plain(features), plain(20 * features), atol=1e-2)
