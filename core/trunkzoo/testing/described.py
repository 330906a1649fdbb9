"""Rules that every record keeps, whatever it builds: it is light, and its configuration is honest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from pydantic import ValidationError

from trunkzoo.errors import UsageError
from trunkzoo.testing.check import Subject, require

_PROBE = """
import sys
from trunkzoo.registry import open_zoo
catalogue = open_zoo().catalogue
rows = [row for row in catalogue.plugins if row.status != "disabled"]
heavy = [name for name in ("torch", "mujoco", "robosuite", "transformers", "timm") if name in sys.modules]
ids = [id for _, id, _ in catalogue.everything()]
print(__import__("json").dumps({"ids": ids, "heavy": heavy, "reasons": [row.reason for row in rows]}))
"""


def describes_without_torch(subject: Subject[Any]) -> None:
    """A fresh process lists the record, and has then imported neither torch nor a simulator."""
    # a fresh process, because this one may have imported torch long ago; one plugin, so that the fault is its own
    environment = os.environ | {"TRUNKZOO_PLUGINS": subject.plugin}
    run = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True, check=False)
    require(run.returncode == 0, f"a fresh process cannot read the catalogue: {run.stderr.strip()[-300:]}")
    found = json.loads(run.stdout)
    require(not found["heavy"], f"describing it imports {', '.join(found['heavy'])}; import them inside build()")
    require(subject.id in found["ids"], f"a fresh process does not list it: {'; '.join(found['reasons'])}")


def config_rejects_unknown_keys(subject: Subject[Any]) -> None:
    """The configuration refuses a key that it does not know."""
    try:
        type(subject.config).model_validate({**subject.config.model_dump(), "no_such_setting": 1})
    except (ValidationError, UsageError):
        return
    require(False, f"{type(subject.config).__name__} accepts the unknown key 'no_such_setting'; keep extra='forbid'")


def config_round_trips(subject: Subject[Any]) -> None:
    """The configuration survives JSON, which is how checkpoints keep it."""
    model = type(subject.config)
    again = model.model_validate_json(subject.config.model_dump_json())
    require(again == subject.config, f"after JSON {model.__name__} is {again!r}, before it was {subject.config!r}")
