"""What registry.toml asserts about trunks, compared with the real modules in both directions."""

import pytest

from trunkzoo.agent.numbers import count_trunk, golden
from trunkzoo.catalogue.catalogue import load_catalogue
from trunkzoo.catalogue.part import Part
from trunkzoo.registry import packaged_registry

ANY_MODEL = ("transformers/backbone", "timm/features")  # whatever their settings name
CATALOGUE = load_catalogue(packaged_registry().names)
OURS = [id for id in CATALOGUE.trunks if CATALOGUE.plugin_of(id).distribution == "trunkzoo" and id not in ANY_MODEL]
WRITTEN_HERE = [id for id in OURS if id.partition("/")[0] != "transformers"]  # others' functions may change by a digit


def test_every_trunk_of_ours_has_facts_and_every_fact_a_trunk() -> None:
    assert sorted(packaged_registry().trunks) == sorted(OURS)


@pytest.mark.parametrize("id", OURS)
def test_the_counted_facts_hold(id: str) -> None:
    facts = packaged_registry().trunks[id]
    counted = count_trunk(CATALOGUE.configure("trunk", Part(name=id))).to_dict()
    assert {key: getattr(facts, key) for key in counted if key != "map_96"} == {
        key: value for key, value in counted.items() if key != "map_96"
    }


@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=[] if id.endswith("-18") else pytest.mark.slow) for id in WRITTEN_HERE]
)
def test_the_computed_function_is_the_asserted_one(id: str) -> None:
    assert golden(CATALOGUE.trunks[id]) == packaged_registry().trunks[id].golden


def test_reserved_names_are_claimed_by_their_owner() -> None:
    rows = {row.name: row.distribution for row in CATALOGUE.plugins}
    reserved = packaged_registry().names.reserved
    assert {name: rows[name] for name in reserved if name in rows} == {
        name: reserved[name] for name in reserved if name in rows
    }
