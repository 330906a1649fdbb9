"""What `zoo bench train` says: operations are those of the layers, and the rate is that of the training's own log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trunkzoo.catalogue.catalogue import Catalogue
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import UsageError
from trunkzoo.registry.recipe import Recipe
from trunkzoo.registry.resolved import resolve
from trunkzoo.training.speed import as_table, bench_training, operations_of
from trunkzoo_cli.app import main


def test_operations_are_those_of_every_layer(tiny_recipe: Recipe, tiny_catalogue: Catalogue) -> None:
    """By hand: twice the multiply-adds forward, for the weights and, where something below learns, for the inputs."""
    contract = tiny_recipe.contract
    images = len(contract.cameras) * contract.obs_horizon
    entry = 8 * (3 * 4 * 4) * (4 * 4)  # (3, 16, 16) → (8, 4, 4); pixels do not learn
    trunk_exit, pool = 8 * (8 * 3 * 3) * (4 * 4), 4 * 8 * (4 * 4)
    project = contract.camera_dim * 2 * contract.keypoints
    numbers = contract.pred_horizon * contract.action_dim
    head_entry, head_exit = 8 * (contract.obs_horizon * contract.cond_dim + numbers), numbers * 8
    learned = images * (trunk_exit + pool + project) + head_entry + head_exit
    assert operations_of(resolve(tiny_recipe, tiny_catalogue)) == 2 * (2 * images * entry + 3 * learned)


def test_a_training_is_measured_and_nothing_is_kept(
    tiny_recipe: Recipe, tiny_catalogue: Catalogue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))
    write_synthetic(tmp_path / "data", tiny_recipe.contract, [12, 12])
    recipe = resolve(tiny_recipe, tiny_catalogue)
    rows = [
        *bench_training([recipe], device="cpu", steps=3),
        *bench_training([recipe], tmp_path / "data", "cpu", steps=3),
    ]
    for row in rows:
        assert (row.recipe, row.precision, row.batch, row.peak_share) == ("tiny", "fp32", 4, None)
        assert row.samples_per_second > 0
        assert 0 <= row.data_wait <= 1
    assert as_table(rows)[1][0][5] == "–"
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "data"}


def test_nothing_to_measure_is_wrong_use(tiny_recipe: Recipe, tiny_catalogue: Catalogue) -> None:
    with pytest.raises(UsageError, match="0 recipes, 3 steps"):
        bench_training([], steps=3)
    with pytest.raises(UsageError, match="1 recipes, 0 steps"):
        bench_training([resolve(tiny_recipe, tiny_catalogue)], steps=0)


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(
            [
                "bench",
                "train",
                "tour-resnet",
                "--steps",
                "1",
                "--device",
                "cpu",
                "--set",
                "train.batch_size=4",
                "--json",
            ]
        )
    assert not leaving.value.code
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["recipe"], row["batch"]) == ("tour-resnet", 4)
