"""`zoo build` and `zoo smoke` on the real recipes: what they print, save and refuse."""

import json
from pathlib import Path

import pytest
import torch

import trunkzoo
from trunkzoo.agent.example import random_batch, unit_statistics
from trunkzoo_cli.app import main

DEMO = ["imf-resnet18-demo", "imf-attnres-demo"]


def zoo(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leaving:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(leaving.value.code or 0), printed.out, printed.err


@pytest.mark.parametrize("recipe", DEMO)
def test_build_prints_the_sum_and_the_parameters(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = zoo(capsys, "build", recipe)
    assert code == 0
    assert "3 cameras × 64 + 16 state = 208" in out
    assert "128 × 6 × 6 feature map" in out


@pytest.mark.parametrize("recipe", ["imf-resnet18", "imf-attnres"])
def test_full_recipes_have_the_reference_contract(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = zoo(capsys, "build", recipe, "--json")
    facts = json.loads(out)
    assert code == 0
    assert (facts["cond_dim"], facts["chunk"], facts["num_action_steps"]) == (208, [16, 16], 8)
    assert facts["trunk_parameters"] == pytest.approx(11_176_512, rel=0.05)


def test_build_saves_a_checkpoint_that_acts_bit_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = zoo(capsys, "build", DEMO[0], "-o", str(tmp_path / "agent"))
    assert code == 0
    assert "seen no data" in err
    lone = tmp_path / "elsewhere.safetensors"
    lone.write_bytes((tmp_path / "agent" / "model.safetensors").read_bytes())
    agents = [trunkzoo.assemble(DEMO[0]).eval(), trunkzoo.load_agent(lone)]
    obs, noise = random_batch(agents[0].contract), torch.randn(2, 32, 16)
    for agent in agents:
        agent.fit_normalizers(unit_statistics(agent.contract))
    assert torch.equal(agents[0].predict(obs, noise), agents[1].predict(obs, noise))


def test_build_refuses_an_existing_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = zoo(capsys, "build", DEMO[0], "-o", str(tmp_path))
    assert (code, out) == (2, "")
    assert "exists" in err


def test_smoke_passes_on_both_arms(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = zoo(capsys, "smoke", *DEMO, "--expect-cond-dim", "208", "--json")
    checks = json.loads(out)
    assert code == 0
    assert [check["name"] for check in checks] == 2 * [
        "build", "contract", "train step", "sample", "save and load", "action queue",
    ]  # fmt: skip
    assert all(check["ok"] for check in checks)


def test_smoke_fails_on_another_cond_dim_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = zoo(capsys, "smoke", "imf-attnres-demo", "--expect-cond-dim", "207")
    assert code == 1
    assert "3 cameras × 64 + 16 state = 208, but --expect-cond-dim asks for 207" in out
    assert out.count("FAILED") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["build", "imf-resnet8"], 2, "imf-resnet18"),
        (["build", DEMO[0], "--set", "head.widht=3"], 2, "width"),
        (["build", DEMO[0], "--set", "train.steps=many"], 2, "train.steps = 'many'"),
        (["build", DEMO[0], "--trunk", "resnet-19"], 2, "resnet-18"),
        (["build", DEMO[0], "--set", "contract.cond_dim=207"], 2, "3 cameras × 64 + 16 state = 208"),
        (
            ["build", DEMO[0], "--set", "contract.state_dim=14", "--set", "contract.cond_dim=206"],
            1,
            "state_dim: 14 ≠ 16",
        ),
        (["smoke"], 2, "--all"),
    ],
)
def test_errors_are_short_and_name_the_next_step(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    left, out, err = zoo(capsys, *arguments)
    assert left == code
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 3
    assert out == ""
