"""Two hosts on this machine: network namespaces with a cable between them, each with a disk of its own if asked."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_ON_ITS_DISK = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'


@dataclass(frozen=True)
class Host:
    """A network namespace."""

    name: str
    address: str
    cable: str
    """Its network interface."""
    disk: Path
    """What this host sees at ``shared``; the same folder for all hosts, or one of its own."""
    shared: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program on this host; its output goes to ``log``."""
        mount = ["sh", "-c", _ON_ITS_DISK, "sh", str(self.disk), str(self.shared)]
        with log.open("ab") as stream:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.name, *mount, *command],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env={**os.environ, "GLOO_SOCKET_IFNAME": self.cable, **(environment or {})},
                start_new_session=True,
            )
        self.started.append(process)
        return process

    def processes(self) -> list[int]:
        """Ids of all that runs on it."""
        done = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=True)
        return [int(word) for word in done.stdout.split()]

    def cut_power(self) -> None:
        """Kill -9 everything on it."""
        while found := self.processes():
            for process in found:
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
        for each in self.started:
            each.wait(20)


def missing() -> str:
    """Why no hosts can be made here; empty if they can."""
    if os.geteuid() != 0:
        return "network namespaces are made as root"
    if shutil.which("ip") is None:
        return "no ip here: `make test-cluster` installs it"
    name = f"zoo{os.getpid()}t"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "network namespaces cannot be made here"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return ""


@contextmanager
def two_hosts(own_disks: bool) -> Iterator[tuple[Host, Host, Path]]:
    """Two hosts and the folder that each finds its disk at; the folder has a short name, for Ray's sockets lie in it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zh", ignore_cleanup_errors=True)))
        shared, hosts = folder / "d", []
        for letter, number in (("a", 1), ("b", 2)):
            name = f"zoo{os.getpid()}{letter}"
            disk = folder / (f"disk-{letter}" if own_disks else "disk")
            disk.mkdir(exist_ok=True)
            subprocess.run(["ip", "netns", "add", name], check=True)
            hosts.append(Host(name, f"10.213.7.{number}", f"veth{letter}", disk, shared))
            stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=False)
            stack.callback(hosts[-1].cut_power)
        shared.mkdir()
        first, second = hosts
        ends = ["veth", "peer", "name", second.cable, "netns", second.name]
        subprocess.run(["ip", "link", "add", first.cable, "netns", first.name, "type", *ends], check=True)
        for host in hosts:
            for command in (
                ["address", "add", f"{host.address}/24", "dev", host.cable],
                ["link", "set", host.cable, "up"],
                ["link", "set", "lo", "up"],
            ):
                subprocess.run(["ip", "-n", host.name, *command], check=True)
        yield first, second, shared
