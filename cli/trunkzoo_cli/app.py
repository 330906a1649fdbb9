"""The ``zoo`` command as the shell sees it: streams, signals, exit codes. The commands are in ``trunkzoo_cli.group``.

Nothing heavy is imported before a Ctrl-C is one line.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType
from typing import Any

GRACE_SECONDS = 2.0  # for all threads that plugins left running
AGAIN_AFTER = 0.02  # seconds, for the destructor to be done
PIPE_CLOSED = 141  # as the shell counts SIGPIPE


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; a fault of the user's makes one or two lines, no traceback."""
    _open_streams()
    # Pydantic would parse the entry points of every distribution for instrumentation that the zoo does not use: slow,
    # and one malformed distribution would end every command.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    code = _flushed(_run(sys.argv[1:] if arguments is None else arguments))
    if arguments is None:
        os.dup2(2, 1)  # what plugins print as the interpreter ends is no part of our JSON
        _leave_threads(code)
    gc.freeze()  # or the interpreter's last collections walk every imported module, a fifth of `zoo list`
    sys.exit(code)


def _leave_threads(code: int) -> None:
    """End at once if a plugin left a thread that runs on; the interpreter would wait for it for ever."""
    others = [thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()]
    deadline = time.monotonic() + GRACE_SECONDS
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        try:
            _say(f"left without waiting for the threads {', '.join(thread.name for thread in others)}", code)
        finally:
            os._exit(code)


def _run(given: Sequence[str]) -> int:
    """The exit code; whatever else a command raises is a bug of ours, and its traceback is wanted."""
    asked: list[int] = []
    try:
        with _ending_in_order(asked):
            from trunkzoo_cli.group import run

            code = run(given)
        return _say("interrupted", 128 + asked[0]) if asked else code  # Typer or a plugin made something else of it
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0
    except BrokenPipeError:  # `zoo list | head`
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001 - raised again below unless it is for people
        if asked:  # a library made something else of the interrupt
            return _say("interrupted", 128 + asked[0])
        return _told(error)


def _told(error: Exception) -> int:
    from trunkzoo.errors import ZooError, one_line

    if isinstance(error, ZooError):
        from trunkzoo_cli.output import options_for

        return _say(f"{error}{options_for(error.settings)}", error.exit_code)
    if isinstance(error, OSError) and error.strerror:  # what the system says of a path or a device
        named = f"{error.filename}: " if error.filename is not None else ""
        return _say(f"{named}{error.strerror}", 1)
    if isinstance(error, MemoryError | RecursionError):
        return _say(f"{one_line(error)}: too much was asked for; ask for less, or on a larger machine", 1)
    raise error


def _say(message: str, code: int) -> int:
    from trunkzoo_cli.output import fail

    return fail(message, code)


@contextmanager
def _ending_in_order(asked: list[int]) -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, so that temporary folders go and workers end; ``asked`` notes what arrived.

    Trainings put their own handlers over these.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    before, told = {}, sys.unraisablehook
    sys.unraisablehook = _again
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, leave)
    except ValueError:  # not the main thread: no signal arrives here
        pass
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)


def _again(lost: Any) -> None:
    """Send an interrupt once more that was raised, and so lost, inside a destructor or the callback of a reference."""
    if lost.exc_type in (KeyboardInterrupt, SystemExit):
        number = signal.SIGINT if lost.exc_type is KeyboardInterrupt else signal.SIGTERM
        threading.Timer(AGAIN_AFTER, os.kill, (os.getpid(), number)).start()
    else:
        sys.__unraisablehook__(lost)


def _open_streams() -> None:
    """Replace closed standard streams, whose numbers the next opened file would get, and never fail on a sign."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for as long as we run
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flushed(code: int) -> int:
    """The exit code once what was printed has left, which a full disk or a closed pipe may refuse."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    except (OSError, ValueError) as error:
        code = _say(f"standard output: {getattr(error, 'strerror', None) or error}", 1)
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):  # what it still holds goes nowhere, or the interpreter would try again at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    return code
