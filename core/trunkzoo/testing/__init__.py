"""Tests of plugins and recipes: the conformance kit for trunks, heads, tasks and policies, the smoke test, the doctor.

In your package's tests::

    from trunkzoo.testing import parametrize_plugin

    @parametrize_plugin("mine")
    def test_conformance(check):
        check()

On the command line: ``zoo check mine``. Importing this module imports no torch.
"""

from trunkzoo.testing.check import Check, CheckFailed, CheckSkipped, Outcome, Result, Subject, subject_of
from trunkzoo.testing.parametrize import parametrize_plugin
from trunkzoo.testing.report import LEAST_CHECKS, Report, check_records, checks_for

__all__ = [
    "LEAST_CHECKS",
    "Check",
    "CheckFailed",
    "CheckSkipped",
    "Outcome",
    "Report",
    "Result",
    "Subject",
    "check_records",
    "checks_for",
    "parametrize_plugin",
    "subject_of",
]
