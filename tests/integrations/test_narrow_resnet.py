"""lerobot's own policies on the recipe's narrow ResNet-18, and the suite that sets them beside our agents."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import draccus
import pytest
import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.configs.types import FeatureType, PolicyFeature
from lerobot.datasets import dataset_reader
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from lerobot.policies.factory import get_policy_class
from lerobot.utils.import_utils import register_third_party_plugins

from trunkzoo.registry import open_zoo
from trunkzoo.suites.planning import load_suite

CAMERAS = ("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand")
INPUTS = {
    **{f"observation.images.{name}": PolicyFeature(FeatureType.VISUAL, (3, 96, 96)) for name in CAMERAS},
    "observation.state": PolicyFeature(FeatureType.STATE, (16,)),
}
OUTPUTS = {"action": PolicyFeature(FeatureType.ACTION, (16,))}
OURS = 2_860_368  # parameters of the suite's resnet-18, as its smoke test counts them
FOREIGN = load_suite(open_zoo().registry, "policies-lift").foreign


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda it: str(it.name))
def test_the_suites_policies_are_about_as_large_as_ours(foreign: Any) -> None:
    register_third_party_plugins()
    kind, *words = [f"--{word.removeprefix('--policy.')}" for word in foreign.command if word.startswith("--policy.")]
    config = draccus.parse(PreTrainedConfig.get_choice_class(kind.removeprefix("--type=")), args=words)
    config.input_features, config.output_features = INPUTS, OUTPUTS
    policy = get_policy_class(config.type)(config)
    assert 0.9 * OURS < sum(parameter.numel() for parameter in policy.parameters()) <= OURS
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in policy.modules())
    assert (config.n_obs_steps, config.n_action_steps) == (1, 8)


def test_rows_in_memory_are_those_of_the_dataset(detour: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_reader.DatasetReader, "get_item", dataset_reader.DatasetReader.get_item)
    fps = LeRobotDataset("local/detour", root=detour).fps
    times = {"action": [step / fps for step in range(4)]}
    plain = LeRobotDataset("local/detour", root=detour, episodes=[0, 2], delta_timestamps=times)
    expected = [plain[index] for index in range(len(plain))]
    runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "lerobot_train.py"))["keep_rows"]()
    kept = LeRobotDataset("local/detour", root=detour, episodes=[0, 2], delta_timestamps=times)
    assert len(kept) == len(expected)
    for index, item in enumerate(expected):
        found = kept[index]
        assert found.keys() == item.keys()
        for key, value in item.items():
            assert torch.equal(found[key], value) if isinstance(value, torch.Tensor) else found[key] == value
    assert type(kept.reader.hf_dataset).__name__ == "Rows"
