"""A real third-party package: installed by pip, checked, trained, uninstalled."""

import json
import shutil
from pathlib import Path

import pytest

from trunkzoo.api import load_recipe
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import ZooError
from trunkzoo.plugin import TaskContract
from zoo_process import pip_install, zoo

PACKAGE = Path(__file__).parents[1] / "thirdparty"
SMALL = ["--set", "train.steps=2", "--set", "train.batch_size=2", "--set", "train.warmup_steps=1"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed; a copy is built, so that the checkout stays clean."""
    copy = shutil.copytree(PACKAGE, tmp_path_factory.mktemp("source") / "stripes")
    target = tmp_path_factory.mktemp("site")
    pip_install(copy, target)
    return target


@pytest.fixture(scope="module")
def run(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained with the package's trunk."""
    folder = tmp_path_factory.mktemp("work")
    contract = load_recipe("imf-resnet18-demo").contract
    offered = TaskContract.model_validate({name: getattr(contract, name) for name in TaskContract.model_fields})
    write_synthetic(folder / "demos", offered, [20, 24])
    trained = zoo(
        "train", "imf-resnet18-demo", "--trunk", "stripes-s", "--data", str(folder / "demos"), "-o", str(folder / "run"),
        *SMALL, path=site,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    return folder / "run"


def test_it_is_listed_with_its_distribution(site: Path) -> None:
    rows = json.loads(zoo("list", "stripes", "--json", path=site).out)
    assert [(row["name"], row["distribution"], row["version"]) for row in rows] == [
        ("stripes/stripes-s", "trunkzoo-stripes", "1.2.0")
    ]


def test_it_conforms(site: Path) -> None:
    report = json.loads(zoo("check", "stripes", "--json", path=site).out)
    assert report["ok"], [result for result in report["results"] if result["outcome"] == "failed"]
    assert report["counts"]["passed"] == 20


def test_it_builds_with_settings(site: Path) -> None:
    done = zoo("build", "imf-resnet18-demo", "--trunk", "stripes-s", "--set", "trunk.stride=8", "--json", path=site)
    assert (done.code, json.loads(done.out)["feature_map"]) == (0, [32, 12, 12])


def test_it_smokes_with_the_reference_contract(site: Path) -> None:
    done = zoo("smoke", "imf-resnet18-demo", "--trunk", "stripes-s", "--expect-cond-dim", "208", path=site)
    assert done.code == 0, done.out


def test_the_checkpoint_names_the_package(run: Path, site: Path) -> None:
    done = zoo("inspect", str(run), path=site)
    assert done.code == 0
    assert "trunkzoo-stripes" in done.out


def test_without_the_package_the_checkpoint_says_what_to_install(run: Path) -> None:
    from trunkzoo import load_agent

    with pytest.raises(ZooError, match=r"pip install .trunkzoo-stripes==1\.2\.0"):
        load_agent(run)
