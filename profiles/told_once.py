"""Nobody is told twice because a wrong merge is taken apart: what was sent to one customer is known to both she turns out to be.

What messages were sent about (an order, a cart, a wish) lies with that, and each gets it with what is hers. Of cooldowns see
`profiles.sharing`. Pure; called by `profiles.splitting`.
"""

from profiles import carts, episodes, messages, sides
from profiles import standing as standing_of
from profiles.ids import renamed
from profiles.order_state import OrderEntry
from profiles.profile import Profile
from profiles.standing_rules import LtvMilestoneRule
from profiles.turn import Turn


def remember_told(turn: Turn, made: Profile, before: Profile) -> None:
    """What messages were sent about is known to the united profile alone: nobody is told twice because of a split."""
    sides.remember_greetings(made, before)
    remember_sent(turn, made, before)


def remember_sent(turn: Turn, made: Profile, before: Profile) -> None:
    """The same of single orders, carts, products and searches: they may be those of either."""
    _of_orders(made, before)
    _of_products(made, before)
    _of_checkouts(made, before)
    _of_carts(turn, made, before)
    _of_looking_around(made, before)
    _of_words(made, before)


def _of_orders(made: Profile, before: Profile) -> None:
    for key, supply in made.supply.items():
        if key in before.supply:
            supply.reminded = before.supply[key].reminded
    for key, delivery in made.deliveries.items():
        if key in before.deliveries:
            delivery.asked = before.deliveries[key].asked
    for key, coupon in made.coupons.items():
        if key in before.coupons:
            coupon.told_ms = before.coupons[key].told_ms


def _of_products(made: Profile, before: Profile) -> None:
    for key, wish in made.wishes.items():
        united = before.wishes.get(key)
        if united is not None:
            told_ms = united.told_ms
            # One that was opened at that moment only ended, as by an order that may be the other's.
            if all(at_ms != told_ms for at_ms, _ in (*wish.adds, *united.adds)):
                wish.told_ms = told_ms
    for key, watch in made.watches.items():
        if key in before.watches:
            watch.alert_done = before.watches[key].alert_done


def _of_checkouts(made: Profile, before: Profile) -> None:
    for key, checkout in made.checkouts.items():
        # One that events named by nothing is named by the customer.
        united = before.checkouts.get(key) or before.checkouts.get(renamed(key, made.id, before.id))
        if united is not None:
            checkout.reminded = checkout.reminded or united.reminded
            if checkout.started_by == united.started_by:
                checkout.moved_ms = max(checkout.moved_ms, united.moved_ms)  # what happened to its cart moved it too


def _of_carts(turn: Turn, made: Profile, before: Profile) -> None:
    others = range(messages.withdrawn_ms(made) + 1, messages.withdrawn_ms(before) + 1)
    for key, cart in carts.all_carts(made).items():
        same = carts.find(before, key)
        if same is not None:
            carts.mark_as(cart, same, turn.time_ms, turn.book.rules.allowed_lateness_ms, others)
        for sent in before.emitted if cart.opened_ms is not None and before.has_emitted else ():
            # What was in it may have been bought by the other since.
            if sent.cart_id == key and cart.opened_ms is not None and cart.opened_ms <= sent.due_ms:
                mark_id = f"{carts.EMITTED}:{sent.trigger_id}"
                carts.mark(cart, carts.EMITTED, sent.due_ms, mark_id, turn.book.rules.allowed_lateness_ms)


def _of_looking_around(made: Profile, before: Profile) -> None:
    for name, since_ms in before.interests.strong.items():
        told = episodes.slot("category.interest", f"{before.id}|{name}") not in before.episodes
        if told and name in made.interests.categories:
            made.interests.strong[name] = since_ms
    if made.has_browsing and before.has_browsing:
        seen = made.browsing
        seen.answered_ms, seen.planned_ms = before.browsing.answered_ms, before.browsing.planned_ms
        still = before.browsing.visits[:1]
        seen.visits = [visit for visit in seen.visits if visit[0] > seen.planned_ms and still and visit >= still[0]]


def _of_words(made: Profile, before: Profile) -> None:
    if before.has_feedback:
        ours, known = made.feedback, before.feedback
        ours.asked_ms = known.asked_ms  # either of the two may have seen the last survey
        for key, case in ours.cases.items():
            if key in known.cases:
                case.told, case.overdue = known.cases[key].told, known.cases[key].overdue


def remember_welcome(side: Profile, before: Profile, since_ms: int) -> None:
    """A welcome that went out since the two were united, at `since_ms`, welcomed whoever had come by then."""
    ours, welcomed_ms = side.milestones, before.milestones.welcomed_ms
    came = min((opening for opening in (ours.signed_up, ours.granted) if opening is not None), default=None)
    if welcomed_ms is not None and welcomed_ms >= since_ms and came is not None and came[0] <= welcomed_ms:
        ours.welcomed_ms = welcomed_ms


def remember_standing(turn: Turn, side: Profile, before: Profile, entries: list[OrderEntry]) -> None:
    """What she reaches by her own orders the two had reached by those of both, and it was told, unless it still waits to be."""
    standing, known, book = side.standing, before.standing, turn.book
    waits = {episode.name for episode in before.episodes.values()}
    net = sum(entry.contribution.shop.net for entry in entries if entry.contribution is not None)
    if "vip.entered" not in waits:
        standing.tier = min(known.tier, standing_of.tier_of(net, 0, book, standing_of.tier_limits(book)))
        standing.tier_since_ms = known.tier_since_ms
    if "ltv.milestone" not in waits:
        passed = [sum_ for sum_ in book.rule(LtvMilestoneRule).milestones if sum_ <= min(net, known.milestone)]
        standing.milestone, standing.milestone_ms = max(passed, default=0), known.milestone_ms
    if "churn.risk" not in waits:
        standing.band, standing.band_since_ms = known.band, known.band_since_ms
        standing.left_high_ms = known.left_high_ms
