"""An agent goes to a hub and comes back as it was, with a card whose every number is one of its facts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import trunkzoo
from hub_server import Hub
from reach_task import install, untrained
from trunkzoo.agent.example import random_batch, random_noise
from trunkzoo.checkpoint.layout import model_file
from trunkzoo.data.lerobot.reader import LeRobotReader
from trunkzoo.data.synthetic import write_synthetic
from trunkzoo.errors import CheckpointError, HubError
from trunkzoo.hub.names import HubName
from trunkzoo.plugin import Contract
from trunkzoo.sharing.facts import agent_facts
from trunkzoo.sharing.push import pull_agent, push_agent, push_dataset, write_agent_folder
from trunkzoo_cli.app import main

NAME = HubName("someone/reach")
pytestmark = pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning")  # of the library, to its HTTP client


def zoo(*arguments: str) -> int:
    with pytest.raises(SystemExit) as leaving:
        main(list(arguments))
    return int(leaving.value.code or 0)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(monkeypatch)
    (tmp_path / "home").mkdir()
    return untrained(tmp_path / "home")


def test_a_pushed_and_pulled_agent_acts_bit_equally(agent: Path, hub: Hub, tmp_path: Path) -> None:
    pushed = push_agent(agent, NAME, private=True, licence="apache-2.0")
    assert set(hub.repos["models/someone/reach"].commits[str(pushed.name.revision)]) == {
        *("model.safetensors", "manifest.json", "README.md", "provenance.json", ".gitattributes"),
    }
    here = trunkzoo.load_agent(agent)
    batch, noise = random_batch(here.contract), random_noise(here.contract, 2)
    pull_agent(NAME, tmp_path / "pulled")
    for there in (trunkzoo.load_agent("hf:someone/reach"), trunkzoo.load_agent(tmp_path / "pulled")):
        assert torch.equal(there.predict(batch, noise), here.predict(batch, noise))
    assert (tmp_path / "pulled/model.safetensors").read_bytes() == model_file(agent).read_bytes()
    assert json.loads((tmp_path / "pulled/source.json").read_text())["hub"] == str(pushed.name)


def test_an_evaluation_by_name_gives_the_rows_of_the_checkpoint(
    agent: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    commit = str(push_agent(agent, NAME).name.revision)
    options = ("--episodes", "2", "--workers", "1", "--floors", "0", "--max-steps", "5")
    assert zoo("eval", "hf:someone/reach", *options) == 0
    assert zoo("eval", str(agent), *options, "-o", "here.jsonl") == 0
    file = tmp_path / f"someone--reach-{commit[:8]}" / "eval-agent.jsonl"
    assert file.read_text() == (tmp_path / "here.jsonl").read_text()
    assert zoo("inspect", f"hf:someone/reach@{commit}") == 0
    assert "as in the manifest" in capsys.readouterr().out


def test_the_card_tells_scores_with_intervals_and_what_is_not_known(
    agent: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert zoo("push", str(agent), "someone/reach", "--dry-run", "-o", str(tmp_path / "bare")) == 0
    bare = (tmp_path / "bare/README.md").read_text()
    assert "no evaluated episode lies beside these weights" in bare
    assert "none was stated" in bare
    assert "license" not in bare.partition("\n---\n")[0]
    assert zoo("eval", str(agent), "--episodes", "4", "--workers", "1", "--floors", "2", "--max-steps", "5") == 0
    capsys.readouterr()
    assert zoo("push", str(agent), "someone/reach", "--license", "mit", "--dry-run", "-o", str(tmp_path / "full")) == 0
    full = (tmp_path / "full/README.md").read_text()
    assert "rows/eval-agent.jsonl" in capsys.readouterr().out
    assert "license: mit" in full.partition("\n---\n")[0]
    facts = agent_facts(agent)
    assert facts.sha256 in full
    assert [line.count("|") for line in full.splitlines() if "(floor)" in line] == [5, 5, 5]
    assert "0/4 = " in full
    assert f"{facts.header.numbers:,} numbers" in full
    assert "2 → 2 dimensions" in full


def test_rows_of_other_weights_are_no_scores_of_these(agent: Path, tmp_path: Path) -> None:
    assert zoo("eval", str(agent), "--episodes", "1", "--workers", "1", "--floors", "0", "--max-steps", "5") == 0
    file = model_file(agent).parent / "eval-agent.jsonl"
    row = json.loads(file.read_text())
    file.write_text(json.dumps({**row, "checkpoint_sha256": "0" * 64}) + "\n")
    assert agent_facts(agent).rows == {}


def test_nothing_but_safetensors_and_json_is_read_back(agent: Path, hub: Hub, tmp_path: Path) -> None:
    write_agent_folder(agent, tmp_path / "folder", NAME.repo)
    tree = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    hub.add(NAME.repo, {**tree, "pytorch_model.bin": b"pickled", "modeling.py": b"print()", "rows/x.py": b"print()"})
    folder = pull_agent(NAME).folder
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [
        *("manifest.json", "model.safetensors", "provenance.json")
    ]
    assert not any(line.endswith((".py", ".bin")) for line in hub.asked)


def test_an_agent_whose_manifest_is_of_another_is_refused(agent: Path, hub: Hub, tmp_path: Path) -> None:
    write_agent_folder(agent, tmp_path / "folder", NAME.repo)
    tree = {path.name: path.read_bytes() for path in (tmp_path / "folder").iterdir()}
    weights = tree["model.safetensors"]
    hub.add(NAME.repo, {**tree, "model.safetensors": weights[:-1] + bytes([weights[-1] ^ 1])})
    with pytest.raises(CheckpointError, match="damaged"):
        trunkzoo.load_agent("hf:someone/reach")
    hub.add("someone/eyes", {"model.safetensors": weights})
    with pytest.raises(HubError, match=r"has no manifest\.json"):
        trunkzoo.load_agent("hf:someone/eyes")


def test_a_dataset_goes_there_and_is_read_by_name(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    contract = Contract(cameras=("front",), image_size=(16, 16), state_dim=2, action_dim=2, cond_dim=66)
    write_synthetic(tmp_path / "data", contract, [3, 4])
    push_dataset(tmp_path / "data", HubName("someone/demos"), licence="cc-by-4.0")
    (tree,) = [list(repo.commits.values())[-1] for key, repo in hub.repos.items() if key == "datasets/someone/demos"]
    assert b"2 episodes, 7 frames" in tree["README.md"]
    assert zoo("data", "info", "hf:someone/demos", "--json") == 0
    assert json.loads(capsys.readouterr().out)["frames"] == len(LeRobotReader(tmp_path / "data"))
