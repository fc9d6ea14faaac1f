"""What should have been sent: each candidate in its time, through the gates, by looking at everything that was sent before.

Naive on purpose: lists are searched from end to end, nothing is kept up to date, no code of the engine is used.
"""

import hashlib
import heapq
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from xxhash import xxh3_64_intdigest

from tests.year import browsing, candidates, complaints, reviews
from tests.year.candidates import NEVER, Candidate
from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, Event

PRIORITY: Final = {
    "checkout.abandoned": 100,
    "cart.abandoned": 200,
    "replenishment.due": 300,
    "replenishment.late": 310,
    "review.request": 350,
    "browse.abandoned": 470,
    "birthday": 500,
    "welcome": 810,
}
LADDER: Final = ("checkout.abandoned", "cart.abandoned", "browse.abandoned")
COOLDOWN: Final = {"checkout.abandoned": DAY_MS, "cart.abandoned": DAY_MS, "browse.abandoned": 14 * DAY_MS}
LATENESS: Final = dict.fromkeys(("replenishment.due", "replenishment.late", "review.request"), 7 * DAY_MS)
REMINDERS: Final = {2: 24 * HOUR_MS, 3: 72 * HOUR_MS}
NAMESPACE: Final = uuid.UUID("6c1f4a7e-7f3a-5c55-9d5b-2f6f0f6f5d0a")


class Outcome(NamedTuple):
    """What became of a trigger that was due: `reason` is None where it was sent."""

    customer: str
    name: str
    key: str
    occurrence: int
    at: int
    reason: str | None


class Due(NamedTuple):
    """A candidate in the queue."""

    wake: int
    priority: int
    due: int
    name: str
    key: str
    number: int


class Customers:
    """The whole shop: its events, and what could have been sent to whom."""

    def __init__(self, events: list[Event], holdouts: dict[str, float], shop: str = "shop") -> None:
        connection = candidates.table(events)
        self.zones = candidates.zones_of(events)
        self.holdouts, self.shop = holdouts, shop
        self.ended_at = candidates.ended_at(connection)
        supplies, self.late_at = candidates.supplies(connection, self.zones)
        self.by_customer: dict[str, list[Candidate]] = defaultdict(list)
        found = (*candidates.carts(connection), *candidates.checkouts(connection), *candidates.welcomes(connection))
        birthdays = candidates.birthdays(events, self.zones, events[-1]["timestamp_ms"])
        found += (*browsing.visits(connection), *reviews.parcels(events))
        for candidate in (*found, *supplies, *birthdays):
            self.by_customer[candidate.customer].append(candidate)
        self.events: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            self.events[event["user_id"]].append(event)

    def outcomes(self, until: int) -> Iterable[Outcome]:
        """Everything that came due before `until`."""
        for customer in sorted(self.by_customer):
            yield from Life(self, customer).outcomes(until)


