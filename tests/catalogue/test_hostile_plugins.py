"""Plugins that leave, hang, shout or pretend: each is its own line, and everything else goes on as if it were absent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trunkzoo.catalogue import guard
from trunkzoo.catalogue.claims import installed_claims
from trunkzoo.catalogue.guard import NeverReturned, contained, watched
from trunkzoo.catalogue.trial import fatal
from zoo_process import GOOD, write_plugin, zoo

HOOK = "from trunkzoo.plugin import hookimpl\n@hookimpl\ndef trunkzoo_trunks():\n"
BAD = {
    "leaves": "import os\nos._exit(0)",
    "exits": "import sys\nsys.exit(42)",
    "wordless": "class E(Exception):\n    def __str__(self): raise SystemExit(5)\nraise E",
    "nameless": "raise type('', (Exception,), {})",
    "keys": HOOK + "    raise KeyboardInterrupt",
    "shouts": "raise ValueError('x' * 3_000_000)",
    "paints": "raise ValueError('\\x1b[31mred\\x1b]0;title\\x07')",
    "lines": "raise type('A\\nzoo: all is well', (Exception,), {})('\\x9b2J')",
    "shallow": "import sys\nsys.setrecursionlimit(60)\n" + GOOD,
    "prints": "import os, sys\nos.write(1, b'[]')\nprint('{')\nsys.__stdout__.write('}')\n" + GOOD,
    "closes": "import os, sys\nsys.stdout.close()\nos.close(1)\n" + GOOD,
    "shuts": "import os\nfor number in (0, 1, 2): os.close(number)\n" + GOOD,
    "sweeps": "import os\nos.closerange(3, 64)\n" + GOOD,
    "forgets": "import sys\nsys.path = []\n" + GOOD,
    "mutes": "import sys\nsys.stdout = sys.stderr = None\n" + GOOD,
    "unhooks": "import sys\nsys.excepthook = None\n" + GOOD,
    "walks": "import os\nos.chdir('/')\n" + GOOD,
    "ends": "import atexit\natexit.register(print, 'later')\n" + GOOD,
    "stays": "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + GOOD,
}
LOADS = {"shallow", "prints", "closes", "shuts", "sweeps", "mutes", "unhooks", "walks", "ends", "stays", "forgets"}


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every bad plugin, and one that is good."""
    folder = tmp_path_factory.mktemp("bad")
    for name, code in BAD.items():
        write_plugin(folder, name, code)
    write_plugin(folder, "good", GOOD)
    return folder


def test_each_is_a_row_of_its_own_and_json_stays_json(bad: Path) -> None:
    run = zoo("plugins", "--json", path=bad)
    rows = {row["name"]: row for row in json.loads(run.out)}
    assert {name for name in BAD if rows[name]["status"] == "ok"} == LOADS
    assert rows["good"]["status"] == rows["resnet"]["status"] == "ok"
    for name in BAD.keys() - LOADS:
        assert rows[name]["status"] == "broken"
        assert rows[name]["reason"]
        assert rows[name]["reason"].isprintable()
        assert len(rows[name]["reason"]) < 1000
    assert run.code == 0


def test_relative_paths_begin_where_people_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with contained():
        os.chdir("/")
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("command", [["list"], ["plugins"], ["show", "good/tiny"], ["show", "resnet-18"]])
def test_no_line_steers_a_terminal(bad: Path, command: list[str]) -> None:
    run = zoo(*command, path=bad)
    assert all(line.isprintable() for line in [*run.out.split("\n"), *run.err.split("\n")])
    assert "Traceback" not in run.err
    assert not run.out.startswith(("[]", "{"))


def test_one_that_calls_itself_trunkzoo_hides_nothing(tmp_path: Path) -> None:
    write_plugin(tmp_path, "resnet", GOOD)
    described = tmp_path / "zoofix_resnet-1.0.dist-info" / "METADATA"
    described.write_text("Metadata-Version: 2.1\nName: trunkzoo\nVersion: 9.9\n")
    rows = json.loads(zoo("plugins", "--json", path=tmp_path).out)
    found = {(row["name"], row["status"]) for row in rows}
    assert ("resnet", "ok") in found
    assert ("resnet", "conflict") in found
    assert ("attnres", "ok") in found


@pytest.mark.parametrize("hang", ["while True: pass", "import time\nwhile True: time.sleep(9)"])
@pytest.mark.slow
def test_one_that_never_returns_is_named_and_left(tmp_path: Path, hang: str) -> None:
    write_plugin(tmp_path, "hangs", hang)
    write_plugin(tmp_path, "good", GOOD)
    run = zoo("plugins", "--json", path=tmp_path)
    rows = {row["name"]: row for row in json.loads(run.out)}
    assert "waiting for plugin 'hangs' of zoofix-hangs" in run.err
    assert "TRUNKZOO_PLUGINS" in run.err
    assert "did not return within 30 s" in rows["hangs"]["reason"]
    assert rows["good"]["status"] == rows["resnet"]["status"] == "ok"


def test_the_watch_ends_a_loop_that_catches_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(guard, "NAMED_AFTER", 0.05)
    monkeypatch.setattr(guard, "LEFT_AFTER", 0.1)

    def stubborn() -> None:
        for _ in range(2):
            try:
                while True:
                    pass
            except BaseException:  # noqa: BLE001, S110 - what a stubborn plugin does
                pass
        while True:
            pass

    with pytest.raises(NeverReturned), watched("'slow' of somebody"):
        stubborn()
    assert "waiting for plugin 'slow' of somebody" in capsys.readouterr().err


