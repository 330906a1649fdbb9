"""`zoo eval --shard` and `--merge`: parts of an evaluation give the rows of the whole, or a line that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reach_task import install
from trunkzoo.catalogue.part import Part
from trunkzoo.errors import UsageError, ZooError
from trunkzoo.registry import open_zoo
from trunkzoo.rollouts import Evaluation, Plan, plan, read_rows, run
from trunkzoo.rollouts.shards import Shard, merge, parse_shard
from trunkzoo_cli.app import main

SEEDS = range(2_000_000, 2_000_010)


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Plan:
    install(monkeypatch)
    return plan(open_zoo().catalogue, "random", task=Part(name="reach/reach"))


@pytest.fixture
def whole(planned: Plan, tmp_path: Path) -> Path:
    """Where three finished shards of ten episodes lie."""
    file = tmp_path / "rows.jsonl"
    run([Evaluation(planned, *Shard(i, 3).of(SEEDS, file)) for i in (1, 2, 3)], workers=1)
    return file


def rewrite(path: Path, *rows: dict[str, object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "-1/3", "1/3/5", ""])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="must be i/n"):
        parse_shard(text)


def test_shards_share_the_seeds_evenly() -> None:
    parts = [list(parse_shard(f"{i}/3").seeds(SEEDS)) for i in (1, 2, 3)]
    assert sorted(seed for part in parts for seed in part) == list(SEEDS)
    assert [len(part) for part in parts] == [4, 3, 3]
    with pytest.raises(UsageError, match="11 shards of 10 episodes"):
        Shard(1, 11).seeds(SEEDS)


def test_joined_shards_are_the_rows_of_the_whole_byte_for_byte(planned: Plan, whole: Path, tmp_path: Path) -> None:
    at_once = tmp_path / "at_once.jsonl"
    run([Evaluation(planned, SEEDS, at_once)], workers=1)
    joined = merge(planned, SEEDS, whole)
    assert whole.read_bytes() == at_once.read_bytes()
    assert joined.ordered == read_rows(at_once)
    before = whole.read_bytes()
    merge(planned, SEEDS, whole)
    assert whole.read_bytes() == before


def _cut(file: Path) -> None:
    rewrite(file, *read_rows(file)[:-1])


def _double(file: Path) -> None:
    rewrite(file, *read_rows(file), read_rows(file)[0])


def _foreign_seed(file: Path) -> None:
    rewrite(file, *read_rows(file), read_rows(file)[0] | {"seed": 2_000_000})


def _other_checkpoint(file: Path) -> None:
    rewrite(file, *(row | {"checkpoint_sha256": "abc"} for row in read_rows(file)))


def _other_version(file: Path) -> None:
    rewrite(file, *(row | {"versions": row["versions"] | {"numpy": "0.1"}} for row in read_rows(file)))


def _other_device(file: Path) -> None:
    rewrite(file, *(row | {"device": "cuda"} for row in read_rows(file)))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_cut, r"shard 2/3 lacks 1 of 3 episodes \(seeds 2000007\)"),
        (_double, "holds seeds 2000001 twice"),
        (_foreign_seed, "holds seeds 2000000, which are not of shard 2/3"),
        (_other_checkpoint, "checkpoint_sha256 of seed 2000001 is 'abc', now None"),
        (_other_version, r"versions of seed 2000001 is \{'numpy': '0.1'\}"),
        (_other_device, "device of seed 2000001 is 'cuda', now 'cpu'"),
        (Path.unlink, "shards 2/3 are missing"),
    ],
)
def test_what_does_not_belong_together_is_not_joined(planned: Plan, whole: Path, spoil: object, words: str) -> None:
    spoil(Shard(2, 3).file(whole))  # type: ignore[operator]
    with pytest.raises(ZooError, match=words):
        merge(planned, SEEDS, whole)
    assert not whole.exists() or not read_rows(whole)


def test_shards_of_two_evaluations_are_not_mixed(planned: Plan, whole: Path) -> None:
    run([Evaluation(planned, *Shard(1, 5).of(SEEDS, whole))], workers=1)
    with pytest.raises(ZooError, match="shards of 3 and of 5"):
        merge(planned, SEEDS, whole)


def test_all_shards_of_another_machine_may_have_versions_of_its_own(planned: Plan, whole: Path) -> None:
    for index in (1, 2, 3):
        _other_version(Shard(index, 3).file(whole))
    assert merge(planned, SEEDS, whole).ordered[0]["versions"]["numpy"] == "0.1"


def test_shards_of_nodes_with_a_gpu_are_joined_without_one(planned: Plan, whole: Path) -> None:
    for index in (1, 2, 3):
        _other_device(Shard(index, 3).file(whole))
    assert merge(planned, SEEDS, whole).ordered[0]["device"] == "cuda"


def test_the_command_plays_parts_and_joins_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "rows.jsonl"
    words = ["eval", "--policy", "expert", "--task", "reach/reach", "-n", "4", "-o", str(file), "--workers", "1"]
    for part in ("1/2", "2/2"):
        _leave(*words, "--shard", part)
    capsys.readouterr()
    _leave(*words, "--merge", "--json")
    shown = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in shown["rows"]] == [2_000_000 + i for i in range(4)]
    assert shown["rows"] == read_rows(file)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--shard", "1/2"), "-o FILE"),
        (("--shard", "1/2", "--merge", "-o", "x"), "only plays"),
        (("--merge",), "-o FILE"),
    ],
)
def test_wrong_use_says_the_next_step(more: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["eval", "--policy", "noop", "--task", "reach/reach", *more])
    assert leaving.value.code == 2
    assert words in capsys.readouterr().err


def _leave(*words: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(list(words))
    assert leaving.value.code in (None, 0)
