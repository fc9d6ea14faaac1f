"""Instructions of each part of the workload, counted by valgrind: the same program twice, with more of one part."""

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from msgspec import Struct

REPOSITORY: Final = Path(__file__).parents[2]
REFERENCE: Final = "reference"
TIMEOUT_S: Final = 600.0
_TOTAL: Final = re.compile(r"I\s+refs:\s+([\d,]+)")


class Part(Struct, frozen=True, kw_only=True):
    """A part of the workload: how much of it is in every run, and how much more in its own."""

    title: str
    base: int
    more: int


_KINDS: Final = {
    "view": "a product viewed",
    "add": "a product added to a cart",
    "order": "an order",
    "timer": "a timer that sends a trigger",
    "mix": "the mix",
}
PARTS: Final[Mapping[str, Part]] = {
    REFERENCE: Part(title="the reference loop", base=50, more=5_000),
    **{f"core-{kind}": Part(title=f"core, {title}", base=50, more=1_000) for kind, title in _KINDS.items()},
    **{f"loop-{kind}": Part(title=f"loop, {title}", base=500, more=1_500) for kind, title in _KINDS.items()},
}
"""By their names in bench/guard/workload.py. *Core* is decoding an event and applying it; *loop* is the partition's whole way
of a record, on a table in memory.
"""


class Counts(Struct, kw_only=True):
    """Instructions for each event (or iteration of the reference loop), by part."""

    python: str
    valgrind: str
    instructions: dict[str, float]

    def ratios(self) -> dict[str, float]:
        """Each part in iterations of the reference loop, which another build of the interpreter makes dearer or cheaper, too."""
        reference = self.instructions[REFERENCE]
        return {name: count / reference for name, count in self.instructions.items() if name != REFERENCE}


class NoValgrind(Exception):
    """Valgrind is missing. The message says where to get it."""


def count_instructions() -> Counts:
    """Count them all, as many runs at a time as there are cores (about half a minute on two).

    Raises NoValgrind, and RuntimeError with what the workload said where it fails.
    """
    version = _version()
    base = {name: part.base for name, part in PARTS.items()}
    runs = [base] + [base | {name: part.base + part.more} for name, part in PARTS.items()]
    # Python writes its compiled files once, and not under valgrind: they would be counted.
    _run([sys.executable, *_workload(base)])
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        first, *others = pool.map(_count, runs)
    return Counts(
        python=platform.python_version(),
        valgrind=version,
        instructions={
            name: (total - first) / part.more for (name, part), total in zip(PARTS.items(), others, strict=True)
        },
    )


def _version() -> str:
    program = shutil.which("valgrind")
    if program is None:
        raise NoValgrind(
            "This check counts instructions with valgrind, which was not found.\n"
            "  Debian, Ubuntu: apt-get install valgrind    Fedora: dnf install valgrind    macOS: there is none, use Linux\n"
            "Wall-clock time is no substitute: on a shared machine it moves by more than any change that matters."
        )
    return _run([program, "--version"]).stdout.strip().removeprefix("valgrind-")


def _count(counts: Mapping[str, int]) -> int:
    options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    told = _run(["valgrind", *options, sys.executable, *_workload(counts)]).stderr
    match = _TOTAL.search(told)
    if match is None:
        raise RuntimeError(f"valgrind told no number of instructions:\n{told[-2_000:]}")
    return int(match[1].replace(",", ""))


def _workload(counts: Mapping[str, int]) -> list[str]:
    return ["-m", "bench.guard.workload", *(f"{name}={count}" for name, count in counts.items())]


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    # Dicts of strings are laid out by their hashes; nothing of the caller's may change what is done.
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0", "LANG": "C.UTF-8"}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with code {done.returncode}:\n{(done.stdout + done.stderr)[-2_000:]}")
    return done
