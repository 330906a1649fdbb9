"""registry.toml: inheritance, overlays, overrides, where values come from, and what its mistakes say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trunkzoo.catalogue.catalogue import load_catalogue
from trunkzoo.errors import ConfigError, UsageError
from trunkzoo.registry import Registry, Zoo, load_registry, packaged_registry, parse_assignments
from trunkzoo.registry.assignments import overlay
from trunkzoo.registry.layers import Labels
from trunkzoo.registry.resolved import check_task
from trunkzoo.registry.written import rows_of

USER = """format = 1
[aliases]
eyes = "resnet/resnet-34"

[recipes.mine]
extends = "imf-resnet18-demo"
summary = "mine"
[recipes.mine.trunk]
name = "attnres/attnres-conv-18"
[recipes.mine.train]
steps = 7

[recipes.again]
extends = "mine"
[recipes.again.train.ema]
power = 0.5

[recipes.imf-resnet18-demo.train]
lr = 2e-3
"""


@pytest.fixture(scope="module")
def zoo() -> Zoo:
    registry = packaged_registry()
    return Zoo(load_catalogue(registry.names), registry)


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    path = tmp_path / "registry.toml"
    path.write_text(USER)
    return load_registry(path)


def refused(tmp_path: Path, text: str, zoo: Zoo, recipe: str = "mine") -> str:
    """The message about a user's registry."""
    path = tmp_path / "registry.toml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        replace(zoo, usable=load_registry(path)).recipe(recipe)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", packaged_registry().recipe_names())
def test_every_recipe_of_ours_resolves_and_fits_its_task(name: str, zoo: Zoo) -> None:
    resolved = zoo.recipe(name)
    check_task(resolved.recipe, resolved.task)
    assert resolved.recipe.name == name


def test_a_child_keeps_what_it_does_not_change(registry: Registry, zoo: Zoo) -> None:
    recipe = replace(zoo, usable=registry).recipe("mine").recipe
    assert (recipe.train.steps, recipe.train.batch_size, recipe.contract.cond_dim) == (7, 32, 208)


def test_a_child_that_changes_the_trunk_starts_from_that_trunks_defaults(registry: Registry, zoo: Zoo) -> None:
    trunk = replace(zoo, usable=registry).recipe("mine").recipe.trunk
    defaults = zoo.catalogue.trunk("attnres-conv-18").spec.config().model_dump(mode="json")
    assert trunk.name == "attnres/attnres-conv-18"
    assert trunk.config == defaults  # the parent's width = 16 and norm are gone


def test_tables_inside_tables_are_laid_over_key_by_key(registry: Registry, zoo: Zoo) -> None:
    ema = replace(zoo, usable=registry).recipe("again").recipe.train.ema
    assert (ema.power, ema.decay_max) == (0.5, 0.95)


def test_the_users_file_lies_over_ours_key_by_key(registry: Registry, zoo: Zoo) -> None:
    train, ours = (z.recipe("imf-resnet18-demo").recipe.train for z in (replace(zoo, usable=registry), zoo))
    assert train == ours.model_copy(update={"lr": 2e-3})


def test_the_users_aliases_count(registry: Registry) -> None:
    assert load_catalogue(registry.names).trunk("eyes").id == "resnet/resnet-34"


def test_overrides_come_last_and_the_trunk_option_drops_the_trunks_settings(registry: Registry, zoo: Zoo) -> None:
    settings = parse_assignments(["train.steps=9", "trunk.width=32"])
    recipe = replace(zoo, usable=registry).recipe("imf-resnet18-demo", settings, "resnet-34").recipe
    assert (recipe.trunk.name, recipe.trunk.config["width"], recipe.train.steps) == ("resnet/resnet-34", 32, 9)
    assert recipe.trunk.config["norm"] == "batch"  # not the recipe's group norm: those are settings of its own trunk


def test_defaults_stay_as_they_are_when_values_are_laid_over_them() -> None:
    defaults: dict[str, Any] = {"settings": {}, "stages": {"first": {"blocks": {}}}}
    laid = overlay(defaults, {"settings.depths": [1, 1], "stages.first.blocks.width": 8})
    assert laid == {"settings": {"depths": [1, 1]}, "stages": {"first": {"blocks": {"width": 8}}}}
    assert defaults == {"settings": {}, "stages": {"first": {"blocks": {}}}}
    given: dict[str, Any] = {"depths": {}}
    overlay({}, {"settings": given, "settings.depths.first": 1})
    assert given == {"depths": {}}


