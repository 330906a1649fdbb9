"""Suites as jobs of a real SLURM on this machine: equal rows, requeued and killed jobs, runs that find their jobs again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import pytest

from reach_task import REGISTRY, floor, install, orphans_of, small
from slurm_cluster import missing, slurm
from suite_evidence import evidence_of
from trunkzoo.errors import ConfigError, UsageError, ZooError
from trunkzoo.registry.registry import load_registry
from trunkzoo.rollouts import read_rows
from trunkzoo.suites.cells import Cell
from trunkzoo.suites.config import SlurmConfig
from trunkzoo.suites.engine import Engine, Failure, LocalEngine, Tick
from trunkzoo.suites.planning import load_slurm
from trunkzoo.suites.run import run_suite
from trunkzoo.suites.slurm_engine import SlurmEngine
from trunkzoo.suites.slurm_queue import Ticket, Tickets, jobs_of, states_of
from trunkzoo.suites.status import status_of
from trunkzoo.training.directory import read_run
from trunkzoo.training.metrics import read_metrics

CONFIG = SlurmConfig(poll_seconds=1, memory_gb=1, minutes=30)
ONE_ARM = (
    REGISTRY.replace("steps = 4", "steps = 240\nblind = false")
    .replace("report_episodes = 6", "report_episodes = 3")
    .replace(
        ', { name = "reach-wide", recipe = "reach-resnet", set = { "trunk.width" = 32 } }]',
        "]\nbaselines = [{ name = 'base', recipe = 'reach-resnet' }]",
    )
)


@pytest.fixture(autouse=True)
def reach_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the plugin ``reach`` for this process and for jobs, which SLURM gives this environment."""
    install(monkeypatch)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    if why := missing():
        pytest.skip(why)
    with slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def cluster(started: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """SLURM's commands reach a cluster of ours."""
    for name, value in started.items():
        monkeypatch.setenv(name, value)


class Watched:
    """An engine whose running cells a test sees."""

    def __init__(self, engine: Engine, watch: Callable[[Sequence[Cell]], None]) -> None:
        self._engine, self._watch = engine, watch

    def run(self, cells: Sequence[Cell], tick: Tick) -> list[Failure]:
        return self._engine.run(cells, self._watch)


def job_of(suite: Path, cell: Cell) -> str:
    return Tickets(suite).read()[cell.key].job


def step_of(train: Cell) -> int:
    return int((read_metrics(train.directory / "run") or [{"step": 0}])[-1]["step"])


@pytest.mark.cluster
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("cluster")
def test_a_suite_with_requeued_jobs_equals_one_of_local_processes(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = (small(tmp_path / name, "base", text=ONE_ARM) for name in ("here", "there"))
    train = there.tasks[0].arms[0].trains[0]
    asked: list[int] = []
    states: list[dict[str, str]] = []

    def interfere(running: Sequence[Cell]) -> None:
        if train.key not in {cell.key for cell in running} or step_of(train) < (20, 130, 10**9)[len(asked)]:
            return
        states.append({row["cell"]: row["state"] for row in status_of(there)})
        job = job_of(there.directory, train)
        # the first as an administrator or a preemption does it, the second as SLURM warns of the time limit
        ways = (["scontrol", "requeue", job], ["scancel", "--signal=USR2", job])
        subprocess.run(ways[len(asked)], check=True)
        asked.append(step_of(train))

    run_suite(here, LocalEngine(2), lambda _: None)
    run_suite(there, Watched(SlurmEngine(CONFIG, there.directory), interfere), lambda _: None)
    assert len(asked) == 2
    assert states[0][train.title] == states[1][train.title] == "running"
    sessions = [session["from_step"] for session in read_run(train.directory / "run")["sessions"]]
    assert len(sessions) == 3
    assert sessions[1] >= 20  # it saved when it was asked: the first scheduled checkpoint is the one of step 120
    assert sessions[1] < 120
    assert 130 <= sessions[2] < 240
    assert evidence_of(there) == evidence_of(here)
    assert {row["state"] for row in status_of(there)} == {"done"}


def kill_jobs_processes(suite: Path) -> None:
    """Kill -9 what runs in the jobs of this suite, as an out-of-memory killer does."""
    for process in psutil.process_iter(["cmdline"]):
        if "submitit.core._submit" in (words := process.info["cmdline"] or []) and str(suite / "slurm") in words:
            process.kill()


@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
def test_a_killed_member_is_tried_again_and_one_that_always_dies_is_reported(tmp_path: Path) -> None:
    hung = tmp_path / "hung"
    once, bad = (
        floor(tmp_path, fault="hang", fault_seed=1, once=str(hung)),
        floor(tmp_path, fault="raise", fault_seed=1),
    )
    killed: list[bool] = []

    def kill(running: Sequence[Cell]) -> None:
        if hung.exists() and not killed:
            killed.append(True)
            kill_jobs_processes(tmp_path)

    failures = SlurmEngine(CONFIG, tmp_path).run([once, bad], kill)
    assert killed
    assert [row["seed"] for row in read_rows(once.directory / "report-noop.jsonl")] == [0, 1]
    assert [failure.cell.key for failure in failures] == [bad.key]
    assert "FAILED" in failures[0].reason
    assert "the simulation exploded" in failures[0].reason
    assert "\n" not in failures[0].reason


@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
def test_a_killed_run_finds_its_jobs_and_a_cancelled_array_is_one_line(tmp_path: Path) -> None:
    hung = {policy: tmp_path / f"hung-{policy}" for policy in ("noop", "random")}
    cells = [floor(tmp_path, policy, fault="hang", fault_seed=1, once=str(file)) for policy, file in hung.items()]
    cells.append(floor(tmp_path, fault="hang", fault_seed=0))
    for cell in cells:
        cell.prepare()
    (tmp_path / "cells").write_text("\n".join(str(cell.directory) for cell in cells))
    code = (
        "import sys; from pathlib import Path; from trunkzoo.suites.cells import read_cell; "
        "from trunkzoo.suites.config import SlurmConfig; from trunkzoo.suites.slurm_engine import SlurmEngine; "
        "cells = [read_cell(Path(path)) for path in Path(sys.argv[1]).read_text().split()]; "
        "SlurmEngine(SlurmConfig(poll_seconds=1), cells[0].home).run(cells, lambda _: None)"
    )
    assert orphans_of(code, tmp_path / "cells", hung["random"]) == []  # its children are SLURM's
    before = Tickets(tmp_path).read()
    assert set(states_of(ticket.job for ticket in before.values()).values()) <= {"RUNNING", "PENDING"}
    # as if it had been killed before the answer of sbatch was written down
    Tickets(tmp_path).write({key: Ticket(ticket.array, ticket.index) for key, ticket in before.items()})
    assert {state for _, state in jobs_of(tmp_path, cells).values()} <= {"RUNNING", "PENDING"}
    cancelled: list[bool] = []

    def cancel(running: Sequence[Cell]) -> None:
        if running and not cancelled:
            cancelled.append(True)
            subprocess.run(["scancel", next(iter(before.values())).job.partition("_")[0]], check=True)

    with pytest.raises(
        ZooError, match=r"^job \d+ was cancelled with all cells that were left; the same command"
    ) as caught:
        SlurmEngine(CONFIG, tmp_path).run(cells, cancel)
    assert "\n" not in str(caught.value)
    assert Tickets(tmp_path).read() == before  # nothing was submitted twice
    assert SlurmEngine(CONFIG, tmp_path).run(cells[:2], lambda _: None) == []
    assert [row["seed"] for row in read_rows(cells[1].directory / "report-random.jsonl")] == [0, 1]


@pytest.mark.cluster
@pytest.mark.usefixtures("cluster")
def test_what_slurm_refuses_is_one_line(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"partition": "nowhere"})
    with pytest.raises(ZooError, match=r"^SLURM refused the jobs: .*partition.*; see \[engines.slurm\]") as caught:
        SlurmEngine(config, tmp_path).run([floor(tmp_path)], lambda _: None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2])
