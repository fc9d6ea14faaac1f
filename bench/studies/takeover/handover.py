"""Two workers under steady load: one is stopped, one comes, one is killed; how long their partitions stand still."""

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal
from urllib.error import URLError
from urllib.request import urlopen

import msgspec
from msgspec import Struct

from bench.engines.regulars import Regulars
from bench.figures import spread
from bench.generator import Scenario
from bench.live import LiveRun, now_ms
from bench.processes import EngineStopped, Process
from bench.schedule import live_load
from bench.servers import Servers
from bench.tables import table
from bench.timetable import Move
from bench.watches import OffsetWatch
from streams.health import Report
from streams.local.process import free_ports

SCENARIO: Final = Scenario(events=0, customers=10_000)
PER_S: Final = 2_000.0
QUICK_PER_S: Final = 1_000.0
SESSIONS_MS: Final = (10_000, 6_000)
QUICK_SESSIONS_MS: Final = (6_000,)
LOOK_EVERY_S: Final = 0.005
BEFORE_S, AFTER_S, START_S = 3.0, 5.0, 30.0
"""Of undisturbed load before the first event, and after each; what a worker may take to start and be given partitions."""
PATIENCE_S: Final = 60.0

Kind = Literal["stop", "join", "kill"]
WHAT: Final[dict[Kind, str]] = {
    "stop": "a worker is stopped (SIGTERM)",
    "join": "a worker joins",
    "kill": "a worker is killed (SIGKILL)",
}


class Handover(Struct, kw_only=True):
    """One event. Standstills are seconds without progress, one for each partition.

    `taken` are those of partitions whose owner went, for a join those of all; `kept` those of the worker that stayed.
    """

    kind: Kind
    session_ms: int
    round: int
    taken_s: list[float]
    kept_s: list[float]


class HandoverData(Struct, kw_only=True):
    """What a result file of this case holds."""

    scenario: Scenario
    per_s: float
    events: list[Handover]
    problems: list[str] = []


def longest_standstill_s(moves: Sequence[Move], partition: int, since_s: float, until_s: float) -> float:
    """The longest time without progress of a partition that reaches into a span: from the move before it to the next."""
    times = [at_s for at_s, number, _ in moves if number == partition]
    before = max((at_s for at_s in times if at_s <= since_s), default=since_s)
    within = [before, *(at_s for at_s in times if since_s < at_s <= until_s)]
    # What comes after the span only counts if nothing at all moved within it.
    if len(within) == 1:
        within.append(min((at_s for at_s in times if at_s > until_s), default=float("inf")))
    return max(later - earlier for earlier, later in pairwise(within))


def measure(servers: Servers, *, quick: bool, rounds: int, engines: Sequence[str]) -> HandoverData:
    """Every session time-out, `rounds` times."""
    del engines  # other engines are not compared here
    data = HandoverData(scenario=SCENARIO, per_s=QUICK_PER_S if quick else PER_S, events=[])
    for number in range(1, rounds + 1):
        for session_ms in QUICK_SESSIONS_MS if quick else SESSIONS_MS:
            try:
                found, problem = _once(servers, session_ms, data.per_s, number)
                data.events += found
            except EngineStopped as error:
                problem = str(error)
            if problem is not None:
                data.problems.append(f"session {session_ms} ms, round {number}: {problem}")
                print(f"  WRONG: {data.problems[-1]}", flush=True)
            for event in data.events:
                if (event.round, event.session_ms) == (number, session_ms):
                    print(f"  round {number}  session {session_ms / 1000:g} s  {_line(event)}", flush=True)
    return data


