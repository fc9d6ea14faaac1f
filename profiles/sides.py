"""Facts by the identifier they came with, kept for a time (`[identity] split`, 30 days), so that a wrong merge can be taken
apart (`profiles.splitting`).

A profile that absorbs another one keeps, beside what both are together, each side's facts as a profile of its own: a
`Side` under the id of each, its own among them. An event that comes later is told to the united profile and to the side it
came with. So each side is at any time what it would have been alone, and what both are without one of them is the merge of
the others. Orders are not kept twice: each entry of the ledger says what it came with (`OrderEntry.came_with`).

What waits for something that no fact tells of is kept with the side too: triggers that say so (`waits_apart`) are told what
comes with it, and plan for it as if it were alone. Nothing is sent from there.

Identifiers of whom nothing was known when they were linked have no side until something comes with them alone. Profiles
that never absorbed anything have none at all. After that time a side becomes part of the profile's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from profiles import merge
from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.ledger import OrderChange
from profiles.order_state import Ledger, OrderEntry
from profiles.parts import NOTHING
from profiles.profile import Profile, Side
from schemas.events import Arrival

SIDES_MAX: Final = 17
"""The profile's own and 16 more."""
BYTES_MAX: Final = 48 * 1024
"""Of all sides of a profile together; what is larger is let go of."""
MEASURE_EVERY: Final = 8
"""Events of a customer from one look at that size to the next. Her events are counted, and not how often she was read, so that
what is let go of does not depend on where a log was cut.
"""


def is_splittable(since_ms: int, now_ms: int, book: Book) -> bool:
    """Whether what was linked at that moment can still be taken apart."""
    keep_ms = book.rules.identity.split_ms
    return keep_ms > 0 and now_ms - since_ms <= keep_ms


def absorb(profile: Profile, own: Profile | None, other: Profile, via_ms: int, book: Book, *, closing: bool) -> None:
    """Keep apart what a part of another profile brought. `own` are the facts of before it was merged, None where they are kept
    already; `via_ms` is when the two were linked. A profile so large that its carts come in parts of their own is not kept.
    """
    if not book.rules.identity.split_ms:
        return
    sides = profile.sides
    if own is not None:
        sides[profile.id] = Side(via_ms).keep(own)
    if not closing and not other.carts and not other.left_carts:
        return  # orders say themselves what they came with
    brought = other.sides
    for identifier, part in brought.items():
        if identifier != other.id:
            sides.setdefault(identifier, part)
    theirs = brought.get(other.id)
    if theirs is None:
        theirs = Side(via_ms).keep(other.facts())
        merge.rename(theirs.kept, profile.id, other.id)  # there it waits under its own name
    elif closing and theirs.is_kept:
        remember_greetings(theirs.kept, other)
    known = sides.get(other.id)
    if known is None:
        known = sides[other.id] = Side(via_ms, _via(profile, other.id))
        if closing and theirs.is_kept:
            known.keep(theirs.kept)
    elif known.is_kept and closing and theirs.is_kept:
        # It came before: what is counted is counted once.
        merge.merge(known.kept, Ledger(complete=True), theirs.kept, [], book, again=True)
    else:
        known.drop()
    if len(sides) > SIDES_MAX:
        let_go(sides)


def remember_greetings(made: Profile, before: Profile) -> None:
    """Let facts that are kept or made apart know how the whole was greeted: as a new customer or buyer, and on her days."""
    ours, known = made.milestones, before.milestones
    ours.welcomed_ms, ours.welcome_ended_ms = known.welcomed_ms, known.welcome_ended_ms
    ours.new_buyer_ms, ours.birthday_ms = known.new_buyer_ms, known.birthday_ms
    ours.anniversary_year = known.anniversary_year


def label(entries: Iterable[OrderEntry], came_with: str) -> None:
    """Note on entries what they came with, where they do not say so themselves."""
    for entry in entries:
        entry.came_with = entry.came_with or came_with


def tidy(side: Profile, triggers: Mapping[str, TriggerDefinition[Any]], book: Book, now_ms: int) -> None:
    """Let go of what waits at a side and is of no use when that is taken out: of triggers that are planned anew, and what could
    only be sent too late by now. What was decided of it is no fact.
    """
    for place, episode in list(side.episodes.items()) if side.episodes else ():
        definition = triggers.get(episode.name)
        if (
            definition is None
            or not definition.waits_apart
            or episode.due_ms + definition.rule(book).max_lateness_ms < now_ms
        ):
            del side.episodes[place]
    side._decisions = NOTHING


def came_with(profile: Profile, arrival: Arrival) -> str:
    """The side that an event came with; empty for the profile's own."""
    return arrival.came_with if profile.has_sides and arrival.came_with in profile.sides else ""


