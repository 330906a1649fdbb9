"""The contract is checked at construction and says its sum."""

from typing import Any

import pytest

from trunkzoo.errors import ConfigError
from trunkzoo.plugin.config import parse
from trunkzoo.plugin.contract import Contract, TaskContract, differences

REFERENCE: dict[str, Any] = {
    "cameras": ["agentview", "left", "right"],
    "image_size": 96,
    "state_dim": 16,
    "action_dim": 16,
    "cond_dim": 208,
}


def test_reference_sum() -> None:
    contract = parse(Contract, REFERENCE, "contract")
    assert contract.sum_line() == "3 cameras × 64 + 16 state = 208"
    assert contract.image_size == (96, 96)
    assert contract.image_keys[0] == "observation.images.agentview"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cond_dim": 207}, r"3 cameras × 64 \+ 16 state = 208, but cond_dim expects 207"),
        ({"camera_dim": 32}, r"3 cameras × 32 \+ 16 state = 112, but cond_dim expects 208"),
        ({"cameras": ["a", "a", "b"]}, "name a camera twice"),
        ({"num_action_steps": 17}, "num_action_steps 17 exceeds pred_horizon 16"),
        ({"state_dim": "wide"}, "contract.state_dim = 'wide': input should be a valid integer"),
        ({"image_size": 0}, "contract.image_size"),
        ({"kypoints": 3}, "contract.kypoints: unknown key. Did you mean 'keypoints'"),
    ],
)
def test_a_broken_contract_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(Contract, REFERENCE | change, "contract")


def test_differences_show_both_sides() -> None:
    ours = parse(Contract, REFERENCE, "contract")
    theirs = TaskContract(cameras=("front",), image_size=(96, 96), state_dim=14, action_dim=16)
    assert differences(ours, theirs) == ["cameras: ('agentview', 'left', 'right') ≠ ('front',)", "state_dim: 16 ≠ 14"]
