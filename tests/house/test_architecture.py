"""docs/architecture.md says what is so: rooms, layers, torch, names, files and tests that it mentions are compared with the code."""

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "trunkzoo"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PROBE = """
import importlib, json, pkgutil, sys
import trunkzoo

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("torch was asked for", name="torch")

def loads(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return False
    return True

sys.meta_path.insert(0, NoTorch())
room = f"trunkzoo.{sys.argv[1]}"
face = importlib.import_module(room)  # fails where the room itself wants torch
inside = [m.name for m in pkgutil.walk_packages(getattr(face, "__path__", []), room + ".") if not m.name.endswith("__main__")]
print(json.dumps([loads(name) for name in inside]))
"""


class Room(NamedTuple):
    """A line of the table."""

    layer: int
    name: str
    torch: str
    names: list[str]


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def cells(title: str) -> list[list[str]]:
    """The lines of a section's table without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticked(text: str) -> list[str]:
    """What stands in back-ticks, fenced blocks left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


ROOMS = [Room(int(layer), ticked(name)[0], torch, ticked(names)) for layer, name, _, torch, names in cells("Rooms")]


def layers() -> list[list[str]]:
    """The contract of pyproject.toml, top layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = next(contract for contract in contracts if contract["type"] == "layers")
    return [[room.strip() for room in layer.split("|")] for layer in found["layers"]]


def test_the_table_has_every_folder_and_loose_file_of_core() -> None:
    folders = {path.parent.name for path in CORE.glob("*/__init__.py")}
    loose = {path.stem for path in CORE.glob("*.py")} - {"__init__"}
    assert sorted(room.name for room in ROOMS) == sorted(folders | loose)


def test_layers_are_those_of_the_contract_in_its_order() -> None:
    numbered = enumerate(reversed(layers()), start=1)
    expected = [(number, name) for number, layer in reversed(list(numbered)) for name in layer]
    assert [(room.layer, room.name) for room in ROOMS] == expected


def test_the_picture_shows_the_same_layers() -> None:
    drawn = re.findall(r"^ +(\d+)  ((?:\w+ │ )*\w+)", section("Layers"), re.MULTILINE)
    assert [names.split(" │ ") for _, names in drawn] == layers()
    assert [int(number) for number, _ in drawn] == list(range(len(layers()), 0, -1))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_torch_is_loaded_where_the_table_says(room: Room) -> None:
    done = subprocess.run([sys.executable, "-c", PROBE, room.name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    light = json.loads(done.stdout)
    assert room.torch == ("none" if all(light) else "some" if any(light) else "all")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_public_names_can_be_imported(room: Room) -> None:
    assert room.names
    for name in room.names:
        module, _, attribute = f"trunkzoo.{room.name}.{name}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), f"{module} has no {attribute}"


def test_every_file_named_on_the_page_exists() -> None:
    named = [name for name in ticked(re.sub("```.*?```", "", PAGE, flags=re.DOTALL)) if name.endswith(".py")]
    assert len(named) >= 20
    assert [name for name in named if not (CORE / name).is_file() and not (ROOT / name).is_file()] == []


def test_a_journey_has_five_steps_with_a_file_each() -> None:
    journeys = re.split(r"^\*\*", section("Four journeys"), flags=re.MULTILINE)[1:]
    assert len(journeys) == 4
    for journey in journeys:
        steps = re.split(r"^\d\. ", journey, flags=re.MULTILINE)[1:]
        assert len(steps) == 5
        assert all(any(name.endswith(".py") for name in ticked(step)) for step in steps)


def test_every_test_that_holds_an_invariant_exists() -> None:
    held = [name for _, tests in cells("Five invariants") for name in ticked(tests)]
    assert len(cells("Five invariants")) == 5
    for name in held:
        file, _, function = name.partition("::")
        assert re.search(rf"^def {function}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), name


def test_the_glossary_gives_a_word_one_meaning() -> None:
    words = [word for word, _ in cells("Words")]
    assert len(words) == len(set(words)) >= 20
