"""/health: lag without progress fails, many rejects degrade, a silent shop is well."""

import asyncio
import json
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from streams.health import Report, Watch
from streams.local.process import free_ports
from streams.metrics import Metrics
from streams.pages import Pages, metrics_page
from streams.setting_sections import Health, Http
from streams.watchdog import Stalled, watch_over

SETTINGS = Health(stall_ms=60_000, exit_ms=600_000, rejected_share=0.05)
MINUTE = 60_000


def watch() -> Watch:
    started = Watch(SETTINGS)
    started.ready()
    return started


def observe(subject: Watch, now_ms: int, *, lag: int, progress: int) -> None:
    subject.observe(0, lag=lag, progress=progress, state="running", now_ms=now_ms)


def test_a_worker_that_has_not_joined_its_group_is_starting() -> None:
    report = Watch(SETTINGS).report(0)

    assert (report.status, report.http_status) == ("starting", 503)


def test_lag_without_progress_fails_after_the_set_time() -> None:
    subject = watch()
    observe(subject, 0, lag=10, progress=5)
    observe(subject, MINUTE - 1, lag=20, progress=5)

    assert subject.report(MINUTE - 1).status == "ok"

    report = subject.report(MINUTE)

    assert (report.status, report.http_status) == ("failing", 503)
    assert report.reasons == ["partition 0 has 20 records of lag and no progress for 60000 ms (running)"]


def test_progress_is_well_however_large_the_lag() -> None:
    subject = watch()
    for minute in range(10):
        observe(subject, minute * MINUTE, lag=1_000_000, progress=minute)

    assert subject.report(9 * MINUTE + 1).status == "ok"


def batch(subject: Watch, now_ms: int, worked: int) -> None:
    subject.observe(0, lag=4000, progress=7, worked=worked, state="running", now_ms=now_ms)


def test_a_batch_that_takes_long_since_many_partitions_take_turns_is_no_stall() -> None:
    """A worker that had merely much to catch up with failed, was started anew by its probe, and began the batch again."""
    subject = watch()
    for minute in range(8):
        batch(subject, minute * MINUTE, 500 * minute)

    assert subject.report(8 * MINUTE - 1).status == "ok"


