"""What the shell starts as ``zoo``: a Ctrl-C is one line from here on, so nothing else may be imported first."""

import _signal  # type: ignore[import-not-found]  # built in; the public `signal` would import enum before we hear it
import os


def main() -> None:
    """Run the command line. Before it begins, and once it is done, there is nothing to clear up when Ctrl-C comes."""
    _signal.signal(_signal.SIGINT, _leave)
    from trunkzoo_cli.app import main

    main()


def _leave(number: int, frame: object) -> None:
    os.write(2, b"zoo: interrupted\n")
    os._exit(128 + number)
