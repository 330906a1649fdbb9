"""Progress: nothing where nobody looks, a plain line where one is wanted, bars in a terminal."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from trunkzoo.system.progress import Bars, progress


def test_a_pipe_sees_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("counting", 2) as advance:
        advance(1)
        advance(1)
    with Bars() as bars:
        bars.update(bars.add("counting"), 1)
        bars.say_if_due()
    assert capsys.readouterr() == ("", "")


def test_a_pipe_sees_plain_lines_of_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(plain_every=0.0) as bars:
        first, second = bars.add("first", 4), bars.add("second", visible=False)
        bars.update(first, 3, "· loss 2")
        bars.say_if_due()
        bars.update(second, 5)
        bars.say_if_due()
        bars.say("[saved] it")
    assert capsys.readouterr().err == "first 3/4 · loss 2\nfirst 3/4 · loss 2; second 5\n[saved] it\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars(plain_every=0.0, quiet=True) as bars:
        bars.update(bars.add("first", 4), 3)
        bars.say_if_due()
        bars.say("news")
        assert not bars.due
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_a_picture_above_the_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    pixels = np.zeros((5, 3, 3), np.uint8)
    pixels[0, :, 0], pixels[1, :, 2] = 255, 7
    with Bars() as bars:
        bars.update(bars.add("shown", 4), 3)
        bars.show(pixels, "step 3")
    printed = capsys.readouterr().err
    assert printed.count("▀") % 6 == 0  # two rows of three characters, as often as it was drawn
    assert "38;2;255;0;0;48;2;0;0;7m▀" in printed
    assert printed.rindex("▀") < printed.rindex("step 3") < printed.rindex("3/4")


def test_a_terminal_sees_bars_and_news(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Bars() as bars:
        hidden, shown = bars.add("hidden", visible=False), bars.add("shown", 4)
        bars.update(shown, 3, "[0.3, 0.8]")
        bars.update(hidden, 1, visible=False)
        bars.say("news")
    printed = capsys.readouterr().err
    assert "news" in printed
    assert "3/4" in printed
    assert "[0.3, 0.8]" in printed
    assert "hidden" not in printed
