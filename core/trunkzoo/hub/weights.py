"""Pretrained weights on the hub: the files that are read of them, and what came with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from trunkzoo.hub.descriptions import described
from trunkzoo.hub.download import fetch
from trunkzoo.hub.names import HubName, parse_hub_name

WEIGHTS = "model.safetensors"
DESCRIPTIONS = ("config.json", "preprocessor_config.json", "README.md")
_LICENCE = re.compile(r"^license: *['\"]?([\w.+-]+)", re.MULTILINE)
_LONGEST = 1 << 20  # bytes of a description


def pin(name: HubName) -> HubName:
    """The name with the commit that it means now, for which only descriptions are fetched.

    Raises:
        HubError: it is not there, or there is no network and nothing in the cache.
    """
    return name if name.pinned else fetch(name, DESCRIPTIONS).name


def weights_folder(path: str | Path) -> Path:
    """Where the weights of ``hf:ORG/NAME[@REVISION]`` lie with their descriptions, once they are fetched.

    Raises:
        UsageError, HubError: it is no name, not there, has no ``model.safetensors``, or is out of reach.
    """
    return fetch(parse_hub_name(path), (WEIGHTS, *DESCRIPTIONS), (WEIGHTS,)).folder


def about(path: str | Path) -> dict[str, Any]:
    """What came with weights: licence, input size, mean, deviation, patch size, as far as their files say.

    Raises:
        UsageError, HubError: as :func:`weights_folder`.
    """
    found = fetch(parse_hub_name(path), DESCRIPTIONS)
    texts = {name: _text(found.folder / name) for name in DESCRIPTIONS}
    front = texts["README.md"].partition("---")[2].partition("\n---")[0]
    licence = _LICENCE.search(front)
    return {
        "name": str(found.name),
        "licence": licence[1] if licence else "not stated",
        **described(texts["config.json"], texts["preprocessor_config.json"]),
    }


def _text(file: Path) -> str:
    return file.read_bytes()[:_LONGEST].decode("utf-8", "replace") if file.is_file() else ""