class Life:
    """One customer's year, decision by decision."""

    def __init__(self, shop: Customers, customer: str) -> None:
        self.shop, self.customer = shop, customer
        self.events = shop.events[customer]
        self.zone: ZoneInfo = shop.zones[customer]
        self.sent: list[Outcome] = []
        """What was sent or would have been but for a hold-out."""
        self.told: list[Outcome] = []
        self.marks: dict[str, list[tuple[int, str]]] = defaultdict(list)
        """By cart: (time, what) of ends and emissions of its reminders, by which they arm again or not."""
        self.first_decided: dict[str, int] = {}
        self.reminded: set[str] = set()
        self.armed: dict[str, list[int]] = defaultdict(list)
        """By cart: when its reminder was planned, or moved."""
        self.supply_done: set[str] = set()
        self.asked: set[str] = set()
        """Orders that a review was asked for, or was to be."""
        self.unwanted = False
        """Whether a welcome ended since her last word of consent as she did not want to be written to."""
        self.waiting: dict[int, tuple[Candidate, int, int]] = {}
        """Candidates that are armed and not decided: number -> (candidate, occurrence, wakes at)."""
        self.queue: list[tuple[int, int, Due]] = []
        self.put_off: set[int] = set()
        """Those that wait for the end of a night."""

    def outcomes(self, until: int) -> list[Outcome]:
        known = sorted(self.shop.by_customer[self.customer], key=lambda one: (one.armed, one.due))
        for number, candidate in enumerate(known):
            wake = max(candidate.armed, candidate.due)
            heapq.heappush(self.queue, (candidate.armed, 0, self._entry(candidate, number, 1, wake)))
            self.waiting[number] = (candidate, 0, candidate.due)  # occurrence 0: not armed yet
        self.numbers = len(known)
        while self.queue:
            at, what, entry = heapq.heappop(self.queue)
            if at >= until:
                break
            if entry.number not in self.waiting:
                continue
            candidate, occurrence, wake = self.waiting[entry.number]
            if what == 0:
                self._arm(candidate, entry.number)
            elif occurrence and wake == at:
                self._decide(candidate, occurrence, entry.number, at)
        return self.told

    def _entry(self, candidate: Candidate, number: int, occurrence: int, wake: int) -> Due:
        return Due(wake, PRIORITY[candidate.name], candidate.due, candidate.name, candidate.key, number)

    # --- arming ---

    def _arm(self, candidate: Candidate, number: int) -> None:
        anchored = self._may_arm(candidate)
        if anchored is None:
            del self.waiting[number]
            return
        self._wait(anchored, number, 1, max(anchored.armed, anchored.due))

    def _wait(self, candidate: Candidate, number: int, occurrence: int, wake: int) -> None:
        self.waiting[number] = (candidate, occurrence, wake)
        if wake < candidate.gone:
            heapq.heappush(self.queue, (wake, 1, self._entry(candidate, number, occurrence, wake)))

    def _may_arm(self, candidate: Candidate) -> Candidate | None:
        match candidate.name:
            case "cart.abandoned":
                return self._cart_may_arm(candidate)
            case "checkout.abandoned":
                return None if candidate.key in self.reminded else candidate
            case "replenishment.due":
                return None if candidate.key in self.supply_done else candidate
            case "review.request":
                return self._request_may_arm(candidate)
            case "welcome":
                return self._welcome_may_arm(candidate)
        return candidate

    def _welcome_may_arm(self, candidate: Candidate) -> Candidate | None:
        """A second opening while the first one waits is the same episode. Of her words of consent the first opens one, and the
        next after a welcome that she did not want to get any more.
        """
        for number, (one, occurrence, _) in list(self.waiting.items()):
            if one.name == "welcome" and occurrence:
                if self._unsubscribed(one, occurrence, candidate.armed) is None:
                    return None
                del self.waiting[number]
                self.unwanted = True
        if candidate.about == "again" and not self.unwanted:
            return None
        if candidate.about != "sign-up":
            self.unwanted = False
        return None if any(sent.name == "welcome" for sent in self.sent) else candidate

    def _request_may_arm(self, candidate: Candidate) -> Candidate | None:
        """What happens to a parcel plans its request anew, unless that is decided or waits for the same time. One that
        ended as she unsubscribed is not planned again once its time is over.
        """
        waiting = [
            one
            for one, occurrence, _ in self.waiting.values()
            if one.key == candidate.key
            and one.name == candidate.name
            and occurrence
            and candidate.armed <= one.gone
            and self._unsubscribed(one, occurrence, candidate.armed) is None
        ]
        if candidate.key in self.asked or any(one.due == candidate.due for one in waiting):
            return None
        begins = candidate.about is None and candidate.due >= candidate.armed
        return candidate if waiting or begins else None

    def _cart_may_arm(self, candidate: Candidate) -> Candidate | None:
        cart = candidate.about
        assert cart is not None
        for event in self.events:  # a checkout that took it over and is not decided
            if event["event"] == "Checkout Started" and event["cart_id"] == cart:
                checkout, started = event["checkout_id"], event["timestamp_ms"]
                over = min(self.shop.ended_at.get(checkout, NEVER), self.first_decided.get(checkout, NEVER))
                if started <= candidate.armed < over:
                    return None
        changes = [
            (event["timestamp_ms"], event["event"], event["message_id"])
            for event in self.events
            if event.get("cart_id") == cart and event["event"] in ("Product Added", "Product Removed")
        ]
        marks = list(self.marks[cart])
        marks += [
            (event["timestamp_ms"], "ended")
            for event in self.events
            if event["event"] == "Checkout Started" and event["cart_id"] == cart
        ]
        marks += [
            (event["timestamp_ms"], "ended")
            for event in self.events
            if event["event"] == "Unsubscribed" and self._cart_waits(cart, event["timestamp_ms"], marks)
        ]
        past = [mark for mark in marks if mark[0] < candidate.armed]
        since, kind = max(past, default=(0, "ended"))
        opening = [
            (at, message)
            for at, name, message in changes
            if since < at <= candidate.armed and (kind == "ended" or name == "Product Added")
        ]
        if not opening:
            return None
        self.armed[cart].append(candidate.armed)
        return candidate._replace(anchor=min(opening)[1], changed=min(opening)[0])

    def _cart_waits(self, cart: str, at: int, marks: list[tuple[int, str]]) -> bool:
        """Whether a reminder of the cart was planned then, and neither sent nor ended."""
        since = max((armed for armed in self.armed[cart] if armed < at), default=None)
        return since is not None and not any(since < mark <= at for mark, _ in marks)

    # --- deciding ---

    def _decide(self, candidate: Candidate, occurrence: int, number: int, now: int) -> None:
        gone = self._unsubscribed(candidate, occurrence, now)
        if gone or self._groundless(candidate, now):
            del self.waiting[number]
            self._ended(candidate, occurrence, gone or now, "cancelled")
            return
        if now - candidate.due > LATENESS.get(candidate.name, DAY_MS):
            del self.waiting[number]
            self._ended(candidate, occurrence, now, "expired")
            return
        if number in self.put_off:
            self.put_off.discard(number)
            same_morning = [
                wake
                for other, (one, _, wake) in self.waiting.items()
                if other in self.put_off
                and now < wake <= now + 15 * MINUTE_MS
                and now < one.gone
                and PRIORITY[one.name] < PRIORITY[candidate.name]
            ]
            if same_morning:
                self._wait(candidate, number, occurrence, max(same_morning))
                return
        goes_first = [
            wake
            for other, (one, planned, wake) in self.waiting.items()
            if other != number
            and now < wake <= now + MINUTE_MS
            and (planned or (one.name == "birthday" and one.changed <= now))  # which is no secret before the day
            and wake < one.gone
            and PRIORITY[one.name] < PRIORITY[candidate.name]
        ]
        if goes_first:
            self._wait(candidate, number, occurrence, min(goes_first))
            return
        reason, until = self._gates(candidate, occurrence, number, now)
        if until is not None:
            self.put_off.add(number)
            self._wait(candidate, number, occurrence, until)
            return
        del self.waiting[number]
        outcome = Outcome(self.customer, candidate.name, candidate.key, occurrence, now, reason)
        self.told.append(outcome)
        if reason in (None, "holdout"):
            self.sent.append(outcome)
        self._ended(candidate, occurrence, now, "emitted" if reason in (None, "holdout") else "suppressed")

    def _unsubscribed(self, candidate: Candidate, occurrence: int, now: int) -> int | None:
        """When she unsubscribed while it waited."""
        since = candidate.armed
        if occurrence > 1:
            since = max(one.at for one in self.sent if one.key == candidate.key and one.name == candidate.name)
        told = (event["timestamp_ms"] for event in self.events if event["event"] == "Unsubscribed")
        return next((at for at in told if since < at <= now), None)

    def _groundless(self, candidate: Candidate, now: int) -> bool:
        """What it is about is not so any more, or she has better things to do now."""
        match candidate.name:
            case "browse.abandoned":
                return browsing.has_moved_on(self.events, candidate, now)
            case "review.request":
                return complaints.complains(self.events, now) or complaints.low_score(self.events, now)
        return False

    def _gates(self, candidate: Candidate, occurrence: int, number: int, now: int) -> tuple[str | None, int | None]:
        if not self._agreed(now):
            return "no_consent", None
        if any("employee" in event.get("traits", {}).get("tags", ()) for event in self.events):
            return "excluded", None
        if complaints.rests(self.events, now):
            return "open_feedback", None
        if self._superseded(candidate.name, now):
            return "superseded", None
        same = [one.at for one in self.sent if one.name == candidate.name and one.occurrence == 1]
        if occurrence == 1 and any(now - at < COOLDOWN.get(candidate.name, 0) for at in same):
            return "cooldown", None
        if occurrence == 1 and candidate.name == "cart.abandoned" and sum(now - at < 7 * DAY_MS for at in same) >= 2:
            return "cap", None
        day = datetime.fromtimestamp(now / 1000, self.zone).date()
        if (
            sum(now - one.at < DAY_MS for one in self.sent) >= 2
            or sum(now - one.at < 7 * DAY_MS for one in self.sent) >= 5
            or sum(datetime.fromtimestamp(one.at / 1000, self.zone).date() == day for one in self.sent) >= 2
        ):
            return "frequency_cap", None
        local = datetime.fromtimestamp(now / 1000, self.zone)
        if local.hour >= 21 or local.hour < 8:
            morning = local.replace(hour=8, minute=0, second=0, microsecond=0, fold=0)
            if local.hour >= 21:
                morning += timedelta(days=1)
            end = int(morning.astimezone(UTC).timestamp() * 1000)
            return None, end + xxh3_64_intdigest(self._trigger_id(candidate, occurrence).encode()) % (
                15 * MINUTE_MS + 1
            )
        if self._held_out(candidate.name):
            return "holdout", None
        return None, None

    def _agreed(self, now: int) -> bool:
        told = [
            (event["timestamp_ms"], "REVOKED" if event["event"] == "Unsubscribed" else event["consent"][0]["state"])
            for event in self.events
            if event["timestamp_ms"] <= now and (event["event"] == "Unsubscribed" or "consent" in event)
        ]
        return bool(told) and max(told)[1] == "GRANT"

    def _superseded(self, name: str, now: int) -> bool:
        higher = LADDER[: LADDER.index(name)] if name in LADDER else ()
        pending = any(
            one.name in higher and occurrence == 1 and one.armed <= now < one.gone
            for one, occurrence, _ in self.waiting.values()
        )
        return pending or any(
            one.name in higher and one.occurrence == 1 and now - one.at < 2 * DAY_MS for one in self.sent
        )

    def _held_out(self, name: str) -> bool:
        share = self.shop.holdouts.get(name, 0.0)
        digest = hashlib.sha256(f"{name}:{self.customer}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64 < share

    def _trigger_id(self, candidate: Candidate, occurrence: int) -> str:
        text = f"{self.shop.shop}|{candidate.name}|1|{candidate.key}|{candidate.anchor}"
        return str(uuid.uuid5(NAMESPACE, text if occurrence == 1 else f"{text}|{occurrence}"))

    # --- afterwards ---

    def _ended(self, candidate: Candidate, occurrence: int, now: int, state: str) -> None:
        emitted = state == "emitted"
        match candidate.name:
            case "cart.abandoned":
                assert candidate.about is not None
                self.marks[candidate.about].append((candidate.due, "emitted" if emitted else "ended"))
            case "checkout.abandoned":
                if occurrence == 1:
                    self.first_decided[candidate.key] = now
                    assert candidate.about is not None
                    self.marks[candidate.about].append((candidate.due, "emitted" if emitted else "ended"))
                if emitted:
                    self.reminded.add(candidate.key)
                    self._remind_again(candidate, occurrence + 1)
            case "review.request":
                if state != "cancelled" or now >= candidate.due:
                    self.asked.add(candidate.key)
                if emitted and occurrence == 1:
                    due, gone = candidate.due + 7 * DAY_MS, reviews.nothing_left(self.events, candidate.key, now)
                    self._plan(candidate._replace(due=due, gone=gone), 2, due)
            case "welcome":
                self.unwanted |= not self._agreed(now)
            case "replenishment.due":
                if emitted:
                    self.supply_done.add(candidate.key)
                if state in ("emitted", "suppressed"):
                    late = self.shop.late_at[self.customer, candidate.key]
                    self._plan(candidate._replace(name="replenishment.late", armed=now, due=late), 1, late)

    def _remind_again(self, candidate: Candidate, occurrence: int) -> None:
        if occurrence in REMINDERS:
            first = candidate.armed + HOUR_MS
            due = first + REMINDERS[occurrence]
            over = self.shop.ended_at.get(candidate.key, NEVER)
            self._plan(candidate._replace(due=due, gone=over), occurrence, due)

    def _plan(self, candidate: Candidate, occurrence: int, due: int) -> None:
        self.numbers += 1
        self._wait(candidate, self.numbers, occurrence, due)
