"""Why she got this, and why she did not, in plain sentences: from decisions, and from what a profile remembers.

Nothing here asks anybody: what is told was kept when it was decided. Only `standing` says how it would be now. Of rules that were
only tried (a replay, a shadow worker; `tried`) it is told what would have been sent: nobody was sent anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from profiles import gates
from profiles.book import Book
from profiles.episodes import RENAMED, TOO_MANY, TURN
from profiles.profile import Profile
from profiles.state import DecisionKept, Emitted, Episode
from profiles.zones import local_time, zone_of
from schemas.outputs import Decision
from streams.trigger_registry import all_triggers

WAITS_FOR: Final[Mapping[str, str]] = {
    gates.UNREACHABLE: "she can't be reached yet",
    gates.QUIET: "these are her quiet hours",
    TURN: "a more important one goes first",
}
_OUTCOMES: Final[Mapping[str | None, str]] = {
    None: "nothing came of it so far",
    "shared": "it went to whom she was taken to be a part of",
    "converted": "an order followed, which counts as its success",
    "retracted": "it was taken back: its ground was gone already",
}
_OUTCOMES_TRIED: Final[Mapping[str | None, str]] = {
    None: "no order followed so far",
    "shared": "it would have gone to whom she was taken to be a part of",
    "converted": "an order followed, which would count as its success",
    "retracted": "it would have been taken back: its ground was gone already",
}
_NOW: Final[Mapping[str, str]] = {
    gates.UNREACHABLE: "She can't be reached: no e-mail, phone, push token or user id is known",
    gates.QUIET: "These are her quiet hours",
    gates.HELD_OUT: "She is held out of all marketing, to measure what it is worth",
}
"""What reasons mean that are told of a trigger when they stand in the way of all."""
_SENT: Final = frozenset({"emitted", "retracted", "converted", "recovered"})
"""States that only what was sent can reach."""
_STATES: Final[Mapping[str, str]] = {
    "armed": "was planned",
    "emitted": "was sent",
    "suppressed": "was not sent",
    "deferred": "was put off",
    "unreachable": "is kept until she can be reached",
    "cancelled": "was dropped",
    "expired": "came too late and was dropped",
    "retracted": "was taken back after it was sent",
    "converted": "was followed by an order",
    "recovered": "brought its cart back",
    "failed": "failed and was left out",
}
_TRIED: Final[Mapping[str, str]] = {
    "emitted": "would have been sent",
    "suppressed": "would not have been sent",
    "retracted": "would have been taken back after it was sent",
    "recovered": "would count as having brought its cart back",
}
"""States of what was only tried, where they are told in other words."""


class Clock(NamedTuple):
    """The zone in which times are told, and what is said of it."""

    zone: ZoneInfo
    said: str


class Kept(NamedTuple):
    """What her profile has of a trigger now: whether it waits for it, and whether the messaging system could not send it."""

    waits: bool
    failed: bool


def kept_of(profile: Profile | None, told: Decision) -> Kept:
    """What is kept of the trigger that a decision is about; `profile` None: there is none of her any more."""
    if profile is None:
        return Kept(waits=False, failed=False)
    about = (told.name, told.episode_key, told.occurrence, told.evidence[:1])
    return Kept(
        waits=any((one.name, one.key, one.occurrence, (one.anchor,)) == about for one in profile.episodes.values()),
        failed=any(one.trigger_id == told.trigger_id and one.failed for one in profile.emitted),
    )


def her_clock(profile: Profile, shop_timezone: str) -> Clock:
    """That by which her quiet hours go: of her own zone as far as it is known, else the shop's."""
    zone = zone_of(profile, shop_timezone)
    return Clock(zone, f"Times are of her zone, {zone.key}")


def shops_clock(timezone: str) -> Clock:
    """The shop's. Raises ZoneInfoNotFoundError for a zone that is none."""
    return Clock(ZoneInfo(timezone), f"Times are of the shop's zone, {timezone}")


