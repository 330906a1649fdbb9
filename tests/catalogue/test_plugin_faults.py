"""What a plugin's records and networks may get wrong, and that each fault is one line that names it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any, NoReturn

import pytest
import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from trunkzoo.agent.assemble import assemble
from trunkzoo.agent.numbers import count_trunk
from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.catalogue.guard import plugin_code
from trunkzoo.catalogue.loader import load_records
from trunkzoo.catalogue.part import Configured, Part
from trunkzoo.catalogue.tasks import contract_of
from trunkzoo.errors import ConfigError, ContractError, PluginError, ZooError
from trunkzoo.plugin import Config, TaskSpec, TrunkSpec, hookimpl, parse
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.testing.check import run_check, subject_of
from trunkzoo.testing.trunk_checks import TRUNK_CHECKS

ROW = PluginRow(name="tiny", distribution="tiny-parts", version="1.0", api="1", target="tiny", status="ok")


class Settings(Config):
    """One setting."""

    width: int = 8


TRUNK: dict[str, Any] = {"name": "odd", "summary": "a trunk", "config": Settings, "build": lambda config: Tiny()}
TASK: dict[str, Any] = {
    **TRUNK,
    "contract": lambda config: None,
    "fps": 20,
    "max_steps": 5,
    "demo_steps": 5,
    "success_rule": "it is done",
    "expert_success": 0.9,
}


class Tiny(nn.Module):
    """A trunk that keeps its word; the tests change that."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, kernel_size=4, stride=4)
        self.out_channels: Any = 8
        self.stride: Any = 4
        self.work: Any = self.conv.forward
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, images: Tensor) -> Any:
        return self.work(images)


