"""What the installed simulator packages ask for and do not find, without what no task of ours uses of it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.version import Version

SIMULATORS = ("robosuite", "metaworld", "gym-aloha", "dm_control")
NEVER_USED = frozenset({"mink", "qpsolvers", "pynput", "pytest", "labmaze", "setuptools"})
"""Asked for by robosuite and dm_control for robots, input devices and mazes that no task has."""
INSTEAD = {"opencv-python": "opencv-python-headless"}
"""Asked for, and what has the same modules without the libraries of a desktop."""


def installed_version(name: str) -> str | None:
    """The version of a distribution, None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def unmet(name: str) -> Iterator[tuple[Requirement, str | None]]:
    """Requirements of the installed distribution ``name`` that are absent or do not fit, and the version that is here."""
    for text in metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.name in NEVER_USED or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        here = installed_version(requirement.name) or installed_version(INSTEAD.get(requirement.name, requirement.name))
        if here is None or not requirement.specifier.contains(here, prereleases=True):
            yield requirement, here


def numpy_held_back() -> str:
    """Why numpy is older than 2 although nothing needs that, and the line that changes it; empty where it is not so."""
    numpy, mink = installed_version("numpy"), installed_version("mink")
    if numpy is None or mink is None or Version(numpy) >= Version("2"):
        return ""
    return (
        f"held below 2 by mink {mink}, which robosuite asks for and no task uses: "
        "pip uninstall mink && pip install -U 'numpy>=2'"
    )
