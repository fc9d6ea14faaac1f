"""Who should be told to be at risk of not coming back: by looking at every customer on every day, and whenever she is heard of.

Naive on purpose: the probability of an order is worked out anew from all her orders each time, by the published formulas of
MBG/NBD (Batislam, Denizel & Filiztekin 2007) or by the rules of thumb; no code of the engine is used.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from itertools import pairwise
from math import exp, log
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from tests.year.complaints import rests
from tests.year.shop import DAY_MS, SHOP_ZONE, Event
from tests.year.talker import heard

WEEKS_AHEAD: Final = 90 / 7
R, ALPHA, A, B = 1.2, 5.0, 1.5, 5.0
"""What a fit has found of the shop: how often customers order, and how readily they leave for good."""
SHOP_GAP_DAYS: Final = 20.0
"""What they say who go by rules of thumb: the usual days between two orders."""
EDGES: Final = (0.33, 0.66)
BEYOND: Final = 0.05
CONCERN: Final = 0.1
APART_MS: Final = 7 * DAY_MS
COOLDOWN_MS: Final = 60 * DAY_MS
ZONE: Final = ZoneInfo(SHOP_ZONE)

Band = int
"""0 is low, 1 medium, 2 high."""
Judge = Callable[[list[int], int, float, Band | None], Band]
"""The band by her days with orders, today, what else speaks against her, and the band she was in."""


class Outcome(NamedTuple):
    """What became of an entry into the highest band: `reason` is None where it was sent, else why it was kept back."""

    customer: str
    at: int
    reason: str | None


def by_model(days: list[int], today: int, concern: float, before: Band | None) -> Band:
    """By the probability of an order within 90 days. A band is left by what is five points beyond its edge."""
    risk = 1 - p_order(days, today) + concern
    if before is None:
        return sum(risk >= edge for edge in EDGES)
    band = before
    while band < 2 and risk >= EDGES[band] + BEYOND:
        band += 1
    while band > 0 and risk <= EDGES[band - 1] - BEYOND:
        band -= 1
    return band


def p_order(days: list[int], today: int) -> float:
    """Of days with orders, in order: the probability of one more within 90 days of silence from today on."""
    x, age = len(days) - 1, max(0, today - days[0], days[-1] - days[0]) / 7
    newest = (days[-1] - days[0]) / 7
    alive = 1 / (1 + A / (B + x) * ((ALPHA + age) / (ALPHA + newest)) ** (R + x))
    return float(alive * (1 - ((ALPHA + age) / (ALPHA + age + WEEKS_AHEAD)) ** (R + x)))


def by_thumb(days: list[int], today: int, _concern: float, _before: Band | None) -> Band:
    """By how many of her usual gaps she has been silent; the shop's usual gap weighs as much as two of hers."""
    gaps = [later - day for day, later in pairwise(days)]
    usual = exp((2 * log(SHOP_GAP_DAYS) + sum(log(gap) for gap in gaps)) / (2 + len(gaps)))
    silent = max(0, today - days[-1]) / usual
    return 0 if silent < 1.5 else 1 if silent < 3 else 2


class Life:
    """One customer."""

    def __init__(self, customer: str, events: list[Event], judge: Judge) -> None:
        self.customer, self.events, self.judge = customer, events, judge
        self.known: list[Event] = []
        self.days: list[int] = []
        self.band: Band | None = None
        self.since: int | None = None
        self.left_high: int | None = None
        self.told: list[Outcome] = []

    def live(self, until: int) -> None:
        """Look at her on every day until then."""
        mornings = _mornings(self.events[0]["timestamp_ms"], until)
        morning = next(mornings)
        for event in self.events:
            now = heard(event)
            while morning < now:
                self._look(morning, by_order=False)
                morning = next(mornings)
            insort(self.known, event, key=lambda one: one["timestamp_ms"])
            name = event["event"]
            if name.startswith("Order "):
                self.days = self._days()
                self._look(now, by_order=True)
            elif name.startswith("Ticket ") or name == "NPS Submitted":
                self._look(now, by_order=False)
        while morning < until:
            self._look(morning, by_order=False)
            morning = next(mornings)

    def _days(self) -> list[int]:
        """Days with orders that were not cancelled and cost something."""
        cancelled = {event["order_id"] for event in self.known if event["event"] == "Order Cancelled"}
        return sorted(
            {
                _day(event["timestamp_ms"])
                for event in self.known
                if event["event"] == "Order Completed" and event["order_id"] not in cancelled
                if event["products"][0]["price_minor"]
            }
        )

    def _look(self, now: int, *, by_order: bool) -> None:
        before = self.band
        self.band = self.judge(self.days, _day(now), self._concern(now), before) if self.days else None
        if self.band == before:
            return
        self.since = now
        if before == 2:
            self.left_high = now
        elif self.band == 2 and not by_order and (self.left_high is None or now - self.left_high >= APART_MS):
            self.told.append(Outcome(self.customer, now, self._reason(now)))

    def _reason(self, now: int) -> str | None:
        consents = [event for event in self.known if event["event"] == "Consent Changed"]
        if not consents or consents[-1]["consent"][0]["state"] != "GRANT":
            return "no_consent"
        if rests(self.known, now):
            return "open_feedback"
        if any(one.reason is None and now - one.at < COOLDOWN_MS for one in self.told):
            return "cooldown"
        return None

    def _concern(self, now: int) -> float:
        """Her last score was low, within half a year; or a ticket waits that somebody touched within a month. By whole days."""
        scores = [event for event in self.known if event["event"] == "NPS Submitted"]
        tickets = {event["ticket_id"]: event for event in self.known if "ticket_id" in event}
        waits = [event["timestamp_ms"] for event in tickets.values() if event["event"] != "Ticket Resolved"]
        low = bool(scores) and scores[-1]["score"] <= 6 and _day(now) <= _day(scores[-1]["timestamp_ms"] + 180 * DAY_MS)
        return CONCERN if low or any(_day(now) <= _day(at + 30 * DAY_MS) for at in waits) else 0.0


def _day(at: int) -> int:
    """The day of a moment in the shop's zone."""
    return datetime.fromtimestamp(at / 1000, ZONE).date().toordinal()


def _mornings(since: int, until: int) -> Iterator[int]:
    """The beginnings of all days of the shop after a moment, one more than are before `until`."""
    day = datetime.fromtimestamp(since / 1000, ZONE).date()
    at = since
    while at < until:
        day += timedelta(days=1)
        at = int(datetime.combine(day, time(), ZONE).timestamp() * 1000)
        yield at
    yield until + 1


def lives(events: list[Event], until: int, judge: Judge) -> list[Life]:
    """All customers, as they are at `until`."""
    by_customer: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_customer[event["user_id"]].append(event)
    found = [Life(customer, by_customer[customer], judge) for customer in sorted(by_customer)]
    for life in found:
        life.live(until)
    return found
