"""The site: what its gallery shows is there, and the built pages lead nowhere else than to each other."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

from browser import CHROMIUM, Tab, browser
from trunkzoo.registry import open_zoo

ROOT = Path(__file__).parents[2]
GALLERY = ROOT / "docs" / "gallery"
FETCHED = ("script", "img", "video", "source", "iframe", "link")
"""Elements whose address a browser fetches by itself."""


class Addresses(HTMLParser):
    """The addresses on a page, those that are fetched among them, and the anchors that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.fetched: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.anchors |= {given[key] for key in ("id", "name") if key in given}
        for address in (given[key] for key in ("href", "src") if key in given):
            (self.fetched if tag in FETCHED else self.found).append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    for package in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def pages(site: Path) -> dict[Path, Addresses]:
    return {path: Addresses(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.mark.slow
def test_every_link_of_the_site_leads_somewhere(site: Path) -> None:
    found, lost = pages(site), []
    assert len(found) > 20
    for page, addresses in found.items():
        for address in (*addresses.found, *addresses.fetched):
            place, anchor = urldefrag(unquote(address))
            if re.match(r"[a-z]+:", address) or page.name == "404.html":
                continue
            target = (page.parent / place).resolve() if place else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and target in found and anchor not in found[target].anchors):
                lost.append(f"{page.relative_to(site)}: {address}")
    assert lost == []


@pytest.mark.slow
def test_a_page_fetches_nothing_from_elsewhere(site: Path) -> None:
    fetched = [address for addresses in pages(site).values() for address in addresses.fetched]
    assert len(fetched) > 50
    assert [address for address in fetched if re.match(r"(https?:)?//", address)] == []
    styles = [
        address for path in site.rglob("*.css") for address in re.findall(r"url\((https?:[^)]+)", path.read_text())
    ]
    assert styles == []


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    """Where the site is served, on this machine alone."""
    handler = functools.partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Silent(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Requests are not of interest."""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
@pytest.mark.parametrize(
    "page", ["index", "start", "gallery/tasks", "reference/cli", "reference/python", "results/numbers"]
)
def test_a_browser_shows_a_page_without_complaint(page: str, address: str, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=412,900", "--enable-logging=stderr"]
    own = [f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}"]
    command = [str(CHROMIUM), *options, *own, f"{address}/{page}.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert picture.is_file(), done.stderr
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


QUESTIONS = {
    "list available models": "questions.html",
    "how do I use a pretrained timm backbone": "questions.html",
    "freeze backbone": "questions.html",
    "train on my own lerobot dataset": "your-own-data.html",
    "change image resolution": "questions.html",
    "resume training from checkpoint": "questions.html",
    "train on multiple gpus": "questions.html",
    "tensorboard logs": "questions.html",
    "is the difference in success rate significant": "questions.html",
    "export onnx": "export.html",
    "run policy on real robot": "act-on-a-robot.html",
    "custom backbone": "questions.html",
    "lerobot-train policy type": "lerobot.html",
    "compare two checkpoints": "reference/cli.html",
    "learning rate warmup schedule": "questions.html",
    "random crop image augmentation": "questions.html",
    "normalize mean std": "questions.html",
    "record video of rollout": "questions.html",
    "number of observation steps": "act-on-a-robot.html",
    "action chunk size": "questions.html",
    "features of intermediate layer": "questions.html",
    "fine tune from a checkpoint": "questions.html",
    "ema weights": "questions.html",
    "evaluate in parallel": "questions.html",
    "merge two datasets": "questions.html",
    "push policy to hub": "hub.html",
    "mixed precision bf16": "reference/registry.html",
    "train without simulator": "write-a-trunk-plugin.html",
}
"""What users of lerobot and timm would type, and a page that answers."""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_search_answers_what_users_of_lerobot_and_timm_ask(address: str, tmp_path: Path) -> None:
    with browser(tmp_path / "profile", f"{address}/index.html") as tab:
        tab.value("document.querySelector('[data-md-toggle=search]').click()")
        found = {question: first_pages(tab, question) for question in QUESTIONS}
    assert {question: pages for question, pages in found.items() if QUESTIONS[question] not in pages} == {}


def first_pages(tab: Tab, question: str) -> list[str]:
    """The pages of the first three answers of the site's search."""
    said = "document.querySelector('.md-search-result__meta').innerText"
    for text, sign in (("", "Type to start"), (question, "match")):
        tab.value(f"""(() => {{
            const field = document.querySelector('input[name=query]');
            field.focus(); field.value = {json.dumps(text)};
            for (const name of ['keyup', 'input']) field.dispatchEvent(new Event(name, {{bubbles: true}}));
        }})()""")
        tab.wait_for(f"{said}.includes({json.dumps(sign)})")
    links = "[...document.querySelectorAll('.md-search-result__item')].slice(0, 3).map(item => item.querySelector('a').pathname)"
    return [str(path).removeprefix("/") for path in tab.value(links)]


def test_the_gallery_shows_what_was_made_and_nothing_else() -> None:
    made = json.loads((GALLERY / "made.json").read_text(encoding="utf-8"))
    shown = sorted(name for section in made.values() for pictures in section.values() for name in pictures)
    assert shown == sorted(path.name for path in GALLERY.iterdir() if path.name != "made.json")
    zoo = open_zoo()
    assert made["trunks"].keys() <= zoo.registry.trunks.keys()
    assert made["tasks"].keys() <= {*zoo.catalogue.tasks, "metaworld"}
    assert sum((GALLERY / name).stat().st_size for name in shown) < 3_000_000