def _once(servers: Servers, session_ms: int, per_s: float, number: int) -> tuple[list[Handover], str | None]:
    engine = Regulars(
        settings={
            "REGULARS_KAFKA_SESSION_TIMEOUT_MS": str(session_ms),
            "REGULARS_KAFKA_HEARTBEAT_MS": str(session_ms // 5),
            "REGULARS_HTTP_HOST": "127.0.0.1",
        }
    )
    session_s = session_ms / 1_000
    # The load has to outlast everything; what is left of it when all was seen only costs time.
    seconds = BEFORE_S + 3 * AFTER_S + session_s + START_S / 3
    with LiveRun(engine, servers, SCENARIO) as run:
        workers = [_Worker(run), _Worker(run)]
        _await_all(run, workers)
        stretch = run.begin(live_load(per_s, seconds, now_ms()))
        assert run.ground.redis is not None
        found = []
        with OffsetWatch(run.ground.redis, run.ground.partitions, every_s=LOOK_EVERY_S) as watch:
            _sleep_until(stretch.began_s + BEFORE_S)

            went, stayed = workers
            held = went.partitions()
            at_s = time.monotonic()
            run.processes.stop(went.process)
            _sleep_until(time.monotonic() + AFTER_S)
            found.append(_event("stop", watch.moves, held, run, at_s, session_ms, number))

            at_s = time.monotonic()
            came = _Worker(run)
            _await_all(run, [stayed, came])
            _sleep_until(time.monotonic() + AFTER_S / 2)
            every = set(range(run.ground.partitions))
            found.append(_event("join", watch.moves, every, run, at_s, session_ms, number))

            held = stayed.partitions()
            at_s = time.monotonic()
            run.processes.kill(stayed.process)
            _sleep_until(at_s + session_s + AFTER_S)
            found.append(_event("kill", watch.moves, held, run, at_s, session_ms, number))
            if run.sender.has_ended():
                raise EngineStopped("the load ended before everything was seen: workers took too long to start")
            run.sender.ended()
            run.catch_up()
        return found, run.problem()


class _Worker:
    """One worker process, and what it says of itself."""

    def __init__(self, run: LiveRun) -> None:
        (self._port,) = free_ports(1)
        (command,) = run.engine.commands(run.ground)
        self.process: Process = run.processes.start([*command, "--http-port", str(self._port)])

    def partitions(self) -> set[int]:
        """Those that run here; none while it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self._port}/health", timeout=2.0) as answer:
                report = msgspec.json.decode(answer.read(), type=Report)
        except (URLError, OSError):
            return set()
        return {told.partition for told in report.partitions if told.state == "running"}


def _await_all(run: LiveRun, workers: Sequence[_Worker]) -> None:
    """Wait until each has partitions and all partitions run."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        run.processes.check("while partitions were handed out")
        held = [worker.partitions() for worker in workers]
        if all(held) and sum(map(len, held)) == len(set().union(*held)) == run.ground.partitions:
            return
        if time.monotonic() > deadline_s:
            raise EngineStopped(f"after {PATIENCE_S:g} s partitions are still handed out: {held}")
        time.sleep(0.1)


def _event(
    kind: Kind, moves: Sequence[Move], held: set[int], run: LiveRun, at_s: float, session_ms: int, number: int
) -> Handover:
    now_s = time.monotonic()
    still = {p: longest_standstill_s(moves, p, at_s, now_s) for p in range(run.ground.partitions)}
    return Handover(
        kind=kind,
        session_ms=session_ms,
        round=number,
        taken_s=[round(still[p], 3) for p in sorted(held)],
        kept_s=[round(still[p], 3) for p in sorted(still.keys() - held)],
    )


def _sleep_until(at_s: float) -> None:
    time.sleep(max(0.0, at_s - time.monotonic()))


def _line(event: Handover) -> str:
    kept = f", the other's {max(event.kept_s):.2f} s at most" if event.kept_s else ""
    least, most = min(event.taken_s, default=0.0), max(event.taken_s, default=0.0)
    return f"{WHAT[event.kind]}: its partitions stood still for {least:.2f} to {most:.2f} s{kept}"


def section(raw: Any) -> str:
    """The part of the report."""
    data = msgspec.convert(raw, HandoverData)
    rows = []
    for session_ms in dict.fromkeys(event.session_ms for event in data.events):
        for kind, what in WHAT.items():
            events = [event for event in data.events if (event.kind, event.session_ms) == (kind, session_ms)]
            taken = [still_s for event in events for still_s in event.taken_s]
            kept = [still_s for event in events for still_s in event.kept_s]
            rows.append([f"{what}, session {session_ms / 1000:g} s", _show(taken), _show(kept), str(len(events))])
    text = (
        "### Hand-over\n\n"
        f"Two workers, {data.scenario.partitions} partitions, {data.per_s:,.0f} events/s all the time. Time without a commit, "
        "median (least to most) over the partitions of all rounds: of the partitions whose worker went (of all, where one joins: "
        "while Kafka hands out partitions anew, everybody lets go of theirs), and of those of the worker that stayed.\n\n"
        + table(["", "its partitions", "the other's", "times"], rows)
    )
    if data.problems:
        return text + "\n" + "".join(f"- {problem.splitlines()[0]}\n" for problem in data.problems)
    return text + "\nAfter each run, the kill included, every customer's totals and interests were right.\n"


def _show(values: Sequence[float]) -> str:
    return spread(values).show("{:.2f} s".format) if values else "–"
