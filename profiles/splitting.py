"""Taking a wrong merge apart: `regulars profile split`, within 30 days or what the rules say.

The command comes to the home of the customer the identifier is to be taken out of. There both sides are what they would have
been alone (`profiles.sides`): the customer's profile is made anew of all sides that stay, and the orders that came with
them; the side that goes, with what came through it, travels to its own home as `Restore`. That home lifts the redirect and
takes it in; where the identifier follows somebody else by now, it sends everything back. Both homes remember that the two
are apart, so that the events which united them do not do so again, and what is still on its way goes where it belongs.

Taken apart is what events told: orders and money, carts, consent, traits, activity, interests, messages. What was decided
(triggers sent, hold-outs, standing) stays with the customer to whom it happened; what still waits about an order goes with it,
and so does what was asked about it, by which nobody is asked again.
"""

from itertools import pairwise
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from profiles import (
    apart,
    contacts,
    dedupe,
    episodes,
    exposures,
    feedback,
    former,
    ledger,
    links,
    merge,
    sharing,
    sides,
    told_once,
)
from profiles.episodes import Triggers
from profiles.ids import decision_id, renamed
from profiles.order_state import Ledger, OrderEntry, decode_entry
from profiles.privacy import anothers_since, home_mark, is_closed, known_in
from profiles.profile import Profile, Side, decode_profile
from profiles.state import Episode, encode
from profiles.triggers.cart_abandoned import episode_key
from profiles.turn import Mail, Turn
from schemas import events
from schemas.events import Arrival
from schemas.moves import Absorb, Restore
from schemas.outputs import IdentityChange

REFUSALS: Final = {
    "not_merged": "it is not part of this customer's profile",
    "too_late": "it was merged too long ago (30 days, or what the rules say); what came with it is no longer known apart",
    "too_large": "it was too large, or one of too many, to be kept apart",
    "apart": "the two are apart already, by a command before this one",
    "moved_on": "the device or cart belongs to another customer by now; what it brought before stays here",
}
"""Why a profile is not taken apart. Nothing has changed then."""

_KEPT_AS_IT_IS: Final = (
    "population",
    "episodes",
    "wakes",
    "compact_ms",
    "privacy",
    "_standing",
    "_emitted",
    "_decisions",
    "_exposures",
    "_behaviour",
    "_memberships",
    "_apart",
    "_former",
)
"""What was decided about the customer, or asked by her, and is no fact of one side."""


def obey(turn: Turn, arrival: Arrival, orders: Ledger, triggers: Triggers) -> bool:
    """Carry the command out, or pass it on to whom the profile belongs, or refuse; and answer. Whether the profile changed.

    Raises NeedLedger(None) before changing anything where the orders are needed and not all there.
    """
    event, profile = arrival.event, turn.profile
    assert isinstance(event, events.SplitProfile)
    identifier = event.identifier
    if profile.redirect and (holder := profile.redirect[-1][1]) != links.NOBODY and identifier != profile.id:
        _pass_on(turn, event, holder)
        return False
    # The same command once more is answered by the same home, which a receipt takes once: it stays what it was.
    refused = "apart" if profile.is_apart_from(identifier) else _refusal(turn, identifier)
    if refused is None:
        _split(turn, event, orders, triggers)
        return True
    answer(turn, event.request_id, first=not event.passed_on, refused=refused)
    return False