def at(at_ms: int, zone: ZoneInfo) -> str:
    """An instant as people read it on the zone's clock, with what that calls its time: in autumn an hour comes twice.

    >>> at(0, ZoneInfo("UTC")), at(1_792_888_200_000, ZoneInfo("Europe/Berlin")), at(1_792_891_800_000, ZoneInfo("Europe/Berlin"))
    ('1970-01-01 00:00:00 UTC', '2026-10-25 02:30:00 CEST', '2026-10-25 02:30:00 CET')
    """
    return local_time(at_ms, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def meaning(reason: str, name: str, state: str = "suppressed") -> str:
    """What a reason code of a trigger means where it led to this state; the code itself for one of another release or of rules
    that are gone.

    Who can't be reached is waited for at the gate, and no longer at the end.

    >>> meaning("unreachable", "welcome", "expired")
    'The customer could not be reached until it was too late (unreachable)'
    """
    own = {trigger.name: trigger.reasons for trigger in all_triggers()}.get(name, {})
    ended = state in ("cancelled", "expired", "retracted")
    first, second = (gates.END_REASONS, gates.REASONS) if ended else (gates.REASONS, gates.END_REASONS)
    told = own.get(reason) or first.get(reason) or second.get(reason)
    return reason if told is None else f"{told.rstrip('.')} ({reason})"


def became(state: str, reason: str | None, *, tried: bool = False) -> str:
    """What a trigger went through, as the rest of a sentence; the state itself for one of another release."""
    if (state, reason) == ("expired", TOO_MANY):
        return "was not planned"  # it ended before it began, and no clock was to blame
    return (tried and _TRIED.get(state)) or _STATES.get(state, state)


# --- one trigger, from its decisions ------------------------------------------------------------------------------


def life(decisions: Sequence[Decision], clock: Clock, *, tried: bool = False, kept: Kept | None = None) -> list[str]:
    """The life of one trigger, a sentence for each decision in their order in time, and last how it ended. `kept` None: nobody
    looked.

    Those of a customer are given in the order in which they were taken. Decisions taken twice (after a worker was killed) are
    told once. Raises ValueError where there are none.
    """
    if not decisions:
        raise ValueError("no decisions")
    known = {decision.decision_id: decision for decision in decisions}
    told = _in_order(known.values())
    first = told[0]
    due_before = [None, *(decision.due_at_ms for decision in told)]
    return [
        f"{first.name}{_number(first.occurrence)}, about {first.episode_key}, for {first.customer_id}. {clock.said}.",
        *(_decision(one, due_ms, clock.zone, tried) for one, due_ms in zip(told, due_before, strict=False)),
        _ending(told, tried, kept),
    ]


def _number(occurrence: int) -> str:
    return "" if occurrence == 1 else f", message {occurrence}"


def _about(name: str, key: str, occurrence: int) -> str:
    """What a sentence is about.

    >>> _about("checkout.abandoned", "k1", 1), _about("checkout.abandoned", "k1", 2)
    ('checkout.abandoned about k1', 'checkout.abandoned about k1, message 2,')
    """
    number = _number(occurrence)
    return f"{name} about {key}{number}{',' if number else ''}"


def _in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """By time. An event may be a little older than one that was heard of before it: what it led to still came later."""
    newest_ms: dict[str, int] = {}
    moments = []
    for decision in decisions:
        at_ms = max(decision.at_ms, newest_ms.get(decision.customer_id, decision.at_ms))
        newest_ms[decision.customer_id] = at_ms
        moments.append((at_ms, decision))
    return [decision for _, decision in sorted(moments, key=lambda moment: moment[0])]


def _decision(decision: Decision, due_before_ms: int | None, zone: ZoneInfo, tried: bool) -> str:
    """One decision; what happened since the one before may have moved when it was due."""
    state, due_ms = decision.state, decision.due_at_ms
    moved = state != "armed" and None not in (due_ms, due_before_ms) and due_ms != due_before_ms
    by_then = f", by then due at {at(due_ms, zone)}," if moved and due_ms is not None else ""
    parts = [f"{at(decision.at_ms, zone)}: it{by_then} {became(state, decision.reason, tried=tried)}"]
    if state == "armed" and decision.due_at_ms is not None:
        parts.append(f" for {at(decision.due_at_ms, zone)}")
        if decision.evidence:
            parts.append(f", because of {decision.evidence[0]}")
    if decision.reason is not None:
        parts.append(f": {meaning(decision.reason, decision.name, state)}")
    if decision.until_ms is not None:
        parts.append(f", until {at(decision.until_ms, zone)}")
    if decision.order_id is not None:
        parts.append(f", order {decision.order_id}")
    if state == "emitted":
        parts.append(f" by the rules {decision.rules!r}; it had passed {', '.join(decision.gates)}")
        if len(decision.evidence) > 1 or due_before_ms is None:  # what began it was not told before
            parts.append(f"; it rests on {', '.join(decision.evidence)}")
    elif decision.gates:
        parts.append(f"; before that it had passed {', '.join(decision.gates)}")
    return "".join(parts) + "."


def _ending(told: Sequence[Decision], tried: bool, kept: Kept | None) -> str:
    got, went, missed = (
        ("would have got", "would have gone", "would not have got") if tried else ("got", "went", "did not get")
    )
    states = {decision.state for decision in told}
    last = told[-1]
    if states & _SENT:  # its emission may be older than what is retained
        if any(trigger.name == last.name and not trigger.speaks for trigger in all_triggers()):
            return f"It {went} out, to systems alone: it says nothing to her."
        if kept is not None and kept.failed:
            return f"She {missed} it: it {went} out, and the messaging system could not send it."
        if "retracted" not in states:
            return f"She {got} it."
        or_would = "" if tried else ", or would have"
        return f"She {got} it{or_would}, had it not been taken back."
    if last.state == "suppressed" and last.reason == gates.HELD_OUT:
        return f"She {missed} it, on purpose: she is among those held out."
    if last.reason == RENAMED:
        return f"What came of it stands under {last.renamed_to or 'that id'}."
    if last.state in ("suppressed", "cancelled", "expired", "failed") and last.reason is not None:
        return f"She {missed} it. {meaning(last.reason, last.name, last.state)}."
    if kept is None:
        return "It is still waiting, unless she was erased."
    return "It is still waiting." if kept.waits else "It waits no more: nothing of it is kept, as when she was erased."


# --- one customer, from her profile -------------------------------------------------------------------------------


def waiting(profile: Profile, book: Book, zone: ZoneInfo, name: str | None = None) -> Iterator[str]:
    """What waits for her, soonest first; `name` asks for one trigger alone, as in the functions below. Times are on the clock of
    `zone`. Of triggers that are planned only when their time has come (birthdays, win-backs) it is told when that is.
    """
    enabled = {trigger.name: trigger.rule(book).enabled for trigger in all_triggers()}
    found = [
        (one.wake_ms, one.name, one.key, _waiting(one, zone, enabled.get(one.name, True)))
        for one in profile.episodes.values()
    ]
    for wake, at_ms in profile.wakes.items():
        whose = wake.partition("|")[0]
        if enabled.get(whose):
            told = (
                f"{whose} is looked at again at {at(at_ms, zone)}, and comes then or later if there is ground for it."
            )
            found.append((at_ms, whose, wake, told))
    for _, whose, _, told in sorted(found):
        if name in (None, whose):
            yield told


def _waiting(episode: Episode, zone: ZoneInfo, enabled: bool) -> str:
    due = f"{_about(episode.name, episode.key, episode.occurrence)} is due at {at(episode.due_ms, zone)}"
    if not enabled:
        return f"{due}, and is dropped then: {meaning('disabled', episode.name, 'cancelled')}."
    if episode.wait_ms is None:
        return f"{due}."
    held = WAITS_FOR.get(episode.wait or "", episode.wait or "")
    return f"{due}, and waits until {at(episode.wait_ms, zone)}: {held}."


def sent(profile: Profile, zone: ZoneInfo, name: str | None = None, *, tried: bool = False) -> Iterator[str]:
    """What went out lately, oldest first."""
    bought = [one for one in profile.emitted if one.outcome == "converted"]
    for emitted in profile.emitted:
        if name in (None, emitted.name):
            later = any(
                (one.name, one.key, one.opened_ms) == (emitted.name, emitted.key, emitted.opened_ms)
                and one.occurrence > emitted.occurrence
                for one in bought
            )
            yield _sent(emitted, zone, tried, later)


def _sent(emitted: Emitted, zone: ZoneInfo, tried: bool, later: bool) -> str:
    """`later`: a later message about the same was followed by an order too, and of several the last one gets the credit."""
    about = _about(emitted.name, emitted.key, emitted.occurrence)
    moment, outcomes = at(emitted.emitted_ms, zone), _OUTCOMES_TRIED if tried else _OUTCOMES
    if emitted.ghost:
        return f"{about} would have been sent at {moment}, but she is held out ({emitted.trigger_id})."
    what = "the messaging system could not send it" if emitted.failed else outcomes[emitted.outcome]
    if later and emitted.outcome == "converted":
        what = "an order followed"
    return f"{about} {became('emitted', None, tried=tried)} at {moment}; {what} ({emitted.trigger_id})."


def decided(profile: Profile, zone: ZoneInfo, name: str | None = None, *, tried: bool = False) -> Iterator[str]:
    """Her last decisions, oldest first."""
    for kept in profile.last_decisions():
        if name in (None, kept.name):
            yield _decided(kept, zone, tried)


def _decided(kept: DecisionKept, zone: ZoneInfo, tried: bool) -> str:
    why = "" if kept.reason is None else f": {meaning(kept.reason, kept.name, kept.state)}"
    what = became(kept.state, kept.reason, tried=tried)
    return f"{at(kept.at_ms, zone)}: {kept.name} about {kept.key} {what}{why}."


def standing(profile: Profile, book: Book, now_ms: int) -> Iterator[str]:
    """What would stand in the way of any marketing to her now."""
    for reason in gates.shut_now(profile, book, now_ms):
        yield f"{_NOW[reason]} ({reason})." if reason in _NOW else f"{meaning(reason, '')}."
