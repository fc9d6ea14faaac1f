"""Log lines for people or for log stores. No line per event, and no customer data: ids of partitions and topics, and where it
must be of a customer, never an address.

Extra facts travel as `extra={"facts": {...}}`, so that both forms show them: `... partition=3 offset=120`. A line that all
partitions write at once, and again and again, has `"often": True` beside them, and is shown once in a while.
"""

import datetime as dt
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Final

from typing_extensions import override
from xxhash import xxh3_64_hexdigest

from streams.setting_sections import Log

NOISY = ("aiokafka", "faust", "kafka", "mode", "asyncio", "aiohttp.access")
"""Libraries that tell at INFO what only their own developers need."""
TELL_ALL = ("aiokafka", "kafka")
"""Write at DEBUG how they log in, password and all, and each record that they send: never shown."""
BUSY = ("mode.timers", "kafka.net.selector")
"""Warn that a timer "is overlapping" ("livelock" is one), or that a task is "blocking the event loop", whenever the machine is
busy, as it is while a backlog is worked off. Whether work stands still is for `streams.watchdog` to tell."""

REPEAT_S: Final = 30.0
"""The same line is shown once in so long: while no broker answers libraries write a hundred each second, gigabytes in a night."""
FRAMES_MAX: Final = 6
REMEMBERED_MAX: Final = 1_000
"""Lines remembered as shown; beyond, all are forgotten, and each is shown once more."""


class TextFormatter(logging.Formatter):
    """`2026-03-01T10:00:00.123Z INFO worker: claimed partition=3`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name, value in _facts(record).items())
        line = f"{_instant(record)} {record.levelname} {_source(record)}: {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, source, message, the facts, and the exception if there was one."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _instant(record),
            "level": record.levelname,
            "source": _source(record),
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class OnceInAWhile(logging.Filter):
    """Shows the same line of a library, or one of ours that comes often, once in REPEAT_S, and then how often it came meanwhile:
    whatever partition each was about. All others of ours pass.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_s = clock_s
        self._shown: dict[tuple[str, str], tuple[float, int]] = {}

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is shown."""
        if record.name.partition(".")[0] not in NOISY and not getattr(record, "often", False):
            return True
        try:
            line = (record.name, record.getMessage())
        except Exception:  # noqa: BLE001 -- words and arguments do not fit: a library's slip, which the handler tells of
            return True
        now_s = self._clock_s()
        shown_s, repeats = self._shown.get(line, (-REPEAT_S, 0))
        if now_s - shown_s < REPEAT_S:
            self._shown[line] = (shown_s, repeats + 1)
            return False
        if len(self._shown) >= REMEMBERED_MAX:
            self._shown.clear()
        self._shown[line] = (now_s, 0)
        if repeats:
            record.facts = _facts(record) | {"repeated": repeats}
        return True


def configure_logs(settings: Log) -> None:
    """Send all log lines to standard error in the chosen form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    if settings.level != "DEBUG":
        handler.addFilter(OnceInAWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for name in NOISY:
        logging.getLogger(name).setLevel(settings.level if settings.level == "DEBUG" else logging.WARNING)
    for name in TELL_ALL if settings.level == "DEBUG" else ():
        logging.getLogger(name).setLevel(logging.INFO)
    for name in BUSY:
        logging.getLogger(name).setLevel(settings.level if settings.level == "DEBUG" else logging.ERROR)


def place_of(error: BaseException) -> str:
    """Where an error was raised, the innermost frames first. Its message may hold what a customer sent; the place does not."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    return " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))


def shown_id(customer_id: str) -> str:
    """A customer's id as a log may hold it: in place of an address a number that is the same each time.

    >>> shown_id("user_id:7"), shown_id("email:ann@example.com")
    ('user_id:7', 'email:~153a2ebaf4b79d8a')
    """
    kind, _, value = customer_id.partition(":")
    if kind not in {"email", "phone"} and "@" not in value:
        return customer_id
    return f"{kind}:~{xxh3_64_hexdigest(value.encode())}"


def _instant(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _source(record: logging.LogRecord) -> str:
    return record.name.removeprefix("streams.")


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = getattr(record, "facts", {})
    return facts
