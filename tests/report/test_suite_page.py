"""The page of a suite: nine arms with long names, two training seeds; read as HTML and in a headless browser."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reach_task import REGISTRY, install
from trunkzoo.registry import open_zoo
from trunkzoo.report.answer import answer_of, caveats
from trunkzoo.report.suite_page import write_suite_page
from trunkzoo.rollouts.gaze import Gaze
from trunkzoo.statistics import adjust, compare
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.comparing import compare_task, pairs_of
from trunkzoo.suites.layout import DONE, GAZE, RUN, film_file, report_rows, selection_rows
from trunkzoo.suites.plan import SuitePlan, every_cell, seeds_of
from trunkzoo.suites.planning import plan_suite
from trunkzoo.suites.results import TaskResult, read_results
from trunkzoo.training.directory import METRICS

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NAMES = ["resnet-18", *(f"attention-over-depth-in-the-variant-{letter}" for letter in "abcdefgh")]
ARMS = ", ".join(f'{{ name = "{name}", recipe = "reach-resnet" }}' for name in NAMES)
SUITE = f"""
[suites.many]
summary = "Nine arms"
arms = [{ARMS}]
baselines = [{{ name = "regression", recipe = "reach-resnet" }}]
tasks = [{{ name = "reach/reach", demonstrations = 2 }}]
training_seeds = [0, 1]
steps = 4
batch_size = 4
checkpoints = 2
selection_episodes = 6
report_episodes = 8
"""


def rows(path: Path, seeds: range, skill: float) -> None:
    rng = np.random.default_rng(seeds.start)
    drawn = [(seed, bool(rng.random() < skill), skill * rng.random()) for seed in seeds]
    found = [{"seed": s, "success": w, "average_reward": r, "max_reward": float(w)} for s, w, r in drawn]
    path.write_text("".join(json.dumps({**row, "steps": 12, "success_rule": "there"}) + "\n" for row in found))


def film(path: Path) -> None:
    path.parent.mkdir()
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for shade in range(0, 250, 25):
            frame = np.full((64, 96, 3), shade, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def look() -> Gaze:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), size=(6, 5, 5)).transpose(3, 0, 1, 2).astype(np.float32)
    images = rng.integers(0, 256, (1, 6, 16, 16, 3), dtype=np.uint8)
    keypoints = rng.uniform(-1, 1, (1, 6, 4, 2)).astype(np.float32)
    reads = {f"stages.{i}.mix.2": weights for i in range(2)}
    return Gaze(("top",), tuple(range(6)), images, keypoints, {n: w.mean((1, 2, 3)) for n, w in reads.items()}, reads)


def finish(cell: Cell) -> None:
    """Write the result of a cell, as if it had run."""
    cell.prepare()
    result: dict[str, Any] = {}
    if cell.kind == "smoke":
        result = {"parameters": 2_000_000, "trunk_parameters": 1_000_000, "head_parameters": 500_000, "cond_dim": 8}
        result |= {"feature_map": [8, 1, 1], "multiply_adds": 3_000_000}
    if cell.kind == "train":
        result = {"train_seconds": 65.0}
        entropy = {} if cell.label.startswith("resnet") else {"depth_entropy": 0.9}
        lines = [json.dumps({"step": step, "loss": 2.0, "mse_v": 2 - 0.1 * step, **entropy}) + "\n" for step in (2, 4)]
        (cell.directory / RUN).mkdir()
        (cell.directory / RUN / METRICS).write_text("".join(lines))
    if cell.kind == "evaluate":
        result = {"selection": {"2": 0.25, "4": 0.5}, "chosen": 4, "latency_ms": 3.0}
        for step in (2, 4):
            rows(selection_rows(cell.directory, step), seeds_of(cell.inputs["selection"]), 0.2 * step)
        for name in ("agent", "blind") if cell.inputs["blind"] else ("agent",):
            rows(report_rows(cell.directory, name), seeds_of(cell.inputs["report"]), 0.6)
    if cell.kind == "floor":
        rows(report_rows(cell.directory, cell.inputs["policy"]), seeds_of(cell.inputs["report"]), 0.1)
    write_json(cell.directory / DONE, result)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SuitePlan]:
    directory = tmp_path_factory.mktemp("suite")
    (directory / "registry.toml").write_text(REGISTRY + SUITE)
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        plan = plan_suite("many", open_zoo(directory / "registry.toml"), directory)
        for cell in every_cell(plan):
            finish(cell)
        shown = plan.tasks[0].arms[1].evaluations[0].directory
        film(film_file(shown, "success", 2000001))
        look().save(shown / GAZE)
        yield plan


@pytest.fixture(scope="module")
def page(plan: SuitePlan) -> Path:
    path = plan.directory / "report.html"
    write_suite_page(plan, read_results(plan), path)
    return path


def result_of(plan: SuitePlan, *arms: tuple[str, float, float]) -> TaskResult:
    """Arms with a success rate and a reward on 60 episodes, against ``base``, as their task's result."""
    (task,) = read_results(plan)
    rng = np.random.default_rng(0)
    comparisons = []
    for name, success, reward in arms:
        won, base = rng.random(60) < success, rng.random(60) < 0.5
        rewards, of_base = rng.normal(reward, 0.1, 60), rng.normal(0.5, 0.1, 60)
        comparisons += [compare(name, won, "base", base, "success")]
        comparisons += [compare(name, rewards, "base", of_base, "average reward")]
    return TaskResult(task.plan, task.arms, task.floors, adjust(comparisons))


