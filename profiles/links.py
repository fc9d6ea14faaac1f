"""Identifiers become one customer: who claims what, what the other side answers, and what is taken in. Pure.

An identifier is "type:value", and so is a profile's id. When an event names a profile's customer by a further identifier,
the profile claims it (`claim`, a `Link` to that identifier's home). There `take_link` decides. In the usual case the
identifier becomes a redirect, and what was known under it leaves as `Absorb`, which `take_absorb` folds in at the other end.

Which of two stays is a function of the two alone (`survivor`), so redirects only lead upwards and never in a circle. Devices
and cart tokens are weak: they may belong to one customer after the other, each from a moment on, and only the first gets what
was known before. Anything else belongs to one customer for good. Two user ids are one only where an alias call says so.

Every answer may come twice or late. Taking a move in again changes nothing.
"""

from itertools import pairwise
from typing import Final

from msgspec import Raw
from msgspec.structs import astuple, replace

from profiles import apart, contacts, former, merge, sides
from profiles.ids import decision_id
from profiles.needs import NeedLedger
from profiles.order_state import Ledger, OrderEntry, decode_entry
from profiles.profile import Profile, decode_profile
from profiles.rules import IdentityRules
from profiles.state import MERGING_MAX, REDIRECTS_MAX, REFUSED_MAX, encode
from profiles.turn import Output, Turn
from profiles.visitors import NAMELESS
from schemas.events import ID_TYPES
from schemas.moves import HOPS_MAX, Absorb, Link, LinkRefused, Move
from schemas.outputs import IdentityChange

WEAK: Final = NAMELESS
"""Types that may belong to one customer after the other: those that name nobody."""
PART_BYTES: Final = 180_000
"""Largest part of an absorbed profile, so that a row of it stays below what a row may have (256 KB, quotes escaped)."""
ALIAS: Final = "alias"
"""The earlier id of an alias call among the identifiers of an event: of a device or of an earlier user."""

NOBODY: Final = "~nobody"
"""Stands in a redirect for a holder who was erased: what happened in her time is nobody's."""

_STRENGTH: Final = {kind: place for place, kind in enumerate(ID_TYPES)}


def kind_of(identifier: str) -> str:
    """The type of an identifier.

    >>> kind_of("email:ann@example.org")
    'email'
    """
    return identifier.partition(":")[0]


def survivor(one: str, other: str) -> str:
    """Which of two identifiers stays when they are one customer: the stronger type, then the smaller value.

    >>> survivor("anonymous_id:a", "email:z@example.org"), survivor("user_id:20", "user_id:10")
    ('email:z@example.org', 'user_id:10')
    """
    return min(one, other, key=lambda identifier: (_STRENGTH[kind_of(identifier)], identifier))


def holder_at(profile: Profile, at_ms: int, rules: IdentityRules) -> str | None:
    """To whom a redirect led at a moment: the newest holder until then, before the first one the first.

    None where it leads nowhere: a cart token is nobody's any more some time after it was last seen with somebody.
    """
    if not profile.redirect:
        return None
    since_ms, found = profile.redirect[0]
    for at in profile.redirect[1:]:
        if at[0] > at_ms:
            break
        since_ms, found = at
    if kind_of(profile.id) == "cart_token" and at_ms - since_ms > rules.cart_tokens_ms:
        return None
    return found


# --- claiming -----------------------------------------------------------------------------------------------------


def claim(turn: Turn, kind: str, value: str) -> None:
    """Take an identifier an event named for this customer's, and tell its home. One beyond the limits is not believed."""
    profile = turn.profile
    if kind == ALIAS:
        _claim_earlier(turn, value)
        return
    identifier = f"{kind}:{value}"
    if identifier == profile.id:
        return
    if profile.has_refused and identifier in profile.refused and kind not in WEAK:
        return  # of devices there may be room by now
    if profile.is_apart_from(identifier):
        return
    known = profile.ids.setdefault(kind, [])
    if not _has_room(profile, kind, known, turn.time_ms, turn.book.rules.identity):
        if not known:
            del profile.ids[kind]
        refuse(
            turn,
            LinkRefused(
                claimer=profile.id, identifier=identifier, reason="limit", at_ms=turn.time_ms, cause=turn.cause
            ),
        )
        return
    known.append(value)
    known.sort()
    profile.linked[identifier] = turn.time_ms
    _tell(turn, Link(identifier=identifier, claimer=profile.id, at_ms=turn.time_ms, cause=turn.cause))


