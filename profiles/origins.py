"""Facts by the identifier they came with, kept for a time (`[identity] split`, 30 days), so that a wrong merge can be taken
apart (`profiles.splitting`).

A profile that absorbs another one keeps, beside what both are together, each side's facts as a profile of its own: an
`Origin` under the id of each, its own among them. An event that comes later is told to the united profile and to the side it
came with. So each side is at any time what it would have been alone, and what both are without one of them is the merge of
the others. Orders are not kept twice: each entry of the ledger says what it came with (`OrderEntry.came_with`).

Identifiers of whom nothing was known when they were linked have no origin until something comes with them alone. Profiles
that never absorbed anything have none at all. After that time a side becomes part of the profile's own.
"""

from collections.abc import Iterable
from typing import Final

from profiles import merge
from profiles.book import Book
from profiles.ledger import OrderChange
from profiles.profile import Origin, Profile
from profiles.state import Ledger, OrderEntry
from schemas.events import Arrival

ORIGINS_MAX: Final = 17
"""The profile's own and 16 more."""
BYTES_MAX: Final = 48 * 1024
"""Of all origins of a profile together, so that it stays one row of 256 KB; what is larger is let go of."""


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
    origins = profile.origins
    if own is not None:
        origins[profile.id] = Origin(via_ms).keep(own)
    if not closing and not other.carts and not other.left_carts:
        return  # orders say themselves what they came with
    brought = other.origins
    for identifier, origin in brought.items():
        if identifier != other.id:
            origins.setdefault(identifier, origin)
    theirs = brought[other.id] if other.id in brought else Origin(via_ms).keep(other.facts())
    known = origins.get(other.id)
    if known is None:
        known = origins[other.id] = Origin(via_ms, _via(profile, other.id))
        if closing and theirs.is_kept:
            known.keep(theirs.kept)
    elif known.is_kept and closing and theirs.is_kept:
        # It came before: what is counted is counted once.
        merge.merge(known.kept, Ledger(complete=True), theirs.kept, [], book, again=True)
    else:
        known.drop()
    if len(origins) > ORIGINS_MAX:
        _drop_all(origins)


def label(entries: Iterable[OrderEntry], came_with: str) -> None:
    """Note on entries what they came with, where they do not say so themselves."""
    for entry in entries:
        entry.came_with = entry.came_with or came_with


def side_of(profile: Profile, arrival: Arrival, now_ms: int, book: Book) -> Profile | None:
    """The facts of the side that an event came with; None where none are kept.

    A side begins with the first event that comes with an identifier alone, and ends some time after that was linked.
    """
    origins, came_with = profile.origins, arrival.came_with
    if origins:
        if sum(origin.size for origin in origins.values()) > BYTES_MAX:
            _drop_all(origins)
        _end_old(profile, now_ms, book)
    if came_with and came_with not in origins:
        since_ms = profile.linked.get(came_with)
        if since_ms is None or not is_splittable(since_ms, now_ms, book) or came_with in profile.absorbed:
            came_with = ""
        else:
            _begin(profile, came_with, since_ms)
    origin = profile.origins.get(came_with or profile.id)
    return origin.kept if origin is not None and origin.is_kept else None


def note_order(profile: Profile, arrival: Arrival, change: OrderChange, orders: Ledger) -> None:
    """Note on the entry what an order came with. One that another side told of too is the profile's own."""
    came_with = arrival.came_with if arrival.came_with in profile.origins else ""
    before, entry = change.before, orders.known(change.entry.order_id)
    if entry is None:
        return  # goods that came back are no matter of the ledger
    noted = came_with if before is None or before.came_with == came_with else ""
    if entry.came_with != noted:
        entry.came_with = noted
        orders.put(entry)


def descendants(origins: dict[str, Origin], identifier: str) -> list[str]:
    """An identifier, and those that came to the profile through it."""
    found = [identifier]
    for of in found:
        found += [other for other, origin in origins.items() if origin.via == of and other not in found]
    return found


def _begin(profile: Profile, came_with: str, since_ms: int) -> None:
    if profile.id not in profile.origins:
        own = profile.facts()  # makes text of all parts
        profile.origins[profile.id] = Origin(since_ms).keep(own)
    origins = profile.origins
    origins[came_with] = Origin(since_ms, _via(profile, came_with)).keep(Profile(came_with))
    if len(origins) > ORIGINS_MAX or not origins[profile.id].is_kept:
        _drop_all(origins)


def _via(profile: Profile, identifier: str) -> str:
    """By which side's events an identifier came to be the profile's: by its own where those name it too."""
    kind, _, value = identifier.partition(":")
    origins = profile.origins
    through = [other for other, side in origins.items() if side.is_kept and value in side.kept.ids.get(kind, ())]
    return profile.id if profile.id in through or not through else through[0]


def _end_old(profile: Profile, now_ms: int, book: Book) -> None:
    """Sides that can't be taken out any more become part of the profile's own, with what came through them."""
    origins = profile.origins
    own = origins[profile.id]
    for identifier, origin in list(origins.items()):
        if identifier != profile.id and not is_splittable(origin.since_ms, now_ms, book):
            del origins[identifier]
            for other in origins.values():
                if other.via == identifier:
                    other.via = origin.via
            if own.is_kept and origin.is_kept:
                merge.merge(own.kept, Ledger(complete=True), origin.kept, [], book)
    if len(origins) == 1:
        origins.clear()


def _drop_all(origins: dict[str, Origin]) -> None:
    for origin in origins.values():
        origin.drop()
