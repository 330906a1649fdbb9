"""An import inside a function has a reason: what it loads is heavy, or an extra that may be missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CORE = Path(__file__).parents[2] / "core"
HEAVY = {
    "torch",
    "mujoco",
    "ray",
    "submitit",
    "huggingface_hub",
    "matplotlib",
    "zarr",
    "h5py",
    "av",
    "PIL",
    "pyarrow",
    "numpy",
    "safetensors",
    "rich",
    "pytest",
}


def _modules() -> dict[str, Path]:
    return {
        ".".join(path.relative_to(CORE).with_suffix("").parts).removesuffix(".__init__"): path
        for path in CORE.rglob("*.py")
    }


MODULES = _modules()


def _imported(nodes: list[ast.stmt]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _home(name: str) -> str:
    """The module that ``name``, a module or a name of one, is imported from."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def _loads(module: str) -> frozenset[str]:
    """Every outside package that importing this module of core loads."""
    found, seen, waiting = set(), set(), [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for target in _imported(ast.parse(MODULES[name].read_text()).body):
            home = _home(target)
            (waiting if home else []).append(home)
            if not home:
                found.add(target.partition(".")[0])
    return frozenset(found)


def _lazy(path: Path) -> Iterator[str]:
    """What functions of this file import on a line that gives no reason of its own."""
    lines = path.read_text().splitlines()
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            inside = [node for node in ast.walk(function) if isinstance(node, ast.stmt)]
            yield from _imported([node for node in inside if "  # " not in lines[node.lineno - 1]])


def test_every_import_inside_a_function_loads_something_heavy_or_says_why() -> None:
    idle = []
    for module, path in sorted(MODULES.items()):
        for target in _lazy(path):
            home = _home(target)
            loads = _loads(home) if home else {target.partition(".")[0]}
            if not (loads - _loads(module)) & HEAVY:
                idle.append(f"{path.relative_to(CORE)}: {target}")
    assert not idle, "move these to the top of their file, or say why not:\n" + "\n".join(idle)
