"""A SLURM of one node on this machine: munged, slurmctld and slurmd, all in one folder and on the loopback address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue")
_CONF = """
ClusterName=zoo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,batch_sched_delay=0
KillWait=20
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why no SLURM can be started here; empty if one can."""
    if os.geteuid() != 0:
        return "SLURM's daemons are started as root"
    absent = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    return f"no {', '.join(absent)} here: `make test-cluster` installs them" if absent else ""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """A cluster that is ready for jobs; yields the environment of its users. In the end its jobs and daemons are gone."""
    conf = folder / "slurm.conf"
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    controller, node = _free_ports(2)
    host = socket.gethostname().partition(".")[0]
    conf.write_text(_CONF.format(host=host, controller=controller, node=node, folder=folder))
    environment = {"SLURM_CONF": str(conf), "PATH": _path()}
    munge = [f"--{name}={folder}/munge.{name}" for name in ("socket", "key-file", "log-file", "pid-file", "seed-file")]
    munge[1] = f"--key-file={folder}/munge.key"
    with ExitStack() as daemons:
        for command in (
            ["munged", "--foreground", "--force", *munge],
            ["slurmctld", "-D", "-f", str(conf)],
            ["slurmd", "-D", "-f", str(conf)],
        ):
            daemons.enter_context(_daemon(command, folder / f"{command[0]}.log", environment))
            _wait_for_socket(folder / "munge.socket")
        _wait_until_idle(environment)
        try:
            yield environment
        finally:
            subprocess.run(["scancel", "--user=root"], env=os.environ | environment, check=False)
            _wait_until_idle(environment)


def _path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def _daemon(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as stream:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_socket(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"munged did not start; see {path.parent}/munged.log"
        time.sleep(0.1)


def _wait_until_idle(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    command = ["sinfo", "--noheader", "--format=%T"]
    while True:
        done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
        if done.stdout.strip() == "idle":
            return
        assert time.monotonic() < deadline, f"the node is not idle: {done.stdout} {done.stderr}"
        time.sleep(0.5)
