"""Ctrl-C at the start of a command and in places where Python loses it: one line and 130, whatever is being imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

FINDER = """
import os, signal, sys
from trunkzoo_cli.entry import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            {press}

class Dying:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv = ["zoo", *{command!r}]
main()
"""
PRESS = "signal.raise_signal(signal.SIGINT)"


def ended(name: str, press: str = PRESS, command: tuple[str, ...] = ("list",)) -> subprocess.CompletedProcess[str]:
    """``zoo`` with something pressed when module ``name`` is about to be imported."""
    program = FINDER.format(name=name, press=press, command=command)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ["trunkzoo_cli.app", "threading", "typer", "pydantic", "pluggy", "trunkzoo_resnet"])
def test_an_interrupt_while_modules_load_is_one_line(name: str) -> None:
    run = ended(name)
    assert (run.returncode, run.stdout, run.stderr) == (130, "", "zoo: interrupted\n")


def test_one_that_is_lost_in_a_destructor_comes_again() -> None:
    run = ended("trunkzoo_resnet", "Dying(); __import__('time').sleep(60)")
    assert (run.returncode, run.stderr) == (130, "zoo: interrupted\n")


def test_one_at_the_very_end_is_one_line() -> None:
    run = ended("typer", f"__import__('atexit').register(lambda: {PRESS})", ("--version",))
    assert (run.returncode, run.stderr) == (130, "zoo: interrupted\n")
    assert run.stdout.startswith("trunkzoo ")


def test_a_plugin_that_is_loading_swallows_no_sigterm() -> None:
    run = ended("trunkzoo_resnet", "signal.raise_signal(signal.SIGTERM)")
    assert (run.returncode, run.stderr.splitlines()[-1]) == (143, "zoo: interrupted")
