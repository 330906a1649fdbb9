"""robosuite as it is set up for this package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("robosuite")


@pytest.mark.slow
def test_the_first_import_compiles_robosuite_without_a_warning(tmp_path: Path) -> None:
    code = "from trunkzoo_robosuite.simulator import make_scene; make_scene('TwoArmLift')"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-W", "error::SyntaxWarning", "-c", code]
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