def test_a_batch_that_is_worked_on_again_and_never_committed_is_a_stall() -> None:
    subject = watch()
    for number, worked in enumerate((0, 2000, 4000, 0, 2000, 4000, 0, 2000)):
        batch(subject, number * MINUTE // 2, worked)

    assert subject.report(7 * MINUTE // 2).partitions[0].stalled_ms == 5 * MINUTE // 2


def test_a_silent_partition_without_lag_is_well_for_ever() -> None:
    subject = watch()
    for minute in range(0, 600, 10):
        observe(subject, minute * MINUTE, lag=0, progress=5)

    assert subject.report(600 * MINUTE).status == "ok"


def test_a_partition_that_moved_away_is_forgotten() -> None:
    subject = watch()
    observe(subject, 0, lag=10, progress=5)
    subject.forget(0)

    assert subject.report(10 * MINUTE).status == "ok"


def test_a_high_share_of_rejects_degrades_but_does_not_fail() -> None:
    subject = watch()
    subject.count(1000, 0, 0)
    subject.count(2000, 100, MINUTE)

    report = subject.report(MINUTE)

    assert (report.status, report.http_status, report.rejected_share) == ("degraded", 200, 0.1)


def test_rejects_of_long_ago_are_forgiven() -> None:
    subject = watch()
    subject.count(1000, 0, 0)
    subject.count(2000, 500, MINUTE)
    subject.count(3000, 500, 7 * MINUTE)
    subject.count(4000, 500, 8 * MINUTE)

    assert subject.report(8 * MINUTE).status == "ok"


def test_a_few_rejects_in_a_quiet_shop_say_nothing() -> None:
    subject = watch()
    subject.count(0, 0, 0)
    subject.count(10, 5, MINUTE)

    assert subject.report(MINUTE).status == "ok"


def test_what_waits_for_a_right_degrades_and_says_which_right() -> None:
    subject = watch()
    for partition in range(2):
        subject.observe(partition, lag=0, progress=5, state="running", now_ms=0)
        subject.held_back(partition, "this Kafka user lacks Write on topic triggers")

    report = subject.report(0)

    assert (report.status, report.http_status) == ("degraded", 200)
    assert report.reasons == [
        "partition 0, 1: what is to be published waits: this Kafka user lacks Write on topic triggers"
    ]

    subject.held_back(0, "")
    subject.forget(1)

    assert subject.report(0).status == "ok"


async def _page(report: Report) -> tuple[int, dict[str, object], bytes]:
    metrics = Metrics()
    metrics.count("regulars_commits_total", 3)
    pages = Pages(Http(host="127.0.0.1", port=0), report=lambda: report, metrics=metrics)
    await pages.start()

    def ask() -> tuple[int, dict[str, object], bytes]:
        try:
            with urlopen(f"http://127.0.0.1:{pages.port}/health", timeout=5) as answer:
                status, body = answer.status, json.load(answer)
        except HTTPError as error:
            status, body = error.code, json.load(error)
            error.close()
        with urlopen(f"http://127.0.0.1:{pages.port}/metrics", timeout=5) as answer:
            return status, body, answer.read()

    try:
        return await asyncio.to_thread(ask)
    finally:
        await pages.stop()


def test_the_page_answers_200_with_the_report() -> None:
    status, body, metrics = asyncio.run(_page(Report(status="ok")))

    assert (status, body["status"]) == (200, "ok")
    assert b"regulars_commits_total 3.0" in metrics


def test_the_page_answers_503_when_the_worker_is_not_well() -> None:
    status, body, _ = asyncio.run(_page(Report(status="failing", reasons=["stuck"])))

    assert (status, body["reasons"]) == (503, ["stuck"])


def test_the_process_is_alive_however_unwell_the_worker_is() -> None:
    async def story() -> tuple[int, bytes]:
        report = Report(status="failing", reasons=["Redis is away"])
        pages = Pages(Http(host="127.0.0.1", port=0), report=lambda: report, metrics=Metrics())
        await pages.start()
        try:
            return await asyncio.to_thread(asked, pages.port, "/live")
        finally:
            await pages.stop()

    assert asyncio.run(story()) == (200, b'{"status":"ok"}')


def test_processes_without_partitions_are_well_while_they_run() -> None:
    """The image asks /health on this port, whichever of its commands it runs."""

    async def story() -> tuple[int, bytes]:
        port = free_ports(1)[0]
        async with metrics_page(Http(host="127.0.0.1", port=port), lambda: b""):
            return await asyncio.to_thread(asked, port, "/health")

    assert asyncio.run(story()) == (200, b'{"status":"ok"}')


def asked(port: int, path: str) -> tuple[int, bytes]:
    with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.status, answer.read()


async def _watchdog(*, servers_answer: bool, exit_ms: int, stall_ms: int = 60_000) -> None:
    subject = watch()
    observe(subject, 0, lag=1, progress=0)
    asked = asyncio.Event()

    async def answer() -> bool:
        asked.set()
        return servers_answer

    settings = Health(exit_ms=exit_ms, stall_ms=stall_ms)
    dog = asyncio.create_task(watch_over(subject, settings, now_ms=lambda: 600_000, servers_answer=answer, every_ms=1))
    await asyncio.wait([dog, asyncio.create_task(asked.wait())], timeout=0.2, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.01)
    if dog.done():
        dog.result()
    dog.cancel()


def test_the_watchdog_ends_a_stalled_worker() -> None:
    with pytest.raises(Stalled, match="no progress for 600000 ms"):
        asyncio.run(_watchdog(servers_answer=True, exit_ms=600_000))


def test_the_watchdog_waits_while_kafka_or_redis_is_down() -> None:
    asyncio.run(_watchdog(servers_answer=False, exit_ms=600_000))


def test_the_watchdog_can_be_told_to_keep_quiet() -> None:
    asyncio.run(_watchdog(servers_answer=True, exit_ms=0))


@pytest.mark.parametrize(
    "state",
    [
        "lost_state: records are gone",
        "engine_errors: partition 0: the engine failed 100 times within a minute",
        "refused: Redis has used all memory it may use (maxmemory)",
        "refused: Redis can't write to its disk",
        "unavailable: no connection to Redis",
    ],
)
def test_a_partition_that_no_restart_helps_fails_health_but_ends_no_worker(state: str) -> None:
    subject = Watch(Health())
    subject.ready()
    subject.observe(0, lag=5, progress=1, state="running", now_ms=0)
    subject.observe(0, lag=5, progress=1, state=state, now_ms=10 * MINUTE)
    # What it waits for it looks for now and then; nobody knows in that moment whether it is there.
    subject.observe(0, lag=5, progress=None, state="claiming", now_ms=10 * MINUTE + 1000)

    stuck = subject.stuck(10 * MINUTE + 1000)
    assert stuck is not None
    assert stuck.stalled_ms == 1000
    assert subject.report(10 * MINUTE + 1000).status == "failing"


@pytest.mark.parametrize("stall_ms, told", [(600_000, True), (700_000, False)])
def test_that_servers_do_not_answer_is_told_once_health_fails(
    stall_ms: int, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(_watchdog(servers_answer=False, exit_ms=600_000, stall_ms=stall_ms))

    assert ("does not answer" in caplog.text) == told


def test_a_worker_has_its_time_after_an_outage_as_if_it_had_begun_then() -> None:
    """It ended itself the moment that Kafka was back, and all other workers with it."""

    async def story() -> list[int]:
        subject, clock, looks = watch(), Clock(), []
        observe(subject, 0, lag=1, progress=0)
        back_ms = 30 * MINUTE

        async def answer() -> bool:
            looks.append(clock.now_ms)
            return clock.now_ms >= back_ms

        with pytest.raises(Stalled):
            await watch_over(subject, Health(exit_ms=10 * MINUTE), now_ms=clock.now, servers_answer=answer, every_ms=1)
        return looks

    looks = asyncio.run(story())

    assert looks[-1] == 29 * MINUTE + 10 * MINUTE


class Clock:
    """A minute passes with each look."""

    def __init__(self) -> None:
        self.now_ms = 0

    def now(self) -> int:
        self.now_ms += MINUTE
        return self.now_ms


def test_the_watchdog_names_the_partition_and_what_it_does() -> None:
    with pytest.raises(Stalled, match=r"partition 0 .*\(running\)"):
        asyncio.run(_watchdog(servers_answer=True, exit_ms=600_000))


@pytest.mark.parametrize("state", ["lost_state: the state is lost", "engine_errors: three in a row"])
def test_a_partition_that_waits_for_a_person_fails_at_once(state: str) -> None:
    """A roll-out asks /health: it went over all workers while each was well for its first minute."""
    watch = Watch(Health())
    watch.ready()
    watch.observe(3, lag=None, progress=None, state=state, now_ms=0)

    report = watch.report(now_ms=0)
    assert (report.status, report.http_status) == ("failing", 503)
    assert state in report.reasons[0]
