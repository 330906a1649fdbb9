"""Suites that plan how many trainings they need, and suites that end when all is decided or futile."""

from __future__ import annotations

from pathlib import Path

import pytest

from reach_task import REGISTRY, install, small
from scored import Scorer
from trunkzoo.errors import UsageError
from trunkzoo.statistics import Spread
from trunkzoo.suites.outlook import SEEN, outlook
from trunkzoo.suites.plan import SuitePlan
from trunkzoo.suites.stopping import read_stop, run_until

EIGHT = REGISTRY.replace("steps = 4", "steps = 4\ntraining_seeds = [0, 1, 2, 3, 4, 5, 6, 7]").replace(
    "report_episodes = 6", "report_episodes = 40"
)
RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process."""
    install(monkeypatch)


def test_a_clear_difference_ends_a_suite_early(tmp_path: Path) -> None:
    engine, lines, plan = Scorer({"reach-resnet": 0.1, "reach-wide": 0.9}), list[str](), small(tmp_path, text=EIGHT)
    stop = run_until(plan, engine, lines.append, "decided", "success", 0.1)
    assert stop.ends
    assert 3 <= stop.trainings < 8
    assert len(engine.trained) == 2 * stop.trainings
    assert stop.seen[0].difference.low > 0
    assert read_stop(plan.directory) == stop
    assert f"After {stop.trainings} of 8 training seeds" in stop.sentence("reach/reach")
    assert "reach-wide against reach-resnet +0." in lines[-1]


def test_no_difference_becomes_futile_and_is_never_called_one(tmp_path: Path) -> None:
    engine, plan = Scorer({"reach-resnet": 0.5, "reach-wide": 0.5}), small(tmp_path, text=EIGHT)
    stop = run_until(plan, engine, lambda line: None, "futile", "success", 0.02)
    assert stop.ends
    assert stop.trainings < 8
    assert stop.seen[0].state == "futile"


def test_a_suite_of_two_training_seeds_is_looked_at_once(tmp_path: Path) -> None:
    plan = small(tmp_path, text=EIGHT).first(2)
    stop = run_until(plan, Scorer({"reach-resnet": 0.1, "reach-wide": 0.9}), None, "decided", "success", 0.1)
    assert stop.sentence("reach/reach").startswith("After 2 of 2 training seeds, looked at once, in success: ")
    assert stop.seen[0].difference.high <= 1


def test_a_suite_of_one_training_seed_cannot_stop_early(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="to end early a suite needs two arms and two training seeds"):
        run_until(small(tmp_path), Scorer({}), lambda line: None, "decided", "success", 0.1)
    assert read_stop(tmp_path) is None


def test_a_stopped_suite_is_reported_with_the_seeds_that_it_has(tmp_path: Path) -> None:
    plan = small(tmp_path, text=EIGHT)
    part = plan.first(3)
    assert part.config.training_seeds == (0, 1, 2)
    assert {cell.key for cell in part.tasks[0].arms[0].trains} < {cell.key for cell in plan.tasks[0].arms[0].trains}


def lift() -> SuitePlan:
    """The suite of the committed rows."""
    from trunkzoo.registry import open_zoo
    from trunkzoo.suites.planning import plan_suite

    return plan_suite("phase2-cpu", open_zoo(), Path("nowhere"))


def test_published_rows_say_how_many_trainings_a_tenth_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRUNKZOO_PLUGINS")
    (found,) = outlook(lift(), "success", 0.1, published=RESULTS / "phase2-cpu")
    assert found.needed[60] == (13, 12)
    assert f"needs about {found.needed[60][0]} trainings per arm" in (RESULTS / "older.md").read_text()
    assert found.own[:2] == (3, 60)
    assert found.own[2] == pytest.approx(0.21, abs=0.005)
    assert found.spread.training == pytest.approx(SEEN["success"].training, abs=0.005)  # what a new suite begins with
    assert "from " in found.sentence()
    (reward,) = outlook(lift(), "average reward", 0.1, published=RESULTS / "phase2-cpu")
    assert reward.spread.episode == pytest.approx(SEEN["average reward"].episode, abs=0.005)


def test_a_stated_spread_is_taken_and_nothing_else_is_needed(tmp_path: Path) -> None:
    (found,) = outlook(small(tmp_path), "success", 0.2, Spread(0.1, 0.5))
    assert found.source == "as stated"
    assert found.needed[20] > found.needed[200]  # more episodes, fewer trainings
    assert "speak of agents, not of trunks" in found.sentence()  # one training seed
    assert found.to_dict()["suite"]["detectable"] is None


def test_finished_cells_of_the_suite_itself_say_it(tmp_path: Path) -> None:
    plan = small(tmp_path, text=EIGHT)
    run_until(plan, Scorer({"reach-resnet": 0.4, "reach-wide": 0.6}), lambda line: None, "futile", "success", 0.3)
    (found,) = outlook(plan, "success", 0.1)
    assert found.source == "from this suite's rows"
    assert found.spread.training < 0.3


def test_episodes_that_all_fail_tell_no_spread(tmp_path: Path) -> None:
    plan = small(tmp_path, text=EIGHT)
    run_until(plan, Scorer({"reach-resnet": -1, "reach-wide": -1}), lambda line: None, "futile", "success", 0.01)
    assert outlook(plan, "success", 0.1)[0].source == "as seen in phase2-cpu"


@pytest.mark.parametrize("detect", [0.0, -0.1, 1.5])
def test_a_difference_that_cannot_be_is_refused(tmp_path: Path, detect: float) -> None:
    with pytest.raises(UsageError, match="lies between 0 and 1"):
        outlook(small(tmp_path), "success", detect)


def test_rows_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rows of trainings in"):
        outlook(small(tmp_path), "success", 0.1, published=tmp_path)
