"""A customer whose life is drawn from a seed and told event by event, some of it late: what several made-up years share."""

from collections.abc import Iterable
from random import Random
from typing import Any

from tests.year.shop import Event


def heard(event: Event) -> int:
    """When an event was heard of."""
    at: int = event["received_at_ms" if "received_at_ms" in event else "timestamp_ms"]
    return at


def as_heard(lives: Iterable[list[Event]]) -> list[Event]:
    """All events of some customers in their order of arrival."""
    return sorted((event for life in lives for event in life), key=heard)


class Talker:
    """One customer of a kind of year. No two events of hers share a millisecond; what comes late follows a visit of hers."""

    def __init__(self, kind: str, seed: int, number: int) -> None:
        self._random = Random(f"{kind}/{seed}/{number}")
        self._name = f"u{number}"
        self._events: list[Event] = []
        self._taken: set[int] = set()

    def _tell(self, name: str, at_ms: int, late_ms: int = 0, **fields: Any) -> int:
        """Tell an event, of that moment or as soon after as is free; gives which."""
        while {at_ms, at_ms + late_ms} & self._taken:
            at_ms += 1
        self._taken |= {at_ms, at_ms + late_ms}
        told = {"event": name, "message_id": self._message(), "timestamp_ms": at_ms, "user_id": self._name, **fields}
        if late_ms:
            told["received_at_ms"] = at_ms + late_ms
            visit = {"timestamp_ms": at_ms + late_ms, "message_id": f"{self._message()}-visit", "user_id": self._name}
            self._events.append({"event": "Page Viewed", "channel": "server", **visit})
        self._events.append(told)
        return at_ms

    def _message(self) -> str:
        return f"{self._name}-{len(self._events)}"

    def _heard_before(self, end_ms: int) -> list[Event]:
        return [event for event in self._events if heard(event) < end_ms]
