"""Windows over a dataset: their frames, actions, masks and statistics; and what does not fit."""

from __future__ import annotations

import pickle
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trunkzoo.data import open_dataset
from trunkzoo.data.lerobot.images import frames_at
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.lerobot.writer import LeRobotWriter, task_features
from trunkzoo.data.match import parse_camera_map
from trunkzoo.data.synthetic import episode, write_synthetic
from trunkzoo.data.windows import WindowDataset
from trunkzoo.errors import ContractError, DataError, UsageError
from trunkzoo.plugin import Contract
from trunkzoo_cli.output import options_for

LENGTHS = (9, 3, 1, 14)


def contract(**changes: Any) -> Contract:
    """Two cameras of 24 × 16; two observations and chunks of 4."""
    facts = {"cameras": ("front", "wrist"), "image_size": (24, 16), "state_dim": 3, "action_dim": 2, "camera_dim": 5}
    horizons = {"cond_dim": 13, "obs_horizon": 2, "pred_horizon": 4, "num_action_steps": 2}
    return Contract.model_validate({**facts, **horizons, **changes})


@pytest.fixture(params=["image", "video"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> WindowDataset:
    """Episodes of 9, 3, 1 and 14 frames, with images in parquet or in mp4."""
    write_synthetic(tmp_path / "data", contract(), LENGTHS, video=request.param == "video", tasks=("a", "b"))
    return open_dataset(tmp_path / "data", contract())


def test_every_frame_is_the_newest_observation_of_one_window(dataset: WindowDataset) -> None:
    assert len(dataset) == sum(LENGTHS)
    assert [(ep.start, ep.stop) for ep in dataset.episodes] == [(0, 9), (9, 12), (12, 13), (13, 27)]


def test_windows_equal_a_plain_loop_over_the_episodes(dataset: WindowDataset) -> None:
    columns = LeRobotReader(dataset.directory).columns(["observation.state", "action"])
    batch = dataset.gather(torch.arange(len(dataset)))
    for ep in dataset.episodes:
        for row in range(ep.start, ep.stop):
            seen = [max(ep.start, row - 1), row]
            ahead = [min(ep.stop - 1, row + k) for k in range(4)]
            assert np.array_equal(batch["observation.state"][row], columns["observation.state"][seen])
            assert np.array_equal(batch["action"][row], columns["action"][ahead])
            assert batch["action_is_pad"][row].tolist() == [row + k >= ep.stop for k in range(4)]
            older, newer = batch["observation.images.front"][row]
            assert torch.equal(newer, batch["observation.images.front"][seen[1], 1])
            assert torch.equal(older, batch["observation.images.front"][seen[0], 1])


def test_images_are_the_recorded_ones(tmp_path: Path) -> None:
    frames = [episode(contract(), n, np.random.default_rng(n)) for n in (5, 6)]
    for name, video, tolerance in (("png", False, 0), ("mp4", True, 12)):
        with LeRobotWriter(tmp_path / name, task_features(contract(), video), fps=20) as writer:
            for one in frames:
                writer.add_episode(one, "task")
        batch = open_dataset(tmp_path / name, contract(obs_horizon=1)).gather(torch.arange(11))
        recorded = np.concatenate([one["observation.images.wrist"] for one in frames])
        shown = batch["observation.images.wrist"][:, 0].permute(0, 2, 3, 1).numpy()
        difference = np.abs(shown.astype(int) - recorded)
        assert np.percentile(difference, 90) <= tolerance  # mp4 is lossy at the disc's edge


def test_layout_of_a_batch(dataset: WindowDataset) -> None:
    batch = dataset.gather(torch.tensor([4, 4, 20]))
    image = batch["observation.images.wrist"]
    assert image.shape == (3, 2, 3, 24, 16)
    assert image.dtype == torch.uint8
    assert image.permute(0, 1, 3, 4, 2).is_contiguous()
    assert batch["observation.state"].dtype == batch["action"].dtype == torch.float32
    assert {key: tuple(value.shape) for key, value in batch.items() if "images" not in key} == {
        "observation.state": (3, 2, 3),
        "action": (3, 4, 2),
        "action_is_pad": (3, 4),
    }


def test_several_files_give_the_same_windows(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "one", contract(), LENGTHS)
    write_synthetic(tmp_path / "many", contract(), LENGTHS, data_file_mb=0.001)
    assert len(LeRobotReader(tmp_path / "many").data_files) > 1
    one, many = (open_dataset(tmp_path / name, contract()).gather(torch.arange(27)) for name in ("one", "many"))
    assert all(torch.equal(one[key], many[key]) for key in one)


def test_several_video_files_hold_every_frame(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "one", contract(), LENGTHS, video=True)
    write_synthetic(tmp_path / "many", contract(), LENGTHS, video=True, video_file_mb=0)
    assert len(LeRobotReader(tmp_path / "many").video_files("observation.images.front")) == len(LENGTHS)
    one, many = (open_dataset(tmp_path / name, contract()).gather(torch.arange(27)) for name in ("one", "many"))
    gap = (one["observation.images.front"].int() - many["observation.images.front"].int()).abs()
    assert gap.float().mean() < 2


def test_images_are_resized_to_the_contract(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", contract(image_size=(48, 32)), (4,))
    small = open_dataset(tmp_path / "data", contract()).gather(torch.arange(4))["observation.images.front"]
    assert small.shape[-2:] == (24, 16)
    assert abs(float(small[0, 1, 0].float().mean()) - 127) < 15  # red runs from 0 to 255 across


def test_statistics_are_those_of_the_data(dataset: WindowDataset) -> None:
    action = LeRobotReader(dataset.directory).columns(["action"])["action"].astype(np.float64)
    stats = dataset.stats["action"]
    assert stats["count"] == [27]
    assert np.allclose(stats["std"], action.std(axis=0), rtol=1e-12)
    assert np.allclose(stats["q99"], np.quantile(action, 0.99, axis=0), rtol=1e-12)


def test_a_pickled_dataset_maps_the_same_cache(dataset: WindowDataset) -> None:
    data = pickle.dumps(dataset)
    assert len(data) < 4000
    one, two = (each.gather(torch.arange(5)) for each in (dataset, pickle.loads(data)))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_other_camera_names_are_mapped(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", contract(cameras=("top", "left_wrist")), (5,))
    with pytest.raises(ContractError, match="say which camera of the data is which: front=top, wrist=left_wrist"):
        open_dataset(tmp_path / "data", contract())
    mapped = open_dataset(tmp_path / "data", contract(), {"front": "top", "wrist": "observation.images.left_wrist"})
    plain = open_dataset(tmp_path / "data", contract(cameras=("top", "left_wrist")))
    one, two = mapped.gather(torch.arange(5)), plain.gather(torch.arange(5))
    assert torch.equal(one["observation.images.wrist"], two["observation.images.left_wrist"])
    assert mapped.images == {"front": plain.images["top"], "wrist": plain.images["left_wrist"]}
    assert plain.images["top"] != plain.images["left_wrist"]


def test_cameras_whose_names_tell_nothing_are_left_to_a_person(tmp_path: Path) -> None:
    """A guess would be pasted as it stands, and the agent would learn from swapped cameras."""
    data, ours = (
        ("cam_high", "cam_left_wrist", "cam_right_wrist"),
        ("agentview", "robot0_eye_in_hand", "robot1_eye_in_hand"),
    )
    write_synthetic(tmp_path / "data", contract(cameras=data, cond_dim=18), (5,))
    with pytest.raises(ContractError, match="where NAME is one of cam_high, cam_left_wrist, cam_right_wrist") as caught:
        open_dataset(tmp_path / "data", contract(cameras=ours, cond_dim=18))
    assert caught.value.settings["cameras"] == [f"{camera}=NAME" for camera in ours]
    with pytest.raises(ContractError) as caught:
        open_dataset(tmp_path / "data", contract(cameras=ours, cond_dim=18), {"agentview": "cam_high"})
    assert caught.value.settings["cameras"] == ["agentview=cam_high", *(f"{camera}=NAME" for camera in ours[1:])]


def test_the_proposed_cameras_work_as_they_are_proposed(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", contract(cameras=("front view", "hand")), (5,))
    with pytest.raises(ContractError) as caught:
        open_dataset(tmp_path / "data", contract())
    proposed = caught.value.settings["cameras"]
    assert proposed == ["front=front view", "wrist=hand"]
    assert len(open_dataset(tmp_path / "data", contract(), parse_camera_map(proposed))) == 5
    words = shlex.split(options_for(caught.value.settings).strip(" ()"))  # as the command line prints them
    assert words == ["--camera", "front=front view", "--camera", "wrist=hand"]


def test_a_contract_of_other_dimensions_is_refused_with_both_sides(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", contract(), (5,))
    with pytest.raises(ContractError, match=r"state_dim 7 \(contract\) ≠ 3 \(data\); action_dim 1 \(contract\) ≠ 2"):
        open_dataset(tmp_path / "data", contract(state_dim=7, action_dim=1, cond_dim=17))


def test_too_few_cameras_are_said_to_be_too_few(tmp_path: Path) -> None:
    write_synthetic(tmp_path / "data", contract(), (5,))
    with pytest.raises(ContractError, match=r"front, wrist, side \(contract\) ≠ front, wrist .* 1 camera\(s\) too few"):
        open_dataset(tmp_path / "data", contract(cameras=("front", "wrist", "side"), cond_dim=18))


@pytest.mark.parametrize("camera_map", [{"frnt": "front"}, {"front": "frnt"}])
def test_a_map_of_unknown_cameras_is_wrong_use(tmp_path: Path, camera_map: dict[str, str]) -> None:
    write_synthetic(tmp_path / "data", contract(), (5,))
    with pytest.raises(UsageError, match="Did you mean 'front'"):
        open_dataset(tmp_path / "data", contract(), camera_map)


def test_numbers_that_are_not_finite_are_refused_at_both_ends(tmp_path: Path) -> None:
    frames = episode(contract(), 5, np.random.default_rng(0))
    frames["action"][3, 1] = np.nan
    writer = LeRobotWriter(tmp_path / "data", task_features(contract()), fps=20)
    with pytest.raises(DataError, match="action holds a value that is not finite at row 3"), writer:
        writer.add_episode(frames, "task")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("index", [-1, 27])
def test_a_window_out_of_range_is_an_index_error(dataset: WindowDataset, index: int) -> None:
    with pytest.raises(IndexError):
        dataset.gather(torch.tensor([3, index]))


@pytest.mark.parametrize("interval", [1, 2, 30])
def test_any_video_frame_is_reached_by_its_index(tmp_path: Path, interval: int) -> None:
    frames = [episode(contract(), n, np.random.default_rng(n)) for n in (25, 40)]
    with LeRobotWriter(
        tmp_path / "data", task_features(contract(), video=True), fps=30, keyframe_interval=interval
    ) as writer:
        for one in frames:
            writer.add_episode(one, "task")
    reader, key = LeRobotReader(tmp_path / "data"), "observation.images.front"
    everything = frames_at(reader, key, range(65))
    for row in (0, 1, 24, 25, 47, 64):
        assert np.array_equal(frames_at(reader, key, [row])[0], everything[row])
