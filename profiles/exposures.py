"""What hold-outs compare, kept in the profile: since when the customer is in each comparison, and what she has ordered since.

A comparison is a hold-out group, or all marketing together ("global"). A customer enters it with her first trigger that was
decided to be sent or, since she is held out, withheld. From then on every change of an order moves her amounts, and the
population's counters by the difference to what the profile has told them so far: current at all times, exact under
cancellations, refunds, merges and erasure. Where nobody is held out nothing is kept.

What she ordered before counts as it stood then: what goes back of it since may be the message's doing, and a past that moves by
what was sent would hide a part of its effect (Deng et al. 2013: x is fully before the assignment).

What she ordered before is in the ledger, which an emission has not at hand. So a new exposure waits, by a timer of its own
that is due at once, for `count`, which asks for the whole ledger: once for each customer and comparison.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from profiles.book import Book
from profiles.contribution import contribute
from profiles.holdout import arms_of
from profiles.insight import experiment
from profiles.insight.experiment import Amounts, Exposure, Window
from profiles.insight.tallies import Tally, add, difference
from profiles.ledger import OrderChange
from profiles.order_state import Contribution, Ledger, OrderEntry
from profiles.profile import Profile
from profiles.rules import Holdout, Rules, TriggerRule

EXPOSURES_MAX: Final = 64
"""Comparisons of one customer: one for each trigger there is, and some of the past. Further ones are not entered."""
WAKE: Final = "holdout|count"
"""The timer of exposures whose amounts are not known yet."""
PREFIX: Final = "effect"


def expose(profile: Profile, rule: TriggerRule, name: str, rules: Rules, now_ms: int, wake_ms: int) -> None:
    """Note a trigger decided at `now_ms`, sent or withheld. Amounts are counted by the timer at `wake_ms`.

    A customer who is in a comparison stays there as she came; in another arm than then, she counts as contaminated too.
    """
    for group, arm in arms_of(profile, rule, name, rules):
        known = profile.exposures.get(group)
        if known is not None:
            known.contaminated = known.contaminated or known.arm != arm
        elif len(profile.exposures) < EXPOSURES_MAX:
            profile.exposures[group] = experiment.begin(arm, now_ms, window_of(rules.holdout))
            profile.wakes[WAKE] = wake_ms


def window_of(holdout: Holdout) -> Window:
    """Which orders belong to comparisons, by the rules."""
    return Window(holdout.before_ms, holdout.after_ms, holdout.cap_minor)


def is_new(profile: Profile, rule: TriggerRule, name: str, rules: Rules) -> bool:
    """Whether this trigger would put the customer into a comparison she is not in."""
    return any(group not in profile.exposures for group, _ in arms_of(profile, rule, name, rules))


def count(profile: Profile, orders: Ledger, book: Book) -> None:
    """Count the amounts of exposures that wait for it. Raises NeedLedger(None) before changing anything without all orders."""
    entries = orders.all()
    profile.wakes.pop(WAKE, None)
    for exposure in profile.exposures.values():
        if not exposure.counted:
            recount(exposure, entries, book)


def recount(exposure: Exposure, entries: Iterable[OrderEntry], book: Book) -> None:
    """Take the amounts of an exposure from all orders of the customer."""
    since_ms = exposure.since_ms
    experiment.recount(exposure, [found for entry in entries if (found := _amounts(entry, since_ms, book)) is not None])


def note_order(profile: Profile, change: OrderChange, book: Book) -> None:
    """Let an order's change move the amounts of every comparison the customer is in."""
    if change.entry is change.before:
        return
    for exposure in profile.exposures.values():
        if not exposure.counted:
            continue
        for sign, entry in ((-1, change.before), (1, change.entry)):
            if (amounts := _amounts(entry, exposure.since_ms, book)) is not None:
                experiment.count_order(exposure, *amounts, sign)


def unite(into: Profile, other: Profile, orders: Ledger, book: Book) -> None:
    """Take over the comparisons of a profile that is folded into this one, and count all anew from the united ledger."""
    for group, theirs in sorted(other.exposures.items()):
        theirs.told = []
        ours = into.exposures.get(group)
        if ours is not None:
            experiment.merge(ours, theirs)
        elif len(into.exposures) < EXPOSURES_MAX:
            into.exposures[group] = theirs
    count_anew(into, orders, book)


def count_anew(profile: Profile, orders: Ledger, book: Book) -> None:
    """Count the amounts of all exposures from the ledger: orders of another customer have come, or gone."""
    entries = orders.all()
    for exposure in profile.exposures.values():
        recount(exposure, entries, book)
    profile.wakes.pop(WAKE, None)


def delta(profile: Profile) -> Tally:
    """What changed in the population's counters since the last call; the profile then has told it."""
    change: Tally = {}
    for group, exposure in profile.exposures.items():
        new = experiment.part_of(exposure)
        if new != exposure.told:
            _add(change, group, new, exposure)
    return change


def forget(profile: Profile) -> Tally:
    """Take the customer out of all counters: she was merged into another profile, or erased."""
    change: Tally = {}
    for group, exposure in profile.exposures.items():
        _add(change, group, [], exposure)
    profile.exposures.clear()
    return change


def told(profile: Profile) -> Tally:
    """What the profile has told the population's counters."""
    found: Tally = {}
    for group, exposure in profile.exposures.items():
        add(found, {f"{PREFIX}:{group}|{name}": value for name, value in experiment.tally(exposure.told).items()})
    return found


def _add(change: Tally, group: str, new: list[int], exposure: Exposure) -> None:
    moved = difference(experiment.tally(new), experiment.tally(exposure.told))
    change.update({f"{PREFIX}:{group}|{name}": value for name, value in moved.items()})
    exposure.told = new


def _amounts(entry: OrderEntry | None, since_ms: int, book: Book) -> tuple[int, Amounts] | None:
    """When an order was placed, and what it is worth to a comparison from `since_ms` on, in the shop's currency."""
    if entry is None or entry.placed_ms is None:
        return None
    part = entry.contribution if entry.placed_ms >= since_ms else _worth_at(entry, since_ms, book)
    return None if part is None or not part.counted else (entry.placed_ms, Amounts(1, part.shop.net, part.shop.margin))


def _worth_at(entry: OrderEntry, at_ms: int, book: Book) -> Contribution | None:
    """What an order was worth at a moment: without refunds and a cancellation that came then or later."""
    refunds = {refund_id: refund for refund_id, refund in entry.refunds.items() if refund.at_ms < at_ms}
    cancelled_ms = None if entry.cancelled_ms is None or entry.cancelled_ms >= at_ms else entry.cancelled_ms
    if len(refunds) == len(entry.refunds) and cancelled_ms == entry.cancelled_ms:
        return entry.contribution
    return contribute(replace(entry, refunds=refunds, cancelled_ms=cancelled_ms), entry, book)
