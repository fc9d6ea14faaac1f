"""When a customer should be told to behave differently from before: by all her orders up to then, looked at anew each time.

Naive on purpose: at each order the whole past is gone through again, with scipy's distributions; no code of the engine is used.
"""

from collections import defaultdict
from collections.abc import Sequence
from math import copysign, exp, log, sqrt
from statistics import NormalDist, fmean
from typing import Final, NamedTuple

import numpy as np
from scipy import stats
from scipy.special import betaincc, rel_entr

from tests.year.shop import DAY_MS, Event
from tests.year.talker import heard

GAPS_MIN: Final = 6
SPREAD_MIN: Final = 0.15
ALLOWANCE, LIMIT = 0.5, 5.0
ORDERS_MIN: Final = 8
WEIGHT: Final = 0.2
WIDTH: Final = 2.962 * sqrt(WEIGHT / (2 - WEIGHT))
FAST_DAYS, SLOW_DAYS = 60, 360
PURCHASES_MIN: Final = 5
DIVERGENCE_MIN: Final = 0.2
FALSE_ALARM: Final = 0.005
USUAL_RETURNS: Final = 0.1
PRIOR_UNITS: Final = 20
COOLDOWN_MS: Final = 30 * DAY_MS


class Change(NamedTuple):
    """What became of a change: `reason` is None where it was sent, else why it was kept back. `detail` names a category."""

    customer: str
    measure: str
    at: int
    reason: str | None
    direction: str
    detail: str | None
    before: float
    after: float


class Alarm(NamedTuple):
    """A habit that is another one from now on, and what it was before."""

    direction: str
    before: float
    after: float
    detail: str | None = None


