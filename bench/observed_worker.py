"""`regulars worker` with a few numbers of its inside shown to the harness: what the garbage collector does, and memory.

    python -m bench.observed_worker [arguments of `regulars worker`]

The numbers stand in the file that BENCH_OBSERVED names, as 64-bit integers in the order of FIELDS, which is mapped into memory:
counting costs nothing to speak of, and reading them costs the worker nothing.
"""

import gc
import mmap
import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

VARIABLE: Final = "BENCH_OBSERVED"
LOOK_EVERY_S: Final = 0.05
_BYTES: Final = 8


class Observed(Struct, frozen=True, kw_only=True):
    """Running totals, but for the last three.

    `collections_0` to `_2` are of Python's three generations, `freed` the objects they found;
    `longest_pause_ns` is the longest of all collections so far. `asked` is written by the harness: when it goes up, the worker
    looks at itself and answers in `answered`, `tracked` (objects the collector looks at), `frozen` (those it was told to leave
    alone) and `blocks` (pieces of memory that Python has given out).
    """

    collections_0: int
    collections_1: int
    collections_2: int
    pause_ns: int
    longest_pause_ns: int
    freed: int
    asked: int
    answered: int
    tracked: int
    frozen: int
    blocks: int


FIELDS: Final = Observed.__struct_fields__
_AT: Final = {name: place for place, name in enumerate(FIELDS)}


class Sheet:
    """The file, made by the harness with `Sheet.make`; opened wherever it is written or read."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), len(FIELDS) * _BYTES)
        self.numbers = memoryview(self._bytes).cast("q")

    @classmethod
    def make(cls, path: Path) -> "Sheet":
        """A new one, all numbers 0."""
        path.write_bytes(bytes(len(FIELDS) * _BYTES))
        return cls(path)

    def read(self) -> Observed:
        """How they stand."""
        return Observed(**dict(zip(FIELDS, self.numbers, strict=True)))

    def ask(self, patience_s: float) -> Observed:
        """Have the worker look at itself, which stops it for some milliseconds. Raises TimeoutError where no answer comes."""
        self.numbers[_AT["asked"]] += 1
        deadline_s = time.monotonic() + patience_s
        while self.numbers[_AT["answered"]] < self.numbers[_AT["asked"]]:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the worker did not look at itself")
            time.sleep(LOOK_EVERY_S)
        return self.read()


def observe(sheet: Sheet) -> None:
    """Count from now on, in this process."""
    numbers = sheet.numbers
    pause_ns, longest_ns, freed = (_AT[name] for name in ("pause_ns", "longest_pause_ns", "freed"))
    began_ns = 0

    def collected(phase: str, info: dict[str, int]) -> None:
        nonlocal began_ns
        if phase == "start":
            began_ns = time.perf_counter_ns()
            return
        took_ns = time.perf_counter_ns() - began_ns
        numbers[_AT["collections_0"] + info["generation"]] += 1
        numbers[pause_ns] += took_ns
        numbers[longest_ns] = max(numbers[longest_ns], took_ns)
        numbers[freed] += info["collected"]

    gc.callbacks.append(collected)
    threading.Thread(target=_answer, args=(numbers,), daemon=True).start()


def _answer(numbers: memoryview) -> None:
    """Look whether the harness asks, for ever."""
    while True:
        time.sleep(LOOK_EVERY_S)
        if numbers[_AT["answered"]] < numbers[_AT["asked"]]:
            numbers[_AT["tracked"]] = len(gc.get_objects())
            numbers[_AT["frozen"]] = gc.get_freeze_count()
            numbers[_AT["blocks"]] = sys.getallocatedblocks()
            numbers[_AT["answered"]] = numbers[_AT["asked"]]


def main() -> None:
    """Run the worker, observed."""
    from streams.cli import main as regulars

    observe(Sheet(Path(os.environ[VARIABLE])))
    sys.argv = ["regulars", "worker", *sys.argv[1:]]
    regulars()


if __name__ == "__main__":
    main()
