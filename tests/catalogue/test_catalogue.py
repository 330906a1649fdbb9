"""How names find records, with a catalogue made by hand."""

from dataclasses import replace

import pytest

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow, Status
from trunkzoo.catalogue.names import NameRules
from trunkzoo.errors import UsageError
from trunkzoo.plugin import Config, HeadSpec, TaskContract, TaskSpec, TrunkSpec


def row(name: str, status: Status = "ok", reason: str = "") -> PluginRow:
    return PluginRow(
        name=name, distribution=f"zoo-{name}", version="1.0", api="1", target=name, status=status, reason=reason
    )


def trunk(name: str) -> TrunkSpec[Config]:
    return TrunkSpec(name=name, summary="a trunk", config=Config, build=lambda _: None)


@pytest.fixture
def catalogue() -> Catalogue:
    head = HeadSpec(name="flow", summary="a head", config=Config, build=lambda _, __: None)
    trunks = {id: trunk(id.partition("/")[2]) for id in ("resnet/resnet-18", "resnet/small", "other/small")}
    rows = (row("resnet"), row("other"), row("lost", "broken", "ImportError: no GPU"))
    names = NameRules(
        aliases={"default": "resnet/resnet-18"},
        renamed={"resnet/r18": "resnet/resnet-18"},
        known={"dinov2": "trunkzoo-dinov2"},
    )
    return Catalogue(rows, trunks, {"other/flow": head}, {}, names)


@pytest.mark.parametrize("name", ["resnet/resnet-18", "resnet-18", "default"])
def test_a_trunk_is_found_by_id_short_name_and_alias(catalogue: Catalogue, name: str) -> None:
    found = catalogue.trunk(name)
    assert (found.id, found.plugin.distribution) == ("resnet/resnet-18", "zoo-resnet")


def test_a_former_name_works_with_a_warning(catalogue: Catalogue) -> None:
    with pytest.warns(FutureWarning, match=r"'resnet/r18' is now called 'resnet/resnet-18'"):
        assert catalogue.trunk("resnet/r18").id == "resnet/resnet-18"


def test_an_ambiguous_short_name_lists_the_choices(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"ambiguous: other/small, resnet/small"):
        catalogue.trunk("small")


def test_a_preference_settles_an_ambiguous_short_name(catalogue: Catalogue) -> None:
    names = NameRules(prefer={"small": "other/small"})
    assert replace(catalogue, names=names).trunk("small").id == "other/small"


def test_an_id_wins_over_an_alias_of_the_same_name(catalogue: Catalogue) -> None:
    names = NameRules(aliases={"other/small": "resnet/small"})
    assert replace(catalogue, names=names).trunk("other/small").id == "other/small"


def test_a_record_of_another_kind_is_named_as_such(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="'flow' is a head, not a trunk"):
        catalogue.trunk("flow")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet-81", r"unknown trunk 'resnet-81'\. Did you mean 'resnet-18'\? Not loaded: lost"),
        ("lost/eyes", r"Plugin 'lost' is broken: ImportError: no GPU"),
        ("dinov2/base", r"Plugin 'dinov2' is not installed: pip install trunkzoo-dinov2"),
    ],
)
def test_an_unknown_name_says_what_to_do(catalogue: Catalogue, name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        catalogue.trunk(name)


def test_a_short_name_of_several_records_is_ambiguous_not_of_a_wrong_kind(catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match=r"'small' is ambiguous: other/small \(trunk\), resnet/small \(trunk\); give"):
        catalogue.chosen("small")
    preferred = replace(catalogue, names=NameRules(prefer={"small": "other/small"}))
    assert [id for _, id, _ in preferred.chosen("small")] == ["other/small"]


def test_a_short_name_of_two_tasks_is_ambiguous_too(catalogue: Catalogue) -> None:
    contract = TaskContract(cameras=("eye",), image_size=(8, 8), state_dim=1, action_dim=1)
    spec = TaskSpec(
        name="reach", summary="r", config=Config, contract=lambda config: contract, build=lambda config: None, fps=1,
        max_steps=1, demo_steps=1, success_rule="it is so", expert_success=1.0,
    )  # fmt: skip
    both = replace(catalogue, tasks={"a/reach": spec, "b/reach": spec})
    with pytest.raises(UsageError, match=r"'reach' is ambiguous: a/reach \(task\), b/reach \(task\)"):
        both.chosen("reach")
