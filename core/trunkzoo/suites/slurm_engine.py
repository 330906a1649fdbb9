"""Cells as jobs of SLURM: an array per stage, submitted and watched from a login node that shares the suite's directory."""

from __future__ import annotations

import math
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

from trunkzoo.errors import UsageError, ZooError
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.config import SlurmConfig
from trunkzoo.suites.engine import POLL_SECONDS, Attempts, Failure, Tick
from trunkzoo.suites.layout import LOG, SLURM
from trunkzoo.suites.slurm_cell import SlurmCell
from trunkzoo.suites.slurm_queue import (
    CANCELLED,
    COMPLETED,
    COMPLETING,
    RUNNING,
    QueueError,
    Ticket,
    Tickets,
    is_over,
    member,
    states_of,
)

_LARGEST_ARRAY = 1000  # SLURM's own default
_REQUEUES = 1000  # a cell that reaches its time limit has moved on: this ends one that never does
_SECONDS_TO_SAVE = 90  # from the warning before the time limit to the end
_SECONDS_TO_APPEAR = 90.0  # a file that another node wrote, on a network file system
_SECONDS_WITHOUT_ANSWER = 600.0  # a controller that is restarted


class SlurmEngine:
    """Submits cells with ``sbatch`` and asks ``squeue`` for them. Jobs outlive it; the next run finds them again."""

    def __init__(
        self, config: SlurmConfig, suite: Path, gpus_per_training: float = 0.0, slots: float = math.inf
    ) -> None:
        """``suite`` is its directory, which all nodes see under this path; ``slots`` limits the cores used at once."""
        try:
            import submitit
        except ImportError:
            raise UsageError("the slurm engine needs submitit: pip install 'trunkzoo[slurm]'", ["engine"]) from None
        if shutil.which("sbatch") is None:
            raise UsageError("no sbatch here: the slurm engine runs on a login node of the cluster", ["engine"])
        self._submitit: Any = submitit
        self._config, self._suite = config, suite.resolve()
        self._gpus, self._slots = math.ceil(gpus_per_training), slots
        self._tickets = Tickets(self._suite)

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        """See :class:`trunkzoo.suites.engine.Engine`. A cancelled job is not tried again; on any exception jobs stay.

        Raises:
            ZooError: SLURM refuses the jobs or does not answer any more, or all that were left have been cancelled.
        """
        attempts, cancelled = Attempts(), list[str]()
        running = self._found(cells)
        waiting = [cell for cell in cells if cell.key not in {found.key for found in running.values()}]
        states: dict[str, str] = {}
        while waiting or running:
            running |= self._submit(waiting)
            waiting = []
            self._pause([cell for job, cell in running.items() if states.get(job) == RUNNING], tick)
            states = _patiently(list(running))
            for job in [job for job in running if is_over(states.get(job))]:
                cell, state = running.pop(job), states.get(job, "no longer in the queue")
                cancelled += [job] if state == CANCELLED and cell.done() is None else []
                if attempts.again(cell, self._last_words(job, cell, state), wanted=state != CANCELLED):
                    waiting.append(cell)
            if cancelled and len(cancelled) == len(attempts.failures) and not waiting:
                self._require_some_left(cancelled, [states[job] for job in running])
        return attempts.failures

    def _require_some_left(self, cancelled: Sequence[str], states: Sequence[str]) -> None:
        if all(state == COMPLETING for state in states):
            jobs = ", ".join(sorted({job.partition("_")[0] for job in cancelled}))
            raise ZooError(
                f"job {jobs} was cancelled with all cells that were left; the same command submits them again"
            )

    def _found(self, cells: Sequence[Cell]) -> dict[str, Cell]:
        """The cells whose jobs an earlier run left in the queue, by job; those that are just ending are waited for."""
        tickets = self._tickets.read()
        jobs = {tickets[cell.key].job: cell for cell in cells if cell.key in tickets}
        while COMPLETING in (states := states_of(jobs)).values():
            time.sleep(POLL_SECONDS)
        return {job: cell for job, cell in jobs.items() if not is_over(states.get(job))}

    def _submit(self, cells: Sequence[Cell]) -> dict[str, Cell]:
        """Submit cells, those that need the same in one array; the cells by job."""
        found: dict[str, Cell] = {}
        for array in _alike(cells, self._needs):
            found |= self._submit_array(array)
        return found

    def _submit_array(self, cells: Sequence[Cell]) -> dict[str, Cell]:
        """The tickets are written twice: whoever is killed between finds the jobs by the array's name."""
        for cell in cells:
            cell.prepare()
        name = f"zoo-{re.sub(r'[^A-Za-z0-9.-]', '-', self._suite.name)}-{cells[0].kind}-{secrets.token_hex(3)}"
        indices = range(len(cells)) if len(cells) > 1 else [None]
        tickets = [Ticket(name, index) for index in indices]
        self._tickets.write({cell.key: ticket for cell, ticket in zip(cells, tickets, strict=True)})
        work = [SlurmCell(str(cell.directory.resolve())) for cell in cells]
        try:
            with redirect_stderr(StringIO()):  # what sbatch says is in the error, too
                jobs = self._executor(name, cells[0]).submit_array(work)
        except self._submitit.core.utils.FailedJobError as error:
            raise ZooError(
                f"SLURM refused the jobs: {_last_line(str(error))}; see [engines.slurm] in registry.toml"
            ) from None
        number = jobs[0].job_id.partition("_")[0]
        tickets = [Ticket(name, index, member(number, index)) for index in indices]
        self._tickets.write({cell.key: ticket for cell, ticket in zip(cells, tickets, strict=True)})
        return {ticket.job: cell for cell, ticket in zip(cells, tickets, strict=True)}

    def _needs(self, cell: Cell) -> tuple[int, int]:
        """Cores and GPUs."""
        training = cell.kind == "train"
        return (self._config.cpus if training else cell.slots), (self._gpus if training else 0)

    def _executor(self, name: str, cell: Cell) -> Any:
        config, (cpus, gpus) = self._config, self._needs(cell)
        executor = self._submitit.SlurmExecutor(self._suite / SLURM, max_num_timeout=_REQUEUES)
        asked = {
            key: getattr(config, key) for key in ("partition", "account", "qos", "constraint") if getattr(config, key)
        }
        executor.update_parameters(
            job_name=name,
            time=config.minutes,
            cpus_per_task=cpus,
            gpus_per_node=gpus or None,
            mem=None if config.memory_gb is None else f"{math.ceil(1024 * config.memory_gb)}M",
            signal_delay_s=_SECONDS_TO_SAVE,
            array_parallelism=_LARGEST_ARRAY if math.isinf(self._slots) else max(1, int(self._slots) // cpus),
            srun_args=[f"--cpus-per-task={cpus}"],  # a step does not inherit them since SLURM 22.05
            wckey=None,
            additional_parameters={"requeue": True},
            **asked,
        )
        return executor

    def _pause(self, running: Sequence[Cell], tick: Tick) -> None:
        end = time.monotonic() + self._config.poll_seconds
        while True:
            tick(running)
            if time.monotonic() >= end:
                return
            time.sleep(min(POLL_SECONDS, self._config.poll_seconds))

    def _last_words(self, job: str, cell: Cell, state: str) -> str:
        """How a job ended; if it ended well, once the cell's result is seen here."""
        deadline = time.monotonic() + _SECONDS_TO_APPEAR
        while state == COMPLETED and cell.done() is None and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        log, output = cell.directory / LOG, self._suite / SLURM / f"{job}_0_log.err"
        line = _last_line(next((file.read_text(errors="replace") for file in (log, output) if file.is_file()), ""))
        return f"job {job} {state}: {line} (log: {log}, SLURM's: {output})"


def _alike(cells: Sequence[Cell], needs: Callable[[Cell], tuple[int, int]]) -> Iterator[list[Cell]]:
    """Cells that need the same, in lists that are no longer than an array may be."""
    for wanted in dict.fromkeys(map(needs, cells)):
        of = [cell for cell in cells if needs(cell) == wanted]
        for start in range(0, len(of), _LARGEST_ARRAY):
            yield of[start : start + _LARGEST_ARRAY]


def _patiently(jobs: Sequence[str]) -> dict[str, str]:
    """The states of jobs; a controller that does not answer is asked again for a while.

    Raises:
        QueueError: it does not answer for ten minutes.
    """
    deadline = time.monotonic() + _SECONDS_WITHOUT_ANSWER
    while True:
        try:
            return states_of(jobs)
        except QueueError as error:
            if time.monotonic() > deadline:
                raise QueueError(f"{error}; jobs go on, and the same command finds them") from None
            time.sleep(10 * POLL_SECONDS)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]
