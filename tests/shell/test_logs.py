"""What stands in the log: each trouble, however long it lasts, in lines that a person can read."""

import logging
from collections.abc import Iterator

import pytest

from streams.logs import BUSY, NOISY, REMEMBERED_MAX, OnceInAWhile, TextFormatter, configure_logs
from streams.settings import build_settings


class Log:
    """A log whose seconds pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.filter = OnceInAWhile(lambda: self.now_s)

    def told(self, source: str, message: str, *args: object, **extra: object) -> str | None:
        """A line as it is shown, without its time; None where it is left out."""
        record = logging.LogRecord(source, logging.ERROR, "", 0, message, args, None)
        record.__dict__ |= extra
        return TextFormatter().format(record).split(" ", 1)[1] if self.filter.filter(record) else None


def test_a_library_that_finds_no_broker_for_a_night_does_not_fill_the_disk() -> None:
    log = Log()
    lines = []
    for _ in range(64 * 60):  # a minute of 64 each second
        lines.append(log.told("aiokafka", "Unable connect to node with id %s: %s", 1, "refused"))
        log.now_s += 1 / 64

    assert [line for line in lines if line] == [
        "ERROR aiokafka: Unable connect to node with id 1: refused",
        "ERROR aiokafka: Unable connect to node with id 1: refused repeated=1919",
    ]


def test_another_broker_and_another_library_are_told_of_at_once() -> None:
    log = Log()

    assert log.told("aiokafka", "Unable connect to node with id %s", 1)
    assert log.told("aiokafka", "Unable connect to node with id %s", 2)
    assert log.told("aiokafka.consumer.fetcher", "Unable connect to node with id %s", 1)
    assert not log.told("aiokafka", "Unable connect to node with id %s", 2)


def test_what_all_partitions_meet_together_is_one_line_in_a_while() -> None:
    log = Log()
    lines = []
    for _ in range(2):
        lines += [log.told("streams.partition", "no Redis", facts={"partition": n}, often=True) for n in range(32)]
        log.now_s += 30

    assert [line for line in lines if line] == [
        "ERROR partition: no Redis partition=0",
        "ERROR partition: no Redis partition=0 repeated=31",
    ]


@pytest.mark.parametrize("source", ["streams.partition", "uvicorn.error"])
def test_nothing_of_ours_is_left_out(source: str) -> None:
    log = Log()

    assert all(log.told(source, "an offset is gone") for _ in range(3))


def test_a_line_that_a_library_wrote_wrongly_does_not_stop_the_library() -> None:
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "node %s of %s", (1,), None)

    assert OnceInAWhile().filter(record)


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What `configure_logs` changes is as it was afterwards."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    before = {name: logging.getLogger(name).level for name in ("", *NOISY, *BUSY)}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def test_that_the_event_loop_is_busy_is_told_only_to_who_looks_for_faults(levels: None) -> None:
    configure_logs(build_settings({}).log)
    for busy in ("mode.timers", "kafka.net.selector"):
        assert not logging.getLogger(busy).isEnabledFor(logging.WARNING)
    assert logging.getLogger("mode.worker").isEnabledFor(logging.WARNING)
    configure_logs(build_settings({"log": {"level": "DEBUG"}}).log)
    assert logging.getLogger("mode.timers").isEnabledFor(logging.WARNING)


def test_no_level_shows_how_kafkas_clients_log_in_and_what_they_send(levels: None) -> None:
    configure_logs(build_settings({"log": {"level": "DEBUG"}}).log)

    assert logging.getLogger("streams.worker").isEnabledFor(logging.DEBUG)
    for name in ("aiokafka.conn", "kafka.admin.client", "kafka.net.connection"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG)
        assert logging.getLogger(name).isEnabledFor(logging.INFO)


def test_what_is_remembered_is_bounded() -> None:
    log = Log()
    for number in range(3 * REMEMBERED_MAX):
        assert log.told(NOISY[0], "attempt %s", number)

    assert len(log.filter._shown) <= REMEMBERED_MAX
