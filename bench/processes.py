"""The processes of one engine in one run: started with its environment, watched, ended in good order or killed."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

STOP_PATIENCE_S: Final = 30.0
LOG_TAIL: Final = 3_000
REPOSITORY: Final = Path(__file__).parents[1]
_STRIPPED: Final = ("REGULARS_", "BENCH_")
"""Variables of the caller's that would change what is measured."""

Process = subprocess.Popen[bytes]


class EngineStopped(Exception):
    """A process of the engine ended, or it stood still; the end of its log is in the message."""


def without_place(text: str, folder: Path) -> str:
    """Without the folders of this machine, since results are shown to others."""
    return text.replace(str(folder), "STATE").replace(str(REPOSITORY), ".")


class Processes:
    """What runs of one engine. All write into one log; whatever still runs at the end is stopped."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_STRIPPED)}
        self._environment = kept | dict(environment)
        self._log_path = log
        self._log = log.open("ab")
        self._running: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        self._log.close()

    @property
    def pids(self) -> list[int]:
        """Those that run, or should."""
        return [process.pid for process in self._running]

    def start(self, command: Sequence[str]) -> Process:
        """Start one."""
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self._running.append(process)
        return process

    def stop(self, process: Process) -> None:
        """End one in good order (SIGTERM); one that does not end is killed."""
        process.send_signal(signal.SIGTERM)
        self._await_end(process)

    def kill(self, process: Process) -> None:
        """End one at once (SIGKILL), as a crash would."""
        self._running.remove(process)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """End all that run, together."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in list(self._running):
            self._await_end(process)

    def _await_end(self, process: Process) -> None:
        self._running.remove(process)
        try:
            process.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def check(self, where: str) -> None:
        """Raise EngineStopped if one has ended by itself; `where` says how far it was."""
        for process in self._running:
            if process.poll() is not None:
                raise EngineStopped(f"it ended with exit code {process.returncode} {where}")

    def log_tail(self) -> str:
        """The end of the log."""
        return self._log_path.read_text(errors="replace")[-LOG_TAIL:]
