"""What buyers should have been sent about orders, money and answers, by asking all that happened to them, again and again.

Naive on purpose: at each moment everything is counted anew from the events up to then; no code of the engine is used.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from tests.year.buyers import CONTENTS
from tests.year.shop import DAY_MS, HOME, MINUTE_MS, SHOP_ZONE, Event

PRIORITY: Final = {
    "satisfaction.dropped": 20,
    "unsubscribe.feedback": 30,
    "payment.failed": 60,
    "coupon.expiring": 400,
    "next.order.coupon": 410,
    "anniversary": 510,
    "post.purchase.content": 700,
    "winback": 800,
    "second.order.welcome": 820,
    "ltv.milestone": 850,
    "vip.entered": 850,
    "vip.left": 850,
    "nps.survey": 870,
    "nps.promoter": 880,
}
SERVICE: Final = ("satisfaction.dropped", "unsubscribe.feedback", "payment.failed")
COOLDOWN: Final = {
    "satisfaction.dropped": 30 * DAY_MS,
    "unsubscribe.feedback": 30 * DAY_MS,
    "payment.failed": DAY_MS,
    "post.purchase.content": 180 * DAY_MS,
    "nps.promoter": 90 * DAY_MS,
}
TIERS: Final = (20000, 60000)
MILESTONES: Final = (10000, 50000, 100000, 500000)
MARGIN_FLOOR: Final = 0.3
GOODBYES: Final = ("Unsubscribed", "Message Marked as Spam")
AGAIN: Final = "again"
"""What a survey is about that comes from time to time."""


class Outcome(NamedTuple):
    """What became of a trigger: `reason` is None where it was sent, else why it was kept back."""

    customer: str
    name: str
    occurrence: int
    at: int
    reason: str | None


class Wait(NamedTuple):
    """Something that is planned. `about` is what it is about, as the checks ask for it."""

    due: int
    priority: int
    name: str
    key: str
    occurrence: int
    armed: int
    about: Any = None

    @property
    def at(self) -> int:
        return max(self.due, self.armed)


class Order:
    """One order as it is known at some moment."""

    def __init__(self, told: list[Event], travels: int) -> None:
        self.at: int = told[0]["timestamp_ms"]
        self.id: str = told[0]["order_id"]
        newest = [event for event in told if event["event"] in ("Order Completed", "Order Updated")][-1]
        self.lines: set[str] = {one["product_id"] for one in newest["products"]}
        self.coupon: str | None = newest.get("coupon")
        self.cancelled = any(event["event"] == "Order Cancelled" for event in told)
        worth = sum(one["price_minor"] * one["quantity"] for one in newest["products"])
        left = worth - newest.get("discount_minor", 0)
        cost = sum(one["cost_minor"] * one["quantity"] for one in newest["products"])
        self.gone: set[str] = set()
        """Products that went back, some or all of them."""
        for event in told:
            if event["event"] == "Order Refunded":
                named = event.get("products", ())
                if "amount_minor" in event:
                    left -= event["amount_minor"]
                elif named:
                    left -= min(left, sum(one["price_minor"] * one["quantity"] for one in named))
                else:
                    left, named = 0, newest["products"]
                cost -= sum(one["cost_minor"] * one["quantity"] for one in named)
            if event["event"] in ("Order Refunded", "Order Returned") and "amount_minor" not in event:
                self.gone |= {one["product_id"] for one in (event.get("products") or newest["products"])}
        self.net = 0 if self.cancelled else left
        self.margin = 0 if self.cancelled else left - cost
        self.undone = self.cancelled or left <= 0
        self.given_back = self.undone or self.lines <= self.gone
        sent = [event["timestamp_ms"] + travels for event in told if event["event"] == "Order Fulfilled"]
        arrived = [event["timestamp_ms"] for event in told if event["event"] == "Order Delivered"]
        self.delivered = bool(arrived)
        self.here: int | None = next(iter(arrived + sent), None)


class Life:
    """One customer."""

    def __init__(self, customer: str, events: list[Event]) -> None:
        self.customer, self.events = customer, events
        joined = next(event for event in events if event["event"] == "Identified")
        self.zone = ZoneInfo(joined["traits"].get("timezone", SHOP_ZONE))
        self.travels = 7 * DAY_MS if joined.get("country") in (None, HOME) else 14 * DAY_MS
        self.waits: dict[tuple[str, str], Wait] = {}
        self.told: list[Outcome] = []
        self.sent: list[tuple[str, str, int]] = []
        """What was sent: name, what its cooldown goes by, when."""
        self.decided: set[tuple[str, str, int]] = set()
        self.tier = 0
        self.passed: set[int] = set()
        self.asked_at: int | None = None
        self.surveyed: set[str] = set()

    def outcomes(self, until: int) -> list[Outcome]:
        for event in self.events:
            now = event["timestamp_ms"]
            self._fire(now)
            self._hear(event, now)
        self._fire(until)
        return self.told

    def _fire(self, before: int) -> None:
        while self.waits:
            wait = min(self.waits.values(), key=lambda one: (one.at, one.priority))
            if wait.at >= before:
                return
            del self.waits[wait.name, wait.key]
            self._decide(wait, wait.at)

    def _plan(self, name: str, key: str, due: int, armed: int, occurrence: int = 1, about: Any = None) -> None:
        if (name, key, occurrence) not in self.decided:
            self.waits[name, key] = Wait(due, PRIORITY[name], name, key, occurrence, armed, about)

    # --- what is known at a moment ---

    def _so_far(self, now: int, *names: str) -> list[Event]:
        return [event for event in self.events if event["timestamp_ms"] <= now and event["event"] in names]

    def _orders(self, now: int) -> list[Order]:
        told: dict[str, list[Event]] = {}
        for event in self.events:
            if event["event"].startswith("Order ") and event["timestamp_ms"] <= now:
                told.setdefault(event["order_id"], []).append(event)
        return [Order(events, self.travels) for events in told.values()]

    def _standing(self, now: int) -> list[Order]:
        return [order for order in self._orders(now) if not order.cancelled]

    def _agreed(self, now: int) -> bool:
        told = self._so_far(now, "Consent Changed", *GOODBYES)
        return bool(told) and told[-1]["event"] == "Consent Changed"

    def _cases(self, now: int) -> list[tuple[int, int]]:
        """Low scores: when, and when the case came to its end."""
        solved = {event["case_id"]: event["timestamp_ms"] for event in self._so_far(now, "Case Updated")}
        low = [event for event in self._so_far(now, "NPS Submitted") if event["score"] <= 6]
        return [
            (event["timestamp_ms"], min(solved.get(event["message_id"], now + 1), event["timestamp_ms"] + 30 * DAY_MS))
            for event in low
        ]

    def _rests(self, now: int) -> bool:
        return any(now < closed or now - at < 7 * DAY_MS for at, closed in self._cases(now))

    def _complains(self, now: int) -> bool:
        solved = {event["ticket_id"] for event in self._so_far(now, "Ticket Resolved")}
        tickets = [event for event in self._so_far(now, "Ticket Opened") if event["ticket_id"] not in solved]
        open_tickets = any(now - event["timestamp_ms"] < 30 * DAY_MS for event in tickets)
        return open_tickets or any(now < closed for _, closed in self._cases(now))

    # --- what happens ---

    def _hear(self, event: Event, now: int) -> None:
        match event["event"]:
            case "Unsubscribed" | "Message Marked as Spam":
                self._say_goodbye(event, now)
            case "Message Bounced" if event["bounce"] == "hard":
                self._say_goodbye(event, now)
            case "Payment Failed":
                self._plan("payment.failed", event["checkout_id"], now + 30 * MINUTE_MS, now)
            case "NPS Submitted":
                self._hear_score(event, now)
            case "Product Reviewed" if self._dropped(now, "Product Reviewed"):
                self._plan(
                    "satisfaction.dropped", event["message_id"], now + 5 * MINUTE_MS, now, about="Product Reviewed"
                )
            case "Coupon Issued":
                due = event["expires_ms"] - 3 * DAY_MS
                self.waits.pop(("coupon.expiring", event["coupon_id"]), None)
                if due > now:
                    self._plan("coupon.expiring", event["coupon_id"], due, now)
            case name if name.startswith("Order "):
                self._hear_order(event, now)

    def _say_goodbye(self, event: Event, now: int) -> None:
        """What marketing waits is over; anniversaries and silence are nothing that waits before their day."""
        for wait in [*self.waits.values()]:
            if wait.name not in (*SERVICE, "anniversary", "winback"):
                del self.waits[wait.name, wait.key]
                if wait.name == "second.order.welcome":
                    self.decided.add((wait.name, wait.key, wait.occurrence))
        self._plan("unsubscribe.feedback", event["message_id"], now, now)

    def _hear_score(self, event: Event, now: int) -> None:
        if event["score"] >= 9:
            self._plan("nps.promoter", event["message_id"], now + DAY_MS, now)
        if self._dropped(now, "NPS Submitted"):
            self._plan("satisfaction.dropped", event["message_id"], now + 5 * MINUTE_MS, now, about="NPS Submitted")
        self.asked_at = now
        wait = self.waits.get(("nps.survey", ""))
        if wait is not None:
            self._await_survey(wait.due, wait.about, wait.armed)

    def _hear_order(self, event: Event, now: int) -> None:
        name = event["event"]
        if name == "Order Completed":
            for wait in [*self.waits.values()]:
                if wait.name == "payment.failed":
                    del self.waits[wait.name, wait.key]
        standing = self._standing(now)
        self._plan_welcome(standing, now)
        self._plan_winback(standing, now)
        self._plan_anniversary(standing, now)
        self._plan_tiers(standing, now)
        order = next(one for one in self._orders(now) if one.id == event["order_id"])
        if order.here is not None and order.delivered and name in ("Order Fulfilled", "Order Delivered"):
            self._plan("next.order.coupon", order.id, order.here + DAY_MS, now)
        moves = name in ("Order Fulfilled", "Order Delivered", "Order Returned", "Order Cancelled")
        if moves or (name == "Order Refunded" and (order.undone or "products" in event)):
            self._plan_survey(order, now)
            if order.here is not None and order.here + DAY_MS >= now:  # whatever becomes of it in time
                for content in {content for product in order.lines for content in CONTENTS.get(product, ())}:
                    self._plan("post.purchase.content", f"{order.id}|{content}", order.here + DAY_MS, now)

    def _plan_survey(self, order: Order, now: int) -> None:
        """The first of the parcels that she keeps; one that she gives back makes room for the next one."""
        wait = self.waits.get(("nps.survey", ""))
        ours = wait is not None and wait.about == order.id
        if order.here is not None and not order.given_back:
            in_time = order.here + 14 * DAY_MS >= now
            if order.id not in self.surveyed and (ours or (in_time and self._is_asked_first(order, wait, now))):
                self._await_survey(order.here + 14 * DAY_MS, order.id, now)
        elif ours:
            del self.waits["nps.survey", ""]
            others = [
                (one.here + 14 * DAY_MS, one.id)
                for one in self._orders(now)
                if one.here is not None and one.here + 14 * DAY_MS > now
                if not one.given_back and one.id not in self.surveyed
            ]
            if others:
                self._await_survey(*min(others), now)

    def _is_asked_first(self, order: Order, wait: Wait | None, now: int) -> bool:
        """Of two parcels the one that arrived first; the survey that comes from time to time stands back for one since."""
        assert order.here is not None
        if wait is None:
            return True
        if wait.about == AGAIN:
            return order.here >= wait.armed and self._survey_due(order.here) < wait.due
        other = next(one for one in self._orders(now) if one.id == wait.about)
        return other.here is None or (order.here, order.id) < (other.here, other.id)

    def _survey_due(self, here: int) -> int:
        return max(here + 14 * DAY_MS, (self.asked_at or 0) + 90 * DAY_MS)

    def _await_survey(self, due: int, about: str, now: int) -> None:
        self._plan("nps.survey", "", max(due, (self.asked_at or 0) + 90 * DAY_MS), now, about=about)

    def _plan_welcome(self, standing: list[Order], now: int) -> None:
        """Not for an order of long ago that is her first only since the one before was cancelled."""
        self.waits = {key: wait for key, wait in self.waits.items() if wait.name != "second.order.welcome"}
        in_time = bool(standing) and standing[0].at + DAY_MS > now
        if in_time and not any(name == "second.order.welcome" for name, _, _ in self.sent):
            self._plan("second.order.welcome", standing[0].id, standing[0].at + DAY_MS, now)

    def _plan_winback(self, standing: list[Order], now: int) -> None:
        """What was due more than a week ago is not tried any more."""
        self.waits = {key: wait for key, wait in self.waits.items() if wait.name != "winback"}
        if not standing:
            return
        last = standing[-1]
        mean = (last.at - standing[0].at) / (len(standing) - 1) if len(standing) > 1 else 0
        gap = max(90 * DAY_MS, 2.5 * mean)
        for number, times in enumerate((1, 1.5, 2), start=1):
            due = last.at + int(gap * times)
            if due >= now - 7 * DAY_MS and ("winback", last.id, number) not in self.decided:
                self._plan("winback", last.id, due, now, number)
                return

    def _plan_anniversary(self, standing: list[Order], now: int) -> None:
        self.waits.pop(("anniversary", ""), None)
        if not standing:
            return
        first = datetime.fromtimestamp(standing[0].at / 1000, self.zone).date()
        for year in range(first.year + 1, first.year + 6):
            day = date(year, 2, 28) if (first.month, first.day) == (2, 29) and year % 4 else first.replace(year=year)
            due = int(datetime(day.year, day.month, day.day, 9, tzinfo=self.zone).timestamp() * 1000)
            if due > now:
                self._plan("anniversary", "", due, now)
                return

    def _plan_tiers(self, standing: list[Order], now: int) -> None:
        net = sum(order.net for order in standing)
        tier = self.tier
        while tier < len(TIERS) and net >= TIERS[tier]:
            tier += 1
        while tier > 0 and net < TIERS[tier - 1] * 0.9:
            tier -= 1
        if tier != self.tier:
            self.decided.discard(("vip.entered", "", 1))
            self.decided.discard(("vip.left", "", 1))
            self._plan("vip.entered" if tier > self.tier else "vip.left", "", now, now)
            self.tier = tier
        passed = [sum_ for sum_ in MILESTONES if net >= sum_ and sum_ not in self.passed]
        if passed:
            self.passed.update(passed)
            self._plan("ltv.milestone", str(max(passed)), now, now)

    def _dropped(self, now: int, name: str) -> bool:
        """Her newest word is far below the mean of the ten before; what is a complaint anyway is left to that."""
        *earlier, newest = (
            event["score" if name == "NPS Submitted" else "rating"] for event in self._so_far(now, name)
        )
        earlier = earlier[-10:]
        if len(earlier) < 2 or (name == "NPS Submitted" and newest <= 6):
            return False
        return bool(newest <= sum(earlier) / len(earlier) - (2.5 if name == "NPS Submitted" else 1.5))

    # --- what is due ---

    def _decide(self, wait: Wait, now: int) -> None:
        self.decided.add((wait.name, wait.key, wait.occurrence))
        reason = None
        if not (groundless := self._groundless(wait, now)):
            reason = self._gate(wait, now)
            self.told.append(Outcome(self.customer, wait.name, wait.occurrence, now, reason))
            if reason is None:
                self.sent.append((wait.name, _cools_by(wait), now))
        self._afterwards(wait, now, groundless=groundless, sent=not groundless and reason is None)

    def _groundless(self, wait: Wait, now: int) -> bool:
        orders = {order.id: order for order in self._orders(now)}
        match wait.name:
            case "second.order.welcome":
                return orders[wait.key].undone
            case "next.order.coupon" if wait.occurrence == 2:
                issued = any(one["timestamp_ms"] > wait.armed for one in self._so_far(now, "Coupon Issued"))
                return issued or any(one.at > wait.armed for one in orders.values()) or orders[wait.key].undone
            case "next.order.coupon":
                standing, order = self._standing(now), orders[wait.key]
                habit = len(standing) >= 2 and sum(one.coupon is not None for one in standing) > 0.6 * len(standing)
                return order.undone or order.margin < MARGIN_FLOOR * order.net or habit
            case "post.purchase.content":
                order_id, content = wait.key.split("|")
                left = orders[order_id].lines - orders[order_id].gone
                return orders[order_id].undone or not any(content in CONTENTS.get(name, ()) for name in left)
            case "nps.survey":
                seen = max(event["timestamp_ms"] for event in self.events if event["timestamp_ms"] <= now)
                lately = self.asked_at is not None and now - self.asked_at < 90 * DAY_MS
                return self._complains(now) or lately or (wait.about == AGAIN and now - seen > 90 * DAY_MS)
            case "nps.promoter":
                return self._complains(now)
            case "satisfaction.dropped":
                return not self._dropped(now, wait.about)
            case "coupon.expiring":
                told = self._so_far(now, "Coupon Applied", "Coupon Removed", "Coupon Used")
                what = [one["event"] for one in told if one["coupon_id"] == wait.key]
                spent = "Coupon Used" in what or any(order.coupon == wait.key for order in orders.values())
                return spent or what[-1:] == ["Coupon Applied"]
            case "anniversary":
                standing = self._standing(now)
                return not standing or now - standing[-1].at >= 730 * DAY_MS
        return False

    def _gate(self, wait: Wait, now: int) -> str | None:
        if wait.name not in SERVICE:
            if not self._agreed(now):
                return "no_consent"
            if self._rests(now):
                return "open_feedback"
        cools = (at for name, what, at in self.sent if (name, what) == (wait.name, _cools_by(wait)))
        return "cooldown" if any(now - at < COOLDOWN.get(wait.name, 0) for at in cools) else None

    def _afterwards(self, wait: Wait, now: int, *, groundless: bool, sent: bool) -> None:
        match wait.name:
            case "next.order.coupon" if sent and wait.occurrence == 1:
                self._plan(wait.name, wait.key, now + 27 * DAY_MS, now, 2)
            case "winback":
                self._plan_winback(self._standing(now), now)
            case "anniversary":
                self.decided.discard((wait.name, wait.key, 1))
                self._plan_anniversary(self._standing(now), now)
            case "payment.failed" | "coupon.expiring":
                self.decided.discard((wait.name, wait.key, 1))
            case "nps.survey":
                self.decided.discard((wait.name, wait.key, 1))
                self.surveyed.add(wait.about)
                if sent:
                    self.asked_at = now
                if not groundless or self._complains(now):
                    self._await_survey(now + 90 * DAY_MS, AGAIN, now)


def _cools_by(wait: Wait) -> str:
    """Tips cool by what they tell, refused payments by checkout, all others by customer."""
    match wait.name:
        case "post.purchase.content":
            return wait.key.split("|")[-1]
        case "payment.failed":
            return wait.key
    return ""


def outcomes(events: list[Event], until: int) -> Iterable[Outcome]:
    """Everything that came due before `until`."""
    by_customer: dict[str, list[Event]] = {}
    for event in events:
        by_customer.setdefault(event["user_id"], []).append(event)
    for customer in sorted(by_customer):
        yield from Life(customer, by_customer[customer]).outcomes(until)
