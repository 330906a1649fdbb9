"""A small hub on 127.0.0.1 that huggingface_hub talks to as it does to the real one: commits, LFS, trees, ranges.

Faults are set on it: a file that is cut in transit, a file whose bytes are not those of its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

LARGE = (".safetensors", ".parquet", ".mp4", ".png")
Tree = dict[str, bytes]


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Repo:
    """A repository: its commits, oldest first."""

    private: bool = False
    commits: dict[str, Tree] = field(default_factory=dict)

    def commit(self, tree: Tree) -> str:
        """Keep ``tree`` as the newest commit; its name is 40 hexadecimal digits."""
        listed = json.dumps({name: sha256(content) for name, content in sorted(tree.items())})
        oid = hashlib.sha1(f"{len(self.commits)} {listed}".encode(), usedforsecurity=False).hexdigest()
        self.commits[oid] = dict(tree)
        return oid

    def find(self, revision: str) -> str | None:
        if revision == "main":
            return next(reversed(self.commits), None)
        return revision if revision in self.commits else None


@dataclass
class Hub:
    """What the server holds, what was asked of it, and what it does wrong."""

    endpoint: str = ""
    repos: dict[str, Repo] = field(default_factory=dict)
    """By kind and name, e.g. ``models/org/name``."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""
    asked: list[str] = field(default_factory=list)
    """Method and path of every request."""
    cut: dict[str, int] = field(default_factory=dict)
    """File name → bytes after which the next answer breaks off, once."""
    damaged: set[str] = field(default_factory=set)
    """Files that are sent with one bit changed."""

    def add(self, name: str, tree: Tree) -> str:
        """A commit on the model ``name``; returns its hash."""
        return self.repos.setdefault(f"models/{name}", Repo()).commit(tree)


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, body: Any = b"", headers: dict[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _absent(self, what: str = "RepoNotFound", commit: str = "") -> None:
        self._send(404, {"error": what}, {"X-Error-Code": what, **({"X-Repo-Commit": commit} if commit else {})})

    def _repo(self, kind: str, name: str) -> Repo | None:
        repo = self.hub.repos.get(f"{kind}/{name}")
        hidden = repo is not None and repo.private and not self.headers.get("Authorization")
        return None if hidden else repo

    def do_POST(self) -> None:
        self.hub.asked.append(f"POST {self.path}")
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        body = self._body()
        if parts[:2] == ["api", "validate-yaml"]:
            return self._send(200, {"errors": [], "warnings": []})
        if not self.headers.get("Authorization"):
            return self._send(401, {"error": "Invalid username or password."})
        if parts[:3] == ["api", "repos", "create"]:
            return self._create(json.loads(body))
        if parts[-3:] == ["lfs", "objects", "batch"]:
            return self._batch(json.loads(body))
        repo = self._repo(parts[1], "/".join(parts[2:4]))
        if repo is None:
            return self._absent()
        if parts[4] == "preupload":
            files = [
                {
                    "path": f["path"],
                    "uploadMode": "lfs" if f["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                }
                for f in json.loads(body)["files"]
            ]
            return self._send(200, {"files": files})
        return self._commit(repo, "/".join(parts[1:4]), body)

    def _create(self, asked: dict[str, Any]) -> None:
        key = f"{asked.get('type') or 'model'}s/{asked['organization']}/{asked['name']}"
        if key in self.hub.repos:
            return self._send(409, {"error": "You already created this repo", "url": f"{self.hub.endpoint}/{key}"})
        self.hub.repos[key] = Repo(private=asked.get("visibility") == "private")
        self.hub.repos[key].commit({".gitattributes": b""})
        return self._send(200, {"url": f"{self.hub.endpoint}/{key.removeprefix('models/')}"})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = [
            {
                **each,
                "actions": None
                if each["oid"] in self.hub.objects
                else {"upload": {"href": f"{self.hub.endpoint}/lfs/{each['oid']}"}},
            }
            for each in asked["objects"]
        ]
        objects = [{key: value for key, value in each.items() if value is not None} for each in objects]
        self._send(200, {"transfer": "basic", "objects": objects})

    def _commit(self, repo: Repo, key: str, body: bytes) -> None:
        tree = dict(next(reversed(repo.commits.values()), {}))
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                tree[value["path"]] = self.hub.objects[value["oid"]]
        oid = repo.commit(tree)
        self._send(200, {"commitUrl": f"{self.hub.endpoint}/{key}/commit/{oid}", "commitOid": oid})

    def do_PUT(self) -> None:
        self.hub.asked.append(f"PUT {self.path}")
        content = self._body()
        oid = self.path.rpartition("/")[2]
        if sha256(content) != oid:
            return self._send(400, {"error": "wrong hash"})
        self.hub.objects[oid] = content
        return self._send(200)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.asked.append(f"{self.command} {self.path}")
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[0] == "api"
        kind = parts[1] if api else "datasets" if parts[0] == "datasets" else "models"
        rest = parts[2:] if api else parts[kind == "datasets" :]
        repo = self._repo(kind, "/".join(rest[:2]))
        if repo is None:
            return self._absent()
        revision = rest[3] if len(rest) > 3 else "main"
        commit = repo.find(revision)
        if commit is None:
            return self._absent("RevisionNotFound")
        tree = repo.commits[commit]
        if not api:
            return self._file(tree, "/".join(rest[4:]), commit)
        if rest[2:3] == ["tree"]:
            return self._send(200, [_entry(name, content) for name, content in sorted(tree.items())])
        facts = {"_id": "0", "id": "/".join(rest[:2]), "sha": commit, "private": repo.private, "tags": []}
        return self._send(200, {**facts, "siblings": [{"rfilename": name} for name in tree]})

    def _file(self, tree: Tree, name: str, commit: str) -> None:
        if name not in tree:
            return self._absent("EntryNotFound", commit)
        content = tree[name]
        tag = sha256(content) if name.endswith(LARGE) else git_hash(content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{tag}"', "Accept-Ranges": "bytes"}
        if name in self.hub.damaged:
            content = bytes([content[0] ^ 1]) + content[1:]
        size, start = len(content), 0
        if asked := self.headers.get("Range"):
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        if self.command == "GET" and name in self.hub.cut:
            self.send_response(206 if start else 200)
            for key, value in {**headers, "Content-Length": str(size - start)}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(content[start : self.hub.cut.pop(name)])
            self.wfile.flush()
            self.close_connection = True
            return None
        return self._send(206 if start else 200, content[start:], headers)


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
    if name.endswith(LARGE):
        entry["lfs"] = {"oid": sha256(content), "size": len(content), "pointerSize": 134}
    return entry


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": hub}))
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def point_at(hub: Hub, cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let huggingface_hub speak to ``hub``, in this process and in those that it starts, with a cache of its own."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", cache)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    settings = {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HUB_CACHE": cache,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": "hf_of_tests",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
