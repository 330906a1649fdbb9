"""robomimic HDF5 and diffusion_policy zarr become LeRobot v3."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from trunkzoo.data.check import check_dataset
from trunkzoo.data.convert.convert import convert_dataset
from trunkzoo.data.convert.sources import Choices, as_pixels
from trunkzoo.data.lerobot.images import frames_at
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.errors import DataError, UsageError

LENGTHS = {0: 5, 1: 7, 2: 4, 10: 6}


@pytest.fixture
def robomimic(tmp_path: Path) -> Path:
    """Demonstrations 0, 1, 2 and 10, whose images are as bright as their number; 20 Hz."""
    path = tmp_path / "image_v15.hdf5"
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "NutAssemblySquare", "env_kwargs": {"control_freq": 20}})
        for number, length in LENGTHS.items():
            demo = data.create_group(f"demo_{number}")
            demo["actions"] = np.full((length, 7), number, np.float64)
            obs = demo.create_group("obs")
            obs["agentview_image"] = np.full((length, 12, 8, 3), 10 * number, np.uint8)
            obs["object"] = np.zeros((length, 14))
            for part, width in (("gripper_qpos", 2), ("eef_quat", 4), ("eef_pos", 3)):
                obs[f"robot0_{part}"] = np.full((length, width), width + 10 * number, np.float64)
    return path


@pytest.fixture
def replay(tmp_path: Path) -> Path:
    """Two episodes of 6 and 4 rows; float images in 0…255."""
    path = tmp_path / "pusht.zarr"
    root = zarr.open_group(str(path), "w")
    data = root.create_group("data")
    data["img"] = np.tile(np.arange(10, dtype=np.float32)[:, None, None, None] * 20, (1, 12, 8, 3))
    data["action"] = np.arange(20, dtype=np.float32).reshape(10, 2)
    data["state"] = np.arange(50, dtype=np.float32).reshape(10, 5)
    root.create_group("meta")["episode_ends"] = np.array([6, 10])
    return path


def test_robomimic_keeps_order_numbers_and_images(robomimic: Path, tmp_path: Path) -> None:
    facts = convert_dataset(robomimic, tmp_path / "out", Choices())
    reader = LeRobotReader(tmp_path / "out")
    assert facts["episodes"] == 4
    assert [len(ep) for ep in reader.episodes] == list(LENGTHS.values())
    columns = reader.columns(["action", "observation.state"])
    starts = [ep.start for ep in reader.episodes]
    assert columns["action"][starts, 0].tolist() == list(LENGTHS)
    assert columns["observation.state"][0].tolist() == [3, 3, 3, 4, 4, 4, 4, 2, 2]  # position, quaternion, gripper
    assert [int(f.max()) for f in frames_at(reader, "observation.images.agentview", starts)] == [0, 10, 20, 100]
    assert (reader.info.fps, reader.tasks) == (20, ("NutAssemblySquare",))
    assert not any(check.faults for check in check_dataset(tmp_path / "out"))


def test_choices_rename_and_slice(robomimic: Path, tmp_path: Path) -> None:
    choices = Choices(
        task="insert", fps=10, state=("robot0_eef_pos[:2]", "object"), cameras={"front": "agentview_image"}
    )
    convert_dataset(robomimic, tmp_path / "out", choices)
    reader = LeRobotReader(tmp_path / "out")
    assert reader.info.cameras == ("observation.images.front",)
    assert reader.info.features["observation.state"].shape == (16,)
    assert (reader.info.fps, reader.tasks) == (10, ("insert",))


@pytest.mark.parametrize("video", [False, True])
def test_zarr_is_cut_at_its_episode_ends(replay: Path, tmp_path: Path, video: bool) -> None:
    convert_dataset(replay, tmp_path / "out", Choices(fps=10), video=video)
    reader = LeRobotReader(tmp_path / "out")
    assert [(ep.start, ep.stop) for ep in reader.episodes] == [(0, 6), (6, 10)]
    assert reader.columns(["action"])["action"].tolist() == np.arange(20.0).reshape(10, 2).tolist()
    shades = [float(f.mean()) for f in frames_at(reader, "observation.images.img", range(10))]
    assert np.allclose(shades, np.arange(10) * 20, atol=3 if video else 0)


def test_a_zipped_zarr_is_read(replay: Path, tmp_path: Path) -> None:
    with zarr.ZipStore(str(tmp_path / "z.zarr.zip"), mode="w") as store:
        zarr.copy_store(zarr.DirectoryStore(str(replay)), store)
    assert convert_dataset(tmp_path / "z.zarr.zip", tmp_path / "out", Choices(fps=10))["frames"] == 10


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(), "does not state its frame rate; give it"),
        (Choices(fps=10, state=("stat",)), "no array 'stat'. Did you mean 'state'"),
        (Choices(fps=10, state=("state[a]",)), "neither KEY nor KEY"),
        (Choices(fps=10, state=("state[3:7]",)), "columns that 'state' of shape (6, 5) does not have"),
        (Choices(fps=10, state=("state[5:]",)), "columns that 'state' of shape (6, 5) does not have"),
        (Choices(fps=-3), "must be a positive number"),
        (Choices(fps=10, cameras={"front": "image"}), "no array 'image'. Did you mean 'img'"),
    ],
)
def test_a_wrong_or_missing_choice_names_the_right_one(
    replay: Path, tmp_path: Path, choices: Choices, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        convert_dataset(replay, tmp_path / "out", choices)
    assert told in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_state_array_is_no_camera(replay: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'state' has shape \(6, 5\); a camera is \(frames, height, width, 3\)"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10, cameras={"front": "state"}))


def test_robomimic_without_observations_names_the_script(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "raw.hdf5", "w") as file:
        file.create_group("data").create_group("demo_0")["actions"] = np.zeros((3, 7))
    with pytest.raises(DataError, match="dataset_states_to_obs"):
        convert_dataset(tmp_path / "raw.hdf5", tmp_path / "out", Choices())


def test_a_cut_hdf5_file_is_named(robomimic: Path, tmp_path: Path) -> None:
    robomimic.write_bytes(robomimic.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"image_v15\.hdf5 cannot be read"):
        convert_dataset(robomimic, tmp_path / "out", Choices())


def test_depth_images_groups_and_loose_arrays_are_no_cameras_or_demonstrations(robomimic: Path, tmp_path: Path) -> None:
    with h5py.File(robomimic, "a") as file:
        file["data"]["total"] = np.array(4)
        file["data"].attrs["env_args"] = json.dumps({"env_name": "NutAssemblySquare", "env_kwargs": None})
        file["data/demo_0/obs"].create_group("notes")
        file["data/demo_0/obs/agentview_depth"] = np.zeros((5, 12, 8, 1))
    facts = convert_dataset(robomimic, tmp_path / "out", Choices(fps=20))
    assert (facts["episodes"], facts["cameras"]) == (4, {"agentview": "agentview_image"})


@pytest.mark.parametrize("lost", ["obs", "actions"])
def test_a_demonstration_that_lacks_something_is_one_line(robomimic: Path, tmp_path: Path, lost: str) -> None:
    with h5py.File(robomimic, "a") as file:
        del file[f"data/demo_10/{lost}"]
    with pytest.raises(DataError, match=rf"image_v15\.hdf5 cannot be read .*{lost}"):
        convert_dataset(robomimic, tmp_path / "out", Choices())
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/img/.zarray", b"{"),
        ("data/img/0.0.0.0", b"x"),
        (".zgroup", b"{"),
    ],
)
def test_a_damaged_zarr_is_one_line(replay: Path, tmp_path: Path, name: str, text: bytes) -> None:
    (replay / name).write_bytes(text)
    with pytest.raises(DataError, match=r"pusht\.zarr cannot be read"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10))


def test_a_cut_zip_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "z.zarr.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"z\.zarr\.zip cannot be read"):
        convert_dataset(tmp_path / "z.zarr.zip", tmp_path / "out", Choices(fps=10))


def test_an_empty_episode_is_named(replay: Path, tmp_path: Path) -> None:
    zarr.open_group(str(replay))["meta/episode_ends"][:] = [0, 10]
    with pytest.raises(DataError, match="episode 0 has no frames"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10))


@pytest.mark.parametrize(
    "ends", [[-1, 10], [-4, -1], [6, 6], [6, 11], [2.5, 10.0], [float("nan"), 10.0], [-(2**63), 10]]
)
def test_ends_that_are_none_are_refused(ends: list[float], replay: Path, tmp_path: Path) -> None:
    meta = zarr.open_group(str(replay))["meta"]
    del meta["episode_ends"]
    meta["episode_ends"] = np.array(ends)
    with pytest.raises(DataError, match=r"episode_ends does not ascend|cannot be read"):
        convert_dataset(replay, tmp_path / "out", Choices(fps=10))
    assert not (tmp_path / "out").exists()


def test_pixels_are_finite_and_whole_numbers_keep_their_scale() -> None:
    assert as_pixels(np.ones((1, 2, 2, 3), np.int64), "img").max() == 1
    assert as_pixels(np.ones((1, 2, 2, 3), np.float32), "img").max() == 255
    with pytest.raises(DataError, match="not finite"):
        as_pixels(np.full((1, 2, 2, 3), np.nan), "img")


@pytest.mark.parametrize("name", ["nowhere.hdf5", "text.txt"])
def test_other_sources_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("")
    with pytest.raises(UsageError, match=r"does not exist|is neither robomimic"):
        convert_dataset(tmp_path / name, tmp_path / "out", Choices())