def _claim_earlier(turn: Turn, value: str) -> None:
    """An alias call: the earlier id is a device's, or a user's where one of that name is known."""
    profile = turn.profile
    if value not in profile.ids.get("anonymous_id", ()):
        claim(turn, "anonymous_id", value)
    earlier = f"user_id:{value}"
    told = kind_of(profile.id) != "user_id" or earlier == profile.id or value in profile.ids.get("user_id", ())
    if not told and not (profile.has_refused and earlier in profile.refused):
        turn.out.append(Link(identifier=earlier, claimer=profile.id, alias=True, at_ms=turn.time_ms, cause=turn.cause))


def _tell(turn: Turn, link: Link) -> None:
    merging = turn.profile.merging
    if link.identifier not in merging:
        merging.append(link.identifier)
        del merging[:-MERGING_MAX]
    turn.out.append(link)


def _has_room(profile: Profile, kind: str, known: list[str], at_ms: int, rules: IdentityRules) -> bool:
    """Whether one more of this type may be hers; of devices and cart tokens, old ones make room."""
    limit = {
        "user_id": 1,
        "email": rules.emails_max,
        "phone": rules.phones_max,
        "loyalty_id": rules.loyalty_ids_max,
        "anonymous_id": rules.devices_max,
        "cart_token": CART_TOKENS_KEPT,
    }[kind]
    if len(known) < limit:
        return True
    if kind not in WEAK:
        return False
    linked = profile.linked
    since = {value: linked.get(f"{kind}:{value}", 0) for value in known if f"{kind}:{value}" != profile.id}
    if not since:
        return False  # there is but her own
    oldest = min(since, key=lambda value: (since[value], value))
    if kind == "anonymous_id" and since[oldest] > at_ms - rules.devices_window_ms:
        return False
    known.remove(oldest)
    linked.pop(f"{kind}:{oldest}", None)
    former.note(profile, {f"{kind}:{oldest}": at_ms})
    return True


CART_TOKENS_KEPT: Final = 16
"""Cart tokens a profile remembers; any number of them may lead to it."""


# --- at the home of what is claimed -------------------------------------------------------------------------------


def take_link(profile: Profile, orders: Ledger, link: Link, out: list[Output]) -> bool:
    """Answer a claim of the identifier this profile stands under; gives whether the profile became a redirect.

    Then its timers are gone, its orders are to be forgotten, and what was known is in `out`. Raises NeedLedger(None)
    before changing anything where not all orders are loaded.
    """
    if profile.redirect:
        if profile.redirect[-1][1] == NOBODY:
            # Whoever had it last was erased; from now on it is the claimer's.
            _note_holder(profile, link)
            out.append(_nothing(link, profile.id, link.claimer))
        else:
            _answer_held(profile, link, out)
        return False
    known = profile.activity.first_ms is not None or bool(profile.ids) or profile.privacy is not None
    claimer, here = link.claimer, profile.id
    if profile.is_apart_from(claimer):
        out.append(_refusal(link, "split", None))
        return False
    if kind_of(here) == "user_id" and kind_of(claimer) == "user_id" and not link.alias:
        out.append(_refusal(link, "conflict", here))
        return False
    if survivor(here, claimer) == here:
        # Of two of one type the smaller value stays: the claimer is to come here. An alias call that names a user
        # nobody has met names a device.
        if known:
            _pass_on(link, claimer, here, out)
        return False
    if not orders.complete:
        raise NeedLedger(None)
    out.extend(parts(profile, orders, link) if known else (_nothing(link, here, claimer),))
    leave(profile, [(link.at_ms, claimer)])
    return True


def _answer_held(profile: Profile, link: Link, out: list[Output]) -> None:
    """A claim of an identifier that belongs to somebody already."""
    here, claimer = profile.id, link.claimer
    newest = profile.redirect[-1][1]
    if newest == claimer:
        # Known from an earlier moment on, where the claim is a late one.
        if kind_of(here) in WEAK:
            _note_holder(profile, link)
        out.append(_nothing(link, here, claimer))
        return
    both_users = kind_of(newest) == "user_id" == kind_of(claimer)
    if not both_users:
        # They are one customer too.
        stays = survivor(newest, claimer)
        _pass_on(link, claimer if stays == newest else newest, stays, out)
    if kind_of(here) in WEAK and (both_users or survivor(newest, claimer) == claimer):
        _note_holder(profile, link)
        holder = profile.redirect[-1][1]
        loser = newest if holder == claimer else claimer
        out.append(_moved(link, here, loser, holder))
        out.append(_nothing(link, here, claimer))
    elif both_users:
        out.append(_refusal(link, "conflict" if link.alias else "held", newest))
    elif survivor(newest, claimer) == newest:
        out.append(_moved(link, here, claimer, newest))
    else:
        out.append(_nothing(link, here, claimer))