def take_restore(turn: Turn, orders: Ledger, restore: Restore) -> Profile | None:
    """Take back what came with this identifier; gives what was brought, None where there is nothing or it is not for here. What
    had waited about orders that come is the caller's to plan.

    Raises NeedLedger(None) before changing anything where orders come and not all of this profile's are loaded.
    """
    profile, giver = turn.profile, restore.taken_from
    since_ms = apart.since(profile.apart, giver) if profile.has_apart else None
    known = since_ms is not None and since_ms >= restore.at_ms
    if restore.onto:
        _lead_on(turn, restore)
        return None
    if profile.redirect:
        holders = {holder for _, holder in profile.redirect}
        if known or not holders <= {*restore.held_by}:
            _send_on(turn, restore, giver if not known else profile.redirect[0][1], returned=not known)
            return None
    orders.all()
    brought = None
    if profile.redirect:
        profile.redirect = []
        profile.merging = [giver]
    if bytes(restore.profile) != b"null":
        brought = decode_profile(bytes(restore.profile))
        brought.merging = []  # who was claimed has answered by now, or answers here
        # What comes once more adds nothing to what is only counted, and what was planned once may have been sent since.
        again = known if restore.closing else dedupe.may_have_had(profile, brought)
        waiting, brought.episodes = ({} if again else brought.episodes), {}
        brought.wakes = {} if again else brought.wakes
        entries = [decode_entry(bytes(entry)) for entry in restore.entries]
        merge.merge(profile, orders, brought, entries, turn.book, again=again)
        for entry in entries:
            ledger.plan_compaction(profile, entry, turn.now_ms)
        brought.episodes = waiting
        if not again and brought.has_sides:
            profile.sides = brought.sides
    if restore.closing:
        apart.note(profile.apart, giver, restore.at_ms, restore.cause)
        if giver in profile.merging:
            profile.merging.remove(giver)
        answer(turn, restore.cause, counts={"profiles": 1})
    return None if known and restore.closing else brought


def decline(turn: Turn, absorb: Absorb) -> None:
    """What was on its way while the identifier was taken out goes back to its own home, or to that of the identifier it came by.
    What led there is apart, too: something may be on its way under that.
    """
    profile = turn.profile
    found = ((one, anothers_since(profile, one)) for one in (*absorb.via, absorb.absorbed))
    back, since_ms = next((one, at_ms) for one, at_ms in found if at_ms is not None)
    marks = profile.privacy.apart if profile.privacy is not None and is_closed(profile) else profile.apart
    for one in (absorb.absorbed, *known_in(absorb.profile)):
        if not links.is_known_as(profile, one):
            apart.note(marks, one, since_ms, absorb.cause)
    if back != absorb.absorbed:
        turn.out.append(replace(absorb, into=back, via=(), hops=absorb.hops + 1))
    elif bytes(absorb.profile) != b"null":
        turn.out.append(
            Restore(
                identifier=absorb.absorbed,
                taken_from=profile.id,
                closing=False,
                profile=absorb.profile,
                entries=absorb.entries,
                at_ms=since_ms,
                cause=absorb.cause,
                hops=absorb.hops + 1,
            )
        )


def is_astray(profile: Profile, came_with: str) -> bool:
    """Whether an event came with an identifier that is not, or not known to be, this customer's, of whom somebody was taken out:
    it may be on its way through that one, of whom nothing had arrived here yet.
    """
    if profile.is_apart_from(came_with):
        return True
    known = links.is_known_as(profile, came_with) or came_with in profile.sides
    return not known and not (profile.has_former and came_with in profile.former)


# --- at the customer's home ---------------------------------------------------------------------------------------


def _refusal(turn: Turn, identifier: str) -> str | None:
    profile = turn.profile
    kind, _, value = identifier.partition(":")
    own = profile.sides.get(profile.id)
    part = profile.sides.get(identifier)
    named = value in profile.ids.get(kind, ())
    if identifier == profile.id or (part is None and not named and identifier not in profile.absorbed):
        return "not_merged"
    if kind in links.WEAK and not named:
        return "moved_on"
    since_ms = profile.linked.get(identifier) if part is None else part.since_ms
    if since_ms is None or not sides.is_splittable(since_ms, turn.now_ms, turn.book):
        return "too_late"
    if part is None:
        # Nothing ever came with it alone, unless that is too long ago.
        return "too_late" if identifier in profile.absorbed else None
    if not part.is_kept or own is None or not own.is_kept:
        return "too_large"
    return None


