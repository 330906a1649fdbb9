"""Tasks of trunkzoo as gymnasium environments."""

from __future__ import annotations

import gymnasium
from gymnasium.utils.env_checker import check_env

from trunkzoo_gymnasium.environment import TaskEnv, parts_of


def test_a_task_passes_gymnasiums_own_checks() -> None:
    check_env(gymnasium.make("trunkzoo/detour-v0").unwrapped, skip_render_check=True)


def test_every_task_is_registered() -> None:
    from trunkzoo.registry import open_zoo

    registered = [name for name in gymnasium.registry if name.startswith("trunkzoo/")]
    assert len(registered) == len(open_zoo().catalogue.tasks)


def test_success_is_latched_and_the_cap_ends_the_episode() -> None:
    env = TaskEnv("reach/detour", max_steps=60)
    env.reset(seed=3)
    expert = env._scene.expert(3)
    solved, over = [], False
    while not over:
        command = expert.act()  # None once the demonstration is over
        _, _, _, over, info = env.step(env._scene.hold() if command is None else command)
        solved.append(info["is_success"])
    assert len(solved) == 60
    assert solved == sorted(solved)
    assert solved[-1]


def test_a_large_seed_survives_float32() -> None:
    seed = 2**63 - 1
    assert sum(int(part) << 22 * i for i, part in enumerate(parts_of(seed))) == seed
