"""The policy ``trunkzoo`` under lerobot's own commands: trained, saved, resumed, evaluated, read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from lerobot.configs.types import NormalizationMode
from safetensors.torch import load_file

import trunkzoo
from lerobot_policy_trunkzoo import TrunkzooConfig
from lerobot_process import lerobot_eval, lerobot_train, train_on
from trunkzoo.errors import ZooError

NARROW = '{"trunk.widths": "[16, 16, 16, 16]"}'
ATTNRES = ("--policy.recipe=tour-attnres", f"--policy.settings={NARROW}")


@pytest.fixture(scope="module")
def trained(detour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps with a checkpoint after the second."""
    out = tmp_path_factory.mktemp("runs") / "attnres"
    train_on(detour, out, *ATTNRES, steps=4)
    return out


def test_the_folder_is_a_checkpoint_of_trunkzoo(trained: Path) -> None:
    agent = trunkzoo.load_agent(trained)
    frozen = json.loads(
        json.loads((trained / "checkpoints/last/pretrained_model/config.json").read_text())["frozen_recipe"]
    )
    assert agent.recipe.model_dump(mode="json") == frozen
    assert agent.contract.sum_line() == "1 camera × 32 + 2 state = 34"
    assert agent.recipe.task is not None


def test_a_resumed_run_ends_with_the_same_weights(trained: Path, tmp_path: Path) -> None:
    straight = {file: load_file(trained / f"checkpoints/000004/pretrained_model/{file}") for file in _FILES}
    kept = shutil.copytree(trained, tmp_path / "kept", symlinks=True)
    shutil.rmtree(trained / "checkpoints/000004")
    (trained / "checkpoints/last").unlink()
    (trained / "checkpoints/last").symlink_to("000002")
    lerobot_train("--resume=true", f"--config_path={trained}/checkpoints/last/pretrained_model/train_config.json")
    for file, tensors in straight.items():
        again = load_file(trained / f"checkpoints/000004/pretrained_model/{file}")
        assert [name for name in tensors if not torch.equal(tensors[name], again[name])] == []
    assert kept.is_dir()


_FILES = ("model.safetensors", "training_state.safetensors")


def test_both_tools_play_the_same_episodes(trained: Path, tmp_path: Path) -> None:
    policy = trained / "checkpoints/last/pretrained_model"
    env = ("--env.type=trunkzoo", "--env.task=reach/detour", "--eval.n_episodes=2", "--seed=2000000")
    theirs = lerobot_eval(policy, tmp_path / "eval", *env)
    ours = trunkzoo.evaluate(policy, seeds=range(2_000_000, 2_000_002)).ordered
    assert theirs["sum_rewards"] == pytest.approx([row["return"] for row in ours], abs=1e-4)
    assert theirs["successes"] == [row["success"] for row in ours]


@pytest.mark.parametrize(
    "arguments",
    [("--policy.recipe=tour-resnet",), ("--policy.recipe=tour-resnet", "--policy.trunk=stripes/stripes-s")],
    ids=["resnet", "third-party"],
)
def test_other_trunks_train_with_two_observations(detour: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    train_on(detour, tmp_path / "run", *arguments, '--policy.settings={"contract.obs_horizon": "2"}')
    agent = trunkzoo.load_agent(tmp_path / "run")
    assert agent.contract.obs_horizon == 2


def test_normalising_twice_is_refused() -> None:
    with pytest.raises(ZooError, match="normalises by itself"):
        TrunkzooConfig(recipe="tour-resnet", normalization_mapping={"STATE": NormalizationMode.MEAN_STD})


def test_a_setting_that_the_data_decide_is_refused() -> None:
    with pytest.raises(ZooError, match="follows from the dataset's features"):
        TrunkzooConfig(recipe="tour-resnet", settings={"contract.state_dim": "3"})


def test_another_recipe_than_the_frozen_one_is_refused() -> None:
    config = TrunkzooConfig(recipe="tour-resnet")
    config.freeze(config.wanted)
    with pytest.raises(ZooError, match="its weights belong to that recipe"):
        TrunkzooConfig(recipe="tour-attnres", frozen_recipe=config.frozen_recipe, frozen_request=config.frozen_request)