def test_every_value_says_where_it_was_written(registry: Registry, zoo: Zoo) -> None:
    found = replace(zoo, usable=registry).recipe("again", {"train.lr": 0.5})
    origins = {key: origin for key, _, origin in rows_of(found)}
    assert origins["train.lr"] == "override"
    assert origins["train.steps"].endswith("registry.toml:11")
    assert origins["train.ema.power"].endswith("registry.toml:16")
    assert origins["train.ema.inv_gamma"] == "default"
    assert origins["contract.cond_dim"].startswith("trunkzoo's registry.toml:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format = 1\n[recipes\n", "registry.toml:2: at '[recipes' "),
        ("format = 1\nformat = 1\n", "registry.toml:2: at 'format' "),
        ("format = 2\n", "registry.toml:1: format = 2: must be 1"),
        ("[aliases]\n", "format: required, but not given"),
        ("format = 1\n[alias]\na = 'b'\n", "registry.toml:2: alias: unknown key. Did you mean 'aliases'?"),
        ("format = 1\n[aliases]\na = 3\n", 'registry.toml:3: aliases.a = 3: must be text; write "3"'),
        ("format = 1\nrecipes = 3\n", "registry.toml:2: recipes = 3: must be a table"),
        ("format = 1\n[recipes.mine]\nextends = 'imf-resnet'\n", "'mine' extends an unknown recipe 'imf-resnet'"),
        ("format = 1\n[recipes.mine]\nextends = 'mine'\n", "'mine' extends itself: mine → mine"),
        (
            "format = 1\n[recipes.mine]\nextend = 'imf-resnet18'\n",
            "registry.toml:3: recipes.mine.extend: unknown key. Did you mean 'extends'?",
        ),
        (
            "format = 1\n[recipes.mine]\nextends = 'imf-resnet18'\n[recipes.mine.train]\nstep = 3\n",
            "registry.toml:5: train.step: unknown key. Did you mean 'steps'?",
        ),
        (
            "format = 1\n[recipes.mine]\nextends = 'imf-resnet18'\n[recipes.mine.trunk]\nnorm = 'layer'\n",
            "registry.toml:5: trunk.norm = 'layer': must be 'batch' or 'group'",
        ),
        (
            "format = 1\n[recipes.mine]\nextends = 'imf-resnet18'\ntrunk = 'resnet-18'\n",
            "registry.toml:4: trunk = 'resnet-18': must be a table; write { name = \"resnet-18\" }",
        ),
        ("format = 1\n[recipes.other]\nsummary = 'x'\n", "unknown recipe 'mine'"),
        ("format = 1\n[recipes.mine]\n", "required, but not given"),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path: Path, text: str, message: str, zoo: Zoo) -> None:
    assert message in refused(tmp_path, text, zoo)


def test_the_line_of_a_value_behind_values_over_several_lines(tmp_path: Path, zoo: Zoo) -> None:
    text = 'format = 1\n[recipes.mine]\nextends = "imf-resnet18"\nsummary = """\none\n[two]\n"""\n'
    text += "contract.cameras = [\n  'a', # one\n  'b',\n]\ncontract.pred_horizon = 0\n"
    assert "registry.toml:12: contract.pred_horizon = 0" in refused(tmp_path, text, zoo)


def test_a_registry_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_bytes(b"format = 1\n\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_registry(path)


def test_a_registry_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the registry"):
        load_registry(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("a.b=3", 3),
        ("a.b = 3.5", 3.5),
        ("a.b=true", True),
        ("a.b=batch", "batch"),
        ("a.b=block(2)", "block(2)"),
        ('a.b="3"', "3"),
        ("a.b=[96, 96]", [96, 96]),
        ("a.b={x = 1}", {"x": 1}),
        ("a.b=1979-05-27", "1979-05-27"),
        ("a.b=x=y", "x=y"),
        ("a.b=1\nc = 2", "1\nc = 2"),
        ("a.b=", ""),
    ],
)
def test_an_assignment_is_toml_or_a_bare_string(assignment: str, value: object) -> None:
    assert parse_assignments([assignment]) == {"a.b": value}


@pytest.mark.parametrize("assignment", ["steps", "=3", "a..b=3", "a b=3", ".a=3"])
def test_an_assignment_without_a_key_is_refused(assignment: str) -> None:
    with pytest.raises(UsageError, match="assignment "):
        parse_assignments([assignment])


def test_an_override_of_a_whole_part_is_refused(zoo: Zoo) -> None:
    with pytest.raises(UsageError, match=r"'trunk' is a table; write trunk.name=resnet-34"):
        zoo.recipe("imf-resnet18", {"trunk": "resnet-34"})


