"""SLURM's queue, as the login node sees it, and the file that says which job has which cell."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter

from trunkzoo.errors import ZooError, one_line
from trunkzoo.plain import parse_table
from trunkzoo.suites.cells import Cell, write_json
from trunkzoo.suites.layout import SLURM

CANCELLED, COMPLETED, COMPLETING, RUNNING = "CANCELLED", "COMPLETED", "COMPLETING", "RUNNING"
_OVER = {"BOOT_FAIL", CANCELLED, COMPLETED, "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "TIMEOUT"}
_NO_SUCH_JOB = "Invalid job id"


class QueueError(ZooError):
    """SLURM does not answer."""


@dataclass(frozen=True)
class Ticket:
    """The job of a cell."""

    array: str
    """Name of the submission, which nothing else in the queue has."""
    index: int | None
    """Which member of a job array; None if the submission is one job."""
    job: str = ""
    """``12_3``; empty between the intention to submit and SLURM's answer."""


_TICKETS = TypeAdapter(dict[str, Ticket])


def states_of(jobs: Iterable[str]) -> dict[str, str]:
    """The states of jobs, ``PENDING`` or ``RUNNING`` say, also of those that ended minutes ago; older ones are left out.

    Raises:
        QueueError: SLURM does not answer.
    """
    wanted = sorted({job.partition("_")[0] for job in jobs})
    if not wanted:
        return {}
    lines = _squeue(f"--jobs={','.join(wanted)}", "--array", "--format=%i %T")
    return dict(line.split(maxsplit=1) for line in lines)


def is_over(state: str | None) -> bool:
    """Whether a job in this state will not run again; None is a job that the queue has forgotten."""
    return state is None or state in _OVER


def _number_of(array: str) -> str:
    """The number of the submission that has this name, empty if there is none."""
    return next(iter(_squeue(f"--name={array}", "--format=%F")), "")


def _squeue(*options: str) -> list[str]:
    try:
        done = subprocess.run(
            ["squeue", "--noheader", "--states=all", *options], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise QueueError(f"squeue does not answer ({one_line(error)})") from None
    if done.returncode and _NO_SUCH_JOB not in done.stderr:
        raise QueueError(f"squeue does not answer ({done.stderr.strip().splitlines()[-1:] or done.returncode})")
    return done.stdout.split("\n")[:-1]


class Tickets:
    """``slurm/jobs.json`` of a suite, by which a later `zoo suite run` finds the jobs of one that was killed."""

    def __init__(self, suite: Path) -> None:
        self._path = suite / SLURM / "jobs.json"

    def read(self) -> dict[str, Ticket]:
        """The newest job of every cell, by the cell's key; one whose number was not written down is looked for.

        Raises:
            ZooError: the file is damaged.
            QueueError: SLURM does not answer.
        """
        return {key: ticket for key, ticket in _numbered(self._written()).items() if ticket.job}

    def write(self, tickets: Mapping[str, Ticket]) -> None:
        """Lay the jobs of these cells over what is written; raises ZooError as :meth:`read` does."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        merged = {**self._written(), **tickets}
        write_json(self._path, {key: asdict(ticket) for key, ticket in merged.items()})

    def _written(self) -> dict[str, Ticket]:
        try:
            found = parse_table(self._path.read_bytes()) if self._path.is_file() else {}
            return _TICKETS.validate_python(found)
        except (ValueError, OSError) as error:
            raise ZooError(
                f"{self._path} is damaged ({one_line(error)}); `scancel` the jobs of this suite, then remove it"
            ) from None


def _numbered(tickets: dict[str, Ticket]) -> dict[str, Ticket]:
    """Complete the jobs of submissions during which `zoo suite run` was killed."""
    lost = {ticket.array for ticket in tickets.values() if not ticket.job}
    numbers = {array: _number_of(array) for array in lost}
    return {
        key: ticket if ticket.job else Ticket(ticket.array, ticket.index, member(numbers[ticket.array], ticket.index))
        for key, ticket in tickets.items()
    }


def member(number: str, index: int | None) -> str:
    """The name of a job by its submission's number; empty if that is."""
    return f"{number}_{index}" if number and index is not None else number


def jobs_of(suite: Path, cells: Sequence[Cell]) -> dict[str, tuple[str, str]]:
    """Job and state of each of these cells that is in the queue, by the cell's key."""
    tickets = Tickets(suite).read()
    jobs = {cell.key: tickets[cell.key].job for cell in cells if cell.key in tickets}
    states = states_of(jobs.values())
    return {key: (job, states[job]) for key, job in jobs.items() if not is_over(states.get(job))}
