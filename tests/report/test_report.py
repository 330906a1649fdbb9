"""Reports: figures in data coordinates, pictures of what an agent sees, one page that needs no network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import trunkzoo.report
from trunkzoo.agent.assemble import assemble
from trunkzoo.errors import UsageError
from trunkzoo.registry import open_zoo
from trunkzoo.report.charts import (
    DOT_DISTANCE,
    Curve,
    IntervalBar,
    Point,
    interval_chart,
    line_chart,
    paired,
    scatter,
    short,
    style,
)
from trunkzoo.report.page import Figure, Section, Table, TableRow, write_page
from trunkzoo.report.pictures import (
    FONT,
    GAP,
    SIDE,
    SMALL,
    draw_keypoints,
    heat,
    keypoint_sheet,
    map_sheet,
    sheet,
    write_pictures,
)
from trunkzoo.report.svg import Axis, Plot, axis
from trunkzoo.rollouts.gaze import Gaze, load_gaze
from trunkzoo.rollouts.record_gaze import gaze_of
from trunkzoo.statistics import Interval

VOID = {"meta", "link", "img", "br"}


def a_look() -> Gaze:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(3), size=(4, 5, 5)).transpose(3, 0, 1, 2).astype(np.float32)
    return Gaze(
        cameras=("front", "wrist"),
        steps=(0, 3, 6, 9),
        images=rng.integers(0, 256, (2, 4, 20, 20, 3), dtype=np.uint8),
        keypoints=rng.uniform(-1, 1, (2, 4, 8, 2)).astype(np.float32),
        sources={"stages.0.mix.2": weights.mean((1, 2, 3))},
        maps={"stages.0.mix.2": weights},
    )


class Balanced(HTMLParser):
    """Fails on tags that do not close, and collects addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.03, 0.41), (0, 20_000), (1e-6, 3e-6), (-7, 3)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    ticks = Axis("", low, high).ticks()
    assert 2 <= len(ticks) <= 6
    assert all(low - 1e-9 * abs(low) <= tick <= high * (1 + 1e-9) for tick in ticks)
    steps = np.diff(ticks)
    assert np.allclose(steps, steps[0])


def test_an_axis_of_equal_values_has_a_range() -> None:
    found = axis("", [0.5, 0.5, float("nan")])
    assert found.low < 0.5 < found.high


def test_marks_stand_where_the_data_say() -> None:
    plot = Plot(Axis("x", 0, 10), Axis("y", 0, 1), "t")
    assert plot.px(0) == plot.left
    assert plot.px(10) == plot.width - 14
    assert plot.px(5) == pytest.approx((plot.px(0) + plot.px(10)) / 2)
    assert plot.py(1) < plot.py(0)


def test_an_interval_chart_has_a_whisker_only_where_there_is_an_interval() -> None:
    bars = [
        IntervalBar("a", Interval(0.5, 0.3, 0.7), "s0"),
        IntervalBar("b", Interval(0.5, float("nan"), float("nan")), "s1"),
    ]
    svg = interval_chart(bars, "success", "t")
    assert svg.count('class="whisker') == 1
    assert svg.count('class="dot') == 2


def test_sixteen_arms_look_different() -> None:
    assert len({style(index) for index in range(16)}) == 16


def test_a_long_name_keeps_both_its_ends() -> None:
    found = short("attnres-conv-deep-of-many-layers-uniform")
    assert len(found) <= 24
    assert found.startswith("attnres-co")
    assert found.endswith("rs-uniform")


def test_arms_of_equal_cost_stand_side_by_side() -> None:
    points = [Point(name, 3.0, Interval(0.5, 0.4, 0.6), "s0") for name in "abc"] + [
        Point("d", 1.0, Interval(0.5, 0.4, 0.6), "s0")
    ]
    columns = [float(x) for x in re.findall(r'<circle[^>]* cx="([\d.]+)"', scatter(points, "x", "y", "t"))]
    assert columns[1] == pytest.approx((columns[0] + columns[2]) / 2)
    assert columns[2] - columns[1] == DOT_DISTANCE
    assert columns[3] < columns[0]


def test_the_better_arm_lends_a_pair_its_colour() -> None:
    svg = paired([0.1, 0.9, 0.5], [0.2, 0.3, 0.5], ("a", "b"), ("s0", "s3"), "t")
    assert re.findall(r'<circle class="dot (s\d)"', svg) == ["s3", "s0", "s0"]


