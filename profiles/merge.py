"""Two profiles of one customer become one: `merge` folds one into the other as if all had happened to the other at once.

Everything a fact decides (ledger and money, carts, consent, remembered message ids, first and last moments) comes out the
same as if one profile had seen both histories, whichever of the two is folded into the other and however often it is
repeated. What is only counted (sessions, views, interests, receipts) is added once for each absorbed profile; `absorbed`
remembers which those were. Which segments she is in then is the caller's to look at.

Triggers are not decided here: episodes and emissions of both are kept, and the caller plans anew on the united profile.
Orders are united in `profiles.merge_orders`, carts in `profiles.merge_carts`.
"""

from profiles import (
    acquisition,
    activity,
    apart,
    browsing,
    contacts,
    coupons,
    dedupe,
    deliveries,
    exposures,
    feedback,
    former,
    interests,
    merge_carts,
    merge_orders,
    merge_supply,
    messages,
    origins,
    subscriptions,
    supply,
    visitors,
    watches,
    wishes,
)
from profiles.book import Book
from profiles.consent import CONSENTS_MAX, keep_within, supersedes
from profiles.ids import renamed
from profiles.order_state import Ledger, OrderEntry, decode_entry
from profiles.profile import Profile, decode_profile
from profiles.rhythms import unite_rhythms
from profiles.sent import within
from profiles.state import (
    ABSORBED_MAX,
    DECISIONS_KEPT,
    EPISODES_MAX,
    IDS_PER_TYPE_MAX,
    MERGING_MAX,
    REFUSED_MAX,
    SHARED,
    TRAITS_MAX,
    Milestones,
    Privacy,
    encode,
)


def merge(
    into: Profile,
    into_ledger: Ledger,
    from_: Profile,
    from_entries: list[OrderEntry],
    book: Book,
    *,
    again: bool | None = None,
) -> None:
    """Fold `from_` and its ledger entries into `into`. `from_` and its entries stay as they are and are not shared.

    A large profile may come in parts: ledger entries in several calls with an otherwise empty profile of the same id, and
    all the rest in one. The population counters (`profiles.population`, `profiles.statistics`) and the waiting triggers are the
    caller's to bring up to date. `again` says whether what is only counted was added before, where the caller knows better than
    `into.absorbed`. Raises NeedLedger(None) before changing anything where orders come and not all of `into`'s
    ledger is loaded.
    """
    was_there = into.activity.last_ms is not None
    compared = into.has_exposures or from_.has_exposures
    settles = from_.has_emitted and into.has_recent_orders
    if from_entries or from_.supply or from_.recent_orders or from_.deliveries or from_.rhythms or compared or settles:
        into_ledger.all()
    other = decode_profile(from_.pack())
    entries = [decode_entry(encode(entry)) for entry in from_entries]
    rename(other, other.id, into.id)
    if again is None:
        again = other.id in into.absorbed

    _unite_identity(into, other, book)
    _unite_consent(into, other)
    _unite_milestones(into.milestones, other.milestones)
    merge_orders.unite(into, into_ledger, entries, book)
    merge_supply.unite(into, into_ledger, other, entries, book)
    messages.unite_moments(into, other)
    deliveries.unite(into, into_ledger, other, entries)
    feedback.unite(into, other, again=again)
    if entries or other.rhythms:
        unite_rhythms(into, other, into_ledger.all(), book)
        supply.foresee_again(into, other.supply, book)
    merge_carts.unite(into, other, into_ledger, book.rules.allowed_lateness_ms, again=again)
    watches.unite(into, other)
    browsing.unite(into, other)
    wishes.unite(into, other)
    coupons.unite(into, other)
    dedupe.unite(into, other)
    subscriptions.unite(into, other, again=again)
    activity.unite_moments(into.activity, other.activity)
    if into.has_past:
        acquisition.settle(into, book)
        into.origin = origins.origin_of(into)
    if not again:
        activity.add_counts(into.activity, other.activity)
        interests.unite(into.interests, other.interests)
        _add_counts(into, other)
        _unite_standing(into, other)  # she may have left since where the other was then
    if into.has_browsing:
        browsing.join_visits(into)
    _unite_triggers(into, other)
    if other.has_behaviour:
        _unite_behaviour(into, other)
    if compared:
        exposures.unite(into, other, into_ledger, book)
    if book.segments is not None:
        book.segments.unite(into, into_ledger, other, book, was_there=was_there)
    into.compact_ms = _earliest(into.compact_ms, other.compact_ms)
    _note_absorbed(into, other)


