"""How long a start takes with a million customers: Regulars' are in Redis, Kafka Streams has to have them on its own disk."""

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from kafka.admin import MemberToRemove
from msgspec import Struct

from bench.engines import ENGINES
from bench.engines.engine import Engine
from bench.engines.jvm import KafkaStreamsPeer
from bench.engines.regulars import Regulars
from bench.figures import spread
from bench.generator import Scenario
from bench.live import LiveRun, now_ms
from bench.processes import EngineStopped
from bench.schedule import backlog
from bench.servers import Servers
from bench.tables import table

CUSTOMERS: Final = 1_000_000
QUICK_CUSTOMERS: Final = 50_000
MORE: Final = 2_000
"""Events of new customers that wait for the engine when it starts again."""
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 24 * HOUR_MS

SIDES: Final[Mapping[str, Callable[[], Engine]]] = {"regulars": Regulars, "kafka-streams": KafkaStreamsPeer}
AGAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "regulars": ("a new process",),
    "kafka-streams": ("a new process on its old disk", "a new process on an empty disk"),
}
"""What there is at each further start. A worker of Regulars keeps nothing on its machine, so there is but one case."""


class Start(Struct, kw_only=True):
    """One start. Seconds count from the start of the process, to the first and the last of the waiting events."""

    engine: str
    round: int
    lost: str
    first_s: float
    all_s: float


class RestoreData(Struct, kw_only=True):
    """What a result file of this case holds. `redis_s`: how long Redis itself takes to read its append-only file."""

    customers: int
    starts: list[Start]
    redis_s: list[float] = []
    problems: list[str] = []


def measure(servers: Servers, *, quick: bool, rounds: int, engines: Sequence[str]) -> RestoreData:
    """Each engine in turn, `rounds` times."""
    data = RestoreData(customers=QUICK_CUSTOMERS if quick else CUSTOMERS, starts=[])
    for number in range(1, rounds + 1):
        for name in SIDES:
            if name in engines:
                try:
                    _once(servers, name, data, number)
                except EngineStopped as error:
                    data.problems.append(f"{ENGINES[name].title}, round {number}: {error}")
                    print(f"  WRONG: {data.problems[-1]}", flush=True)
    return data


def _once(servers: Servers, name: str, data: RestoreData, number: int) -> None:
    scenario = Scenario(events=0, customers=data.customers, draw="cold")
    with LiveRun(SIDES[name](), servers, scenario, checked=False) as run:
        run.send(backlog(data.customers, DAY_MS, now_ms() - HOUR_MS))
        run.start()
        run.catch_up()
        for lost in AGAIN[name]:
            run.processes.stop_all()
            _empty_group(run)
            if name == "kafka-streams" and "empty disk" in lost:
                shutil.rmtree(run.ground.state / run.ground.prefix)  # the folder of its application
            before = run.sent
            run.send(backlog(MORE, 60_000, now_ms()))
            began_s = time.monotonic()
            run.start()
            since_s = time.monotonic() - began_s
            marks = [mark for mark in run.marks(run.sent) if mark.done > before]
            start = Start(
                engine=name,
                round=number,
                lost=lost,
                first_s=since_s + marks[0].at_s,
                all_s=since_s + marks[-1].at_s,
            )
            data.starts.append(start)
            print(
                f"  round {number}  {name:14} {lost}: first event after {start.first_s:.1f} s, all after {start.all_s:.1f} s",
                flush=True,
            )
        if run.ground.redis is not None:
            run.processes.stop_all()
            began_s = time.monotonic()
            run.ground.redis.restart()
            data.redis_s.append(time.monotonic() - began_s)


def _empty_group(run: LiveRun) -> None:
    """Take the members that have ended out of the group, for Kafka Streams leaves them there until their session times out.

    A start would wait for them, which is the other matter of hand-over.
    """
    admin, group = run.servers.admin, run.ground.prefix
    left = admin.describe_groups([group])[group]["members"]
    if left:
        admin.remove_group_members(group, [MemberToRemove(member_id=member["member_id"]) for member in left])


def section(raw: Any) -> str:
    """The part of the report."""
    data = msgspec.convert(raw, RestoreData)
    rows = []
    for name, losses in AGAIN.items():
        for lost in losses:
            starts = [start for start in data.starts if (start.engine, start.lost) == (name, lost)]
            if starts:
                rows.append(
                    [
                        f"{ENGINES[name].title}, {lost}",
                        spread([start.first_s for start in starts]).show("{:.1f} s".format),
                        spread([start.all_s for start in starts]).show("{:.1f} s".format),
                        str(len(starts)),
                    ]
                )
    text = (
        "### A start with much state\n\n"
        f"{data.customers:,} customers with one event each; stopped in good order, out of its group, then started again with "
        f"{MORE:,} events waiting. Seconds from the start of the process to the first durable effect, and to the last; median "
        "(least to most). Customers with a longer history mean more to restore, not more to load.\n\n"
        + table(["", "first event", "all events", "times"], rows)
    )
    if data.redis_s:
        shown = spread(data.redis_s).show("{:.1f} s".format)
        text += f"\nRedis itself, stopped and started with these customers in its append-only file, was back after {shown}.\n"
    return text + "".join(f"\n- {problem.splitlines()[0]}\n" for problem in data.problems)
