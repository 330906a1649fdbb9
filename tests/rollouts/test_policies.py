"""Policies of plugins act, are compared and leave rows as agents do, and what does not fit is said before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reach_task import install, reach, untrained
from trunkzoo import evaluate
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import ContractError, UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import plan
from trunkzoo.rollouts.named import contender
from trunkzoo.rollouts.pairs import plans_of
from trunkzoo_cli.app import main


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


def zoo(*arguments: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == 0


def test_a_policy_of_a_plugin_gives_equal_rows_for_any_number_of_workers() -> None:
    one, two = (
        evaluate(policy="nudge:left", task=reach(), seeds=range(5), workers=workers).ordered for workers in (1, 2)
    )
    assert one == two
    assert len({row["return"] for row in one}) == 5
    assert evaluate(policy="nudge:left", task=reach(), seeds=range(5), noise_seed=1).ordered != one


def test_rows_say_which_policy_acted_and_by_which_weights() -> None:
    (row,) = evaluate(policy="faulty/nudge:right", task=reach(), seeds=range(1)).ordered
    assert (row["policy"], row["recipe"], row["step"], row["checkpoint_sha256"]) == (
        "faulty/nudge",
        "nudge-right",
        3,
        "0" * 64,
    )
    assert row["policy_record"] == {"name": "faulty/nudge", "settings": {"side": "right"}}
    assert row["versions"]["trunkzoo-faulty"].startswith("1.0")


def test_rows_of_references_are_as_they_were_before_policies_had_records() -> None:
    (row,) = evaluate(policy="noop", task=reach(), seeds=range(1)).ordered
    assert (row["policy"], row["recipe"], row["checkpoint_sha256"]) == ("noop", None, None)
    assert "policy_record" not in row


def test_on_blanked_images_a_policy_sees_black() -> None:
    rows = {blind: _rows(blind) for blind in (False, True)}
    assert [row["policy"] for row in rows[True]] == ["blind", "blind"]
    assert rows[True][0]["policy_record"] == rows[False][0]["policy_record"]
    assert rows[True][0]["return"] != rows[False][0]["return"]


def _rows(blind: bool) -> list[dict[str, object]]:
    from trunkzoo.rollouts import Evaluation, run

    part = Part(name="nudge", config={"side": "left"})
    evaluation = Evaluation(plan(open_zoo().catalogue, part, task=reach(), blind=blind), range(2))
    run([evaluation], workers=1)
    return evaluation.ordered


def test_a_policy_is_closed_when_its_worker_ends(tmp_path: Path) -> None:
    evaluate(
        policy=Part(name="nudge", config={"side": "left", "closed": str(tmp_path / "it")}), task=reach(), seeds=range(1)
    )
    assert (tmp_path / "it").exists()


def test_a_task_that_does_not_fit_is_refused_camera_by_camera() -> None:
    with pytest.raises(ContractError, match="camera near: it knows none of that name; camera side"):
        plan(open_zoo().catalogue, "nudge:left", task=reach(cameras=3))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nudge", "policy 'nudge' needs its side; write nudge:SIDE"),
        ("noop:3", "policy 'noop' takes nothing behind a colon, got '3'"),
        ("nugde:left", "unknown policy 'nugde'. Did you mean 'nudge'?"),
        ("nooop:", "Did you mean 'noop'?"),
    ],
)
def test_a_wrong_name_is_told_with_the_right_one(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(open_zoo().catalogue, contender(open_zoo().catalogue, text).policy, task=reach())
    assert told in str(caught.value)


def test_a_file_that_is_there_is_a_file_whatever_it_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noop").mkdir()
    catalogue = open_zoo().catalogue
    assert contender(catalogue, "noop").checkpoint == Path("noop")
    assert contender(catalogue, "nudge:left").checkpoint is None
    assert contender(catalogue, "runs/no:pe").checkpoint == Path("runs/no:pe")


def test_eval_shows_a_policy_between_its_floors(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--task", "reach/reach", "-n", "2", "--floors", "1", "--workers", "1", "--json"]
    zoo("eval", "nudge", "--set", "side=left", *arguments)
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["recipe"] == "nudge-left"
    assert list(found["floors"]) == ["blind", "noop", "random", "expert"]
    assert found["floors"]["blind"]["rows"][0]["recipe"] == "nudge-left"


def test_a_policy_and_an_agent_are_compared_on_the_agents_task(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    agent = str(untrained(tmp_path))
    zoo("compare", "nudge:left", agent, "-n", "3", "--workers", "1", "--json")
    found = json.loads(capsys.readouterr().out)
    assert list(found["rows"]) == ["nudge:left", agent]
    assert {row["task"] for rows in found["rows"].values() for row in rows} == {"reach/reach"}
    assert "nudge-left" in json.dumps(found["comparisons"])


def test_settings_go_to_policies_alone(tmp_path: Path) -> None:
    catalogue, agent = open_zoo().catalogue, str(untrained(tmp_path))
    with pytest.raises(UsageError, match="settings are for policies that are no agents"):
        plans_of(catalogue, (agent, agent), settings={"side": "left"})
    with pytest.raises(UsageError, match="both are the same checkpoint or policy"):
        plans_of(catalogue, ("noop", "noop"), task=reach())
    with pytest.raises(UsageError, match="whose settings its training fixed"):
        contender(catalogue, agent, {"side": "left"})
