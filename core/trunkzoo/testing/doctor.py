"""Diagnose versions, registry, plugins, records, renderer and devices, with a line that repairs each fault."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.catalogue.discovery import PluginRow
from trunkzoo.catalogue.edits import editable_folder
from trunkzoo.catalogue.guard import contained
from trunkzoo.errors import ZooError, install_command, one_line
from trunkzoo.plugin.records import install_line
from trunkzoo.registry import Zoo, open_zoo
from trunkzoo.simulation.gl import INSTALL_LINE, choose_gl
from trunkzoo.testing.check import Subject, subject_of
from trunkzoo.testing.simulators import SIMULATORS, installed_version, numpy_held_back, unmet

PACKAGES = (
    "torch",
    "numpy",
    "pydantic",
    "safetensors",
    "accelerate",
    "pyarrow",
    "av",
    "mujoco",
    *SIMULATORS,
    "transformers",
)


_PRINT_REASON = """
import sys
from trunkzoo.registry import open_zoo
print(*(row.reason for row in open_zoo().catalogue.plugins if [row.name, row.distribution] == sys.argv[1:]))
"""


@dataclass(frozen=True)
class Finding:
    """One diagnosis. ``mend`` is the line that repairs it, empty when nothing is wrong."""

    area: str
    name: str
    ok: bool
    detail: str
    mend: str = ""
    trace: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)


def examine() -> Iterator[Finding]:
    """Yield every finding, the quick ones first."""
    yield from _versions()
    zoo = open_zoo()
    yield from _registry(zoo)
    catalogue = zoo.catalogue
    for note in catalogue.limit_notes():
        yield Finding("plugin", "TRUNKZOO_PLUGINS", False, note, "unset TRUNKZOO_PLUGINS, or correct the name")
    yield from _plugins(catalogue)
    yield from _records(catalogue)
    yield _renderer()
    yield from _devices()


def _versions() -> Iterator[Finding]:
    yield Finding("version", "python", True, f"{platform.python_version()} on {platform.platform()}")
    for name in ("trunkzoo", *PACKAGES):
        version = installed_version(name) or "not installed"
        held_back = numpy_held_back() if name == "numpy" else ""
        yield Finding("version", name, True, f"{version}, {held_back}" if held_back else version)
    yield from _unmet()


def _unmet() -> Iterator[Finding]:
    """Simulators lack packages, or have other versions than they ask for, where pip did not follow their requirements."""
    for name in filter(installed_version, SIMULATORS):
        for requirement, here in unmet(name):
            needed = f"{requirement.name}{requirement.specifier}"
            detail = f"{name} asks for {needed}, here is {here or 'none'}"
            yield Finding("version", requirement.name, False, detail, f"pip install '{needed}'")


def _registry(zoo: Zoo) -> Iterator[Finding]:
    if zoo.fault is not None:
        mend = "correct that line; until then ours alone counts"
        yield Finding("registry", "registry.toml", False, str(zoo.fault), mend)
        return
    for file in zoo.registry.files:
        yield Finding(
            "registry", file.label, True, f"{len(file.content.recipes)} recipes, {len(file.content.suites)} suites"
        )


def _plugins(catalogue: Catalogue) -> Iterator[Finding]:
    hidden = False
    for row in catalogue.plugins:
        reason = row.reason
        if hidden and row.status == "ok" and not reason:  # the first one to import torch hides all that follow
            reason = _reason_alone(row)
        hidden = hidden or row.imports_torch
        yield _plugin(row, reason)


def _plugin(row: PluginRow, reason: str) -> Finding:
    ok = row.status == "disabled" or (row.status == "ok" and not reason)
    trace = "".join(traceback.format_exception(row.error)) if row.error else ""
    detail = f"{row.status}, {row.distribution} {row.version}: {reason or row.offers()}"
    return Finding("plugin", row.name, ok, detail, "" if ok else _mend(row), trace)


def _mend(row: PluginRow) -> str:
    if row.status == "conflict":
        return install_command(row.distribution, verb="uninstall")
    if row.status == "incompatible":
        return install_command(row.upgrade, verb="install -U")
    if row.distribution == "trunkzoo":
        return f'reinstall trunkzoo, or write [plugins] disabled = ["{row.name}"] in a registry.toml of your own'
    upgrade, away = (install_command(row.distribution, verb=verb) for verb in ("install -U", "uninstall"))
    folder = editable_folder(row.distribution)
    return f"{f'correct its files in {folder}' if folder else upgrade}, or {away}"


def _reason_alone(row: PluginRow) -> str:
    """The reason that a plugin's row has when nothing was imported before it."""
    environment = os.environ | {"TRUNKZOO_PLUGINS": row.name}
    command = [sys.executable, "-c", _PRINT_REASON, row.name, row.distribution]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout.strip()


def _records(catalogue: Catalogue) -> Iterator[Finding]:
    """Records whose defaults their own schema refuses, and trunks that are not what they declare."""
    for kind, id, spec in catalogue.everything():
        try:
            with contained():
                subject: Subject[Any] = subject_of(id, spec)
                if kind == "trunk":
                    _try_trunk(subject)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a record may raise anything; it is a row with its own reason
            mend = f"tell the author of {catalogue.plugin_of(id).distribution}; `zoo check {id}` shows all rules"
            trace = "".join(traceback.format_exception(error))
            yield Finding(kind, id, False, one_line(error), mend, trace)


def _try_trunk(subject: Any) -> None:
    """Build and run it on the meta device, unless it cannot, or its optional packages are absent."""
    import torch

    from trunkzoo.testing.trunk_forms import SIZES, compare_shapes

    if "builds-on-meta" in subject.spec.known_gaps or install_line(subject.spec):
        return
    with torch.device("meta"):
        trunk = subject.spec.build(subject.config)
    compare_shapes(trunk, "meta", SIZES[-1:])  # the odd one; `zoo check` has them all


def _renderer() -> Finding:
    if find_spec("mujoco") is None:
        return Finding(
            "renderer", "mujoco", True, "not installed; simulator tasks need pip install 'trunkzoo[simulators]'"
        )
    try:
        return Finding("renderer", "MUJOCO_GL", True, choose_gl())
    except ZooError as error:
        return Finding("renderer", "MUJOCO_GL", False, str(error).splitlines()[0], INSTALL_LINE)


def _devices() -> Iterator[Finding]:
    import torch

    yield Finding("device", "cpu", True, f"{os.cpu_count()} cores, {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        yield Finding("device", f"cuda:{i}", True, f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
