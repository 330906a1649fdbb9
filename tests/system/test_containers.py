"""Containers share directories and have little: processes of one number write beside each other; /dev/shm is read-only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from trunkzoo.system.files import LEFTOVER, new_directory, new_file, point_link, remove, write_text

SAVES = 200


def enters(*options: str) -> bool:
    """Whether namespaces of our own may be made here."""
    try:
        return subprocess.run(["unshare", *options, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def save_again_and_again(folder: Path, first: bool) -> None:
    """What every container does: replace one file, link and directory of the others, and one file for itself."""
    assert os.getpid() == 1
    for number in range(SAVES):
        write_text(folder / "shared.json", f"{number}\n" * 100)
        with new_file(folder / f"own-{first}.bin") as path:
            path.write_bytes(number.to_bytes(2, "big") * 1000)
        with new_directory(folder / f"step-{first}-{number}") as made:
            (made / "model").write_text(str(number))
        point_link(folder / "last", folder / f"step-{first}-{number}")
        remove(folder / f"step-{first}-{number}")


@pytest.mark.slow
@pytest.mark.skipif(not enters("--pid", "--fork"), reason="no namespaces may be made here")
def test_two_writers_of_one_number_lose_nothing(tmp_path: Path) -> None:
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, __file__, str(tmp_path)]
    running = [subprocess.Popen([*command, which], stderr=subprocess.PIPE, text=True) for which in ("first", "second")]
    assert [(process.communicate()[1], process.returncode) for process in running] == [("", 0)] * 2
    assert (tmp_path / "shared.json").read_text() == f"{SAVES - 1}\n" * 100
    for first in (True, False):
        assert (tmp_path / f"own-{first}.bin").read_bytes() == (SAVES - 1).to_bytes(2, "big") * 1000
    assert not [path.name for path in tmp_path.iterdir() if LEFTOVER in path.name]


@pytest.mark.skipif(not enters("--mount"), reason="no namespaces may be made here")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("collect reach/reach -n 2 --workers 2 -o demos", 1, "is /dev/shm writable?"),
        ("eval --policy random --task reach/reach --seeds 0:2 --workers 2 --floors 0 -o rows", 0, "rows are in rows"),
    ],
)
def test_a_dev_shm_that_cannot_be_written_is_one_line_or_no_matter(
    tmp_path: Path, command: str, code: int, said: str
) -> None:
    inside = f"mount -o remount,ro,bind /dev/shm && exec {sys.executable} -m trunkzoo_cli {command}"
    run = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f"mount --bind /dev/shm /dev/shm && {inside}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr.count("\n")) == (code, 1)
    assert said in run.stderr


if __name__ == "__main__":
    save_again_and_again(Path(sys.argv[1]), sys.argv[2] == "first")