def rename(profile: Profile, before: str, now: str) -> None:
    """Triggers about a customer herself, and no cart or order, are about her under another id: those that wait, and those that
    were sent, by whose keys others cool.
    """
    if before == now:
        return
    for place, episode in list(profile.episodes.items()):
        key = renamed(episode.key, before, now)
        if key != episode.key:
            del profile.episodes[place]
            episode.key = key
            profile.episodes[f"{episode.name}|{key}"] = episode
    wakes = [(what.partition("|"), at_ms) for what, at_ms in profile.wakes.items()]
    profile.wakes = {f"{of}{bar}{renamed(key, before, now)}": at_ms for (of, bar, key), at_ms in wakes}
    for sent in profile.emitted if profile.has_emitted else ():
        key = renamed(sent.key, before, now)
        if key != sent.key:
            sent.first_key, sent.key = sent.first_key or sent.key, key


def _earliest(one: int | None, two: int | None) -> int | None:
    return min((ms for ms in (one, two) if ms is not None), default=None)


def _latest(one: int | None, two: int | None) -> int | None:
    return max((ms for ms in (one, two) if ms is not None), default=None)


def _newest(one: tuple[int, str] | None, two: tuple[int, str] | None) -> tuple[int, str] | None:
    return max((word for word in (one, two) if word is not None), default=None)


# --- who she is ---------------------------------------------------------------------------------------------------


def _unite_identity(into: Profile, other: Profile, book: Book) -> None:
    for kind, values in other.ids.items():
        into.ids[kind] = sorted({*into.ids.get(kind, ()), *values})[:IDS_PER_TYPE_MAX]
    for identifier, since_ms in other.linked.items():
        into.linked[identifier] = min(since_ms, into.linked.get(identifier, since_ms))
    for identifier, at_ms in other.refused.items():
        into.refused[identifier] = max(at_ms, into.refused.get(identifier, at_ms))
    while len(into.refused) > REFUSED_MAX:
        del into.refused[min(into.refused, key=lambda one: (into.refused[one], one))]
    if other.has_contacts:
        contacts.unite(into, other)
    into.merging = sorted({*into.merging, *other.merging})[-MERGING_MAX:]
    if other.has_former:
        former.note(into, other.former)
    if other.has_apart:
        apart.unite(into.apart, other.apart, into.id)
    for name, said in other.traits.items():
        known = into.traits.get(name)
        # At equal times the text decides, so that both directions of a merge agree.
        if known is None or (known[0], encode(known[1])) < (said[0], encode(said[1])):
            into.traits[name] = said
    if len(into.traits) > TRAITS_MAX:
        newest = sorted(into.traits.items(), key=lambda item: (not book.rules.goes_by(item[0]), -item[1][0], item[0]))
        into.traits = dict(newest[:TRAITS_MAX])
    into.timezone = _newest(into.timezone, other.timezone)
    into.locale = _newest(into.locale, other.locale)
    into.country = _newest(into.country, other.country)
    into.push = into.push or other.push
    into.privacy = _unite_privacy(into.privacy, other.privacy)


def _unite_privacy(one: Privacy | None, two: Privacy | None) -> Privacy | None:
    """The newest suppression and its end, whichever of the two was asked. That one of two identifiers was erased once, and that
    taken back, says nothing of the other.
    """
    if two is None:
        return one
    ours = one or Privacy()
    return Privacy(
        suppressed_ms=_latest(ours.suppressed_ms, two.suppressed_ms),
        unsuppressed_ms=_latest(ours.unsuppressed_ms, two.unsuppressed_ms),
        erased_ms=ours.erased_ms,
        request_id=ours.request_id,
        apart=ours.apart,
    )


def _unite_consent(into: Profile, other: Profile) -> None:
    for key, theirs in other.consent.items():
        ours = into.consent.get(key)
        if ours is None or supersedes(theirs, ours):
            into.consent[key] = theirs
    if len(into.consent) > CONSENTS_MAX:
        into.consent = keep_within(into.consent)


def _unite_milestones(into: Milestones, other: Milestones) -> None:
    into.signed_up = min((word for word in (into.signed_up, other.signed_up) if word is not None), default=None)
    into.granted = min((word for word in (into.granted, other.granted) if word is not None), default=None)
    # Who was welcomed back was welcomed twice: the last one counts.
    into.welcomed_ms = max((ms for ms in (into.welcomed_ms, other.welcomed_ms) if ms is not None), default=None)
    # Openings up to the last try are spent, so it is the later of the two that counts.
    into.left_ms = max((ms for ms in (into.left_ms, other.left_ms) if ms is not None), default=None)
    into.welcome_ended_ms = max(
        (ms for ms in (into.welcome_ended_ms, other.welcome_ended_ms) if ms is not None), default=None
    )
    into.new_buyer_ms = _earliest(into.new_buyer_ms, other.new_buyer_ms)
    into.birthday_ms = max((ms for ms in (into.birthday_ms, other.birthday_ms) if ms is not None), default=None)
    into.anniversary_year = max(into.anniversary_year, other.anniversary_year)
    into.imported = into.imported or other.imported


