"""Datasets that were made to do harm: no code in them runs, no other file is read, and nothing is wrong without a word."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zarr
from PIL import Image

from small_data import CONTRACT
from trunkzoo.data import open_dataset
from trunkzoo.data.check import check_dataset
from trunkzoo.data.convert.convert import convert_dataset
from trunkzoo.data.convert.sources import Choices
from trunkzoo.data.lerobot.images import decode_image
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.errors import DataError

SECRET = b"a key of somebody else" * 40


class Harm:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    path = tmp_path / "push.zarr"
    root = zarr.open_group(str(path), "w")
    data = root.create_group("data")
    data["img"] = np.zeros((10, 12, 8, 3), np.uint8)
    data["action"] = np.zeros((10, 2), np.float32)
    data["state"] = np.zeros((10, 5), np.float32)
    root.create_group("meta")["episode_ends"] = np.array([6, 10])
    return path


@pytest.mark.parametrize(
    "change",
    [
        {"filters": [{"id": "pickle", "protocol": 5}]},
        {"compressor": {"id": "pickle", "protocol": 5}},
        {"dtype": "|O", "filters": [{"id": "vlen-utf8"}]},
        {"filters": [{"id": "categorize", "labels": ["a"], "dtype": "|O", "astype": "|u1"}]},
        {"filters": [{"id": "delta", "dtype": "|O"}]},
        {"compressor": {"id": "imagecodecs_jpeg2k"}},
        {"dtype": [["a", "|O"], ["b", "<f4"]]},
    ],
)
@pytest.mark.parametrize("array", ["data/state", "meta/episode_ends"])
def test_only_codecs_of_numbers_are_run(replay: Path, tmp_path: Path, change: dict[str, Any], array: str) -> None:
    described = replay / array / ".zarray"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"compressor": None} | change))
    for chunk in (replay / array).glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(Harm(tmp_path / "harm")))
    with pytest.raises(DataError, match=r"push\.zarr: .*(is coded with|holds)"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10))
    assert not (tmp_path / "harm").exists()


def test_a_linked_chunk_is_not_read(replay: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    described = replay / "data/state/.zarray"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"compressor": None}))
    (replay / "data/state/0.0").unlink()
    (replay / "data/state/0.0").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError, match="is a link to another place"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10))
    assert not (tmp_path / "out").exists()


def _external_storage(obs: Any, secret: Path) -> None:
    obs.create_dataset("eef", (4, 5), np.uint8, external=[(str(secret), 0, 20)])


def _external_link(obs: Any, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["eef"] = np.ones((4, 5))
    obs["eef"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/eef")


def _linked_group(obs: Any, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["group/eef"] = np.ones((4, 5))
    obs.file["elsewhere"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/group")
    obs["eef"] = h5py.SoftLink("/elsewhere/eef")


def _virtual(obs: Any, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["eef"] = np.ones((4, 5))
    layout = h5py.VirtualLayout((4, 5), np.float64)
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "eef", (4, 5))
    obs.create_virtual_dataset("eef", layout)


@pytest.mark.parametrize("make", [_external_storage, _external_link, _linked_group, _virtual])
def test_no_other_file_ends_in_the_new_dataset(tmp_path: Path, make: Callable[[Any, Path], None]) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    with h5py.File(tmp_path / "demo.hdf5", "w") as file:
        demo = file.create_group("data/demo_0")
        demo["actions"] = np.zeros((4, 2))
        obs = demo.create_group("obs")
        obs["front_image"] = np.zeros((4, 12, 8, 3), np.uint8)
        make(obs, tmp_path / "secret")
    with pytest.raises(DataError, match="whose data lie in another file"):
        convert_dataset(tmp_path / "demo.hdf5", tmp_path / "out", Choices(fps=10, state=("eef",)))
    assert not (tmp_path / "out").exists()


def _image(kind: str, size: tuple[int, int] = (16, 24)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size).save(buffer, format=kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_images_of_the_three_formats_are_decoded(kind: str) -> None:
    assert decode_image(_image(kind)).shape == (24, 16, 3)


@pytest.mark.parametrize("kind", ["EPS", "TIFF", "BMP", "GIF", "PPM", "PDF"])
def test_no_other_decoder_is_tried(kind: str) -> None:
    with pytest.raises(OSError, match="cannot identify"):
        decode_image(_image(kind))


def test_an_image_of_too_many_pixels_is_not_decoded() -> None:
    with pytest.raises(ValueError, match="pixels"):
        decode_image(_image("PNG", (1 << 14, 1 << 12 | 1)))


def test_a_playlist_is_no_video(videos: Path, tmp_path: Path) -> None:
    path = videos / "videos/observation.images.wrist/chunk-000/file-000.mp4"
    path.rename(tmp_path / "other.mp4")
    path.write_text(f"#EXTM3U\n#EXTINF:10,\n{tmp_path / 'other.mp4'}\n#EXT-X-ENDLIST\n")
    with pytest.raises(DataError, match="cannot be decoded"):
        open_dataset(videos, CONTRACT)


@pytest.mark.parametrize(
    "place",
    [
        "../../other/{chunk_index}-{file_index}",
        "/etc/{chunk_index}",
        "{chunk_index.__class__}",
        "{file_index:999999999d}",
    ],
)
def test_files_of_a_dataset_lie_in_it(data: Path, place: str) -> None:
    info = data / "meta/info.json"
    info.write_text(json.dumps(json.loads(info.read_text()) | {"data_path": place}))
    with pytest.raises(DataError, match=r"leads out of the dataset|is no path with"):
        LeRobotReader(data)


@pytest.mark.parametrize(
    "name", ["data/chunk-000/file-000.parquet", "meta/episodes/chunk-000/file-000.parquet", "meta/stats.json"]
)
@pytest.mark.parametrize("endless", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_never_ends_is_no_file(data: Path, name: str, endless: Callable[[Path], None]) -> None:
    (data / name).unlink()
    endless(data / name)
    assert any("not a regular file" in fault for check in check_dataset(data) for fault in check.faults)


def test_more_features_than_any_robot_has_are_refused(data: Path) -> None:
    info = data / "meta/info.json"
    read = json.loads(info.read_text())
    more = {f"more.{number}": {"dtype": "float32", "shape": [1]} for number in range(5000)}
    info.write_text(json.dumps(read | {"features": read["features"] | more}))
    with pytest.raises(DataError, match="features, 4,096 are read at most"):
        LeRobotReader(data)


def _replace_column(data: Path, name: str, values: pa.Array) -> None:
    path = data / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(table.schema.get_field_index(name), name, values), path)


@pytest.mark.parametrize("which", ["neighbour", "far"])
def test_two_rows_at_one_time_have_no_video_frame_each(videos: Path, which: str) -> None:
    seconds = pq.read_table(videos / "data/chunk-000/file-000.parquet")["timestamp"].to_pylist()
    seconds[7] = seconds[6] if which == "neighbour" else seconds[1]
    _replace_column(videos, "timestamp", pa.array(seconds, pa.float32()))
    with pytest.raises(DataError, match=r"rows \d+ and 7 are both at"):
        open_dataset(videos, CONTRACT)
    faults = {check.name: check.faults for check in check_dataset(videos)}
    assert any("are both at" in fault for fault in faults["video frames = rows"])


@pytest.mark.parametrize("key", ["action", "observation.state"])
def test_a_ragged_column_whose_sum_fits_is_refused(data: Path, key: str) -> None:
    rows = pq.read_table(data / "data/chunk-000/file-000.parquet")[key].to_pylist()
    rows[3], rows[4] = rows[3][:1], [*rows[4], *rows[3][1:]]
    _replace_column(data, key, pa.array(rows, pa.list_(pa.float32())))
    with pytest.raises(DataError, match=rf"column {key} holds lists of several lengths"):
        open_dataset(data, CONTRACT)
    faults = {check.name: check.faults for check in check_dataset(data)}
    assert any("several lengths" in fault for fault in faults["shapes and finite numbers"])


def _cached(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache/frames").glob("*/frames.npy"))


def _flip(path: Path) -> None:
    np.save(path, np.ascontiguousarray(np.load(path)[:, ::-1]))


def _fortran(path: Path) -> None:
    np.save(path, np.asfortranarray(np.load(path)))


def _one_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)


def _archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, frames=np.zeros(3))


def _deep(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY\x01\x00" + (5000).to_bytes(2, "little") + b"(" * 5000)


@pytest.mark.parametrize("tamper", [_flip, _fortran, _one_bit, _archive, _deep, lambda path: path.write_bytes(b"")])
def test_a_cache_that_was_changed_is_refused(data: Path, tmp_path: Path, tamper: Callable[[Path], None]) -> None:
    open_dataset(data, CONTRACT)
    tamper(_cached(tmp_path)[0])
    with pytest.raises(DataError, match="delete it and run again"):
        open_dataset(data, CONTRACT)


def test_a_cache_that_was_copied_is_good(data: Path, tmp_path: Path) -> None:
    open_dataset(data, CONTRACT)
    for path in _cached(tmp_path):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    open_dataset(data, CONTRACT)


def test_garbage_in_place_of_digests_is_a_miss(data: Path, tmp_path: Path) -> None:
    open_dataset(data, CONTRACT)
    for note in (tmp_path / "cache/digests").iterdir():
        note.write_bytes(note.read_bytes().rpartition(b" ")[0] + b" \xff\x1b[31m")
    open_dataset(data, CONTRACT)
    assert len(_cached(tmp_path)) == len(CONTRACT.cameras)