def load(monkeypatch: pytest.MonkeyPatch, **hooks: Callable[[], Any]) -> None:
    """Load a plugin with these hooks."""
    module = ModuleType("odd_plugin")
    for name, hook in hooks.items():
        setattr(module, name, hookimpl(hook, specname=name))
    monkeypatch.setitem(sys.modules, "odd_plugin", module)
    load_records(EntryPoint("odd", "odd_plugin", "trunkzoo.v1"))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"summary": "two\nlines"}, "one line of text"),
        ({"summary": "\x1b[31mred"}, "one line of text"),
        ({"build": None}, "build must be callable, got NoneType"),
        ({"config": Settings()}, "config must be a subclass"),
        ({"defaults": ["width"]}, "defaults must be a dict with text keys, got \\['width'\\]"),
        ({"defaults": None}, "defaults must be a dict"),
        ({"known_gaps": ["exports"]}, "known_gaps must be a dict"),
        ({"requires": "timm"}, r"requires must be a tuple of names, such as \('timm',\), got 'timm'"),
        ({"requires": (5,)}, "requires must be a tuple of names"),
        ({"initial": ("wieghts",)}, "initial names 'wieghts', which is no setting of Settings"),
    ],
)
def test_a_wrong_field_of_a_record(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        load(monkeypatch, trunkzoo_trunks=lambda: [TrunkSpec(**{**TRUNK, **fields})])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"contract": None}, "contract must be callable"), ({"fps": "20"}, "fps must be a positive integer, got '20'")],
)
def test_a_wrong_field_of_a_task(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(PluginError, match=reason):
        load(monkeypatch, trunkzoo_tasks=lambda: [TaskSpec(**{**TASK, **fields})])


def test_an_entry_point_that_names_no_module() -> None:
    with pytest.raises(PluginError, match="entry point 'not a module!' names no module"):
        load_records(EntryPoint("odd", "not a module!", "trunkzoo.v1"))


def raising(error: BaseException) -> Callable[..., NoReturn]:
    def raise_it(*_: object) -> NoReturn:
        raise error

    return raise_it


FAULTY: dict[str, tuple[Callable[..., Any], str]] = {  # build → what assembling and counting say
    "build raises": (raising(ValueError("no weights\nhere")), "building trunk .* failed: ValueError: no weights "),
    "build exits": (raising(SystemExit("bye")), "failed: it ended the process"),
    "build takes nothing": (lambda: None, "failed: TypeError"),
    "no module": (lambda _: 5, "built a int"),
    "no stride": (lambda _: nn.Linear(3, 8), "built a Linear; it must be .* with out_channels, stride"),
    "stride 0": (lambda _: Tiny(stride=0), "stride is 0; it must be a positive integer"),
    "stride 4.0": (lambda _: Tiny(stride=4.0), "stride is 4.0; it must be a positive integer"),
    "channels in words": (lambda _: Tiny(out_channels="eight"), "out_channels is 'eight'"),
    "input_norm a name": (lambda _: Tiny(input_norm="imagenet"), "input_norm 'imagenet' must be an InputNorm"),
    "forward raises": (lambda _: Tiny(work=raising(RuntimeError("no\nkernel"))), "failed: RuntimeError: no "),
    "a tuple": (lambda _: Tiny(work=lambda images: (images,)), "gives (tuple|no feature map)"),
    "nothing": (lambda _: Tiny(work=lambda images: None), "gives (NoneType|no feature map)"),
    "two dimensions": (lambda _: Tiny(work=lambda images: images.mean((2, 3))), r"gives (\(3,\)|no feature map)"),
}


@pytest.fixture(params=FAULTY)
def faulty(request: pytest.FixtureRequest) -> tuple[TrunkSpec[Any], str]:
    build, reason = FAULTY[request.param]
    return TrunkSpec(**{**TRUNK, "build": build}), reason


def _with(catalogue: Catalogue, recipe: Recipe, spec: TrunkSpec[Any]) -> tuple[Recipe, Catalogue]:
    return recipe.model_copy(update={"trunk": Part(name="tiny/odd")}), replace(catalogue, trunks={"tiny/odd": spec})


def test_assembling_says_what_is_wrong_with_a_trunk(
    faulty: tuple[TrunkSpec[Any], str], tiny_catalogue: Catalogue, tiny_recipe: Recipe
) -> None:
    spec, reason = faulty
    recipe, catalogue = _with(tiny_catalogue, tiny_recipe, spec)
    with pytest.raises((PluginError, ContractError), match=reason) as caught:
        assemble(resolve(recipe, catalogue))
    assert "\n" not in str(caught.value)


def test_counting_says_what_is_wrong_with_a_trunk(faulty: tuple[TrunkSpec[Any], str]) -> None:
    spec, reason = faulty
    with pytest.raises(PluginError, match=reason):
        count_trunk(Configured("trunk", "tiny/odd", spec, ROW, Settings()))


def test_a_key_that_nobody_can_press_ends_nothing() -> None:
    """A shell starts what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(PluginError, match="it ended the process"), plugin_code("building it"):
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("build", [raising(SystemExit(0)), lambda config: os._exit(9), raising(KeyboardInterrupt())])
def test_a_build_that_ends_the_process_fails_its_checks_only(build: Callable[..., Any]) -> None:
    subject = subject_of("odd/odd", TrunkSpec(**{**TRUNK, "build": build}))
    builds_on_meta = next(check for check in TRUNK_CHECKS if check.name == "builds-on-meta")
    assert run_check(builds_on_meta, subject).outcome == "failed"


def test_a_map_with_the_channels_last_is_refused(tiny_catalogue: Catalogue, tiny_recipe: Recipe) -> None:
    spec = TrunkSpec(**{**TRUNK, "build": lambda _: Tiny(work=lambda x: torch.zeros(len(x), 4, 4, 8))})
    recipe, catalogue = _with(tiny_catalogue, tiny_recipe, spec)
    with pytest.raises(ContractError, match=r"should give a map \(8, 4, 4\), but it gives \(4, 4, 8\)"):
        assemble(resolve(recipe, catalogue))


class Raises(Config):
    """Its validator raises what pydantic does not expect."""

    width: int = 8

    @field_validator("width")
    @classmethod
    def _divides(cls, width: int) -> int:
        return 64 // width


class Unserializable(Config, arbitrary_types_allowed=True):
    """A default that JSON cannot hold."""

    thing: Any = Field(default_factory=object)


def test_a_validator_that_raises_anything_is_one_line() -> None:
    with pytest.raises(ConfigError, match="trunk: Raises cannot judge these settings: ZeroDivisionError"):
        parse(Raises, {"width": 0}, "trunk")


def test_settings_that_json_cannot_hold(tiny_catalogue: Catalogue, tiny_recipe: Recipe) -> None:
    recipe, catalogue = _with(tiny_catalogue, tiny_recipe, TrunkSpec(**{**TRUNK, "config": Unserializable}))
    with pytest.raises(PluginError, match="settings of trunk 'tiny/odd' as JSON failed: PydanticSerializationError"):
        resolve(recipe, catalogue)


@pytest.mark.parametrize(
    ("contract", "reason"),
    [(lambda config: {}, "is a dict, not a TaskContract"), (raising(KeyError("x")), "failed: KeyError")],
)
def test_a_contract_that_is_none(contract: Callable[[Any], Any], reason: str) -> None:
    spec = TaskSpec(**{**TASK, "contract": contract})
    task = Configured("task", "tiny/odd", spec, ROW, Settings())
    with pytest.raises(PluginError, match=reason):
        contract_of(task)


def test_what_a_plugin_prints_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with plugin_code("printing"):
        print("hello")
    assert capsys.readouterr() == ("", "hello\n")


def test_strict_lets_a_plugins_exception_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKZOO_STRICT", "1")
    with pytest.raises(LookupError), plugin_code("anything"):
        raise LookupError


def test_our_own_errors_pass_unchanged() -> None:
    with pytest.raises(ZooError, match=r"^mine$"), plugin_code("anything"):
        raise ContractError("mine")
