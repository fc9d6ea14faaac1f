"""Log lines for people or for log stores. No line per event, and no customer data: ids of partitions and topics only.

Extra facts travel as `extra={"facts": {...}}`, so that both forms show them: `... partition=3 offset=120`.
"""

import datetime as dt
import json
import logging
import sys

from typing_extensions import override

from streams.setting_sections import Log

NOISY = ("aiokafka", "faust", "kafka", "mode", "asyncio", "aiohttp.access")
"""Libraries that tell at INFO what only their own developers need."""


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


def configure_logs(settings: Log) -> None:
    """Send all log lines to standard error in the chosen form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    for name in NOISY:
        logging.getLogger(name).setLevel(settings.level if settings.level == "DEBUG" else logging.WARNING)


def _instant(record: logging.LogRecord) -> str:
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _source(record: logging.LogRecord) -> str:
    return record.name.removeprefix("streams.")


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = getattr(record, "facts", {})
    return facts
