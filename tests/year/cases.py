"""What is told of low scores, and what becomes of the cases they open, by going through all that was heard of until then.

Naive on purpose: at each moment everything is looked up anew; no code of the engine is used.
"""

from typing import Any, Final, NamedTuple

from tests.year.shop import DAY_MS, MINUTE_MS, Event
from tests.year.talker import heard

CONTACT_DUE_MS: Final = DAY_MS
EXPIRES_MS: Final = 30 * DAY_MS
CORRECTION_MS: Final = 5 * MINUTE_MS
LATE_MS: Final = DAY_MS
STEPS: Final = ("assigned", "contacted", "resolved", "verified")


class Told(NamedTuple):
    """Something that went out: a trigger, or that it was taken back."""

    customer: str
    name: str
    case: str
    at: int


class Case:
    """One survey of a customer, answered low at some time, as it is known at some moment; it was `taken_back` by a better answer
    of that time, or never.
    """

    def __init__(self, answers: list[Event], steps: list[Event], taken_back: int | None) -> None:
        self.answers = sorted(answers, key=lambda event: (event["timestamp_ms"], event["message_id"]))
        self.newest = self.answers[-1]
        self.low = self.newest["score"] <= 6
        low = [event["timestamp_ms"] for event in self.answers if event["score"] <= 6]
        if self.low and taken_back is not None:
            low = [at for at in low if at > taken_back]
        self.opened_ms = low[0] if low else 0
        self.day = self.opened_ms // DAY_MS
        self.first = {
            step: min(event["timestamp_ms"] for event in steps if event["state"] == step)
            for step in STEPS
            if any(event["state"] == step for event in steps)
        }
        self.mended = "resolved" in self.first or "verified" in self.first
        self.reached = "contacted" in self.first or self.mended
        named = [event for event in sorted(steps, key=lambda event: event["timestamp_ms"]) if "owner" in event]
        self.owner: str | None = named[-1]["owner"] if named else None

    def state(self, now: int, content: list[int]) -> str:
        """The furthest step; a resolved case is verified by her being `content` in another answer since."""
        resolved = self.first.get("resolved")
        if "verified" in self.first or (resolved is not None and any(at > resolved for at in content)):
            return "verified"
        if resolved is not None:
            return "resolved"
        if now - self.opened_ms >= EXPIRES_MS:
            return "expired"
        return next((step for step in ("contacted", "assigned") if step in self.first), "opened")


class Life:
    """One customer."""

    def __init__(self, customer: str, events: list[Event]) -> None:
        self.customer, self.events = customer, events

    def case(self, key: str, now: int) -> Case | None:
        known = [event for event in self.events if heard(event) <= now]
        answers = [event for event in known if event["event"] == "NPS Submitted" and _key(event) == key]
        steps = [event for event in known if event["event"] == "Case Updated" and event["case_id"] == key]
        if not answers:
            return None
        taken_back = [of for name, _, of in self._words(key, now) if name == "trigger.cancelled"]
        return Case(answers, steps, max(taken_back, default=None))

    def shown(self, now: int) -> dict[str, tuple[Any, ...]]:
        """What her document shows of each case: state, when it was opened and she was reached, and who has it in hand."""
        found = {key: case for key in self.surveys() if (case := self.case(key, now)) is not None}
        content = [case.newest["timestamp_ms"] for case in found.values() if not case.low]
        return {
            key: (case.state(now, content), case.opened_ms, case.first.get("contacted"), case.owner)
            for key, case in found.items()
            if case.low
        }

    def surveys(self) -> list[str]:
        return sorted({_key(event) for event in self.events if event["event"] == "NPS Submitted"})

    def told(self, until: int) -> list[Told]:
        return [one for key in self.surveys() for one in (*self._detractor(key, until), *self._overdue(key, until))]

    def _words(self, key: str, now: int) -> list[tuple[str, int, int]]:
        """At once where the newest word is low and is not told of yet; taken back by a better one within minutes of it. Each with
        when that was, and of when the word is.
        """
        words: list[tuple[str, int, int]] = []
        answers: list[Event] = []
        standing: int | None = None
        for event in self.events:
            if event["event"] != "NPS Submitted" or _key(event) != key or heard(event) > now:
                continue
            answers.append(event)
            newest = max(answers, key=lambda one: (one["timestamp_ms"], one["message_id"]))
            at, low = newest["timestamp_ms"], newest["score"] <= 6
            if low and standing is None and heard(event) - at <= LATE_MS:
                standing = at
                words.append(("nps.detractor", heard(event), at))
            elif not low and standing is not None and at - standing <= CORRECTION_MS:
                standing = None
                words.append(("trigger.cancelled", heard(event), at))
        return words

    def _detractor(self, key: str, until: int) -> list[Told]:
        return [Told(self.customer, name, key, at) for name, at, _ in self._words(key, until)]

    def _overdue(self, key: str, until: int) -> list[Told]:
        """A day after the score, or once it is heard of: where it is low still, and nobody has spoken with her."""
        moments = [heard(event) for event in self.events if event["event"] == "NPS Submitted" and _key(event) == key]
        for place, now in enumerate(moments):
            case = self.case(key, now)
            assert case is not None
            if not case.low:
                continue
            due = max(case.opened_ms + CONTACT_DUE_MS, now)
            if now - case.newest["timestamp_ms"] > LATE_MS or due >= until:
                continue
            if place + 1 < len(moments) and moments[place + 1] <= due:
                continue
            case = self.case(key, due)
            assert case is not None
            if not case.reached:
                return [Told(self.customer, "feedback.overdue", key, due)]
        return []


