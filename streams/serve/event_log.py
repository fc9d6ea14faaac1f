"""The log as the collector sees it: rows go in, and when `write` returns they are there for good.

`KafkaEventLog` (streams.serve.kafka_event_log) and `MemoryEventLog` (streams.serve.memory_event_log) keep this contract.
"""

from collections.abc import Sequence
from typing import Protocol

from streams.serve.intake import Row


class LogAway(Exception):
    """The log did not take rows in time, or is known not to take any now. Callers are told to send again (503).

    Rows may still arrive later. The same rows written again are recognised while their fate is open, and by their message
    ids afterwards. Operator action: look at the brokers; `/ready` says no as long as it lasts.
    """


class EventLog(Protocol):
    """Where accepted events go."""

    @property
    def away(self) -> bool:
        """Whether the log is known not to take rows now."""

    async def write(self, rows: Sequence[Row]) -> None:
        """Write all rows; they are safe when this returns. Raises LogAway, and Refusal (`busy`) before writing any."""

    async def stop(self) -> None:
        """Wait until what was handed over is written, and let go."""
