"""Random settings and random registries give messages, never a traceback of ours."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkzoo.catalogue.catalogue import load_catalogue
from trunkzoo.errors import ZooError
from trunkzoo.registry import Zoo, load_registry, packaged_registry, parse_assignments
from trunkzoo.testing import subject_of

ZOO = Zoo(load_catalogue(packaged_registry().names), packaged_registry())
RECORDS = {id: spec for _, id, spec in ZOO.catalogue.everything()}
KEYS = sorted({name for spec in RECORDS.values() for name in spec.config.model_fields} | {"name", "summary", "extends"})
SECTIONS = [
    "format",
    "aliases",
    "prefer",
    "renamed",
    "reserved",
    "plugins",
    "trunks",
    "recipes",
    "suites",
    "known",
    "x",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-2, 600),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(KEYS),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
toml_scalars = st.sampled_from(
    ["1", "-1", "0.5", "nan", "true", '"x"', '"imf-resnet18"', "[]", "{}", "1979-05-27", "[[", "'", "x"]
)
toml_keys = st.sampled_from([*KEYS, *SECTIONS, "train.steps", '"a b"', "recipes.a.trunk", ""])
toml_lines = st.one_of(
    st.builds("[{}]".format, toml_keys),
    st.builds("[recipes.{}]".format, toml_keys),
    st.builds("{} = {}".format, toml_keys, toml_scalars),
    st.text(max_size=12),
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only_messages(action: Callable[[], object]) -> None:
    """Run ``action``; a ZooError is the answer that a user may get, and its text must not be empty."""
    message = "taken"
    try:
        action()
    except ZooError as error:
        message = str(error).strip()
    assert message


@pytest.mark.parametrize("id", RECORDS)
@quick
@given(data=st.data())
def test_any_settings_of_a_record_are_taken_or_refused(id: str, data: st.DataObject) -> None:
    spec = RECORDS[id]
    keys = st.sampled_from([*spec.config.model_fields, "unknown"])
    chosen = data.draw(st.dictionaries(keys, values, max_size=3))
    only_messages(lambda: subject_of(id, spec, chosen))


@quick
@given(lines=st.lists(toml_lines, max_size=8), headed=st.booleans())
def test_any_registry_is_read_or_refused(lines: list[str], headed: bool, tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text("\n".join(["format = 1"] * headed + lines), encoding="utf-8", errors="replace")

    def use() -> None:
        registry = load_registry(path)
        assert registry.names is not None
        for section in ("recipes", "suites"):
            for entry in registry.entries(section):
                only_messages(partial(registry.tree, section, entry.name))
        for name in registry.recipe_names():
            only_messages(partial(replace(ZOO, usable=registry).recipe, name))
        only_messages(lambda: (registry.trunks, registry.known))

    only_messages(use)


@quick
@given(content=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_bytes(content)
    only_messages(lambda: load_registry(path))


@quick
@given(
    key=st.sampled_from(
        ["trunk.norm", "train.steps", "train.ema", "contract", "head.times", "name", "x.y", "task.name"]
    ),
    value=st.text(max_size=10) | toml_scalars,
)
def test_any_override_is_taken_or_refused(key: str, value: str) -> None:
    only_messages(lambda: ZOO.recipe("imf-resnet18-demo", parse_assignments([f"{key}={value}"])))
