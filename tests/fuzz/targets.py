"""What is fuzzed: each target reads bytes of anybody, and may raise nothing but a ZooError."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from outputs import output_targets

from trunkzoo.catalogue.catalogue import load_catalogue
from trunkzoo.checkpoint.header import HEADER_START, read_header
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.data.cache import FRAMES, SEAL, _map
from trunkzoo.data.check import check_dataset
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.summary import dataset_facts
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import ZooError, printable_lines
from trunkzoo.plugin import Contract
from trunkzoo.registry import Registry, Zoo, packaged_registry, parse_assignments
from trunkzoo.registry.file import read_file
from trunkzoo.rollouts.seeds import parse_seeds

Target = Callable[[bytes], None]
CONTRACT = Contract(
    cameras=("front",), image_size=(8, 8), state_dim=2, action_dim=2, keypoints=2, camera_dim=2, cond_dim=4
)
RECIPE = "imf-resnet18"


def targets(folder: Path) -> Mapping[str, Target]:
    """The targets by the name of their corpus; they work in ``folder``."""
    zoo = Zoo(load_catalogue(packaged_registry().names), packaged_registry())
    data = folder / "data"
    write_synthetic(data, CONTRACT, (3, 2))
    return {
        "header": lambda text: _header(folder / "header.safetensors", text),
        "manifest": lambda text: _manifest(folder, text),
        "info": lambda text: _dataset(data, "meta/info.json", text),
        "stats": lambda text: _dataset(data, "meta/stats.json", text),
        "rows": lambda text: _dataset(data, "data/chunk-000/file-000.parquet", text),
        "episodes": lambda text: _dataset(data, "meta/episodes/chunk-000/file-000.parquet", text),
        "registry": lambda text: _registry(folder / "registry.toml", zoo, text),
        "set": lambda text: _set(zoo, text),
        "seeds": lambda text: _seeds(text),
        "cache": lambda text: _cache(folder / "cache", text),
        **output_targets(folder, CONTRACT),
    }


def _header(file: Path, text: bytes) -> None:
    file.unlink(missing_ok=True)
    file.write_bytes(len(text).to_bytes(HEADER_START, "little") + text + bytes(64))
    with contextlib.suppress(ZooError):
        read_header(file).contract.sum_line()


def _manifest(folder: Path, text: bytes) -> None:
    (folder / "model.safetensors").write_bytes((2).to_bytes(HEADER_START, "little") + b"{}")
    (folder / "manifest.json").write_bytes(text)
    with contextlib.suppress(ZooError):
        read_verified(folder / "model.safetensors")


def _dataset(data: Path, name: str, text: bytes) -> None:
    whole = (data / name).read_bytes()
    (data / name).write_bytes(text)
    try:
        with contextlib.suppress(ZooError):
            dataset_facts(LeRobotReader(data))
        for check in check_dataset(data):
            printable_lines("\n".join(check.faults)).encode()
    finally:
        (data / name).write_bytes(whole)


def _registry(file: Path, zoo: Zoo, text: bytes) -> None:
    file.write_bytes(text)
    with contextlib.suppress(ZooError):
        registry = Registry((*packaged_registry().files, read_file(file)))
        mine = Zoo(zoo.catalogue, registry)
        for name in registry.recipe_names()[-3:]:
            with contextlib.suppress(ZooError):
                mine.recipe(name)


def _set(zoo: Zoo, text: bytes) -> None:
    with contextlib.suppress(ZooError):
        zoo.recipe(RECIPE, parse_assignments(text.decode("utf-8", "surrogateescape").split("\n")))


def _seeds(text: bytes) -> None:
    with contextlib.suppress(ZooError):
        len(parse_seeds(text.decode("utf-8", "surrogateescape")))


def _cache(place: Path, text: bytes) -> None:
    place.mkdir(exist_ok=True)
    seal, _, frames = text.partition(b"\n")
    (place / SEAL).write_bytes(seal)
    (place / FRAMES).unlink(missing_ok=True)  # a mapping of the old one may live
    (place / FRAMES).write_bytes(frames)
    with contextlib.suppress(ZooError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _map(place, (2, 8, 8, 3)).sum()
