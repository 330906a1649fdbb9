"""Records: names, and what is said where an optional package is absent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from trunkzoo.errors import PluginError, TaskError, ZooError
from trunkzoo.plugin import Config, HeadSpec, TaskSpec, TrunkSpec, install_line, require_installed


def _task(**fields: Any) -> TaskSpec[Config]:
    numbers = {"fps": 1, "max_steps": 1, "demo_steps": 1, "success_rule": "it is there", "expert_success": 1.0}
    return TaskSpec(contract=lambda _: None, **numbers, **fields)  # type: ignore[arg-type, return-value]


KINDS: tuple[Callable[..., Any], ...] = (TrunkSpec, HeadSpec, _task)


def _record(kind: Callable[..., Any], name: str = "it", **fields: Any) -> Any:
    return kind(name=name, summary="it", config=Config, build=lambda *_: None, **fields)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["", "It", "a--b", "-a", "a_", "a/b", "ä"])
def test_a_bad_name_is_refused_in_one_sentence(kind: Callable[..., Any], name: str) -> None:
    with pytest.raises(ValueError, match=r"^(trunk|head|task) name .*: use lower-case letters, digits and single"):
        _record(kind, name)


@pytest.mark.parametrize(("kind", "error"), list(zip(KINDS, (PluginError, PluginError, TaskError), strict=True)))
def test_what_is_absent_is_named_with_the_line_that_installs_it(
    kind: Callable[..., Any], error: type[ZooError]
) -> None:
    spec = _record(kind, requires=("json", "nosuchpackage.part", "norany"))
    assert install_line(spec) == "pip install nosuchpackage.part && pip install norany"
    with pytest.raises(error, match=r"(?s)it needs nosuchpackage\.part and norany, not installed here\..*Install: pip"):
        require_installed(spec)
    assert "pip install 'trunkzoo[more]'" in install_line(_record(kind, requires=("norany",), extra="more"))
    alone = _record(kind, requires=("norany",), extra="more", no_deps={"norany": "1.0"})
    assert install_line(alone) == "pip install 'trunkzoo[more]' && pip install --no-deps 'norany==1.0'"
    require_installed(_record(kind, requires=("json",)))
