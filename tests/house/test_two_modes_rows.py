"""What trunkzoo_imf's README says of noise that enters from zero, on the toy with two modes, is what its rows say."""

import json
import re
from pathlib import Path
from typing import Any

from two_modes import LEFT

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "plugins" / "trunkzoo_imf" / "README.md").read_text()
FILE = ROOT / "results" / "head-learning" / "two-modes.jsonl"
ENTRIES = {"zero": "zero", "torch's default": "wide"}


def _rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in FILE.read_text().splitlines()]


def test_every_line_of_the_table() -> None:
    said = re.findall(r"^\| `(\w+)`, (zero|torch's default) \|(.+)\|$", TEXT, re.MULTILINE)
    found = []
    for head, entry, _ in said:
        mine = [row for row in _rows() if (row["head"], row["entry"]) == (head, ENTRIES[entry])]
        mine.sort(key=lambda row: int(row["seed"]))
        assert [row["seed"] for row in mine] == ([0] if head == "ddim" else [0, 1])
        cells = [[f"{row[f'smaller_{n}']:.2f}, {100 * row[f'near_{n}']:.0f} %" for row in mine] for n in (1, 10)]
        ratio = [f"{row['grad_norm_max'] / row['grad_norm_median']:.1f}" for row in mine]
        spike = [f"{row['grad_norm_spike']:.1f}" for row in mine]
        found.append((head, entry, [*map("; ".join, cells), ", ".join(ratio), ", ".join(spike)]))
    assert [(head, entry, [cell.strip() for cell in cells.split("|")]) for head, entry, cells in said] == found
    assert len({(row["head"], row["entry"]) for row in _rows()}) == len(said)


def test_what_the_rows_show() -> None:
    rows = {(row["head"], row["seed"], row["entry"]): row for row in _rows()}
    for (head, seed, entry), zero in rows.items():
        if entry == "zero":
            wide = rows[head, seed, "wide"]
            for steps, tolerance in ((1, 0.1), (10, 0.06)):  # those of the toy's own test
                lost, usual = (abs(row[f"smaller_{steps}"] - LEFT) for row in (zero, wide))
                assert lost < usual + tolerance
                assert zero[f"near_{steps}"] > wide[f"near_{steps}"] - tolerance


def test_what_is_said_of_shares_and_gradients() -> None:
    text = " ".join(TEXT.split())
    by_entry = {e: [row for row in _rows() if row["entry"] == e] for e in ENTRIES.values()}
    zero, wide = (sorted(rows, key=lambda row: (row["head"], row["seed"])) for rows in by_entry.values())
    pairs = list(zip(zero, wide, strict=True))
    fewer = [f"{b['smaller_1'] - a['smaller_1']:.2f}" for a, b in pairs if a["head"] == "imf"]
    assert f"the smaller mode of `imf` gets {fewer[0]} less from zero with both seeds" in text
    assert fewer == fewer[:1] * 2
    ratios = [[row["grad_norm_max"] / row["grad_norm_median"] for row in rows] for rows in (zero, wide)]
    low, high = (f"{min(found):.1f} to {max(found):.1f}" for found in ratios)
    assert f"the largest is {low} medians from zero and {high} with torch's default" in text
    assert all(a > b for a, b in zip(*ratios, strict=True))
    assert len(pairs) == 5
    low, high = (
        f"{min(found):.1f} to {max(found):.1f}"
        for found in ([r["grad_norm_spike"] for r in rows] for rows in (zero, wide))
    )
    assert f"against the steps around it {low} and {high}: neither" in text