def _split(turn: Turn, event: events.SplitProfile, orders: Ledger, triggers: Triggers) -> None:
    profile, identifier = turn.profile, event.identifier
    entries = orders.all()
    goes = sides.descendants(profile.sides, identifier)
    leaving = [entry for entry in entries if entry.came_with in goes]
    staying = [entry for entry in entries if entry.came_with not in goes]
    moved, both = _led_through(profile, goes)
    gone = [*(one for one in goes if one not in both), *moved]
    held_by = tuple(dict.fromkeys((profile.id, *profile.absorbed, *_named(profile), *profile.sides)))
    had_carts = set(profile.carts)
    brought = _side(turn, identifier, goes, leaving, triggers)
    if brought is not None:
        _leave_behind(brought[0], profile, both, turn.time_ms)
    part = profile.sides.get(identifier)
    if brought is not None and part is not None:
        ours = _make_anew(turn, orders, staying, goes, triggers)
        if profile.has_exposures:
            exposures.count_anew(profile, orders, turn.book)
        shared = sharing.Sharing(profile, _ids_of(staying), brought[0], _ids_of(leaving), triggers)
        if profile.has_emitted:
            shared.share_sent(turn.now_ms, part.since_ms, goes)
        shared.share_waiting(turn, ours)
    _take_out(profile, gone)
    _name_no_more(profile, {*gone})
    for one in gone:
        apart.note(profile.apart, one, turn.time_ms, event.request_id)
    found = links.cut(*brought) if brought is not None else [(Raw(b"null"), ())]
    turn.out += [
        Restore(
            identifier=identifier,
            taken_from=profile.id,
            held_by=held_by,
            closing=number == len(found),
            profile=of,
            entries=of_orders,
            at_ms=turn.time_ms,
            cause=event.request_id,
        )
        for number, (of, of_orders) in enumerate(found, 1)
    ]
    turn.out += [
        Restore(
            identifier=one,
            taken_from=profile.id,
            held_by=held_by,
            onto=identifier,
            closing=True,
            profile=Raw(b"null"),
            at_ms=turn.time_ms,
            cause=event.request_id,
        )
        for one in moved
    ]
    turn.out.append(
        IdentityChange(
            change_id=decision_id(f"profile.split|{profile.id}|{identifier}|{event.request_id}"),
            name="profile.split",
            customer_id=profile.id,
            other=identifier,
            cause=event.request_id,
            at_ms=turn.time_ms,
        )
    )
    counts = {"orders": len(leaving), "carts": len(had_carts.difference(profile.carts)), "identifiers": 1 + len(moved)}
    marks = tuple(home_mark(event.request_id, one) for one in (identifier, *moved))
    answer(turn, event.request_id, first=not event.passed_on, passed_on=marks, counts=counts)


def _ids_of(entries: list[OrderEntry]) -> set[str]:
    return {entry.order_id for entry in entries}


def _led_through(profile: Profile, goes: list[str]) -> tuple[list[str], set[str]]:
    """Further identifiers that lead to the profile through the sides that go, and through none that stays; and those that both
    named, the sides that go only since they were part of the profile: these lead to it, and stay.
    """
    going, staying, since = set(goes), {profile.id}, dict[str, int]()
    for one, part in profile.sides.items():
        if part.is_kept:
            (going if one in goes else staying).update(_named(part.kept))
            if one in goes:
                for identifier, at_ms in part.kept.linked.items():
                    since[identifier] = min(at_ms, since.get(identifier, at_ms))
    united = profile.sides.get(goes[0])
    both = {one for one in going & staying if united is not None and since.get(one, 0) >= united.since_ms}
    return sorted(going - staying - {goes[0]}), both - {goes[0]}