class Rhythm:
    """Her gaps between orders in days, since the last one that was another rhythm, and the sums of their scores."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.above, self.below = [0.0], [0.0]

    def hear(self, gap: float) -> Alarm | None:
        usual, alarm = self.usual(), None
        if usual is not None:
            middle, spread = usual
            score = _score(log(gap), middle, spread, len(self.gaps))
            self.above.append(max(0, self.above[-1] + score - ALLOWANCE))
            self.below.append(max(0, self.below[-1] - score - ALLOWANCE))
            for direction, sums, sign in (("up", self.above, 1), ("down", self.below, -1)):
                if sums[-1] > LIMIT:
                    run = len(sums) - 1 - max(place for place, value in enumerate(sums) if value == 0)
                    alarm = Alarm(direction, exp(middle), exp(middle + sign * (ALLOWANCE + sums[-1] / run) * spread))
        if alarm is not None:
            self.gaps, self.above, self.below = [], [0.0], [0.0]
        self.gaps.append(gap)
        return alarm

    def usual(self) -> tuple[float, float] | None:
        """Mean and spread of the logarithms; None while too few gaps are known."""
        if len(self.gaps) < GAPS_MIN:
            return None
        middle, spread = _usual(self.gaps)
        return middle, max(SPREAD_MIN, spread)


class Worth:
    """What her orders were worth, since the last one that was another habit, and the scores of those that were judged."""

    def __init__(self) -> None:
        self.values: list[int] = []
        self.scores: list[float] = []

    def hear(self, value: int) -> Alarm | None:
        alarm = None
        if len(self.values) >= ORDERS_MIN:
            middle, spread = _usual(self.values)
            self.scores.append(_score(log(value), middle, spread, len(self.values)))
            average = 0.0
            for score in self.scores:
                average = WEIGHT * score + (1 - WEIGHT) * average
            if abs(average) > WIDTH:
                newest = []
                for score, one in zip(self.scores[::-1][:8], [value, *self.values[::-1]], strict=False):
                    if (score > 0) != (average > 0):
                        break
                    newest.append(log(one))
                alarm = Alarm("up" if average > 0 else "down", exp(middle), exp(fmean(newest)))
        if alarm is not None:
            self.values, self.scores = [], []
        self.values.append(value)
        return alarm


class Tastes:
    """What she bought: the day and category of each purchase, and when what she bought of late became all of her past."""

    def __init__(self) -> None:
        self.bought: list[tuple[float, str, float | None]] = []
        """Day, category, and the last day on which her past began anew, if it did since this was heard of."""

    def hear(self, day: int, categories: set[str]) -> Alarm | None:
        self.bought += [(day, category, None) for category in sorted(categories)]
        today = max(day for day, _, _ in self.bought)
        alarm = self._judge(today)
        if alarm is not None:
            self.bought = [(day, category, today) for day, category, _ in self.bought]
        return alarm

    def _judge(self, today: float) -> Alarm | None:
        late: dict[str, list[float]] = defaultdict(list)
        before: dict[str, list[float]] = defaultdict(list)
        for day, category, anew in self.bought:
            fast = 2 ** ((day - today) / FAST_DAYS)
            if anew is None:
                slow = 2 ** ((day - today) / SLOW_DAYS)
            else:
                slow = 2 ** ((day - anew) / FAST_DAYS) * 2 ** ((anew - today) / SLOW_DAYS)
            late[category].append(fast)
            before[category].append(slow - fast)
        new, old = _effective(late), _effective(before)
        if len(new) < 2 or min(sum(new.values()), sum(old.values())) < PURCHASES_MIN - 1e-6:
            return None
        if _divergence(new, {name: count + 0.5 for name, count in old.items()}) < DIVERGENCE_MIN:
            return None
        table = np.array([[new[name] for name in sorted(new)], [old[name] for name in sorted(new)]])
        kept = table[:, table.sum(axis=0) > 0]
        found = stats.chi2_contingency(kept, correction=False, lambda_="log-likelihood")
        if found.statistic <= _by_chance(len(new) - 1):
            return None
        shares = {name: (new[name] / sum(new.values()), old[name] / sum(old.values())) for name in sorted(new)}
        most = max(shares, key=lambda name: abs(shares[name][0] - shares[name][1]))
        now, earlier = shares[most]
        return Alarm("up" if now > earlier else "down", earlier, now, most)


def _effective(weights: dict[str, list[float]]) -> dict[str, float]:
    """Purchases by category that weigh as much and are as certain (Kish 1965)."""
    total = sum(sum(one) for one in weights.values())
    squares = sum(weight**2 for one in weights.values() for weight in one)
    return {name: sum(one) * total / squares if squares > 1e-9 else 0.0 for name, one in weights.items()}


def _divergence(new: dict[str, float], old: dict[str, float]) -> float:
    """Of one set of weights from another (Kullback & Leibler 1951), in nats."""
    all_new, all_old = sum(new.values()), sum(old.values())
    return float(sum(rel_entr(new[name] / all_new, old[name] / all_old) for name in new))


def returns(orders: dict[str, list[Event]]) -> tuple[float, float]:
    """Units of orders that were not cancelled: bought, and sent back."""
    bought = back = 0
    for told in orders.values():
        if any(event["event"] == "Order Cancelled" for event in told):
            continue
        units = {one["product_id"]: one["quantity"] for one in told[0]["products"]}
        left = dict(units)
        for event in told[1:]:
            if event["event"] == "Order Refunded" and "amount_minor" not in event:
                named = {one["product_id"]: one["quantity"] for one in event.get("products", ())} or left
                left = {name: max(0, count - named.get(name, 0)) for name, count in left.items()}
        bought += sum(units.values())
        back += sum(units.values()) - sum(left.values())
    return bought, back


def surely_more(bought: float, back: float) -> float:
    """How likely it is that she sends back more than one and a half times what is usual."""
    kept = bought - back
    return float(
        betaincc(PRIOR_UNITS * USUAL_RETURNS + back, PRIOR_UNITS * (1 - USUAL_RETURNS) + kept, 1.5 * USUAL_RETURNS)
    )


class Life:
    """One customer."""

    def __init__(self, customer: str, events: list[Event]) -> None:
        self.customer, self.events = customer, events
        self.orders: dict[str, list[Event]] = defaultdict(list)
        self.newest: int | None = None
        self.rhythm, self.worth, self.tastes = Rhythm(), Worth(), Tastes()
        self.returns_much = False
        self.silent_at: int | None = None
        self.told: list[Change] = []

    def changes(self, until: int) -> list[Change]:
        for event in self.events:
            now = heard(event)
            self._fall_silent(now)
            if event["event"].startswith("Order "):
                self.orders[event["order_id"]].append(event)
                if event["event"] == "Order Completed" and len(self.orders[event["order_id"]]) == 1:
                    self._hear_order(event, now)  # one that was cancelled before it was heard of says nothing
                self._hear_returns(now)
        self._fall_silent(until)
        return self.told

    def _hear_order(self, event: Event, now: int) -> None:
        at = event["timestamp_ms"]
        if self.newest is None or at > self.newest:
            if self.newest is not None:
                self._tell("interval", self.rhythm.hear((at - self.newest) / DAY_MS), now)
            self._tell("order_value", self.worth.hear(_worth(event)), now)
            self.newest, self.silent_at = at, None
            if (usual := self.rhythm.usual()) is not None:
                self.silent_at = at + round(exp(usual[0] + usual[1] * NormalDist().inv_cdf(0.95)) * DAY_MS)
        alarm = self.tastes.hear(at // DAY_MS, {one["category"] for one in event["products"]})
        self._tell("categories", alarm, now)

    def _fall_silent(self, now: int) -> None:
        """Nineteen of twenty of her gaps are over by then."""
        if self.silent_at is not None and self.silent_at < now:
            usual = self.rhythm.usual()
            assert usual is not None
            assert self.newest is not None
            days = (self.silent_at - self.newest) / DAY_MS
            self._tell("silence", Alarm("up", exp(usual[0]), days), self.silent_at)
            self.silent_at = None

    def _hear_returns(self, now: int) -> None:
        bought, back = returns(self.orders)
        sure = surely_more(bought, back)
        if self.returns_much:
            self.returns_much = sure >= 0.8
        elif back >= 3 and sure >= 0.95:
            self.returns_much = True
            rate = (PRIOR_UNITS * USUAL_RETURNS + back) / (PRIOR_UNITS + bought)
            self._tell("returns", Alarm("up", USUAL_RETURNS, rate), now)

    def _tell(self, measure: str, alarm: Alarm | None, now: int) -> None:
        if alarm is None:
            return
        consents = [one for one in self.events if one["event"] == "Consent Changed" and heard(one) <= now]
        reason = None
        if not consents or consents[-1]["consent"][0]["state"] != "GRANT":
            reason = "no_consent"
        elif any(one.measure == measure and one.reason is None and now - one.at < COOLDOWN_MS for one in self.told):
            reason = "cooldown"
        self.told.append(
            Change(self.customer, measure, now, reason, alarm.direction, alarm.detail, alarm.before, alarm.after)
        )


def _worth(order: Event) -> int:
    return sum(one["price_minor"] * one["quantity"] for one in order["products"])


def _usual(values: Sequence[float]) -> tuple[float, float]:
    """Mean and spread of the logarithms of some values."""
    logs = [log(value) for value in values]
    middle = fmean(logs)
    return middle, sqrt(sum((one - middle) ** 2 for one in logs) / (len(logs) - 1))


def _score(value: float, usual: float, spread: float, known: int) -> float:
    """The standard normal score that is as rare as this value by Student's t, by Wallace's (1959) formula."""
    freedom, t = known - 1, (value - usual) / (spread * sqrt(1 + 1 / known))
    return copysign((8 * freedom + 1) / (8 * freedom + 3) * sqrt(freedom * log(1 + t * t / freedom)), t)


def _by_chance(freedom: int) -> float:
    """What chi-squared exceeds once in two hundred times, by Wilson and Hilferty's (1931) formula."""
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(1 - FALSE_ALARM) * sqrt(spread)) ** 3)


def changes(events: list[Event], until: int) -> list[Change]:
    """All that becomes certain before `until`."""
    by_customer: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_customer[event["user_id"]].append(event)
    return [one for customer in sorted(by_customer) for one in Life(customer, by_customer[customer]).changes(until)]
