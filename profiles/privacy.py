"""Privacy commands, and what they let through: suppress, unsuppress, erase, export, anonymise.

A profile remembers the newest moment of each kind of request (`Privacy`), never their order of arrival: so commands and
events may come in any order. An event is taken in by its own time (`admits`), except that an erasure takes everything that
is known when it comes, however new.

A customer may have several homes, one for each identifier that events named alone. So each home that a command changes
passes it on to all identifiers it knows of her (`Mail`), and a home that learns of a further identifier while a command is
in force tells that one too. Each home answers; the answers make the receipt (`profiles.receipts`). What is stored of an
erased customer is nothing; that she was erased is kept outside of profiles, under `fingerprint` of her id.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, cast

from msgspec.structs import replace

from profiles import consent, dedupe, episodes, statistics
from profiles.anonymise import successor
from profiles.episodes import Triggers
from profiles.export import exports
from profiles.profile import Profile
from profiles.state import IDS_PER_TYPE_MAX, Ledger, Privacy
from profiles.turn import Mail, Turn
from schemas import events
from schemas.events import ID_TYPES, Aliased, Arrival, CommandEvent, CommandName, Event

COMMANDS: Final[dict[type[Event], CommandName]] = {
    events.SuppressCustomer: "suppress",
    events.UnsuppressCustomer: "unsuppress",
    events.EraseCustomer: "erase",
    events.ExportCustomer: "export",
    events.AnonymiseCustomer: "anonymise",
}

Counts = dict[str, int]


def admits(privacy: Privacy, time_ms: int) -> bool:
    """Whether an event of this time may be taken in.

    Erased: nothing, until that was taken back, and then what happened from there on. Suppressed: what happened before;
    taken back: all but what happened in between.
    """
    lifted_ms = privacy.unsuppressed_ms
    if lifted_ms is not None and time_ms >= lifted_ms and not privacy.in_force:
        return True
    if privacy.erased_ms is not None:
        return False
    return privacy.suppressed_ms is None or time_ms < privacy.suppressed_ms


def fingerprint(profile_id: str, salt: bytes) -> str:
    """What is kept of an erased id: BLAKE2b of it, 128 bits as hexadecimal digits, keyed with a salt of at most 64 bytes."""
    return blake2b(profile_id.encode("utf-8", "surrogatepass"), digest_size=16, key=salt).hexdigest()


def home_mark(request_id: str, profile_id: str) -> str:
    """What stands for a home in the answers to one request, so that they name nobody."""
    return blake2b(f"{request_id}\n{profile_id}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def obey(turn: Turn, arrival: Arrival, orders: Ledger, triggers: Triggers) -> None:
    """Carry a command out on the profile it came to, pass it on, and answer.

    Raises NeedLedger(None) before changing anything where the orders are needed and not all there.
    """
    event = cast(CommandEvent, arrival.event)
    name = COMMANDS[type(event)]
    at_ms = arrival.time_ms if event.requested_at_ms is None else min(event.requested_at_ms, arrival.received_ms)
    profile = turn.profile
    # What she is known by has to be looked at before it is erased.
    named, known = _named(event, profile.id), _known(profile)
    if name in {"erase", "anonymise"}:
        counts, changed = _erase(turn, event, at_ms, orders, keep_figures=name == "anonymise")
    elif name == "export":
        counts, changed = _export(turn, event, orders)
    elif name == "suppress":
        counts, changed = _suppress(turn, event, at_ms, triggers)
    else:
        counts, changed = _unsuppress(profile, at_ms)
    targets = dict.fromkeys((*(named if changed or not event.passed_on else ()), *(known if changed else ())))
    for target in targets:
        _pass_on(turn, event, target, at_ms)
    marks = tuple(home_mark(event.request_id, target) for target in targets)
    answer = events.CommandAnswered(
        message_id=home_mark(event.request_id, profile.id),
        timestamp_ms=arrival.time_ms,
        received_at_ms=arrival.received_ms,
        request_id=event.request_id,
        command=name,
        home=home_mark(event.request_id, profile.id),
        first=not event.passed_on,
        passed_on=marks,
        counts=counts,
    )
    turn.out.append(Mail(answer, event.request_id, profile.id))


def turn_away(turn: Turn, arrival: Arrival) -> None:
    """An event that is not taken in. A word about consent of a suppressed customer still holds: it can be in her favour."""
    profile = turn.profile
    asked = profile.privacy
    assert asked is not None
    fresh = unknown_ids(profile, arrival.event)
    if asked.erased_ms is None:
        consent.apply_consent(profile, arrival)
    if asked.in_force:
        spread(turn, fresh, arrival)


def unknown_ids(profile: Profile, event: Event) -> list[str]:
    """Identifiers on an event that the profile does not know yet, as "type:value"."""
    known = _known(profile)
    return [other for other in _named(event, profile.id) if other not in known]


def spread(turn: Turn, fresh: Iterable[str], arrival: Arrival) -> None:
    """Tell further identifiers of a customer what is in force for her. Where something may be kept of her at all (she is
    suppressed, not erased) they are remembered, so that each is told once, and told again when it is taken back.
    """
    profile = turn.profile
    asked = profile.privacy
    assert asked is not None
    for target in fresh:
        kind, _, value = target.partition(":")
        if asked.erased_ms is None:
            values = profile.ids.setdefault(kind, [])
            if value not in values and len(values) < IDS_PER_TYPE_MAX:
                values.append(value)
                values.sort()
        for told, at_ms in (
            (events.SuppressCustomer, asked.suppressed_ms),
            (events.EraseCustomer, asked.erased_ms),
        ):
            if at_ms is not None and (asked.unsuppressed_ms is None or asked.unsuppressed_ms <= at_ms):
                command = told(
                    message_id=home_mark(asked.request_id, target),
                    timestamp_ms=arrival.time_ms,
                    received_at_ms=arrival.received_ms,
                    request_id=asked.request_id,
                )
                _pass_on(turn, command, target, at_ms)


# --- the commands -------------------------------------------------------------------------------------------------


def _suppress(turn: Turn, event: CommandEvent, at_ms: int, triggers: Triggers) -> tuple[Counts, bool]:
    profile = turn.profile
    asked = profile.privacy or Privacy()
    changed = asked.suppressed_ms is None or at_ms > asked.suppressed_ms
    if changed:
        profile.privacy = replace(asked, suppressed_ms=at_ms, request_id=asked.request_id or event.request_id)
    timers = episodes.cancel_all(turn, triggers, "suppressed") if profile.suppressed else 0
    return _without_zeros({"timers": timers}), changed


def _unsuppress(profile: Profile, at_ms: int) -> tuple[Counts, bool]:
    asked = profile.privacy or Privacy()
    changed = asked.unsuppressed_ms is None or at_ms > asked.unsuppressed_ms
    if changed:
        profile.privacy = replace(asked, unsuppressed_ms=at_ms)
    return {}, changed


def _erase(turn: Turn, event: CommandEvent, at_ms: int, orders: Ledger, *, keep_figures: bool) -> tuple[Counts, bool]:
    profile = turn.profile
    blank = profile.is_blank
    entries = [] if blank else orders.all()
    asked = profile.privacy or Privacy()
    counts: Counts = {}
    if not blank:
        counts = {
            "profiles": 1,
            "orders": len(entries),
            "timers": len(profile.episodes) + len(profile.wakes) + (profile.compact_ms is not None),
            "identifiers": sum(len(values) for values in profile.ids.values()),
            "decisions": len(profile.decisions),
            "remembered_messages": dedupe.remembered(profile),
            "population_counters": 0 if keep_figures else sum(1 for amount in profile.population if amount),
        }
        if keep_figures:
            if entries:
                turn.out.append(successor(profile, entries))
        else:
            for counter, amount in statistics.counters(profile, turn.book).items():
                orders.counted[counter] = orders.counted.get(counter, 0) - amount
    newer = asked.erased_ms is None or at_ms > asked.erased_ms
    if newer:
        profile.privacy = replace(asked, erased_ms=at_ms, request_id=event.request_id)
    profile.wipe()
    orders.forget()
    return _without_zeros(counts), newer or not blank


def _export(turn: Turn, event: CommandEvent, orders: Ledger) -> tuple[Counts, bool]:
    profile = turn.profile
    if profile.is_blank:
        return {}, False
    entries = orders.all()
    if dedupe.already_seen(profile, event.source, f"{event.request_id}/export", turn.time_ms):
        return {}, False
    parts = exports(turn, event.request_id, entries)
    turn.out += parts
    return _without_zeros({"profiles": 1, "orders": len(entries), "parts": len(parts)}), True


def _pass_on(turn: Turn, event: CommandEvent, target: str, at_ms: int) -> None:
    kind, _, value = target.partition(":")
    identifier: dict[str, Any] = {kind: value}
    passed = type(event)(
        message_id=event.message_id,
        timestamp_ms=turn.time_ms,
        # A moment asked for is believed up to the time of receipt: what was believed here must be believed there.
        received_at_ms=max(turn.received_ms, at_ms),
        source=event.source,
        request_id=event.request_id,
        requested_at_ms=at_ms,
        reason=event.reason,
        passed_on=True,
        **identifier,
    )
    turn.out.append(Mail(passed, value, turn.profile.id))


def _named(event: Event, own: str) -> list[str]:
    """The identifiers on an event as "type:value", but for the profile's own."""
    found = [f"{kind}:{value}" for kind in ID_TYPES if (value := getattr(event, kind)) is not None]
    if isinstance(event, Aliased):
        found.append(f"anonymous_id:{event.previous_id}")
    return [other for other in found if other != own]


def _known(profile: Profile) -> dict[str, None]:
    """Every identifier and absorbed id of the profile but its own, as "type:value"."""
    found = dict.fromkeys(f"{kind}:{value}" for kind, values in profile.ids.items() for value in values)
    found |= dict.fromkeys(profile.absorbed)
    found.pop(profile.id, None)
    return found


def _without_zeros(counts: Counts) -> Counts:
    return {name: count for name, count in counts.items() if count}
