"""The conformance kit for the tests of a plugin's author."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.errors import PluginError
from trunkzoo.registry import open_zoo
from trunkzoo.testing.check import Check, CheckFailed, Subject, run_check, subject_of, unknown_gaps
from trunkzoo.testing.report import checks_for

if TYPE_CHECKING:
    import pytest


def parametrize_plugin(
    plugin: str, settings: Mapping[str, Any] | None = None, catalogue: Catalogue | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test with every conformance check of every record that ``plugin`` ships.

    The test's one argument is a callable that runs the check::

        @parametrize_plugin("mine")
        def test_conformance(check):
            check()

    ``settings`` are laid over the defaults of each record, to test a small version of it.

    Raises:
        PluginError: the plugin is not installed, or did not load; an empty test run would look green.
    """
    import pytest

    catalogue = catalogue or open_zoo().catalogue
    records = [record for record in catalogue.everything() if record[1].partition("/")[0] == plugin]
    if not records:
        reasons = [f"it is {row.status}: {row.reason}" for row in catalogue.plugins if row.name == plugin]
        raise PluginError(f"plugin '{plugin}' has no records to check; {reasons[0] if reasons else 'install it first'}")
    cases = []
    for kind, id, spec in records:
        subject, checks = subject_of(id, spec, settings), checks_for(kind)
        for wrong in unknown_gaps(subject, checks):
            raise PluginError(f"{id}: {wrong.detail}")
        cases += [pytest.param(_runner(check, subject), id=f"{id}-{check.name}") for check in checks]
    return pytest.mark.parametrize("check", cases)


def _runner(check: Check[Any], subject: Subject[Any]) -> Callable[[], None]:
    def run() -> None:
        import pytest

        result = run_check(check, subject)
        if result.outcome == "failed":
            raise CheckFailed(f"{result.id}: {result.check}: {result.detail}")
        if result.outcome != "passed":
            pytest.skip(result.detail)

    return run
