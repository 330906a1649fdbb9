"""``zoo suite run --until``: what it looks at, what it says, where it ends, and that all comparisons share 5 %."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reach_task import REGISTRY, install, small
from scored import Scorer
from trunkzoo.rollouts.rows import read_rows
from trunkzoo.rollouts.scores import scores
from trunkzoo.statistics.sequential import limits, standard_error
from trunkzoo.suites.layout import report_rows
from trunkzoo.suites.plan import every_cell
from trunkzoo.suites.stopping import run_until
from trunkzoo_cli.app import main

ARMS = '["reach-resnet", { name = "same", recipe = "reach-resnet" }, { name = "far", recipe = "reach-resnet" }]'
TEXT = (
    re.sub("arms = .*", f"arms = {ARMS}", REGISTRY)
    .replace("steps = 4", "steps = 4\ntraining_seeds = [0, 1, 2, 3, 4, 5]")
    .replace("report_episodes = 6", "report_episodes = 40")
)
RATES = {"reach-resnet": 0.4, "same": 0.4, "far": 0.95}
"""One arm is as good as the first, one far better."""


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process."""
    install(monkeypatch)


def test_each_word_ends_a_suite_where_it_is_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two arms are equal: ``decided`` goes on to the last training, ``futile`` gives them up. All cells are done."""
    clear = ("reach-resnet", "far")
    for only in ((), clear):
        Scorer(RATES).run(every_cell(small(tmp_path, *only, text=TEXT)), lambda running: None)
    monkeypatch.chdir(tmp_path)

    def ended(*options: str) -> tuple[int, list[str]]:
        """After how many trainings, and in which states the comparisons then were."""
        with pytest.raises(SystemExit) as left:
            main(["suite", "run", "small", "-o", "runs", "--detect", "0.02", *options])
        printed = capsys.readouterr()
        assert left.value.code == 0, printed.err
        looks = [int(n) for n in re.findall(r"^look after (\d) of 6 training seeds: ", printed.err, re.MULTILINE)]
        said = re.search(r"^After (\d) of 6 training seeds, .* in success: (.+?)\. These", printed.out, re.MULTILINE)
        assert said is not None
        assert looks == list(range(3, int(said[1]) + 1))
        assert re.search(rf"^far .* \d+/{40 * looks[-1]} = ", printed.out, re.MULTILINE)  # no later training counts
        return looks[-1], [text.rpartition(", ")[2] for text in said[2].split("; ")]

    trainings, states = ended("--until", "decided", "--only", "reach-*", "--only", "far")
    assert trainings < 6
    assert states == ["decided"]
    assert ended("--until", "decided") == (6, ["futile", "decided"])
    trainings, states = ended("--until", "futile")
    assert trainings < 6
    assert states == ["futile", "decided"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--detect", "0.2"], "--detect says what --until looks for; add --until decided or"),
        (["--outcome", "reward"], "--outcome says what --until looks for"),
        (["--until", "futile", "--detect", "5"], "difference 5: one to find lies between 0 and 1"),
    ],
)
def test_what_no_look_could_use_is_refused(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small(tmp_path, text=TEXT)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["suite", "run", "small", *options])
    assert left.value.code == 2
    assert said in capsys.readouterr().err
    assert not any(tmp_path.rglob("cells/*"))


def test_the_comparisons_of_all_tasks_share_five_in_a_hundred(tmp_path: Path) -> None:
    """Two comparisons on each of two tasks: the limits of every one are those of a quarter of 5 % (Bonferroni)."""
    two = '{ name = "reach/reach", demonstrations = 2 }, { name = "faulty/reach", demonstrations = 2 }'
    plan = small(tmp_path, text=re.sub("tasks = .*", f"tasks = [{two}]", TEXT).replace("3, 4, 5]", "3]"))
    stop = run_until(plan, Scorer(RATES), None, "decided", "success", 0.1)
    assert stop.trainings == 4
    assert [(each.a, each.b) for each in stop.seen] == [("same", "reach-resnet"), ("far", "reach-resnet")] * 2
    first, same, _ = (
        scores([read_rows(report_rows(cell.directory, "agent")) for cell in arm.evaluations], "success")
        for arm in plan.tasks[0].arms
    )
    seen = stop.seen[0].difference
    half = (seen.high - seen.low) / 2
    assert half == pytest.approx(limits(4, 0.05 / 4)[4] * float(standard_error(same, first, rate=True)))