def test_the_answer_groups_arms_by_what_is_decided(plan: SuitePlan) -> None:
    found = result_of(plan, ("good", 1.0, 0.9), ("bad", 0.0, 0.1), ("same", 0.5, 0.5), ("rich", 0.5, 0.9))
    assert answer_of(found) == (
        "Better than base in success and average reward: good. Better than base in average reward: rich. "
        "Worse than base in success and average reward: bad. Not decided against base in success and average reward: "
        "same. Not decided against base in success: rich."
    )
    said = caveats(found)[0]
    assert "One training seed per arm" in said
    assert "Holm's correction over 8 comparisons" in said


def test_a_difference_that_does_not_hold_among_many_is_said_to_be_one(plan: SuitePlan) -> None:
    """An interval that leaves zero out, in a suite of eighteen comparisons."""
    (task,) = read_results(plan)
    rng = np.random.default_rng(3)
    base = rng.normal(0.5, 0.1, 60)
    others = [compare(f"arm{i}", base[::-1], "base", base, "average reward") for i in range(17)]
    noise = rng.normal(0, 0.1, 60)
    lucky = compare("lucky", base + noise - noise.mean() + 0.03, "control", base, "average reward")
    found = TaskResult(task.plan, task.arms, task.floors, adjust([lucky, *others]))
    assert lucky.decided
    assert answer_of(found).startswith(
        "No difference between lucky and control and from base in any of 17 arms holds over the 18 comparisons"
    )
    assert "Taken alone, zero is left out by: lucky against control in average reward, +0.0" in answer_of(found)


def test_the_treatment_is_compared_with_its_control_first(plan: SuitePlan) -> None:
    assert pairs_of({"base": "", "full": "uniform", "uniform": "", "lone": "gone"}) == [
        ("full", "uniform"),
        ("full", "base"),
        ("uniform", "base"),
        ("lone", "base"),
    ]
    (task,) = read_results(plan)
    treated = [
        replace(arm, plan=replace(arm.plan, control=NAMES[2])) for arm in task.arms if arm.plan.label == NAMES[1]
    ]
    others = [arm for arm in task.arms if arm.plan.label != NAMES[1]]
    found = compare_task([others[0], *treated, *others[1:]])
    assert [(c.a, c.b) for c in found[:2]] == [(NAMES[1], NAMES[2])] * 2
    assert {(c.a, c.b) for c in found[2:]} == {(name, NAMES[0]) for name in NAMES[1:]}
    assert {c.arms for c in found} == {9}


def test_a_treatment_that_comes_first_is_compared_with_its_control_once() -> None:
    """As where a suite is run without its first arm: Holm's correction would count the pair twice."""
    assert pairs_of({"full": "uniform", "uniform": "", "other": ""}) == [("full", "uniform"), ("other", "full")]


def test_no_difference_is_an_answer(plan: SuitePlan) -> None:
    found = result_of(plan, ("same", 0.5, 0.5))
    assert answer_of(found).startswith("No difference between same and base that 60 episodes could show")
    assert re.search(r"In success a true difference of 0\.\d+ would be found four times in five", caveats(found)[0])
    assert re.search(r"differences beyond ± 0\.\d+ are excluded", caveats(found)[0])


def test_too_few_episodes_answer_nothing(plan: SuitePlan) -> None:
    (task,) = read_results(plan)
    few = (compare("a", [1, 1, 1], "b", [0, 0, 0], "success"),)
    found = TaskResult(task.plan, task.arms, task.floors, few)
    assert "show nothing" in answer_of(found)
    assert caveats(found) == []


