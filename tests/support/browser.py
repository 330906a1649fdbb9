"""A headless Chromium that a test leads through pages, by its own DevTools protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Tab:
    """One page of the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._calls = socket, 0

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser; events meanwhile are left unread."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv(timeout=60))).get("id") != self._calls:
            pass
        result: dict[str, Any] = answer["result"]
        return result

    def value(self, script: str) -> Any:
        """What a JavaScript expression gives."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 30.0) -> Any:
        """The value of an expression as soon as it is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.value(script)):
            assert time.monotonic() < deadline, script
            time.sleep(0.1)
        return value


@contextmanager
def browser(profile: Path, address: str) -> Iterator[Tab]:
    """A browser with a page open, of 1200 × 900 pixels."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1200,900", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [str(CHROMIUM), *options, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
    )
    try:
        port = _port(profile / "DevToolsActivePort")
        with connect(f"ws://127.0.0.1:{port}{_page(port)}", max_size=None) as socket:
            tab = Tab(socket)
            tab.call("Page.navigate", url=address)
            tab.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
            yield tab
    finally:
        process.terminate()
        process.wait(30)


def _port(file: Path) -> int:
    deadline = time.monotonic() + 60
    while not (file.is_file() and (text := file.read_text().split())):
        assert time.monotonic() < deadline, "the browser did not start"
        time.sleep(0.1)
    return int(text[0])


def _page(port: int) -> str:
    """The path of the first page's socket."""
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json") as answer:
        tabs = json.load(answer)
    address: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return "/" + address.split("/", 3)[3]
