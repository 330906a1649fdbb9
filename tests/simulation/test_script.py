"""Scripts: the rows of a plan in order, the noise that each survives, and commands within their limits."""

from __future__ import annotations

import numpy as np
import pytest

from trunkzoo.plugin import NoiseTolerant, TaskError
from trunkzoo.simulation.script import Script, checked_action, joint_noise, stack


def test_a_script_plays_its_rows_and_says_what_noise_each_survives() -> None:
    commands = stack(
        ([np.array([1.0, 2.0]), np.array([3.0, 4.0])], [0.0, 1.0]),
        ([np.array([5.0, 6.0]), np.array([7.0, 8.0])], [1.0, 0.0]),
    )
    script = Script(commands, joint_noise(commands, joints=2, deviation=0.5, clean_from=1))
    assert isinstance(script, NoiseTolerant)
    played = []
    while True:
        tolerance, command = script.tolerance(), script.act()
        if command is None:
            break
        played.append((command.tolist(), tolerance.tolist()))
    assert played == [
        ([1, 2, 0, 5, 6, 1], [0.5, 0.5, 0, 0.5, 0.5, 0]),
        ([3, 4, 1, 7, 8, 0], [0, 0, 0, 0, 0, 0]),
    ]
    assert script.tolerance().tolist() == [0] * 6


def test_an_action_is_clipped_and_nonsense_is_refused() -> None:
    low, high = np.array([-1, 0], np.float32), np.array([1, 2], np.float32)
    assert checked_action(np.array([-5, 1.5], np.float32), low, high).tolist() == [-1, 1.5]
    for action in (np.array([0], np.float32), np.array([np.nan, 0], np.float32), np.array([[0, 0]], np.float32)):
        with pytest.raises(TaskError, match="an action must be 2 finite numbers, got shape"):
            checked_action(action, low, high)