def test_an_override_with_an_unknown_key_names_the_nearest(zoo: Zoo) -> None:
    with pytest.raises(ConfigError, match=r"override train.step: unknown key. Did you mean 'steps'\?"):
        zoo.recipe("imf-resnet18", {"train.step": 3})


def test_ours_in_the_working_directory_is_not_laid_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.delenv("TRUNKZOO_REGISTRY", raising=False)
    assert len(load_registry().files) == 1


def test_a_registry_in_the_working_directory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registry.toml").write_text(USER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUNKZOO_REGISTRY", raising=False)
    assert "mine" in load_registry().recipe_names()


def test_an_unknown_key_is_told_first(tmp_path: Path, zoo: Zoo) -> None:
    told = refused(tmp_path, 'format = 1\n[recipes.mine]\nbased_on = "imf-resnet18-demo"\n', zoo)
    assert told.startswith("registry.toml:3: based_on: unknown key.")


def test_a_setting_of_a_table_below_is_proposed(tmp_path: Path, zoo: Zoo) -> None:
    told = refused(tmp_path, 'format = 1\n[recipes.mine]\nextends = "imf-resnet18-demo"\nsteps = 3\n', zoo)
    assert told.startswith("registry.toml:4: steps: unknown key. Did you mean 'train.steps'?")


def test_the_condition_width_is_computed_where_it_is_left_out(tmp_path: Path, zoo: Zoo) -> None:
    text = """format = 1
[recipes.mine]
trunk = { name = "resnet/resnet-18" }
head = { name = "imf/regression" }
[recipes.mine.contract]
cameras = ["a", "b"]
image_size = 32
state_dim = 8
action_dim = 7
camera_dim = 10
"""
    path = tmp_path / "registry.toml"
    path.write_text(text)
    found = replace(zoo, usable=load_registry(path)).recipe("mine").recipe
    assert (found.contract.cond_dim, found.contract.sum_line()) == (28, "2 cameras × 10 + 8 state = 28")
    assert found.model_validate_json(found.model_dump_json()) == found


def test_a_wrong_sum_points_at_the_line_of_its_result_and_gives_the_right_one(tmp_path: Path, zoo: Zoo) -> None:
    text = (
        'format = 1\n[recipes.mine]\nextends = "imf-resnet18"\n[recipes.mine.contract]\nstate_dim = 2\ncond_dim = 200\n'
    )
    told = refused(tmp_path, text, zoo)
    assert told.startswith("registry.toml:6: ")
    assert "3 cameras × 64 + 2 state = 194, but cond_dim expects 200; write cond_dim = 194 where" in told


def test_an_inherited_sum_is_asked_of_the_recipe_that_changed_a_summand(tmp_path: Path, zoo: Zoo) -> None:
    text = 'format = 1\n[recipes.mine]\nextends = "imf-resnet18"\n[recipes.mine.contract]\ncameras = ["top"]\n'
    told = refused(tmp_path, text, zoo)
    assert told.startswith("registry.toml:5: recipe 'mine': contract: 1 camera × 64 + 16 state = 80, but")
    assert "write cond_dim = 80 where cameras, camera_dim or state_dim change" in told


@pytest.mark.parametrize(
    ("cameras", "told"),
    [
        ("[top]", 'must be a list; write ["top"]'),
        ('["top"]', "1 camera × 64 + 16 state = 80, but cond_dim expects 208"),
    ],
)
def test_other_cameras_typed_are_one_clear_line(cameras: str, told: str, zoo: Zoo) -> None:
    settings = parse_assignments([f"contract.cameras={cameras}"], "--set")
    with pytest.raises(ConfigError) as refusal:
        zoo.recipe("imf-resnet18", settings, labels=Labels("--set", "--trunk"))
    (line,) = str(refusal.value).splitlines()
    assert line.startswith("--set contract")
    assert told in line


def test_a_wrong_summand_is_told_without_the_sum_that_it_spoils(tmp_path: Path, zoo: Zoo) -> None:
    parts = 'trunk = { name = "resnet/resnet-18" }\nhead = { name = "imf/regression" }\n'
    contract = '[recipes.mine.contract]\ncameras = "top"\nimage_size = 32\nstate_dim = 8\naction_dim = 7\n'
    told = refused(tmp_path, f"format = 1\n[recipes.mine]\n{parts}{contract}", zoo)
    assert told == "registry.toml:6: contract.cameras = 'top': must be a list; write [\"top\"]"


def test_a_setting_of_the_command_line_is_blamed_on_the_command_line(zoo: Zoo) -> None:
    with pytest.raises(ConfigError, match=r"^--set trunk"):
        zoo.recipe("imf-resnet18", {"trunk.width": 17}, labels=Labels("--set", "--trunk"))