# --- what she did -------------------------------------------------------------------------------------------------


def _add_counts(into: Profile, other: Profile) -> None:
    for name, count in other.messages.items():
        if not name.startswith(messages.LAST):
            into.messages[name] = into.messages.get(name, 0) + count


# --- triggers -----------------------------------------------------------------------------------------------------


def _unite_standing(into: Profile, other: Profile) -> None:
    """The newer band, the higher tier and sum, each since whoever of the two had it first. The caller looks at them again by the
    orders of both.
    """
    ours, theirs = into.standing, other.standing
    if theirs.band is not None and (ours.band is None or theirs.band_since_ms > ours.band_since_ms):
        ours.band, ours.band_since_ms = theirs.band, theirs.band_since_ms
    ours.left_high_ms = max((ms for ms in (ours.left_high_ms, theirs.left_high_ms) if ms is not None), default=None)
    if (theirs.tier, -theirs.tier_since_ms) > (ours.tier, -ours.tier_since_ms):
        ours.tier, ours.tier_since_ms = theirs.tier, theirs.tier_since_ms
    if (theirs.milestone, -theirs.milestone_ms) > (ours.milestone, -ours.milestone_ms):
        ours.milestone, ours.milestone_ms = theirs.milestone, theirs.milestone_ms


def _unite_triggers(into: Profile, other: Profile) -> None:
    for place, theirs in other.episodes.items():
        ours = into.episodes.get(place)
        if ours is None or (theirs.opened_ms, theirs.anchor) < (ours.opened_ms, ours.anchor):
            into.episodes[place] = theirs
    if len(into.episodes) > EPISODES_MAX:
        first = sorted(into.episodes.items(), key=lambda item: (item[1].wake_ms, item[0]))
        into.episodes = dict(first[:EPISODES_MAX])

    # Who took part in a merge is no mere visitor.
    into.wakes.pop(visitors.WAKE, None)
    for what, theirs_ms in other.wakes.items():
        if what == visitors.WAKE:
            continue
        # Whoever wakes up looks at everything anew, so the earlier time never does harm.
        into.wakes[what] = min(theirs_ms, into.wakes.get(what, theirs_ms))

    sent = {emitted.trigger_id: emitted for emitted in into.emitted}
    for emitted in other.emitted:
        known = sent.setdefault(emitted.trigger_id, emitted)
        if known.outcome == SHARED:
            known = sent[emitted.trigger_id] = emitted  # what became of it is known to whom it was sent
        elif emitted.outcome != SHARED:
            known.outcome = known.outcome or emitted.outcome
        if emitted.receipt_ms > known.receipt_ms:
            known.receipt_ms, known.failed = emitted.receipt_ms, emitted.failed
    into.emitted[:] = within(sorted(sent.values(), key=lambda emitted: (emitted.emitted_ms, emitted.trigger_id)))

    kept = {encode(decision): decision for decision in (*into.last_decisions(), *other.last_decisions())}
    in_time = sorted(kept, key=lambda text: (kept[text].at_ms, text))
    into.decisions[:] = [kept[text] for text in in_time[-DECISIONS_KEPT:]]


def _unite_behaviour(into: Profile, other: Profile) -> None:
    """How she orders is watched as it comes and can't be watched again: the side that has seen more goes on."""
    ours, theirs = into.behaviour, other.behaviour
    if (theirs.gaps.count, theirs.values.orders, theirs.newest_ms or 0) > (
        ours.gaps.count,
        ours.values.orders,
        ours.newest_ms or 0,
    ):
        into.behaviour, theirs = theirs, ours
    newest = [ms for ms in (into.behaviour.newest_ms, theirs.newest_ms) if ms is not None]
    into.behaviour.newest_ms = max(newest, default=None)


def _note_absorbed(into: Profile, other: Profile) -> None:
    """Remember what was absorbed, directly or through `other`; the oldest are forgotten above the bound.

    A part that brings only ledger entries does not count: what is added once comes with the closing one.
    """
    if other.activity.first_ms is None:
        return
    for absorbed in (*other.absorbed, other.id):
        if absorbed not in into.absorbed and absorbed != into.id:
            into.absorbed.append(absorbed)
    del into.absorbed[:-ABSORBED_MAX]