def test_a_job_hands_the_request_to_leave_on(tmp_path: Path, number: signal.Signals) -> None:
    """A job is a process without standard input in which submitit ignores SIGTERM, and calls ``checkpoint`` on SIGUSR2."""
    pytest.importorskip("submitit")
    hung = tmp_path / "hung"
    cell = floor(tmp_path, fault="hang", fault_seed=1, once=str(hung))
    cell.prepare()
    code = (
        "import signal, sys; from trunkzoo.suites.slurm_cell import SlurmCell; "
        "signal.signal(signal.SIGTERM, lambda *_: None); job = SlurmCell(sys.argv[1]); "
        "signal.signal(signal.SIGUSR2, lambda *_: sys.exit(3 if job.checkpoint().function is not job else 4)); job()"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(cell.directory)], stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not hung.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    inside = psutil.Process(job.pid).children(recursive=True)
    assert len(inside) >= 2  # the cell and its worker
    job.send_signal(number)
    assert job.wait(60) == (143 if number == signal.SIGTERM else 3)
    _, alive = psutil.wait_procs(inside, timeout=30)
    assert not alive
    assert [row["seed"] for row in read_rows(cell.directory / "report-noop.jsonl")] == [0]


@pytest.mark.parametrize("value", ["main\ntouch hacked", "$(id)", "a b", "`id`"])
def test_a_value_for_sbatch_cannot_leave_its_line(tmp_path: Path, value: str) -> None:
    file = tmp_path / "registry.toml"
    file.write_text(f"format = 1\n[engines.slurm]\npartition = {value!r}\n".replace("'", '"'))
    with pytest.raises(ConfigError, match=r"engines\.slurm\.partition"):
        load_slurm(load_registry(file))


def test_an_unknown_engine_or_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / "registry.toml"
    file.write_text("format = 1\n[engines.slrum]\ncpus = 1\n")
    with pytest.raises(ConfigError, match=r"registry.toml:2: engines\.slrum: unknown key\. Did you mean 'slurm'\?"):
        load_registry(file)
    file.write_text("format = 1\n[engines.slurm]\ncpu = 1\n")
    with pytest.raises(ConfigError, match=r"engines\.slurm\.cpu: unknown key\. Did you mean 'cpus'\?"):
        load_slurm(load_registry(file))


def test_without_sbatch_the_engine_says_where_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no sbatch here: the slurm engine runs on a login node"):
        SlurmEngine(SlurmConfig(), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        '{"0a7af512ac1d": {"arr',
        '{"0a7af512ac1d": ' + "[" * 3000 + "]" * 3000 + "}",
        '{"0a7af512ac1d": {"array": "a", "index": ' + "9" * 5000 + "}}",
        '{"0a7af512ac1d": {"array": "a", "index": null, "job": 7}}',
        '{"0a7af512ac1d": ["a", 1, "7_1"]}',
        "[]",
    ],
    ids=["cut", "deep", "long", "number", "list", "empty"],
)
def test_a_damaged_list_of_jobs_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm" / "jobs.json").write_text(text)
    for act in (Tickets(tmp_path).read, lambda: Tickets(tmp_path).write({"0a7af512ac1d": Ticket("a", 1)})):
        with pytest.raises(
            ZooError, match=r"jobs.json is damaged .*; `scancel` the jobs of this suite, then remove it"
        ):
            act()
    assert (tmp_path / "slurm" / "jobs.json").read_text() == text