def _side(
    turn: Turn, identifier: str, goes: list[str], entries: list[OrderEntry], triggers: Triggers
) -> tuple[Profile, list[OrderEntry]] | None:
    """What leaves: a profile of that identifier with what came through it, and the orders as they stand there."""
    profile = turn.profile
    if identifier not in profile.sides:
        return None
    kept = {one: profile.sides[one] for one in goes if one in profile.sides}
    side = Profile(identifier)
    for part in kept.values():
        if part.is_kept:
            merge.merge(side, Ledger(complete=True), part.kept, [], turn.book)
    _tidy(turn, side, profile, triggers)
    if len(kept) > 1:
        side.sides = {
            one: Side(part.since_ms, "" if one == identifier else part.via).keep(part.kept)
            if part.is_kept
            else Side(part.since_ms, part.via)
            for one, part in kept.items()
        }
    # Whoever did not want to be written to as one customer is not written to as two, nor reminded of a supply once more.
    side.privacy = profile.privacy
    left = {entry.order_id for entry in entries}
    for key, bought in (side.supply | profile.supply).items():
        purchases = [purchase for purchase in bought.purchases if purchase.order_id in left]
        if purchases:
            side.supply[key] = replace(bought, purchases=purchases, product_id=purchases[-1].product_id or key)
        else:
            side.supply.pop(key, None)  # she told of an order that stays
    told_once.remember_sent(turn, side, profile)
    told_once.remember_welcome(side, profile, kept[identifier].since_ms)
    sent = {(one.key, one.name) for one in profile.emitted} if profile.has_emitted else set()
    told_once.remember_standing(turn, side, profile, entries)
    for wake, at_ms in profile.wakes.items():
        name, _, what = wake.partition("|")
        definition = triggers.get(name)
        if definition is not None and definition.order_of(what) in left:
            side.wakes[wake] = at_ms
    if side.has_feedback:
        feedback.note_told(side, profile.id, sent)
    bundles = {f"{name}|{key.removeprefix(profile.id)[1:]}" for key, name in sent if name == "bundle.suggest"}
    for cart_id, cart in side.carts.items():
        cart.told = sorted(
            {*cart.told, *bundles, *(name for key, name in sent if key == episode_key(profile, cart_id))}
        )
    for order_id, delivery in side.deliveries.items():
        delivery.asked = sorted({*delivery.asked, *(name for key, name in sent if key == order_id)})
    copies = [decode_entry(encode(entry)) for entry in entries]
    for entry in copies:
        if entry.came_with == identifier:
            entry.came_with = ""
    return side, copies


def _leave_behind(side: Profile, profile: Profile, both: set[str], at_ms: int) -> None:
    """What she and the customer both named stays the customer's: a device follows her when she logs in there again, an address is
    one to write to. A device that is somebody else's by now was hers once; and nothing is on its way to her.
    """
    side.merging = []
    named = {*_named(profile), side.id}
    moved_on = [one for one in _named(side) if links.kind_of(one) in links.WEAK and one not in named]
    for one in both:
        if links.kind_of(one) not in links.WEAK:
            side.refused[one] = at_ms
    if both or moved_on:
        _take_out(side, [*both, *moved_on])
        former.note(side, dict.fromkeys(moved_on, at_ms))


def _make_anew(
    turn: Turn, orders: Ledger, entries: list[OrderEntry], goes: list[str], triggers: Triggers
) -> dict[str, Episode]:
    """The profile as the merge of the sides that stay and their orders; gives what waits with these."""
    profile = turn.profile
    stays = {one: part for one, part in profile.sides.items() if one not in goes}
    made = Profile(profile.id)
    orders.empty()
    merge.merge(made, orders, stays[profile.id].kept, entries, turn.book)
    for one, part in stays.items():
        if one != profile.id and part.is_kept:
            merge.merge(made, orders, part.kept, [], turn.book)
    _tidy(turn, made, profile, triggers)
    ours = made.episodes
    for name in _KEPT_AS_IT_IS:
        setattr(made, name, getattr(profile, name))
    told_once.remember_told(turn, made, profile)
    made.merging = [one for one in profile.merging if one not in goes]
    made.rewatched = [*dict.fromkeys((*profile.rewatched, *profile.watches, *made.watches))]
    if len(stays) > 1:
        made.sides = stays
    for name in Profile.__struct_fields__:
        setattr(profile, name, getattr(made, name))
    return ours


def _tidy(turn: Turn, made: Profile, united: Profile, triggers: Triggers) -> None:
    """Of what waits with sides only that stays which was sent to nobody."""
    sides.tidy(made, triggers, turn.book, turn.now_ms)
    for place, episode in list(made.episodes.items()):
        known = replace(episode, key=renamed(episode.key, made.id, united.id))
        if episodes.told_since(united, known, episode.opened_ms):
            del made.episodes[place]


