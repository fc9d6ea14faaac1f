"""One run of one engine: fresh topics, fresh state, a fresh process; watched until all is durable, then checked."""

import time
from contextlib import closing
from typing import Final

from msgspec import Struct

from bench.engines.engine import Engine, Ground, new_ground
from bench.figures import Mark, thinned
from bench.job import Expected
from bench.outcome import Topic, difference, read_triggers
from bench.processes import EngineStopped, Processes, without_place
from bench.servers import Servers
from bench.stream_file import Stream

LOOK_EVERY_S: Final = 0.1
STANDSTILL_S: Final = 120.0


class Round(Struct, kw_only=True):
    """What one run showed. `moves` counts how often durable progress was seen to move; `marks` are some of those moments.

    `problem` says why it has no speed: it stopped, stood still, or its result is wrong.
    """

    engine: str
    number: int
    records: int
    marks: list[Mark] = []
    moves: int = 0
    rss_peak_bytes: int = 0
    state_bytes: dict[str, int] = {}
    cpu_in_all_s: float = 0.0
    problem: str | None = None
    command: list[str] = []


def run_engine(
    engine: Engine, servers: Servers, stream: Stream, expected: Expected, *, number: int, threads: int
) -> Round:
    """Run an engine over a whole stream. Never raises for what the engine does wrong: that is in the round."""
    found = Round(engine=engine.name, number=number, records=stream.facts.records)
    ends = stream.facts.by_partition
    with new_ground(engine, servers, ends, name=str(number), threads=threads) as ground:
        servers.fill(ground.topic("clickstream"), stream.blocks())
        found.command = [without_place(part, ground.state) for part in engine.commands(ground)[0]]
        with Processes(engine.environment(ground), ground.log) as processes:
            try:
                for command in engine.commands(ground):
                    processes.start(command)
                _watch(engine, ground, processes, found)
                with Topic(servers.kafka.bootstrap, ground.topic("triggers"), ground.partitions) as topic:
                    triggers = read_triggers(topic, expected, engine.trigger)
                found.state_bytes = engine.state_bytes(ground)
                totals = engine.totals(ground, expected)
                found.problem = difference(expected, totals, triggers)
            except EngineStopped as error:
                found.problem = without_place(f"{error}\n{processes.log_tail()}".strip(), ground.state)
    return found


def _watch(engine: Engine, ground: Ground, processes: Processes, found: Round) -> None:
    """Take a mark whenever durable progress has moved, until everything is done."""
    moved = time.monotonic()
    meter = ground.meter(processes.pids)
    done = 0
    marks: list[Mark] = []
    with closing(engine.progress(ground)) as progress:
        while done < found.records:
            time.sleep(LOOK_EVERY_S)
            processes.check(f"at {done:,} records")
            last, done = done, progress.done()
            meter.engine.look_at_memory()
            if done > last:
                moved = time.monotonic()
                marks.append(meter.mark(done))
            elif time.monotonic() - moved > STANDSTILL_S:
                raise EngineStopped(f"it stood still for {STANDSTILL_S:g} s at {done:,} of {found.records:,} records")
    found.marks, found.moves = thinned(marks, found.records), len(marks)
    found.rss_peak_bytes = meter.engine.rss_peak_bytes
    found.cpu_in_all_s = meter.engine.cpu_s()
