"""Fetching and sending by huggingface_hub itself, against a hub of the tests on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_server import Hub
from trunkzoo.errors import HubError, UsageError
from trunkzoo.hub.download import fetch
from trunkzoo.hub.names import HubName, parse_hub_name
from trunkzoo.hub.upload import push_folder

pytestmark = pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning")  # of the library, to its HTTP client
NAME = HubName("someone/eyes")
FILES = {"model.safetensors": bytes(range(256)) * 40, "config.json": b'{"a": 1}', "code.py": b"print()"}
PATTERNS = ("*.safetensors", "*.json")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:timm/resnet18.tv_in1k", HubName("timm/resnet18.tv_in1k")),
        ("someone/eyes@v1.0", HubName("someone/eyes", "v1.0")),
        (Path("hf:someone/eyes@refs/pr/1"), HubName("someone/eyes", "refs/pr/1")),
    ],
)
def test_a_name_is_an_owner_a_repository_and_a_revision(text: str | Path, expected: HubName) -> None:
    assert parse_hub_name(text) == expected
    assert parse_hub_name(str(expected)) == expected


@pytest.mark.parametrize(
    "text", ["hf:eyes", "hf:a/b/c", "hf:../b", "hf:a/..", "hf:a/b@", "hf:a/b@x y", "https://h/a/b"]
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write hf:ORG/NAME"):
        parse_hub_name(text)


def test_files_arrive_pinned_and_nothing_else_does(hub: Hub) -> None:
    commit = hub.add(NAME.repo, FILES)
    folder, name = fetch(NAME, PATTERNS, ["model.safetensors"])
    assert name == HubName(NAME.repo, commit)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in FILES.items() if name != "code.py"
    }


def test_a_commit_that_was_fetched_is_never_asked_for_again(hub: Hub) -> None:
    hub.add(NAME.repo, FILES)
    pinned = fetch(NAME, PATTERNS).name
    hub.asked.clear()
    fetch(pinned, PATTERNS)
    assert hub.asked == []


def test_a_revision_stays_when_the_branch_moves_on(hub: Hub) -> None:
    first = hub.add(NAME.repo, FILES)
    second = hub.add(NAME.repo, {**FILES, "config.json": b'{"a": 2}'})
    assert (fetch(HubName(NAME.repo, first), PATTERNS).folder / "config.json").read_bytes() == b'{"a": 1}'
    assert fetch(NAME, PATTERNS).name.revision == second


def test_a_transfer_that_breaks_off_is_taken_up_where_it_ended(hub: Hub) -> None:
    hub.add(NAME.repo, FILES)
    hub.cut["model.safetensors"] = 4096
    folder = fetch(NAME, PATTERNS).folder
    assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert sum(line.startswith("GET") and line.endswith("model.safetensors") for line in hub.asked) == 2


def test_bytes_of_another_hash_are_refused_and_fetched_anew(hub: Hub) -> None:
    hub.add(NAME.repo, FILES)
    hub.damaged = {"model.safetensors"}
    with pytest.raises(HubError, match=r"model\.safetensors arrived damaged"):
        fetch(NAME, PATTERNS)
    hub.damaged = set()
    assert (fetch(NAME, PATTERNS).folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_file_that_was_changed_in_the_cache_is_refused(file: str, hub: Hub) -> None:
    hub.add(NAME.repo, FILES)
    folder, pinned = fetch(NAME, PATTERNS)
    content = (folder / file).resolve().read_bytes()
    (folder / file).resolve().write_bytes(bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(HubError, match="was changed in the cache"):
        fetch(pinned, PATTERNS)


def test_without_a_network_the_cache_serves_and_an_empty_one_says_what_fetches(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    hub.add(NAME.repo, FILES)
    fetch(NAME, PATTERNS)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}/{revision}/{filename}")
    assert fetch(NAME, PATTERNS).folder.is_dir()
    other = r"hf download someone/other --include '\*\.safetensors'"
    with pytest.raises(HubError, match=other):
        fetch(HubName("someone/other"), PATTERNS)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=other):
        fetch(HubName("someone/other"), PATTERNS)


def test_what_is_not_there_is_one_line(hub: Hub) -> None:
    hub.add(NAME.repo, FILES)
    with pytest.raises(HubError, match="no model of this name"):
        fetch(HubName("someone/none"), PATTERNS)
    with pytest.raises(HubError, match="no revision 'v9'"):
        fetch(HubName(NAME.repo, "v9"), PATTERNS)
    with pytest.raises(HubError, match=r"has no manifest\.json"):
        fetch(NAME, PATTERNS, ["manifest.json"])


def test_a_folder_goes_there_and_comes_back(hub: Hub, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / name).write_bytes(content)
    pushed = push_folder(tmp_path / "out", NAME, "model", private=True, message="first")
    assert hub.repos["models/someone/eyes"].private
    assert pushed.url.endswith(f"commit/{pushed.name.revision}")
    fetched = fetch(NAME, PATTERNS)
    assert fetched.name == pushed.name
    assert (fetched.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_push_without_a_token_says_how_to_get_one(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")
    (tmp_path / "out").mkdir()
    with pytest.raises(HubError, match="hf auth login"):
        push_folder(tmp_path / "out", NAME, "model", private=False, message="first")
