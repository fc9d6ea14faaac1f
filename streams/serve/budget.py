"""How much may be under way: bytes and records in memory, over all requests. Beyond it, callers are told to come back.

Bodies being read and records waiting for Kafka draw on the same budget, so a slow Kafka shows at the door and not in the
memory of the process.
"""

from typing import Final, Self

from streams.serve.answer import Refusal

RETRY_AFTER_S: Final = 1
"""A budget of about a second of traffic is free again after a second, if Kafka takes anything at all."""


class Budget:
    """Counts what is under way. `take` refuses what does not fit (429); everything taken must be given back."""

    def __init__(self, *, bytes_max: int, records_max: int) -> None:
        self._bytes_max = bytes_max
        self._records_max = records_max
        self.bytes_held = 0
        self.records_held = 0

    def take(self, size_bytes: int, records: int = 0) -> None:
        """Draw on the budget. Raises Refusal (`busy`) and takes nothing if it does not fit."""
        if self.bytes_held + size_bytes > self._bytes_max or self.records_held + records > self._records_max:
            raise Refusal("busy", headers={"Retry-After": str(RETRY_AFTER_S)})
        self.bytes_held += size_bytes
        self.records_held += records

    def give_back(self, size_bytes: int, records: int = 0) -> None:
        """Return what was taken."""
        self.bytes_held -= size_bytes
        self.records_held -= records


class Hold:
    """What one request has taken so far; given back when its block ends, however it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._bytes)
        self._bytes = 0

    def take(self, size_bytes: int) -> None:
        """Draw further bytes. Raises Refusal (`busy`)."""
        self._budget.take(size_bytes)
        self._bytes += size_bytes
