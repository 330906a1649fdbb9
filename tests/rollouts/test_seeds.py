"""`zoo eval --seeds A:B` runs exactly those seeds, and --episodes only ever takes the first of them."""

import json
from pathlib import Path

import pytest

from reach_task import install
from trunkzoo.rollouts.seeds import SEEDS_PER_PURPOSE
from trunkzoo_cli.app import main
from trunkzoo_cli.options import MAX_EPISODES


def evaluate(folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, list[int]]:
    rows = folder / "rows.jsonl"
    with pytest.raises(SystemExit) as leaving:
        main(["eval", "--policy", "noop", "--task", "reach/reach", "--workers", "1", "-o", str(rows), *arguments])
    seeds = [json.loads(line)["seed"] for line in rows.read_text().splitlines()] if rows.exists() else []
    return int(leaving.value.code or 0), capsys.readouterr().err, sorted(seeds)


@pytest.mark.parametrize(
    ("arguments", "seeds"),
    [(["--seeds", "3:58"], list(range(3, 58))), (["--seeds", "3:58", "-n", "2"], [3, 4]), (["-n", "1"], [2_000_000])],
)
def test_the_seeds_asked_for_are_run(
    arguments: list[str],
    seeds: list[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install(monkeypatch)
    assert evaluate(tmp_path, capsys, *arguments)[::2] == (0, seeds)


def test_more_episodes_than_seeds_is_wrong_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    code, err, seeds = evaluate(tmp_path, capsys, "--seeds", "0:3", "-n", "5")
    assert (code, seeds) == (2, [])
    assert "holds 3 seeds only" in err


@pytest.mark.parametrize(
    ("seeds", "said"),
    [("1500000:1500001", "choose checkpoints"), ("3000005:3000006", "are those of demonstrations"), ("0:1", "")],
)
def test_seeds_that_serve_for_something_else_are_named(
    seeds: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    code, err, _ = evaluate(tmp_path, capsys, "--seeds", seeds)
    assert code == 0
    assert said in err
    assert ("not one on fresh seeds" in err) == bool(said)


def test_the_limit_that_help_shows_is_the_number_of_fresh_seeds() -> None:
    assert MAX_EPISODES == SEEDS_PER_PURPOSE  # written twice, as the room of rollouts imports numpy