def _note_holder(profile: Profile, link: Link) -> None:
    """The identifier is the claimer's from the event's time on, until the next one's."""
    held = sorted({*profile.redirect, (link.at_ms, link.claimer)})
    kept = held[:1] + [at for before, at in pairwise(held) if at[1] != before[1]]
    # What was known before went to the first one; of the others the newest count.
    profile.redirect = kept if len(kept) <= REDIRECTS_MAX else [kept[0], *kept[1 - REDIRECTS_MAX :]]


def _pass_on(link: Link, identifier: str, claimer: str, out: list[Output]) -> None:
    if link.hops >= HOPS_MAX:
        out.append(_refusal(link, "too_many_hops", None))
        return
    out.append(replace(link, identifier=identifier, claimer=claimer, hops=link.hops + 1))


def _refusal(link: Link, reason: str, holder: str | None) -> LinkRefused:
    return LinkRefused(
        claimer=link.claimer,
        identifier=link.identifier,
        reason=reason,
        holder=holder,
        at_ms=link.at_ms,
        cause=link.cause,
    )


def _moved(link: Link, here: str, loser: str, holder: str) -> LinkRefused:
    return LinkRefused(
        claimer=loser, identifier=here, reason="moved", holder=holder, at_ms=link.at_ms, cause=link.cause
    )


def _nothing(link: Link, here: str, claimer: str) -> Absorb:
    """Nothing (more) is known of the identifier: all of it is there."""
    return Absorb(into=claimer, absorbed=here, closing=True, profile=Raw(b"null"), at_ms=link.at_ms, cause=link.cause)


def leave(profile: Profile, redirect: list[tuple[int, str]]) -> None:
    """Make a profile a redirect. What it adds to the population and to comparisons stays for the caller to take back, and so
    does its place in the index of those who watch a product.
    """
    watched = [*profile.rewatched, *profile.watches]
    left = Profile(profile.id, redirect=redirect, population=profile.population, rewatched=watched)
    asked = profile.privacy
    if asked is not None and asked.erased_ms is not None:
        left.privacy = replace(asked, suppressed_ms=None)  # which was taken back, and its command may come again
    left._exposures, left._apart = profile._exposures, profile._apart
    empty = astuple(left)
    for name, value in zip(Profile.__struct_fields__, empty, strict=True):
        setattr(profile, name, value)


def parts(profile: Profile, orders: Ledger, link: Link) -> list[Absorb]:
    """A profile and its orders as parts, the closing one last."""
    found = cut(profile, orders.all())
    return [
        Absorb(
            into=link.claimer,
            absorbed=profile.id,
            closing=number == len(found),
            profile=of,
            entries=entries,
            at_ms=link.at_ms,
            cause=link.cause,
        )
        for number, (of, entries) in enumerate(found, 1)
    ]


def cut(profile: Profile, of_orders: list[OrderEntry]) -> list[tuple[Raw, tuple[Raw, ...]]]:
    """A profile and its orders in parts of at most PART_BYTES each (more only for what can't be cut), in their stored form, the
    one with the profile last. Changes neither.
    """
    here = profile.id
    copy = decode_profile(profile.pack())
    copy.population = []
    made: list[tuple[Raw, tuple[Raw, ...]]] = []

    def part(of: bytes, entries: tuple[Raw, ...] = ()) -> None:
        made.append((Raw(of), entries))

    stored = copy.pack()
    if len(stored) > PART_BYTES:
        # Carts are what can grow so large; each is whole by itself.
        found = {**copy.carts}
        copy.carts.clear()
        left = copy.left_carts
        for cart_id, cart in found.items():
            part(Profile(here, _carts=Raw(encode({cart_id: cart}))).pack())
        for cart_id, one in list(left.items()):
            part(Profile(here, _left_carts=Raw(encode({cart_id: one}))).pack())
        left.clear()
        stored = copy.pack()
        if len(stored) > PART_BYTES and copy.has_sides:
            sides.let_go(copy.sides)
            stored = copy.pack()
    bare = Profile(here).pack()
    entries: list[Raw] = []
    size = len(stored)
    for entry in sorted(of_orders, key=lambda entry: entry.order_id):
        # What it came with may be part of the profile's own by now: there it is one of its orders.
        known = not entry.came_with or entry.came_with in profile.sides
        text = encode(entry if known else replace(entry, came_with=""))
        if size + len(text) > PART_BYTES and entries:
            part(bare, tuple(entries))
            entries, size = [], len(stored)
        entries.append(Raw(text))
        size += len(text)
    part(stored, tuple(entries))
    return made


# --- at the home of who claimed -----------------------------------------------------------------------------------


