"""What the triggers cost: the same stream with the triggers of the job alone, and with every built-in one, side by side.

    python -m bench.trigger_cost --rounds 7
    python -m bench.trigger_cost --compiled                        # of the compiled worker, see `make compiled`
    python -m bench.trigger_cost --against ../regulars-of-then     # another checkout's job in the place of ours

The whole way of a record but for servers is measured (inbox, merge, decode, load, step, encode, commit, publish, in memory),
in processor seconds, each time in a process of its own; rounds alternate, and medians are compared. The budget is 1.5. What
profiles remember whether or not a trigger asks for it is in both sides of the first forms; the last form, with a checkout of
the foundation, shows that too.
"""

import argparse
import gc
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from statistics import median
from typing import Any, Final

BUDGET: Final = 1.5
HERE: Final = Path(__file__).parent.parent
COMPILED: Final = HERE / ".venv-compiled/bin/python"
EVENTS: Final = 40_000
CUSTOMERS: Final = 2_000
BATCH: Final = 500
ARRIVED_MS: Final = 1_704_067_200_000 + 400 * 86_400_000
ALL: Final = "all"
JOB: Final = "job"


def measure(which: str, events: int) -> float:
    """Processor seconds for the stream with the job's trigger alone, or with all built-in ones under their default rules."""
    from bench.engines.regulars import RULES
    from bench.generator import Scenario, records
    from profiles.book import Book
    from profiles.engine import Engine
    from profiles.rules import read_rules
    from profiles.triggers import BUILT_IN, CART_ABANDONED, RULE_TYPES

    values = [record.value for record in records(Scenario(events=events, customers=CUSTOMERS))]
    if which == JOB:
        engine = Engine(Book(rules=read_rules(tomllib.loads(RULES), RULE_TYPES)), (CART_ABANDONED,))
    else:
        engine = Engine(Book(), BUILT_IN)
    return spent(engine, values)


def spent(engine: Any, values: list[bytes]) -> float:
    """Processor seconds of an engine for these events, the garbage collector off."""
    from schemas.decode import Decoder
    from streams.embedded import Embedded

    run = Embedded(engine, Decoder("USD"), on_row=lambda _: None, batch_records=BATCH)
    gc.collect()
    gc.freeze()
    gc.disable()
    begun = time.process_time()
    run.feed((value, ARRIVED_MS) for value in values)
    seconds = time.process_time() - begun
    run.close()
    return seconds


def _measured(which: str, events: int, tree: Path) -> float:
    """`measure` in a process of its own, with the code of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    command = [sys.executable, str(Path(__file__)), "--measure", which, "--events", str(events)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tree, env=environment)
    return float(done.stdout)


def _measured_compiled(which: str, events: int) -> float:
    """The same with what is installed in `.venv-compiled`: of this checkout only the benchmark comes, behind it in the path."""
    program = (
        f"import sys; sys.path.append({str(HERE)!r}); "
        f"from bench.trigger_cost import measure; print(measure({which!r}, {events}))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(COMPILED), "-P", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout)


def compare(
    rounds: int, events: int = EVENTS, against: Path = HERE, *, compiled: bool = False
) -> tuple[list[float], list[float]]:
    """Processor seconds of each round on both sides: the job of `against`, and all triggers of this checkout."""
    job, everything = [], []
    for _ in range(rounds):
        job.append(_measured_compiled(JOB, events) if compiled else _measured(JOB, events, against))
        everything.append(_measured_compiled(ALL, events) if compiled else _measured(ALL, events, HERE))
    return job, everything


def main() -> int:
    parser = argparse.ArgumentParser(description="What the built-in triggers cost, against the job alone.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each side is measured")
    parser.add_argument("--events", type=int, default=EVENTS, help="length of the stream")
    parser.add_argument("--against", type=Path, default=HERE, help="the checkout whose job is the measure")
    parser.add_argument("--compiled", action="store_true", help="measure the compiled worker")
    parser.add_argument("--measure", choices=(JOB, ALL), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(measure(asked.measure, asked.events))
        return 0
    if asked.compiled and (not COMPILED.exists() or asked.against != HERE):
        parser.error("--compiled measures this checkout, after `make compiled`")
    sides = compare(asked.rounds, asked.events, asked.against.resolve(), compiled=asked.compiled)
    job, everything = (median(side) for side in sides)
    ratio = everything / job
    print(f"the job alone      {job / asked.events * 1e6:6.2f} us an event")
    print(f"all triggers       {everything / asked.events * 1e6:6.2f} us an event")
    print(f"ratio              {ratio:6.2f}, budget {BUDGET}")
    return 0 if ratio <= BUDGET else 1


if __name__ == "__main__":
    sys.exit(main())
