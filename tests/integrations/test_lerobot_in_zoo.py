"""ACT and diffusion as lerobot trains them, in `zoo eval`: by seed alone, in this Python and in a process of their own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lerobot_process import SMALL, lerobot_train
from trunkzoo.api import evaluate
from trunkzoo.errors import ContractError
from trunkzoo.plugin import RolloutContext
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import read_rows
from trunkzoo.testing import check_records
from trunkzoo_lerobot import saved

ACT = (
    "--policy.type=act",
    "--policy.pretrained_backbone_weights=null",
    "--policy.chunk_size=8",
    "--policy.n_action_steps=4",
    "--policy.dim_model=32",
    "--policy.n_heads=2",
    "--policy.dim_feedforward=32",
)
DIFFUSION = (
    "--policy.type=diffusion",
    "--policy.pretrained_backbone_weights=null",
    "--policy.crop_shape=null",
    "--policy.use_group_norm=true",
    "--policy.down_dims=[16,32]",
    "--policy.horizon=8",
    "--policy.n_action_steps=4",
    "--policy.num_inference_steps=4",
    "--policy.drop_n_last_frames=0",
)
OF_ONE = (*DIFFUSION, "--policy.n_obs_steps=1")  # as ACT, it looks only where a chunk begins
TASK = "reach/detour"


@pytest.fixture(scope="module", params=[ACT, DIFFUSION, OF_ONE], ids=["act", "diffusion", "of one"])
def trained(request: pytest.FixtureRequest, detour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of three steps of ``lerobot-train`` on demonstrations of ``zoo collect``."""
    out = tmp_path_factory.mktemp("lerobot") / "out"
    data = (f"--dataset.root={detour}", "--dataset.repo_id=local/detour", f"--output_dir={out}")
    lerobot_train(*request.param, "--policy.push_to_hub=false", *SMALL, *data, "--steps=3", "--save_freq=3")
    return out


def test_rows_are_the_same_for_any_workers_and_in_either_python(trained: Path, tmp_path: Path) -> None:
    asked: dict[str, tuple[int, dict[str, Any]]] = {
        "here": (1, {}),
        "two": (2, {}),
        "there": (1, {"python": sys.executable}),
    }
    for name, (workers, settings) in asked.items():
        part = f"lerobot:{trained}"
        found = evaluate(
            policy=named(part, settings), seeds=range(3), task=TASK, workers=workers, file=tmp_path / name, max_steps=12
        )
        assert len(found.chunk_ms) == 9  # 12 steps in chunks of 4, three times
    assert len({(tmp_path / name).read_bytes() for name in asked}) == 1
    rows = read_rows(tmp_path / "here")
    assert len({row["return"] for row in rows}) == 3
    assert rows[0]["step"] == 3
    assert rows[0]["versions"]["lerobot"] == "0.6.1"
    assert rows[0]["checkpoint_sha256"] == saved.weights_sha256(saved.read(str(trained)))
    assert str(trained) not in json.dumps(rows)


def named(text: str, settings: dict[str, Any]) -> Any:
    from trunkzoo.rollouts.named import named_policy

    return named_policy(open_zoo().catalogue, text, settings)


def test_noise_decides_what_diffusion_does_and_act_has_none(trained: Path) -> None:
    one, other = (
        evaluate(policy=f"lerobot:{trained}", seeds=[1], task=TASK, max_steps=8, noise_seed=n).ordered[0]
        for n in (0, 1)
    )
    assert (one["return"] == other["return"]) == (saved.read(str(trained)).type == "act")


def test_actions_are_those_of_lerobots_own_loop(trained: Path) -> None:
    """Its preprocessing of an environment's observation, its processors and its policy, without a line of ours."""
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from lerobot.envs.utils import preprocess_observation
    from lerobot.policies.factory import get_policy_class, make_pre_post_processors

    from trunkzoo_lerobot.policy import step_seed

    catalogue, folder = open_zoo().catalogue, saved.read(str(trained)).folder
    task = catalogue.task(TASK).spec.build(catalogue.task(TASK).spec.config())
    record = catalogue.policy("lerobot").spec
    ours = record.build(record.config(path=str(trained)), RolloutContext(task.contract, noise_seed=5))
    config = PreTrainedConfig.from_pretrained(folder)
    theirs = get_policy_class(config.type).from_pretrained(folder, config=config)
    before, after = make_pre_post_processors(config, str(folder))
    task.reset(7)
    ours.reset(task, 7)
    theirs.reset()
    for step in range(6):
        seen = task.observe()
        batch = preprocess_observation(
            {"pixels": {"top": seen["observation.images.top"][None]}, "agent_pos": seen["observation.state"][None]}
        )
        torch.manual_seed(step_seed(5, 7, step))
        expected = after(theirs.select_action(before(batch)))[0].numpy()
        action = ours.act(task)
        np.testing.assert_allclose(action, expected, atol=1e-5)
        task.step(action)
    ours.close()


def test_it_looks_only_where_what_it_sees_matters(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, found = open_zoo().catalogue, saved.read(str(trained))
    task = catalogue.task(TASK).spec.build(catalogue.task(TASK).spec.config())
    looks = 0

    def counted() -> Any:
        nonlocal looks
        looks += 1
        return observe()

    observe = task.observe
    monkeypatch.setattr(task, "observe", counted)
    record = catalogue.policy("lerobot").spec
    ours = record.build(record.config(path=str(trained)), RolloutContext(task.contract))
    task.reset(0)
    ours.reset(task, 0)
    for _ in range(6):
        task.step(ours.act(task))
    ours.close()
    config = json.loads((found.folder / saved.SETTINGS).read_text())
    assert looks == (2 if config["n_obs_steps"] == 1 else 6)  # chunks of 4


def test_it_keeps_the_rules_of_policies(trained: Path) -> None:
    if saved.read(str(trained)).type != "act":
        pytest.skip("one of the two is enough")
    report = check_records(open_zoo().catalogue, "lerobot", {"path": str(trained), "python": sys.executable})
    assert [result.detail for result in report.results if result.outcome == "failed"] == []


def test_another_tasks_cameras_are_refused(trained: Path) -> None:
    with pytest.raises(ContractError, match=r"camera top: the task has .*; action: the policy gives 2 numbers"):
        evaluate(policy=f"lerobot:{trained}", seeds=[0], task="robosuite/two-arm-lift")


def test_its_process_leaves_with_ours(trained: Path) -> None:
    from trunkzoo_lerobot.policy import RemoteActor

    actor = RemoteActor(sys.executable, saved.read(str(trained)).folder, "cpu")
    process = actor._process
    os.kill(process.pid, 0)
    actor.close()
    assert process.returncode == 0  # by itself; after two seconds it would have been killed