def test_the_page_has_every_part_and_the_answer_comes_first(page: Path) -> None:
    text = page.read_text()
    order = [
        'class="answer"',
        "would be found four times in five",
        "difference in success from resnet-18",
        "<table>",
        '<h2 id="part-2">How it was',
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    columns = re.findall(r'<th scope="col">(.*?)</th>', text)
    assert columns[-3:] == ["difference", "best reward (95\u00a0%)", "steps to success (95\u00a0%)"]
    assert columns[:3] == ["arm", "success (95\u00a0%)", "average reward (95\u00a0%)"]
    svgs = re.findall(r"<svg.*?<title>(.*?)</title>.*?</svg>", text)
    wanted = [
        "Success over training",
        "Unweighted training error (mse_v) of imf/regression",
        "Reward over training",
        "Entropy of depth attention",
        "Latency and reward",
    ]
    assert {*wanted, "Work and reward", "Success of each arm", "Reward of each arm"} <= set(svgs)
    assert sum(title.endswith("and resnet-18") for title in svgs) == len(NAMES) - 1
    assert all(floor in text for floor in ("no-op", "random", "expert (ceiling)", "images blanked"))
    assert text.count("<video") == 1
    assert 'poster="data:image/webp' in text


def test_success_over_training_is_that_of_the_selection_episodes(plan: SuitePlan, page: Path) -> None:
    arm = plan.tasks[0].arms[0]
    lines = [line for c in arm.evaluations for line in (selection_rows(c.directory, 4)).read_text().splitlines()]
    rate = np.mean([json.loads(line)["success"] for line in lines])
    chart = re.search(r"<svg[^>]*><title>Success over training.*?</svg>", page.read_text())
    assert chart is not None
    assert f"resnet-18, step 4: {rate:.3f}" in chart[0]
    assert chart[0].count('class="band') == len(NAMES) + 1


def test_rings_are_the_single_training_seeds(page: Path) -> None:
    chart = re.search(r"<svg[^>]*><title>Success of each arm.*?</svg>", page.read_text())
    assert chart is not None
    assert chart[0].count('class="seed') == 2 * (2 * len(NAMES) + 1)  # arms and their blanked selves; the baseline


PROBE = """<script>addEventListener('load', () => {
  const text = [...document.querySelectorAll('svg')].map(svg => [svg.getBoundingClientRect(),
    [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  const pairs = text.flatMap(([_, t]) => t.flatMap((a, i) => t.slice(i + 1).filter(b => meet(a[1], b[1]))
    .map(b => [a[0], b[0]])));
  const outside = text.flatMap(([box, t]) => t.filter(([_, b]) => b.left < box.left - 1 || b.right > box.right + 1)
    .map(([words]) => words));
  const found = {pairs, outside, width: innerWidth, wide: document.documentElement.scrollWidth - innerWidth,
    letters: Math.min(...text.flatMap(([_, t]) => t.map(([_, b]) => b.height))),
    paper: getComputedStyle(document.body).backgroundColor, answer: document.querySelector('.answer')
      .getBoundingClientRect().bottom, figure: document.querySelector('svg').getBoundingClientRect().top,
    images: [...document.images].map(i => i.naturalWidth),
    unnamed: document.querySelectorAll('img:not([alt]), video:not([aria-label])').length};
  parent.document.body.textContent = JSON.stringify(found); });</script>"""
FRAME = (
    '<meta name="color-scheme" content="light dark"><iframe style="border: 0; width: {}px; height: 900px" srcdoc="{}">'
)


def opened(page: Path, width: int, *flags: str) -> dict[str, Any]:
    """What a headless browser says of the page in a frame: its own windows are never as narrow as a phone."""
    probed = page.with_name("probed.html")
    text = page.read_text().replace("</body>", PROBE + "</body>")
    text = text.replace(
        "default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'", 1
    )  # for the probe alone
    probed.write_text(FRAME.format(width, html.escape(text)))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0", *flags]
    options = ["--window-size=1500,1000", "--virtual-time-budget=10000", "--dump-dom", probed.as_uri()]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=True)
    assert "CONSOLE" not in done.stderr
    said = re.search(r"<body>(\{.*\})", done.stdout)
    assert said is not None
    found: dict[str, Any] = json.loads(said[1])
    return found


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs a headless Chromium")
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_a_browser_shows_every_word_apart_from_the_others(width: int, scheme: str, page: Path) -> None:
    """No message, no picture missing, no text over another or cut, letters legible, the answer on the first screen."""
    found = opened(page, width, f"--blink-settings=preferredColorScheme={int(scheme == 'light')}")
    assert found["width"] == width
    assert found["wide"] <= 0
    assert (found["pairs"], found["outside"]) == ([], [])
    assert found["letters"] >= 11
    assert found["answer"] < 600
    assert found["figure"] < 900
    assert len(found["images"]) == 5  # frames, keypoints, weights, two maps
    assert all(found["images"])
    assert found["unnamed"] == 0
    assert found["paper"] == {"light": "rgb(252, 252, 250)", "dark": "rgb(23, 24, 27)"}[scheme]
