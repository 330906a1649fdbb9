"""The charts of a suite's answer."""

from __future__ import annotations

import numpy as np

from trunkzoo.report.answer import answer_figures
from trunkzoo.statistics import compare, compare_arms


def test_arms_against_one_have_an_interval_for_all_at_once() -> None:
    """Dunnett's, below the pair's own and the pooled one; a single pair has its own alone."""
    scores = np.random.default_rng(5).normal(size=(3, 4, 20))
    found = compare_arms(dict(zip("abc", scores, strict=True)), [("b", "a"), ("c", "a")], "average reward")
    _, figure = answer_figures(found, {"b": "s1", "c": "s2"})
    assert figure.svg.count("<title>↳ all at once") == figure.svg.count("<title>↳ trainings of all arms") == 2
    assert figure.caption.endswith("(Dunnett).")
    _, alone = answer_figures((compare("b", scores[1], "a", scores[0], "average reward"),), {"b": "s1"})
    assert "↳" not in alone.svg