def passed_on(profile: Profile, move: Absorb | LinkRefused, rules: IdentityRules) -> Move | None:
    """A move whose receiver is itself a redirect by now, addressed to where that leads; None where it is for this one.

    What was absorbed is passed on however often that happens: redirects only lead upwards, and it may not be lost.
    """
    holder = holder_at(profile, move.at_ms, rules) or (profile.redirect[0][1] if profile.redirect else None)
    if holder is None:
        return None
    if isinstance(move, Absorb):
        return replace(move, into=holder, hops=move.hops + 1, via=(*move.via, profile.id))
    return replace(move, claimer=holder, hops=move.hops + 1)


def take_absorb(turn: Turn, orders: Ledger, absorb: Absorb) -> Profile | None:
    """Fold in what another profile knew; gives that profile, None for a part with nothing in it.

    Raises NeedLedger(None) before changing anything where orders come and not all of this profile's are loaded.
    """
    profile = turn.profile
    brought = None
    if bytes(absorb.profile) != b"null":
        other = decode_profile(bytes(absorb.profile))
        merge.rename(other, other.id, profile.id)
        fresh = other.id not in profile.absorbed
        if not fresh:
            other.episodes, other.wakes = {}, {}  # what waited once may have been sent since
        entries = [decode_entry(bytes(entry)) for entry in absorb.entries]
        sides.label(entries, absorb.absorbed)
        keeps = turn.book.rules.identity.split_ms > 0 and profile.id not in profile.sides
        own = profile.facts() if keeps else None
        known = (orders.known(entry.order_id) for entry in entries)
        before = {entry.order_id: entry.came_with for entry in known if entry is not None}
        merge.merge(profile, orders, other, entries, turn.book)
        _name_itself(profile)
        if other.id != profile.id:
            sides.absorb(profile, own, other, absorb.at_ms, turn.book, closing=absorb.closing)
            sides.note_joined(profile, before, entries, orders)
            _rejoin(profile, other)
        brought = other
        if absorb.closing and fresh and other.id != profile.id and other.activity.first_ms is not None:
            _publish(turn, "profile.merged", absorb.absorbed, absorb.cause)
    if absorb.closing and absorb.absorbed in profile.merging:
        profile.merging.remove(absorb.absorbed)
    return brought


def _name_itself(profile: Profile) -> None:
    """What a profile is known as is among its ids also where others came to it before any event of its own."""
    kind, _, value = profile.id.partition(":")
    known = profile.ids.get(kind, [])
    if profile.ids and value not in known:
        profile.ids[kind] = sorted({*known, value})


def _rejoin(profile: Profile, other: Profile) -> None:
    """What is part of her now, by another way, is not apart from her any more."""
    if profile.has_apart:
        for identifier in (other.id, *other.absorbed):
            apart.forget(profile.apart, identifier)


def is_known_as(profile: Profile, identifier: str) -> bool:
    """Whether an identifier is the profile's own or one of its customer's."""
    kind, _, value = identifier.partition(":")
    return identifier == profile.id or value in profile.ids.get(kind, ()) or identifier in profile.absorbed


def refuse(turn: Turn, refused: LinkRefused) -> None:
    """An identifier is not hers: forget it, and unless it only moved on, do not claim it again."""
    profile, identifier = turn.profile, refused.identifier
    if identifier in profile.merging:
        profile.merging.remove(identifier)
    if refused.holder is not None and is_known_as(profile, refused.holder):
        return  # it follows another identifier of hers
    kind, _, value = identifier.partition(":")
    known = profile.ids.get(kind, [])
    if value in known and identifier != profile.id and refused.reason != "conflict":
        known.remove(value)
        if not known:
            del profile.ids[kind]
    profile.linked.pop(identifier, None)
    if refused.reason in {"moved", "split"}:
        if refused.reason == "moved" and kind in WEAK:
            former.note(profile, {identifier: refused.at_ms})
        _forget_contacts(profile)
        return
    if identifier not in profile.refused:
        name = "identity.conflict" if refused.reason == "conflict" else "link.refused"
        _publish(turn, name, identifier, refused.cause, refused.holder, refused.reason)
    profile.refused[identifier] = refused.at_ms
    while len(profile.refused) > REFUSED_MAX:
        del profile.refused[min(profile.refused, key=lambda one: (profile.refused[one], one))]
    _forget_contacts(profile)


def _forget_contacts(profile: Profile) -> None:
    """Sealed texts of what is neither hers nor refused any more go."""
    if profile.has_contacts:
        contacts.keep(profile, profile.contacts)


def _publish(
    turn: Turn, name: str, other: str, cause: str, holder: str | None = None, reason: str | None = None
) -> None:
    turn.out.append(
        IdentityChange(
            change_id=decision_id(f"{name}|{turn.profile.id}|{other}|{reason}|{cause}"),
            name=name,  # type: ignore[arg-type] # one of these, by each caller
            customer_id=turn.profile.id,
            other=other,
            holder=holder,
            reason=reason,
            cause=cause,
            at_ms=turn.time_ms,
        )
    )