def test_what_is_contained_reaches_nobody_by_number_or_name(capfd: pytest.CaptureFixture[str]) -> None:
    with contained():
        os.write(1, b"by number\n")
        print("by name")
    print("ours")
    out, err = capfd.readouterr()
    assert out == "ours\n"
    assert "by number" in err
    assert "by name" in err


ENDS = {
    "crashes": "import ctypes\nctypes.string_at(0)",
    "aborts": "import os\nos.abort()",
    "becomes": "import os\nos.execv('/bin/true', ['true'])",
    "quits": "import ctypes\nctypes.CDLL(None)._exit(0)",
    "poses": "import ctypes\nctypes.CDLL(None)._exit(77)",
    "interrupts": "import os, signal\nos.kill(os.getpid(), signal.SIGINT)",
}


def test_one_that_ends_the_process_is_a_row_and_what_is_good_is_tried_once(tmp_path: Path) -> None:
    for name, code in {**ENDS, "good": GOOD}.items():
        write_plugin(tmp_path, name, code)
    cache = tmp_path / "cache"
    run = zoo("plugins", "--json", path=tmp_path, TRUNKZOO_CACHE=str(cache))
    rows = {row["name"]: row for row in json.loads(run.out)}
    assert run.code == 0
    for name in ENDS:
        assert "ended the process that tried to describe it" in rows[name]["reason"]
    assert rows["good"]["status"] == rows["resnet"]["status"] == "ok"
    remembered = {path.name: path.stat().st_mtime_ns for path in (cache / "plugins").iterdir()}
    assert len(remembered) == len(ENDS) + 1
    again = zoo("plugins", "--json", path=tmp_path, TRUNKZOO_CACHE=str(cache))
    assert {path.name: path.stat().st_mtime_ns for path in (cache / "plugins").iterdir()} == remembered
    told = {row["name"]: row for row in json.loads(again.out)}
    for name in ENDS:
        assert told[name]["reason"].startswith(f"{rows[name]['reason']} 0 min ago; tried again ten minutes later")
    assert told["good"]["status"] == "ok"
    (tmp_path / "zoofix_good.py").write_text(f"{GOOD}\n")
    zoo("plugins", path=tmp_path, TRUNKZOO_CACHE=str(cache))
    assert len(list((cache / "plugins").iterdir())) == len(ENDS) + 2


def test_a_fault_is_forgotten_after_ten_minutes_and_where_it_was_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path, "moody", f"import os\nif 'ZOOFIX_MOOD' in os.environ: os.abort()\n{GOOD}")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))
    claims = [claim for claim in installed_claims() if claim.distribution == "zoofix-moody"]
    monkeypatch.setenv("ZOOFIX_MOOD", "bad")
    assert fatal(claims)
    (mark,) = (tmp_path / "cache" / "plugins").iterdir()
    monkeypatch.delenv("ZOOFIX_MOOD")
    assert str(mark) in fatal(claims)[claims[0]]
    os.utime(mark, (0, 0))
    assert fatal(claims) == {}
    mark.write_text("")
    monkeypatch.setenv("ZOOFIX_MOOD", "bad")
    assert fatal(claims)


COUNTED = "import os\nopen(os.environ['ZOOFIX_LOG'], 'a').write(f'{os.getpid()}\\n')\n" + GOOD


@pytest.mark.parametrize("bad", ["", ENDS["quits"]])
def test_good_plugins_share_a_process_and_a_bad_one_among_them_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    for name in ("one", "two", "three"):
        write_plugin(tmp_path, name, COUNTED)
    if bad:
        write_plugin(tmp_path, "bad", bad)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TRUNKZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("ZOOFIX_LOG", str(tmp_path / "log"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    claims = [claim for claim in installed_claims() if claim.distribution.startswith("zoofix-")]
    faults = fatal(claims)
    assert [claim.name for claim in faults] == (["bad"] if bad else [])
    processes = (tmp_path / "log").read_text().split()
    assert len(set(processes[-3:])) == (3 if bad else 1)
    assert len(list((tmp_path / "cache" / "plugins").iterdir())) == len(claims)
    assert fatal([claim for claim in claims if claim not in faults]) == {}
    assert (tmp_path / "log").read_text().split() == processes


DEADLOCK = "import ctypes\nlib, lock = ctypes.CDLL(None), ctypes.create_string_buffer(64)\nfor _ in 'ab': lib.pthread_mutex_lock(lock)"


@pytest.mark.parametrize("hang", [DEADLOCK, "import ctypes\nctypes.PyDLL(None).sleep(1000)"])
@pytest.mark.slow
def test_one_that_never_returns_from_c_is_named_and_left(tmp_path: Path, hang: str) -> None:
    write_plugin(tmp_path, "hangs", hang)
    write_plugin(tmp_path, "good", GOOD)
    run = zoo("list", "--json", path=tmp_path)
    assert run.code == 0
    assert run.err.startswith("note: waiting for plugin 'hangs' of zoofix-hangs")
    assert "good/tiny" in run.out
