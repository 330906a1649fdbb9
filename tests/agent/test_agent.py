"""The agent's queue, history and laziness, and its checks of every observation; with a head of known answers."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from trunkzoo.agent.agent import Agent
from trunkzoo.agent.encoder import ObservationEncoder
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import ContractError, DataError
from trunkzoo.nn.draws import Draws
from trunkzoo.plugin import Contract
from trunkzoo.registry.recipe import EncoderConfig, Recipe


class Conv(nn.Module):
    out_channels, stride = 4, 8

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=8, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


class Clock(nn.Module):
    """A head whose chunk is its noise plus the newest state's first number: its answers are known."""

    def forward(self, cond: Tensor, actions: Tensor, valid: Tensor, draws: Draws) -> dict[str, Tensor]:
        noise = draws.normal(*actions.shape[1:])
        error = ((actions - noise) ** 2).mean(-1) * valid
        return {"loss": error.sum(1).mean() + cond.mean() * 0}

    def sample(self, cond: Tensor, noise: Tensor) -> Tensor:
        return noise + cond[:, -1:, -3:-2]


def make(obs_horizon: int = 2) -> Agent:
    contract = Contract(
        cameras=("eye",), image_size=(16, 16), state_dim=3, action_dim=2, keypoints=2, camera_dim=5, cond_dim=8,
        obs_horizon=obs_horizon, pred_horizon=6, num_action_steps=4,
    )  # fmt: skip
    recipe = Recipe(name="clock", trunk=Part(name="conv"), head=Part(name="clock"), contract=contract)
    torch.manual_seed(0)
    agent = Agent(recipe, ObservationEncoder(contract, EncoderConfig(), Conv), Clock()).eval()
    agent.fit_normalizers(unit_statistics(contract))
    return agent


def at(step: int, n: int = 1) -> dict[str, Tensor]:
    return {
        "observation.images.eye": torch.zeros(n, 3, 16, 16, dtype=torch.uint8),
        "observation.state": torch.full((n, 3), step / 100),
    }


class Counting(Mapping[str, Tensor]):
    """An observation that counts how often its image is read."""

    def __init__(self, values: dict[str, Tensor]) -> None:
        self.values_, self.reads = values, 0

    def __getitem__(self, key: str) -> Tensor:
        self.reads += key.startswith("observation.images")
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_a_chunk_is_predicted_every_num_action_steps() -> None:
    agent, zero = make(), torch.zeros(1, 6, 2)
    actions = [agent.act(at(step), zero)[0, 0].item() for step in range(9)]
    assert actions == pytest.approx([0.0] * 4 + [0.04] * 4 + [0.08])


def test_actions_of_a_chunk_come_in_order() -> None:
    agent = make()
    noise = torch.linspace(-0.5, 0.5, 12).view(1, 6, 2)
    actions = torch.stack([agent.act(at(0), noise)[0] for _ in range(4)])
    torch.testing.assert_close(actions, noise[0, :4])


@pytest.mark.parametrize(("obs_horizon", "read"), [(1, {0, 4, 8}), (2, {0, 3, 4, 7, 8})])
def test_only_images_of_the_next_window_are_read(obs_horizon: int, read: set[int]) -> None:
    agent, zero = make(obs_horizon), torch.zeros(1, 6, 2)
    seen = set()
    for step in range(9):
        obs, expected = Counting(at(step)), agent.needs_observation
        agent.act(obs, zero)
        assert bool(obs.reads) == expected
        seen |= {step} if obs.reads else set()
    assert seen == read


def test_reset_forgets() -> None:
    agent, zero = make(), torch.zeros(1, 6, 2)
    agent.act(at(50), zero)
    agent.reset()
    assert agent.needs_chunk
    assert agent.act(at(7), zero)[0, 0].item() == pytest.approx(0.07)