def side_of(profile: Profile, arrival: Arrival, now_ms: int, book: Book) -> Profile | None:
    """The facts of the side that an event came with; None where none are kept.

    A side begins with the first event that comes with an identifier alone, and ends some time after that was linked.
    """
    came_with, sides = arrival.came_with, profile.sides
    if sides:
        if not profile.activity.events % MEASURE_EVERY and sum(part.measure() for part in sides.values()) > BYTES_MAX:
            let_go(sides)
        keep_ms = book.rules.identity.split_ms
        _end_old(profile, now_ms - keep_ms if keep_ms else now_ms + 1, book)
    if came_with and came_with not in sides:
        since_ms = profile.linked.get(came_with)
        if since_ms is None or not is_splittable(since_ms, now_ms, book) or came_with in profile.absorbed:
            came_with = ""
        else:
            _begin(profile, came_with, since_ms)
    part = profile.sides.get(came_with or profile.id)
    return part.kept if part is not None and part.is_kept else None


def note_order(profile: Profile, arrival: Arrival, change: OrderChange, orders: Ledger) -> None:
    """Note on the entry what an order came with. Of one that another side told of too see `of_both`."""
    told_by = came_with(profile, arrival)
    before, entry = change.before, orders.known(change.entry.order_id)
    if entry is None:
        return  # goods that came back are no matter of the ledger
    _note(entry, told_by if before is None else of_both(profile, before.came_with, told_by), orders)


def note_joined(profile: Profile, before: Mapping[str, str], entries: Iterable[OrderEntry], orders: Ledger) -> None:
    """Note what those orders came with that this profile had told of and the one that it absorbed too: `before` says what by
    the former's word, `entries` are the latter's.
    """
    for theirs in entries:
        entry = orders.known(theirs.order_id)
        if entry is not None and theirs.order_id in before:
            _note(entry, of_both(profile, before[theirs.order_id], theirs.came_with), orders)


def _note(entry: OrderEntry, came_with: str, orders: Ledger) -> None:
    if entry.came_with != came_with:
        entry.came_with = came_with
        orders.put(entry)


def of_both(profile: Profile, one: str, other: str) -> str:
    """What is told of by two sides is that of the nearest one through which both came; the profile's own (empty) where there is
    none but itself.
    """
    if one == other:
        return one
    line = _line(profile, one)
    return next((side for side in _line(profile, other) if side in line), "")


def _line(profile: Profile, identifier: str) -> list[str]:
    """A side, the one through which it came, and so on, without the profile's own."""
    found: list[str] = []
    while identifier != profile.id and identifier not in found and (part := profile.sides.get(identifier)) is not None:
        found.append(identifier)
        identifier = part.via
    return found


def descendants(sides: dict[str, Side], identifier: str) -> list[str]:
    """An identifier, and those that came to the profile through it."""
    found = [identifier]
    for of in found:
        found += [other for other, part in sides.items() if part.via == of and other not in found]
    return found


def _begin(profile: Profile, came_with: str, since_ms: int) -> None:
    if profile.id not in profile.sides:
        profile.sides[profile.id] = Side(since_ms).keep(profile.facts())
    sides = profile.sides
    sides[came_with] = Side(since_ms, _via(profile, came_with)).keep(Profile(came_with))
    if len(sides) > SIDES_MAX or not sides[profile.id].is_kept:
        let_go(sides)


def _via(profile: Profile, identifier: str) -> str:
    """By which side's events an identifier came to be the profile's: by its own where those name it too."""
    kind, _, value = identifier.partition(":")
    sides = profile.sides
    # The own one is the first of them.
    through = (other for other, side in sides.items() if side.is_kept and value in side.kept.ids.get(kind, ()))
    return next(through, profile.id)


def _end_old(profile: Profile, before_ms: int, book: Book) -> None:
    """Sides that can't be taken out any more, as they and those through which they came were linked before that moment, become
    part of the profile's own, with what came through them.
    """
    sides, own_id = profile.sides, profile.id
    for identifier, part in sides.items():
        if part.since_ms < before_ms and identifier != own_id and _is_old(profile, identifier, before_ms):
            break
    else:
        return  # as for nearly every event
    own = sides[own_id]
    for identifier, part in list(sides.items()):
        if identifier != own_id and _is_old(profile, identifier, before_ms):
            del sides[identifier]
            for other in sides.values():
                if other.via == identifier:
                    other.via = part.via
            if own.is_kept and part.is_kept:
                merge.merge(own.kept, Ledger(complete=True), part.kept, [], book)
    if len(sides) == 1:
        sides.clear()


def _is_old(profile: Profile, identifier: str, before_ms: int) -> bool:
    """Whether a side was linked before that moment, and so was all that it would leave with."""
    return all(profile.sides[one].since_ms < before_ms for one in _line(profile, identifier))


def let_go(sides: dict[str, Side]) -> None:
    """Keep no facts apart any more: they are too many."""
    for part in sides.values():
        part.drop()