@pytest.mark.parametrize("dark", [False, True])
def test_colours_have_the_contrast_that_weak_eyes_need(dark: bool) -> None:
    """WCAG 2.1 AA: 4.5 for text, 3 for marks, on the page and on cards."""
    template = (Path(trunkzoo.report.__file__).parent / "templates" / "page.html").read_text()
    light, at_night = (
        dict(re.findall(r"--(\w+): (#\w{6})", found)) for found in re.findall(r":root (\{.*?\})", template, re.DOTALL)
    )
    colours = at_night if dark else light
    assert colours.keys() == light.keys()
    for ground in (colours["paper"], colours["card"]):
        for name in colours.keys() - {"paper", "card", "rule"}:
            assert contrast(colours[name], ground) >= (4.5 if name in ("ink", "soft") else 3), name


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two sRGB colours (WCAG 2.1)."""
    channels = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in (a, b)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return float((light + 0.05) / (dark + 0.05))


def test_text_in_figures_is_escaped() -> None:
    assert "<b>" not in interval_chart([IntervalBar("<b>", Interval(0.5, 0.3, 0.7), "s0")], "x", "t")


def test_a_band_is_drawn_for_several_training_seeds() -> None:
    one = Curve("a", [1, 2], [0.1, 0.2], "s0")
    assert 'class="band' not in line_chart([one], "y", "t")
    assert 'class="band' in line_chart([one._replace(low=[0.0, 0.1], high=[0.2, 0.3])], "y", "t")


def test_a_look_survives_its_file(tmp_path: Path) -> None:
    look = a_look()
    look.save(tmp_path / "look.npz")
    loaded = load_gaze(tmp_path / "look.npz")
    assert (loaded.cameras, loaded.steps) == (look.cameras, look.steps)
    np.testing.assert_array_equal(loaded.images, look.images)
    np.testing.assert_allclose(loaded.maps["stages.0.mix.2"], look.maps["stages.0.mix.2"], atol=1e-3)


def test_a_keypoint_is_drawn_where_it_looks() -> None:
    tile = Image.new("RGB", (101, 101))
    draw_keypoints(tile, np.array([[1.0, -1.0]], dtype=np.float32))  # right, top
    lit = np.argwhere(np.asarray(tile).sum(-1) > 0)  # (row, column)
    assert lit[:, 0].max() < 10
    assert lit[:, 1].min() > 90


def test_sheets_have_a_tile_per_camera_step_and_source() -> None:
    look = a_look()
    names = FONT + 3 * GAP  # columns above, rows on their side
    assert keypoint_sheet(look).size == (names + 4 * (SIDE + GAP), names + 2 * (SIDE + GAP))
    of_image_and_sources = (names + 4 * (SMALL + GAP), names + 2 * (SMALL + GAP))  # steps 0 and 2
    assert map_sheet(look, "stages.0.mix.2").size == of_image_and_sources


def test_rows_of_a_sheet_are_named_beside_low_tiles() -> None:
    tile = Image.new("RGB", (40, 10), (0, 200, 0))
    narrow, wide = (sheet([name], ["a", "b"], [[tile, None]]) for name in ("short", "a much longer name"))
    assert wide.width > narrow.width > 2 * 40
    assert np.count_nonzero((np.asarray(wide) == (0, 200, 0)).all(-1)) == 400  # one tile, and no name over it


def test_heat_grows_brighter_with_the_weight() -> None:
    brightness = heat(np.linspace(0, 1, 20, dtype=np.float32)).sum(-1).astype(int)
    assert (np.diff(brightness) > 0).all()


def test_pictures_are_written_as_png(tmp_path: Path) -> None:
    files = write_pictures(a_look(), tmp_path)
    assert [file.name for file in files] == ["keypoints.png", "depth-weights.png", "depth-map-stages.0.mix.2.png"]
    for file in files:
        Image.open(file).verify()


@pytest.mark.parametrize("recipe", ["imf-resnet18-demo", "imf-attnres-demo"])
def test_a_real_agent_is_looked_into(recipe: str) -> None:
    """Keypoints are those of the encoder; depth weights exist for attention over depth alone and sum to one."""
    agent = assemble(open_zoo().recipe(recipe)).eval()
    rng = np.random.default_rng(0)
    frames = [
        {k: rng.integers(0, 256, (96, 96, 3), dtype=np.uint8) for k in agent.contract.image_keys} for _ in range(2)
    ]
    look = gaze_of(agent, [0, 5], frames)
    images = torch.from_numpy(frames[1][agent.contract.image_keys[2]]).permute(2, 0, 1)[None, None]
    with torch.no_grad():
        expected = agent.encoder.get_submodule("cameras.2.pool")(agent.encoder.feature_map(2, images))[0]
    np.testing.assert_allclose(look.keypoints[2, 1], expected.numpy(), atol=1e-4)
    assert bool(look.sources) == ("attnres" in recipe)
    for weights in look.sources.values():
        assert weights.sum() == pytest.approx(1, abs=1e-4)


def test_a_page_is_whole_and_needs_no_network(tmp_path: Path) -> None:
    figures = [Figure("a chart", svg=line_chart([Curve("a", [1, 2], [3, 4], "s0")], "y", "t"))]
    table = Table(("arm", "success"), [TableRow(("<one>", "0.5")), TableRow(("floor", "0"), floor=True)])
    section = Section("Part", answer="Said.", words=["More."], table=table, legend=[("a", "s0")], figures=figures)
    write_page(tmp_path / "page.html", "Title", "summary", [section])
    text = (tmp_path / "page.html").read_text()
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert all(address.startswith("data:") for address in parser.addresses)
    assert "&lt;one&gt;" in text
    assert '<th scope="row">floor</th>' in text
    assert not re.search(r"https?://", text)
    assert "prefers-color-scheme: dark" in text


def test_an_unwritable_place_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write"):
        write_page(tmp_path / "file" / "page.html", "t", "s", [])
