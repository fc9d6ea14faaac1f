"""Privacy commands, and what they let through: suppress, unsuppress, erase, export, anonymise.

A profile remembers the newest moment of each kind of request (`Privacy`), never their order of arrival: so commands and
events may come in any order. An event is taken in by its own time (`admits`), except that an erasure takes everything that
is known when it comes, however new.

A customer has a home for each of her identifiers: one has her profile, the others lead there. An erasure has to reach all of
them, so the home it changes passes it on to all identifiers it knows of her (`Mail`), and an erased home that hears of a
further one tells that one too. Each home answers; the answers make the receipt (`profiles.receipts`). What is stored of an
erased customer is nothing; that she was erased is kept outside of profiles, under `fingerprint` of her id.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final, cast

from msgspec import Raw
from msgspec.structs import replace

from profiles import apart, consent, dedupe, episodes, links, statistics
from profiles.anonymise import successor
from profiles.episodes import Triggers
from profiles.export import exports
from profiles.insight.tallies import add
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile, decode_profile
from profiles.receipts import ORDERS_FOUND, ORDERS_NAMED
from profiles.state import Privacy
from profiles.turn import Mail, Turn
from schemas import events
from schemas.events import ID_TYPES, Aliased, Arrival, CommandEvent, CommandName, Event
from schemas.moves import Absorb, Link, LinkRefused, Move, Restore

COMMANDS: Final[dict[type[Event], CommandName]] = {
    events.SuppressCustomer: "suppress",
    events.UnsuppressCustomer: "unsuppress",
    events.EraseCustomer: "erase",
    events.ExportCustomer: "export",
    events.AnonymiseCustomer: "anonymise",
    events.SplitProfile: "split",
}
"""Every command by its event; the one to take a profile apart is carried out in `profiles.splitting`."""

AKA_MAX: Final = 1000
"""Identifiers named to the next home, as many as a command may carry."""

Counts = dict[str, int]


def admits(privacy: Privacy, time_ms: int) -> bool:
    """Whether an event of this time may be taken in.

    Erased: nothing, until that was taken back, and then what happened from there on. Suppressed: what happened before;
    taken back: all but what happened in between.
    """
    if is_forgotten(privacy, time_ms):
        return False
    if privacy.suppressed_ms is None or time_ms < privacy.suppressed_ms:
        return True
    return privacy.unsuppressed_ms is not None and time_ms >= privacy.unsuppressed_ms > privacy.suppressed_ms


def is_forgotten(privacy: Privacy, time_ms: int) -> bool:
    """Whether an erasure is why an event of this time is not taken in."""
    if privacy.erased_ms is None:
        return False
    return privacy.is_erased or (privacy.unsuppressed_ms is not None and time_ms < privacy.unsuppressed_ms)


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
    aka = tuple(dict.fromkeys((profile.id, *known, *event.passed_on)))[:AKA_MAX]
    targets = dict.fromkeys(() if event.passed_on else named)
    counts: Counts = {}
    erases = name in {"erase", "anonymise"}
    if erases and _was_taken_back(profile, at_ms):
        pass  # it comes again, and she came back
    elif profile.redirect:
        counts, more = _at_redirect(turn, event, at_ms, orders, erases=erases)
        targets |= dict.fromkeys(more)
    elif _led_astray(profile, event):
        pass
    elif erases:
        counts, changed = _erase(turn, event, at_ms, orders, keep_figures=name == "anonymise")
        if changed:
            targets |= dict.fromkeys((*named, *known))
    elif name == "export":
        targets |= dict.fromkeys(profile.merging)
        counts = _export(turn, event, orders)
    elif name == "suppress":
        counts = _suppress(turn, at_ms, triggers)
    else:
        counts = _unsuppress(profile, at_ms)
    if event.order_ids and not event.passed_on:
        counts = counts | {ORDERS_NAMED: len({*event.order_ids})}
    for target in targets:
        _pass_on(turn, event, target, at_ms, aka)
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
    """An event that is not taken in. What is in force for her holds for each identifier it names: of an erased customer it is
    erased too, of a suppressed one it is linked. A word about consent of a suppressed one still holds: it can be in her favour.
    """
    profile = turn.profile
    asked = profile.privacy
    assert asked is not None
    if asked.is_erased:
        _erase_too(turn, _named(arrival.event, profile.id), (profile.id,))
    elif not is_forgotten(asked, arrival.time_ms):
        consent.apply_consent(profile, arrival)
        if asked.in_force:
            for kind, value in arrival.others:
                if value not in profile.ids.get(kind, ()):
                    links.claim(turn, kind, value)


def is_closed(profile: Profile) -> bool:
    """Whether the profile was erased, and that not taken back."""
    return profile.privacy is not None and profile.privacy.is_erased


def anothers_since(profile: Profile, identifier: str) -> int | None:
    """Since when (epoch ms) a command says that an id is not this customer, before she was erased or since; None: it does not."""
    asked = profile.privacy
    before_ms = None if asked is None else apart.since(asked.apart, identifier)
    since_ms = apart.since(profile.apart, identifier) if profile.has_apart else None
    return before_ms if since_ms is None else since_ms


def is_anothers(profile: Profile, identifier: str) -> bool:
    """Whether a command said that an id is not this customer, before she was erased or since."""
    return anothers_since(profile, identifier) is not None


def is_hers(profile: Profile, identifier: str) -> None:
    """An id that was not this customer is part of her by another way now."""
    if profile.has_apart:
        apart.forget(profile.apart, identifier)
    if profile.privacy is not None:
        apart.forget(profile.privacy.apart, identifier)


def refuse_move(turn: Turn, move: Move) -> None:
    """What another home says to an erased customer's. Whoever claims her identifier does not get it; what comes of her is
    dropped, and each identifier in it erased.

    A claim by an event of before the erasure says that the claimer is the one who was erased, as it would have united the two.
    One of later says nothing of the kind, nor does a user's claim of a device, which may have changed hands.
    """
    profile = turn.profile
    asked = profile.privacy
    assert asked is not None
    assert asked.erased_ms is not None
    if isinstance(move, Link):
        turn.out.append(
            LinkRefused(claimer=move.claimer, identifier=profile.id, reason="moved", at_ms=move.at_ms, cause=move.cause)
        )
        handed_on = links.kind_of(profile.id) in links.WEAK and links.kind_of(move.claimer) == "user_id"
        if not handed_on and move.at_ms <= asked.erased_ms:
            _erase_too(turn, [move.claimer], (profile.id,))
    elif isinstance(move, Absorb):
        found = {move.absorbed: None, **known_in(move.profile)}
        _erase_too(turn, found, (profile.id, move.absorbed))
    elif isinstance(move, Restore):
        apart.note(asked.apart, move.taken_from, move.at_ms, move.cause)
        _erase_too(turn, known_in(move.profile), (profile.id,))


def _was_taken_back(profile: Profile, at_ms: int) -> bool:
    """Whether an erasure that was asked for at a moment was carried out here, or a later one was, and taken back since."""
    asked = profile.privacy
    return asked is not None and asked.erased_ms is not None and at_ms <= asked.erased_ms and not asked.is_erased


def _led_astray(profile: Profile, event: CommandEvent) -> bool:
    """Whether a command was led on to this customer by an identifier that was taken out of her meanwhile, whose home has not
    heard of that yet, or by a device that she shares with who was. One that names both customers goes from the stronger
    identifier to the weaker, and holds for both.
    """
    if not event.passed_on:
        return False
    sender = event.passed_on[0]
    leads_up = ID_TYPES.index(links.kind_of(sender)) >= ID_TYPES.index(links.kind_of(profile.id))
    return leads_up and any(is_anothers(profile, one) for one in event.passed_on)


def known_in(stored: Raw) -> dict[str, None]:
    """Every identifier of a profile in its stored form, or of none."""
    return {} if bytes(stored) == b"null" else _known(decode_profile(bytes(stored)))


def _erase_too(turn: Turn, targets: Iterable[str], aka: tuple[str, ...]) -> None:
    """Erase further identifiers of a customer who was erased, under the same request."""
    asked = turn.profile.privacy
    assert asked is not None
    assert asked.erased_ms is not None
    for target in targets:
        if target != turn.profile.id and apart.since(asked.apart, target) is None:
            command = events.EraseCustomer(
                message_id=home_mark(asked.request_id, target),
                timestamp_ms=turn.time_ms,
                received_at_ms=turn.received_ms,
                request_id=asked.request_id,
            )
            _pass_on(turn, command, target, asked.erased_ms, aka)


# --- the commands -------------------------------------------------------------------------------------------------


def _at_redirect(
    turn: Turn, event: CommandEvent, at_ms: int, orders: Ledger, *, erases: bool
) -> tuple[Counts, tuple[str, ...]]:
    """An identifier that belongs to another profile: what was asked of it is asked of that one. An erasure takes the redirect
    too. Of a device that several had, one after the other, only her own time goes: what happened then is nobody's. That it is
    to be open is kept: an erasure that was asked for earlier may be still on its way.
    """
    profile = turn.profile
    holders = [holder for _, holder in profile.redirect if holder != links.NOBODY]
    asked_here = not event.passed_on
    # An address leads on to who has it for good, over as many redirects as there are, while no user id is known of whom the
    # command is about. Where one is, the address is hers and another's: a family's.
    leads_on = asked_here or (
        links.kind_of(profile.id) not in links.WEAK and "user_id" not in map(links.kind_of, event.passed_on)
    )
    onwards = tuple(holder for holder in holders[-1:] if holder not in event.passed_on) if leads_on else ()
    if not erases:
        return _unsuppress(profile, at_ms) if type(event) is events.UnsuppressCustomer else {}, onwards
    # A holder that is no user is her as well: her event that names this identifier would have united the two.
    hers = {h for h in holders if leads_on or h in event.passed_on or links.kind_of(h) != "user_id"}
    if not asked_here:
        onwards = tuple(sorted(hers - {*event.passed_on}))
    if hers and hers == set(holders):
        marks = profile.apart if profile.has_apart else {}
        lifted_ms = None if profile.privacy is None else profile.privacy.unsuppressed_ms
        profile.privacy = Privacy(unsuppressed_ms=lifted_ms, erased_ms=at_ms, request_id=event.request_id, apart=marks)
        profile.wipe()
        orders.forget()
        return {"redirects": 1}, onwards
    if hers:
        profile.redirect = [(at, links.NOBODY if holder in hers else holder) for at, holder in profile.redirect]
        return {"redirects": 1}, onwards
    return {}, ()


def _suppress(turn: Turn, at_ms: int, triggers: Triggers) -> Counts:
    profile = turn.profile
    asked = profile.privacy or Privacy()
    changed = asked.suppressed_ms is None or at_ms > asked.suppressed_ms
    if changed:
        profile.privacy = replace(asked, suppressed_ms=at_ms)
    timers = episodes.cancel_all(turn, triggers, "suppressed") if profile.suppressed else 0
    return _without_zeros({"timers": timers})


def _unsuppress(profile: Profile, at_ms: int) -> Counts:
    asked = profile.privacy or Privacy()
    changed = asked.unsuppressed_ms is None or at_ms > asked.unsuppressed_ms
    if changed:
        profile.privacy = replace(asked, unsuppressed_ms=at_ms)
    return {}


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
            ORDERS_FOUND: _found(event, entries),
            "timers": len(profile.episodes) + len(profile.wakes) + (profile.compact_ms is not None),
            "identifiers": sum(len(values) for values in profile.ids.values()),
            "decisions": len(profile.decisions),
            "remembered_messages": dedupe.remembered(profile),
            "population_counters": 0 if keep_figures else sum(1 for amount in profile.population if amount),
        }
        if keep_figures:
            if entries:
                turn.out.append(successor(profile, entries, turn.book))
            add(orders.counted, statistics.left_behind(profile, turn.book))
        else:
            statistics.take_back(profile, orders, turn.book)
    newer = asked.erased_ms is None or at_ms > asked.erased_ms
    if newer:
        marks = asked.apart | profile.apart if profile.has_apart else asked.apart
        profile.privacy = replace(asked, erased_ms=at_ms, request_id=event.request_id, apart=marks)
    profile.wipe()
    orders.forget()
    return _without_zeros(counts), newer or not blank


def _export(turn: Turn, event: CommandEvent, orders: Ledger) -> Counts:
    profile = turn.profile
    if profile.is_blank:
        return {}
    entries = orders.all()
    if dedupe.already_seen(profile, event.source, f"{event.request_id}/export", turn.time_ms):
        return {}
    parts = exports(turn, event.request_id, entries)
    turn.out += parts
    found = _found(event, entries)
    return _without_zeros({"profiles": 1, "orders": len(entries), ORDERS_FOUND: found, "parts": len(parts)})


def _found(event: CommandEvent, entries: list[OrderEntry]) -> int:
    """How many of the orders that a request names are these."""
    return len({entry.order_id for entry in entries}.intersection(event.order_ids)) if event.order_ids else 0


def _pass_on(turn: Turn, event: CommandEvent, target: str, at_ms: int, aka: tuple[str, ...]) -> None:
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
        order_ids=event.order_ids,
        passed_on=aka,
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
    """Every identifier of the profile but its own, those it absorbed and those it had, as "type:value"."""
    found = dict.fromkeys(f"{kind}:{value}" for kind, values in profile.ids.items() for value in values)
    found |= dict.fromkeys((*profile.absorbed, *profile.merging))
    if profile.has_former:
        found |= dict.fromkeys(profile.former)
    found.pop(profile.id, None)
    return found


def _without_zeros(counts: Counts) -> Counts:
    return {name: count for name, count in counts.items() if count}
