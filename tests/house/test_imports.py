"""What may import what, and what must stay light."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "numpy",
    "scipy",
    "matplotlib",
    "pyarrow",
    "mujoco",
    "robosuite",
    "transformers",
    "timm",
    "lerobot",
    "rich.table",
)


def loaded_after(code: str, cwd: Path) -> set[str]:
    """Names of the heavy modules that a fresh process has after ``code``."""
    probe = f"{code}\nimport json, sys\nprint(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def plugin_packages() -> list[str]:
    return sorted(path.name for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").is_file())


@pytest.mark.parametrize(
    "package", ["trunkzoo", "trunkzoo.api", "trunkzoo.testing", "trunkzoo_cli.app", *plugin_packages()]
)
def test_importing_a_package_stays_light(package: str, tmp_path: Path) -> None:
    assert loaded_after(f"import {package}", tmp_path) == set()


@pytest.mark.parametrize("arguments", [["list"], ["plugins"], ["--help"], ["list", "--json"]])
def test_commands_that_only_describe_stay_light(arguments: list[str], tmp_path: Path) -> None:
    run = f"import trunkzoo_cli.app as a\ntry: a.main({arguments!r})\nexcept SystemExit as e: assert not e.code"
    assert loaded_after(run, tmp_path) <= {"rich.table"}


def test_the_page_of_a_suite_is_written_without_torch(tmp_path: Path) -> None:
    code = "import trunkzoo.suites.results, trunkzoo.suites.run, trunkzoo.report.suite_page"
    assert "torch" not in loaded_after(code, tmp_path)


@pytest.mark.parametrize("folder", ["core", "cli", "plugins", "tests"])
def test_source_roots_are_not_packages(folder: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {folder}"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1


def test_dependencies_point_one_way() -> None:
    """The contracts of pyproject.toml: cli → core ← plugins, and no plugin imports another."""
    linter = "from importlinter.cli import lint_imports_command as lint; lint(['--no-cache'])"
    done = subprocess.run(
        [sys.executable, "-c", linter], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stdout
    assert " kept, 0 broken." in done.stdout  # it did look


def test_every_plugin_package_is_under_the_contracts() -> None:
    contracts = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
    root_packages = contracts.partition("[[")[0]
    assert [name for name in plugin_packages() if f'"{name}"' not in root_packages] == []
