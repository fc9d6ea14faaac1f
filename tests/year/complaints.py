"""Whether a customer complains: low scores and the cases they open, and tickets."""

from tests.year.shop import DAY_MS, Event


def _low(events: list[Event], now: int) -> list[tuple[int, int]]:
    """Low scores told by now: when, and when the case was closed, after 30 days at the latest."""
    solved = {
        event["case_id"]: event["timestamp_ms"]
        for event in events
        if event["event"] == "Case Updated" and event["timestamp_ms"] <= now
    }
    return [
        (at, min(solved.get(event["message_id"], at + 30 * DAY_MS), at + 30 * DAY_MS))
        for event in events
        if event["event"] == "NPS Submitted" and event["score"] <= 6 and (at := event["timestamp_ms"]) <= now
    ]


def low_score(events: list[Event], now: int) -> bool:
    """She gave a low score in the last 30 days."""
    return any(now - at <= 30 * DAY_MS for at, _ in _low(events, now))


def rests(events: list[Event], now: int) -> bool:
    """Marketing rests: a case is open, or was opened in the last week."""
    return any(now < closed or now - at < 7 * DAY_MS for at, closed in _low(events, now))


def complains(events: list[Event], now: int) -> bool:
    """A case is open, or a ticket is that somebody touched in the last 30 days."""
    tickets: dict[str, tuple[int, str]] = {}
    for event in events:
        if "ticket_id" in event and event["timestamp_ms"] <= now:
            tickets[event["ticket_id"]] = (event["timestamp_ms"], event["event"])
    waits = any(name == "Ticket Opened" and now - at < 30 * DAY_MS for at, name in tickets.values())
    return waits or any(now < closed for _, closed in _low(events, now))