def test_loss_is_forward_and_belongs_to_samples() -> None:
    agent = make()
    batch = random_batch(agent.contract, size=4)
    whole = agent.loss(batch)["loss"]
    parts = [agent.loss({key: value[i : i + 1] for key, value in batch.items()})["loss"] for i in range(4)]
    torch.testing.assert_close(whole, torch.stack(parts).mean())


def test_padded_actions_do_not_change_the_loss() -> None:
    agent = make()
    batch = random_batch(agent.contract)
    batch["action_is_pad"][:, 4:] = True
    before = agent.loss(batch)["loss"]
    batch["action"][:, 4:] = 77.0
    torch.testing.assert_close(agent.loss(batch)["loss"], before, rtol=0, atol=0)


def test_samples_are_clipped_to_the_data_range() -> None:
    agent = make()
    chunk = agent.predict(random_batch(agent.contract), torch.full((2, 6, 2), 9.0))
    assert chunk.max().item() == pytest.approx(1.0)


def test_generator_makes_prediction_repeatable() -> None:
    agent = make()
    obs = random_batch(agent.contract)
    first, second = (agent.predict(obs, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"observation.state": None}, DataError, "lacks 'observation.state'"),
        ({"observation.images.eye": None}, DataError, "lacks 'observation.images.eye'"),
        (
            {"observation.state": torch.zeros(2, 2, 4)},
            ContractError,
            r"shape \(2, 2, 4\), the contract wants \(B, 2, 3\)",
        ),
        ({"observation.images.eye": torch.zeros(2, 1, 3, 16, 16)}, ContractError, r"\(B, 2, 3, 16, 16\)"),
    ],
)
def test_a_wrong_observation_is_named(change: dict[str, Any], error: type[Exception], message: str) -> None:
    agent = make()
    obs = {key: value for key, value in (random_batch(agent.contract) | change).items() if value is not None}
    with pytest.raises(error, match=message):
        agent.predict(obs)


def test_noise_of_another_shape_is_refused() -> None:
    agent = make()
    with pytest.raises(ContractError, match=r"noise has shape \(1, 6, 2\), these observations want \(2, 6, 2\)"):
        agent.predict(random_batch(agent.contract), torch.zeros(1, 6, 2))


def test_act_names_what_is_missing() -> None:
    with pytest.raises(DataError, match=r"lacks observation\.images\.eye"):
        make().act({"observation.state": torch.zeros(1, 3)})


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("observation.state", torch.tensor([[[0.0, float("nan"), 0.0]]]), r"'observation\.state' is not finite"),
        ("observation.images.eye", torch.full((1, 1, 3, 16, 16), 255.0), "float32 from 255 to 255; .*divide by 255"),
        ("observation.images.eye", torch.full((1, 1, 3, 16, 16), 200), "int64 from 200 to 200"),
    ],
)
def test_numbers_that_would_act_nonsense_are_refused(key: str, value: Tensor, told: str) -> None:
    window = {name: frame[:, None] for name, frame in at(0).items()}
    with pytest.raises(DataError, match=told):
        make(1).predict({**window, key: value})


def test_float_and_integer_images_act_the_same() -> None:
    agent = make(1)
    window = {name: frame[:, None] for name, frame in at(0).items()}
    window["observation.images.eye"] = torch.full((1, 1, 3, 16, 16), 51, dtype=torch.uint8)
    noise = torch.zeros(1, 6, 2)
    one = agent.predict(window, noise)
    assert torch.allclose(
        one, agent.predict({**window, "observation.images.eye": torch.full((1, 1, 3, 16, 16), 0.2)}, noise)
    )


def test_an_image_of_another_size_is_told_how_training_resizes() -> None:
    window = {name: frame[:, None] for name, frame in at(0).items()}
    with pytest.raises(ContractError, match="training resizes each side of an image on its own"):
        make(1).predict({**window, "observation.images.eye": torch.zeros(1, 1, 3, 32, 32, dtype=torch.uint8)})