def _name_no_more(profile: Profile, goes: set[str]) -> None:
    """What was decided and sent stays, and is told of without the ids that went: who they belong to may be erased one day."""

    def hers(key: str) -> str:
        for one in sorted(goes):
            key = renamed(key, one, profile.id)
        return key

    for sent in profile.emitted:
        sent.key = hers(sent.key)
        if sent.first_key is not None and hers(sent.first_key) != sent.first_key:
            sent.first_key = None
    kept = profile.last_decisions()
    for decision in kept:
        decision.key = hers(decision.key)
    profile.decisions[:] = kept


def _take_out(profile: Profile, goes: list[str]) -> None:
    for side in (profile, *profile.kept_sides()):
        for identifier in goes:
            kind, _, value = identifier.partition(":")
            known = side.ids.get(kind, [])
            if value in known:
                known.remove(value)
            if not known:
                side.ids.pop(kind, None)
            side.linked.pop(identifier, None)
            if identifier in side.absorbed:
                side.absorbed.remove(identifier)
            if side.has_former:
                side.former.pop(identifier, None)
        if side.has_contacts:
            contacts.keep(side, side.contacts)
    profile.merging = [one for one in profile.merging if one not in goes]


def _named(profile: Profile) -> list[str]:
    return [f"{kind}:{value}" for kind, values in profile.ids.items() for value in values]


# --- at the home of an identifier ---------------------------------------------------------------------------------


def _lead_on(turn: Turn, restore: Restore) -> None:
    """The identifier goes along with the one that was taken out, where it led to that customer. That one is told: it may have
    been erased meanwhile, and then nothing is to lead to it.
    """
    profile, onto = turn.profile, restore.onto
    if profile.redirect:
        led = [(at_ms, onto if holder in restore.held_by else holder) for at_ms, holder in profile.redirect]
        profile.redirect = led[:1] + [at for before, at in pairwise(led) if at[1] != before[1]]
        apart.note(profile.apart, restore.taken_from, restore.at_ms, restore.cause)
        turn.out.append(
            Absorb(
                into=onto,
                absorbed=profile.id,
                closing=True,
                profile=Raw(b"null"),
                at_ms=restore.at_ms,
                cause=restore.cause,
            )
        )
    answer(turn, restore.cause)


# --- both ---------------------------------------------------------------------------------------------------------


def _send_on(turn: Turn, restore: Restore, to: str, *, returned: bool) -> None:
    """The identifier belongs to somebody: what came with it goes there, or back to whom it came from."""
    if to != links.NOBODY:
        turn.out.append(
            Absorb(
                into=to,
                absorbed=restore.identifier,
                closing=restore.closing,
                returned=returned,
                profile=restore.profile,
                entries=restore.entries,
                at_ms=restore.at_ms,
                cause=restore.cause,
                hops=restore.hops + 1,
            )
        )
    if restore.closing:
        answer(turn, restore.cause, refused="moved_on" if returned else None)


def _pass_on(turn: Turn, event: events.SplitProfile, holder: str) -> None:
    kind, _, value = holder.partition(":")
    passed = events.SplitProfile(
        message_id=event.message_id,
        timestamp_ms=turn.time_ms,
        received_at_ms=turn.received_ms,
        source=event.source,
        request_id=event.request_id,
        requested_at_ms=event.requested_at_ms,
        reason=event.reason,
        identifier=event.identifier,
        passed_on=(*event.passed_on, turn.profile.id),
        **{kind: value},  # type: ignore[arg-type] # one of the identifiers' names
    )
    turn.out.append(Mail(passed, value, turn.profile.id))
    mark = home_mark(event.request_id, holder)
    answer(turn, event.request_id, first=not event.passed_on, passed_on=(mark,))


def answer(
    turn: Turn,
    request_id: str,
    *,
    first: bool = False,
    passed_on: tuple[str, ...] = (),
    counts: dict[str, int] | None = None,
    refused: str | None = None,
) -> None:
    """What this home says to a request to take a profile apart."""
    mark = home_mark(request_id, turn.profile.id)
    told = events.CommandAnswered(
        message_id=mark,
        timestamp_ms=turn.time_ms,
        received_at_ms=turn.received_ms,
        request_id=request_id,
        command="split",
        home=mark,
        first=first,
        passed_on=passed_on,
        counts={name: count for name, count in (counts or {}).items() if count},
        refused=refused,
    )
    turn.out.append(Mail(told, request_id, turn.profile.id))
