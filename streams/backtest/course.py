"""The course of a run: what went out, week by week and customer by customer, folded from the rows that it puts out.

Memory is bounded by the triggers that were sent or ended, not by the events.
"""

from array import array
from collections import Counter, defaultdict
from datetime import timedelta
from functools import cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from profiles.zones import local_time
from schemas.outputs import Outgoing
from streams.trigger_registry import all_triggers

DAY_MS: Final = 86_400_000
CONDITION: Final = "condition"
"""The reason of what was due and dropped because the further condition of its rules did not hold."""


class Fate(NamedTuple):
    """How an occurrence of an episode ended: `state` and `reason` as in its decision, or still waiting ("armed" ...).

    What was sent stays sent, also where it was taken back: it was a message, and is counted as one.
    """

    name: str
    customer_id: str
    episode_key: str
    occurrence: int
    state: str
    reason: str | None
    at_ms: int


class _Decided(Struct):
    """What is used of a decision."""

    name: str
    customer_id: str
    episode_key: str
    state: str
    trigger_id: str
    at_ms: int
    occurrence: int = 1
    reason: str | None = None


class _Identity(Struct):
    """What is used of a change of identity."""

    name: str
    customer_id: str
    other: str


class _Receipt(Struct):
    """What is used of a receipt; the newest one of a request holds."""

    request_id: str
    command: str
    counts: dict[str, int]


class _Outcome(Struct):
    """What is used of a conversion."""

    of_name: str
    value_minor: int | None = None


class Course(Struct):
    """What became of every trigger of a run. Weeks are those of ISO 8601 in the time zone `zone`, named by their Monday
    ("2026-03-02").

    `sent[name][week]` and `converted[name]` count triggers; `converted_minor[name]` adds up what the orders after them came
    to, in the shop's currency, where they are known. `held[trigger id]` is what was due and has not been sent, with the reason.
    `contacts[customer]` holds the instants at which she was sent something, without what tells systems about her (segments).
    `fates` says for every occurrence how it ended. `merged` says into whom a customer went who is no longer one of her own: her
    contacts are with those of the other. `failed[name]` counts what a trigger failed on, by what was raised. `erased[request]`
    is how many customers a request erased: they are no more at the end of the run.
    """

    zone: ZoneInfo = ZoneInfo("UTC")
    sent: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    held: dict[str, tuple[str, str]] = field(default_factory=dict)
    converted: Counter[str] = field(default_factory=Counter)
    converted_minor: Counter[str] = field(default_factory=Counter)
    contacts: dict[str, "array[int]"] = field(default_factory=lambda: defaultdict(lambda: array("q")))
    fates: dict[str, Fate] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    erased: dict[str, int] = field(default_factory=dict)

    def take(self, row: Outgoing) -> None:
        """Add a row that the run puts out, in the order in which they come."""
        if row.topic == "decisions":
            self._decided(_decision(row.value))
        elif row.topic == "trigger-converted":
            outcome = _outcome(row.value)
            self.converted[outcome.of_name] += 1
            self.converted_minor[outcome.of_name] += outcome.value_minor or 0
        elif row.topic == "identity-changes":
            self._identified(_identity(row.value))
        elif row.topic == "receipts":
            receipt = _receipt(row.value)
            if receipt.command == "erase":
                self.erased[receipt.request_id] = receipt.counts.get("profiles", 0)

    def now(self, customer_id: str) -> str:
        """The customer at the end of the run whom one of its course is, or has become."""
        seen = {customer_id}
        while (into := self.merged.get(customer_id)) is not None and into not in seen:
            seen.add(into)
            customer_id = into
        return customer_id

    def kept_back(self) -> dict[str, Counter[str]]:
        """How many messages of each trigger were due and not sent, by the reason."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for name, reason in self.held.values():
            found[name][reason] += 1
        return found

    def _decided(self, one: _Decided) -> None:
        """Each message counts once: an episode may be armed again under the id that it had, also after that was sent."""
        known = self.fates.get(one.trigger_id)
        if one.state == "failed":
            self.failed[one.name][one.reason or ""] += 1
            if known is None:  # on an event: nothing had waited
                return
        if one.state in {"converted", "recovered", "retracted"} or (known is not None and known.state == "emitted"):
            return
        held = (one.name, one.reason or one.state)
        if one.state == "emitted":
            self.held.pop(one.trigger_id, None)
            self.sent[one.name][week_of(one.at_ms, self.zone)] += 1
            if one.name not in silent():
                self.contacts[one.customer_id].append(one.at_ms)
        elif one.state == "suppressed" or one.reason == CONDITION:
            self.held[one.trigger_id] = held
        elif one.state == "expired":
            self.held.setdefault(one.trigger_id, held)  # armed again too late, it was kept back by what had been before
        self.fates[one.trigger_id] = Fate(
            one.name, one.customer_id, one.episode_key, one.occurrence, one.state, one.reason, one.at_ms
        )

    def _identified(self, one: _Identity) -> None:
        if one.name != "profile.merged":
            return
        self.merged[one.other] = one.customer_id
        self.merged.pop(one.customer_id, None)  # who once was another's is one of her own again
        if (theirs := self.contacts.pop(one.other, None)) is not None:
            self.contacts[one.customer_id].extend(theirs)


@cache
def silent() -> frozenset[str]:
    """Triggers that say nothing to the customer."""
    return frozenset(trigger.name for trigger in all_triggers() if not trigger.speaks)


def week_of(at_ms: int, zone: ZoneInfo) -> str:
    """The Monday of the week in which an instant lies on the zone's calendar.

    >>> week_of(1_772_405_999_999, ZoneInfo("Europe/Berlin")), week_of(1_772_406_000_000, ZoneInfo("Europe/Berlin"))
    ('2026-02-23', '2026-03-02')
    """
    day = local_time(at_ms, zone).date()
    return (day - timedelta(days=day.weekday())).isoformat()


def busiest_week(instants: "array[int]") -> int:
    """The most messages within any seven days.

    >>> busiest_week(array("q", [0, 6 * DAY_MS, 7 * DAY_MS, 8 * DAY_MS]))
    3
    """
    ordered = sorted(instants)
    most = first = 0
    for last, at_ms in enumerate(ordered):
        while at_ms - ordered[first] >= 7 * DAY_MS:
            first += 1
        most = max(most, last - first + 1)
    return most


_decision = msgspec.json.Decoder(_Decided).decode
_identity = msgspec.json.Decoder(_Identity).decode
_receipt = msgspec.json.Decoder(_Receipt).decode
_outcome = msgspec.json.Decoder(_Outcome).decode