def _key(event: Event) -> str:
    return "|".join(event[one] for one in ("survey_id", "order_id") if one in event) or event["message_id"]


def lives(events: list[Event]) -> list[Life]:
    by_customer: dict[str, list[Event]] = {}
    for event in events:
        by_customer.setdefault(event["user_id"], []).append(event)
    return [Life(customer, by_customer[customer]) for customer in sorted(by_customer)]


def told(events: list[Event], until: int) -> list[Told]:
    """All that goes out before `until`."""
    return [one for life in lives(events) for one in life.told(until)]


def loop(events: list[Event], now: int, contact_due: float = CONTACT_DUE_MS) -> dict[str, float]:
    """How the cases of the last 90 days whose time for contact is over by today were kept: how many, and shares of them."""
    today = now // DAY_MS
    due = [case for case in _low(events, now) if today - 2 - 90 < case.day <= today - 2]
    waits = [case.first["contacted"] - case.opened_ms for case in due if "contacted" in case.first]
    counts = {
        "contacted_in_time": sum(wait <= contact_due for wait in waits),
        "contacted": len(waits),
        "resolved": sum(case.mended for case in due),
        "expired": sum(not case.mended and case.day <= today - 31 for case in due),
    }
    return {"opened": len(due)} | {name: count / len(due) for name, count in counts.items()}


def still_open(events: list[Event], now: int) -> dict[str, int]:
    """The cases that wait for somebody today, those nobody spoke with, and of these the ones that are overdue."""
    today = now // DAY_MS
    left = [case for case in _low(events, now) if not case.mended and case.day > today - 31]
    waiting = [case for case in left if "contacted" not in case.first]
    return {
        "open": len(left),
        "waiting": len(waiting),
        "overdue": sum(case.day <= today - 2 for case in waiting),
        "oldest_day": min(case.day for case in left),
    }


def scores(events: list[Event], now: int) -> dict[tuple[str, int], tuple[int, int, int]]:
    """Promoters, passives and detractors by kind and days: of orders each answer, of the shop that to the newest survey
    of each customer.
    """
    found = {}
    for days in (90, 365):
        answers: dict[str, list[Event]] = {"relational": [], "transactional": []}
        for life in lives(events):
            newest = [case.newest for key in life.surveys() if (case := life.case(key, now)) is not None]
            shop = [answer for answer in newest if "order_id" not in answer]
            answers["relational"] += sorted(shop, key=lambda one: (_asked(one) // DAY_MS, one["timestamp_ms"]))[-1:]
            answers["transactional"] += [answer for answer in newest if "order_id" in answer]
        for kind, given in answers.items():
            recent = [one["score"] for one in given if _asked(one) // DAY_MS > now // DAY_MS - days]
            low, high = sum(score <= 6 for score in recent), sum(score >= 9 for score in recent)
            found[kind, days] = (high, len(recent) - low - high, low)
    return found


def _asked(answer: Event) -> int:
    at: int = answer["asked_at_ms" if "asked_at_ms" in answer else "timestamp_ms"]
    return at


def _low(events: list[Event], now: int) -> list[Case]:
    found = [case for life in lives(events) for key in life.surveys() if (case := life.case(key, now)) is not None]
    return [case for case in found if case.low]
