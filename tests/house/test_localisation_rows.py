"""The table of results/localisation is what its rows say."""

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "results" / "localisation"


def _last(row: dict[str, Any]) -> list[float]:
    errors: dict[str, list[float]] = row["errors"]
    return errors[max(errors, key=int)]


def test_every_line_of_the_table() -> None:
    rows = [json.loads(line) for line in (FOLDER / "two-arm-handover.jsonl").read_text().splitlines()]
    lines = re.findall(r"^\| (\d+) \| ([^|]+) \|(.+)\|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    said = {(int(scenes), settings): [cell.strip() for cell in cells.split("|")] for scenes, settings, cells in lines}
    found = {}
    for scenes, settings in said:
        mine = [r for r in rows if r["scenes"] == scenes and (" ".join(r["set"]) or "as the recipes") == settings]
        trunks = [[_last(row) for row in mine if row["trunk"] == trunk] for trunk in ("resnet-18", "conv-18")]
        found[scenes, settings] = [", ".join(f"{e[k]:.1f}" for e in errors) for errors in trunks for k in (0, 1)]
    assert said == found
    assert sum(len(cells[k].split(", ")) for cells in said.values() for k in (0, 2) if cells[k]) == len(rows)
