"""A server program as a child process: start it, find it again by its directory, stop it by its process id.

Servers started by `make services` outlive the command that started them, so the process id lies in a file. A process id
may be given to another program later; a signal is only sent when the command line still names our directory.
"""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
STOP_TIMEOUT_S = 20.0
LOG_TAIL_LINES = 15
_POLL_S = 0.02
# Below 32768, where Linux starts to hand out ports to outgoing connections: while a server is down for a restart, no
# client's own connection can be given its port.
_PORT_RANGE = (20_000, 32_000)
_PORT_TRIES = 500
# Children of this Python process by id. Kept here and not in ServerProcess: a server may outlive the object that
# started it, and only its parent can clear away its entry in the process table when it ends.
_children: dict[int, subprocess.Popen[bytes]] = {}


class LocalServiceError(Exception):
    """A local server can't be started or did not answer.

    What happened stands in the message, with the end of the server's own log where there is one. Nothing is left
    running. The message also says what to install or change.
    """


def free_ports(count: int) -> list[int]:
    """Loopback ports on which nothing listens now, all different."""
    found: list[int] = []
    for _ in range(_PORT_TRIES):
        port = random.randrange(*_PORT_RANGE)
        if port not in found and not port_taken(port):
            found.append(port)
            if len(found) == count:
                return found
    raise LocalServiceError(f"found no {count} free ports between {_PORT_RANGE[0]} and {_PORT_RANGE[1]} on {LOOPBACK}")


def port_taken(port: int) -> bool:
    """Whether something on this machine already listens on the port."""
    with socket.socket() as probe:
        # Without this a port whose old connections are still in TIME_WAIT looks taken, though a server may have it.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return True
    return False


def wait_until(condition: Callable[[], bool], *, timeout_s: float, what: str) -> None:
    """Poll until `condition` holds. Raises LocalServiceError naming `what` when it does not hold in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise LocalServiceError(f"waited {timeout_s:g} s for {what}")
        time.sleep(_POLL_S)


class ServerProcess:
    """One server program that lives in `directory`: its process id in `server.pid`, its output in `server.log`.

    The command must contain the directory's path, since that is how the process is recognised later.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory.absolute()
        self.log_path = self.directory / "server.log"
        self._pid_path = self.directory / "server.pid"

    @property
    def pid(self) -> int | None:
        """The process id while the server runs (also when another command started it), else None."""
        try:
            pid = int(self._pid_path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        child = _children.get(pid)
        if child is not None and child.poll() is not None:
            del _children[pid]
            return None
        return pid if child is not None or str(self.directory) in _command_line(pid) else None

    def spawn(self, command: Sequence[str]) -> None:
        """Start the program in a session of its own, so that Ctrl-C in the terminal does not reach it."""
        if self.pid is not None:
            raise LocalServiceError(f"{self.name} already runs in {self.directory}")
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _children[child.pid] = child
        self._pid_path.write_text(str(child.pid))

    def wait_ready(self, answers: Callable[[], bool], *, timeout_s: float) -> None:
        """Poll until the server answers; when it ends or stays silent, stop it and raise with the end of its log."""
        deadline = time.monotonic() + timeout_s
        while not answers():
            if self.pid is None:
                raise LocalServiceError(
                    f"{self.name} ended while starting. The end of {self.log_path}:\n{self.log_tail()}"
                )
            if time.monotonic() > deadline:
                self.kill()
                raise LocalServiceError(
                    f"{self.name} did not answer within {timeout_s:g} s. The end of {self.log_path}:\n{self.log_tail()}"
                )
            time.sleep(_POLL_S)

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Ask the server to end and wait for it; after `timeout_s` kill it. Nothing happens when it does not run."""
        pid = self.pid
        if pid is None:
            return
        # A frozen process acts on SIGTERM only after it was continued.
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + timeout_s
        while self.pid is not None and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        self.kill()

    def kill(self) -> None:
        """End it at once with SIGKILL, as a crash would, and wait until it is gone."""
        pid = self.pid
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            while self.pid is not None:
                time.sleep(_POLL_S)
        self._pid_path.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Stop its execution (SIGSTOP): connections stay open and nothing answers, as with a hung machine."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server run on."""
        self._signal(signal.SIGCONT)

    def log_tail(self) -> str:
        """The last lines the server wrote, indented, for error messages."""
        if not self.log_path.exists():
            return "  (no log)"
        lines = self.log_path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.pid
        if pid is None:
            raise LocalServiceError(f"{self.name} does not run in {self.directory}")
        os.kill(pid, number)


def _command_line(pid: int) -> str:
    """The command line of a process, empty when there is none with this id."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    # macOS and the BSDs have no /proc.
    shown = subprocess.run(["ps", "-ww", "-p", str(pid), "-o", "args="], capture_output=True, text=True, check=False)
    return shown.stdout
