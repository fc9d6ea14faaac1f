"""Where two sets of rules part: which messages only one of them sends, which at other times, and to whom."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from profiles.ids import renamed
from profiles.zones import local_time
from streams.backtest.course import Course, Fate, silent
from streams.explanations import became, meaning

EXAMPLES: Final = 3

Kind = Literal["added", "removed", "moved"]
KINDS: Final[dict[Kind, str]] = {
    "added": "only under these",
    "removed": "only under the others",
    "moved": "at another time",
}
"""Ways to differ, seen from the rules in question."""
WAITING: Final = frozenset({"armed", "deferred", "unreachable"})
"""States in which the end of the run found what was not decided."""


class End(Struct, frozen=True, kw_only=True):
    """What became of a message: state and reason code as in its decision, and when."""

    state: str
    reason: str | None
    at_ms: int


class Example(Struct, frozen=True, kw_only=True):
    """One message that differs: whose it is, what it is about, and what became of it under the others and under these: in short
    with the time in UTC, and in full, None where it never came up.
    """

    kind: Kind
    customer_id: str
    episode_key: str
    occurrence: int
    others: str
    these: str
    others_end: End | None
    these_end: End | None


class TriggerDifference(Struct, frozen=True, kw_only=True):
    """One trigger under both: messages sent by both at the same instant, by both at another, by one of them only."""

    name: str
    same: int
    moved: int
    added: int
    removed: int
    examples: tuple[Example, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """What differs trigger by trigger, and how many customers get something else or at another time.

    What tells systems about her (segments) is nothing that she gets.
    """

    triggers: tuple[TriggerDifference, ...]
    customers: int


class _Pair(NamedTuple):
    """What became of one message under these rules and under the others."""

    trigger_id: str
    now: Fate | None
    before: Fate | None


def difference(these: Course, others: Course, *, examples: int = EXAMPLES) -> Difference:
    """Set the rules in question against others, both run over the same events.

    An occurrence of an episode has the same trigger id under both, since the id is made of what it is about and of what opened
    it. Where another event opened it, one message of each about the same is one message at another time. Of every trigger
    and way to differ some examples are shown, those with the smallest trigger ids: drawn by nobody, and the same each time.
    """
    found: dict[str, dict[str, list[_Pair]]] = defaultdict(lambda: defaultdict(list))
    customers = set()
    for pair in _joined(these, others):
        kind, known = _kind(pair.now, pair.before), pair.now or pair.before
        if kind is None or known is None:
            continue
        found[known.name][kind].append(pair)
        if kind != "same" and known.name not in silent():
            customers.add(these.now(known.customer_id))

    def shown(pairs: dict[str, list[_Pair]]) -> tuple[Example, ...]:
        chosen = [(kind, pair) for kind in KINDS for pair in sorted(pairs[kind], key=_by_id)[:examples]]
        return tuple(_example(kind, pair.now, pair.before) for kind, pair in chosen)

    return Difference(
        triggers=tuple(
            TriggerDifference(
                name=name,
                same=len(pairs["same"]),
                moved=len(pairs["moved"]),
                added=len(pairs["added"]),
                removed=len(pairs["removed"]),
                examples=shown(pairs),
            )
            for name, pairs in sorted(found.items())
        ),
        customers=len(customers),
    )


def _by_id(pair: _Pair) -> str:
    return pair.trigger_id


def _joined(these: Course, others: Course) -> Iterator[_Pair]:
    """Every message of either, with what became of it under both."""
    alone: dict[tuple[str, str, str, int], list[_Pair]] = defaultdict(list)
    for trigger_id in these.fates.keys() | others.fates.keys():
        pair = _Pair(trigger_id, these.fates.get(trigger_id), others.fates.get(trigger_id))
        kind, known = _kind(pair.now, pair.before), pair.now or pair.before
        if known is None or kind not in KINDS or kind == "moved":
            yield pair
        else:
            customer = these.now(known.customer_id)
            key = renamed(known.episode_key, known.customer_id, customer)
            about = (known.name, customer, key, known.occurrence)
            alone[about].append(pair)
    for pairs in alone.values():
        added = [pair for pair in pairs if _kind(pair.now, pair.before) == "added"]
        if len(pairs) == 2 and len(added) == 1:
            (removed,) = (pair for pair in pairs if pair is not added[0])
            yield _Pair(added[0].trigger_id, added[0].now, removed.before)
        else:
            yield from pairs


def _kind(now: Fate | None, before: Fate | None) -> Kind | Literal["same"] | None:
    """What the two make of it; None where neither sends it."""
    sends, sent = now is not None and now.state == "emitted", before is not None and before.state == "emitted"
    if now is not None and before is not None and sends and sent:
        return "same" if now.at_ms == before.at_ms else "moved"
    if sends:
        return "added"
    return "removed" if sent else None


def _example(kind: Kind, now: Fate | None, before: Fate | None) -> Example:
    known = now or before
    assert known is not None
    to_the = _to_the(before, now)
    return Example(
        kind=kind,
        customer_id=known.customer_id,
        episode_key=known.episode_key,
        occurrence=known.occurrence,
        others=_in_short(before, to_the),
        these=_in_short(now, to_the),
        others_end=_end(before),
        these_end=_end(now),
    )


def sentence(example: Example, name: str, zone: ZoneInfo) -> str:
    """The example, of the trigger of this name, in one line. Reasons are in words, times on the zone's clock.

    >>> ends = {"others_end": None, "these_end": End(state="emitted", reason=None, at_ms=0)}
    >>> told = {"episode_key": "c1", "occurrence": 2, "others": "", "these": ""}
    >>> sentence(Example(kind="added", customer_id="user_id:ada", **told, **ends), "welcome", ZoneInfo("UTC"))
    'user_id:ada, c1, message 2: never came up -> sent 1970-01-01 00:00 UTC'
    """
    number = f", message {example.occurrence}" if example.occurrence > 1 else ""
    about = "" if example.episode_key == example.customer_id else f", {example.episode_key}"
    to_the = _to_the(example.others_end, example.these_end)
    others, these = (_told(end, name, zone, to_the) for end in (example.others_end, example.these_end))
    return f"{example.customer_id}{about}{number}: {others} -> {these}"


def _to_the(others: Fate | End | None, these: Fate | End | None) -> str:
    """How times of the two are written: to the minute, or to the second where that would show no difference."""
    minutes = {(end.state, end.at_ms // 60_000) for end in (others, these) if end is not None}
    return "%Y-%m-%d %H:%M:%S" if others and these and len(minutes) == 1 else "%Y-%m-%d %H:%M"


def _end(fate: Fate | None) -> End | None:
    return None if fate is None else End(state=fate.state, reason=fate.reason, at_ms=fate.at_ms)


def _told(end: End | None, name: str, zone: ZoneInfo, to_the: str) -> str:
    if end is None:
        return "never came up"
    at = local_time(end.at_ms, zone).strftime(f"{to_the} %Z")
    what = became(end.state, end.reason).removeprefix("was ")
    waits = ", and waits still" if end.state in WAITING else ""
    reason = f": {meaning(end.reason, name, end.state)}" if end.reason else ""
    return f"{what} {at}{waits}{reason}"


def _in_short(fate: Fate | None, to_the: str) -> str:
    if fate is None:
        return "never came up"
    at = datetime.fromtimestamp(fate.at_ms / 1000, tz=UTC).strftime(to_the)
    if fate.state == "emitted":
        return f"sent {at}"
    reason = f" ({fate.reason})" if fate.reason and fate.reason != fate.state else ""
    return f"{fate.state}{reason} {at}"
