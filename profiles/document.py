"""The public profile document of a customer at a moment: decayed scores and forecasts are worked out for it."""

from math import fsum, inf

from profiles import acquisition, cart_currency, carts, complaints, interests, supply, wishes
from profiles.book import Book
from profiles.cart_rules import CartAbandonedRule
from profiles.consent import summary
from profiles.contacts import shown_ids
from profiles.feedback_state import OlderReviews
from profiles.insight.pair_table import for_set
from profiles.order_state import Totals
from profiles.order_stats import average_minor
from profiles.predictions import predictions
from profiles.profile import Profile
from profiles.rates import DAY_MS
from profiles.state import Cart
from schemas.profile_document import (
    AcquisitionShown,
    CartItem,
    CartShown,
    CaseShown,
    CouponKnown,
    CurrencyTotals,
    DecisionShown,
    FeedbackShown,
    InterestsShown,
    LifetimeValue,
    Orders,
    ProfileDocument,
    Replenishment,
    Sessions,
    SurveyShown,
    TicketShown,
    WishShown,
)

RECOMMENDED_MAX = 8
YEAR_DAYS = 365.25
FREQUENCY_AFTER_MS = 30 * DAY_MS
"""With less history than this, orders per year would be a wild number."""


def document(profile: Profile, book: Book, now_ms: int) -> ProfileDocument:
    """The document of a profile as of `now_ms` (epoch ms UTC). Changes nothing."""
    activity = profile.activity
    return ProfileDocument(
        id=profile.id,
        ids=shown_ids(profile),
        merging=tuple(profile.merging),
        traits={name: value for name, (_, value) in sorted(profile.traits.items())},
        consent=summary(profile, now_ms),
        first_seen_ms=activity.first_ms,
        last_seen_ms=activity.last_ms,
        sessions=Sessions(count=activity.sessions),
        acquisition=acquisition_shown(profile, book),
        orders=_orders(profile, now_ms),
        ltv=_lifetime_value(profile, book),
        carts=tuple(cart_shown(cart, book) for cart in newest_first(profile, book, now_ms)),
        interests=interests_shown(profile, now_ms),
        replenishment=replenishment(profile, book),
        recommended=recommended(profile, book, now_ms),
        wishlist=wishlist_shown(profile),
        coupons=coupons_shown(profile),
        feedback=feedback_shown(profile, book, now_ms),
        messages=dict(sorted(profile.messages.items())),
        segments=segments_shown(profile),
        triggers=triggers_shown(profile),
        predicted=predictions(profile, book, now_ms),
    )


def acquisition_shown(profile: Profile, book: Book) -> AcquisitionShown:
    """The channel that won her, and her first and newest visits with a source."""
    first, last = profile.activity.first_touch, profile.activity.last_touch
    return AcquisitionShown(
        channel=acquisition.channel_of(profile, book),
        first_touch=None if first is None else acquisition.label(first),
        last_touch=None if last is None else acquisition.label(last),
    )


def average_order_minor(profile: Profile) -> int | None:
    """Net lifetime value over the orders it is from (`profiles.order_stats.average_minor`)."""
    return average_minor(profile.ltv.net, profile.orders.in_amounts)


def days_between(profile: Profile) -> float | None:
    """Mean days from one order to the next, (last - first) / (count - 1); None with fewer than two orders."""
    stats = profile.orders
    if stats.count < 2 or stats.first is None or not stats.recent:
        return None
    return (stats.recent[-1][0] - stats.first[0]) / DAY_MS / (stats.count - 1)


def orders_per_year(profile: Profile, now_ms: int) -> float | None:
    """Repeat orders per year of 365.25 days, from the first order until now (or the last order, if that is later).

    None with fewer than two orders, or with less than FREQUENCY_AFTER_MS of history.
    """
    stats = profile.orders
    if stats.count < 2 or stats.first is None or not stats.recent:
        return None
    history_ms = max(now_ms, stats.recent[-1][0]) - stats.first[0]
    if history_ms < FREQUENCY_AFTER_MS:
        return None
    return (stats.count - 1) / (history_ms / DAY_MS / YEAR_DAYS)


def _orders(profile: Profile, now_ms: int) -> Orders:
    stats = profile.orders
    return Orders(
        count=stats.count,
        first_ms=stats.first[0] if stats.first is not None else None,
        last_ms=stats.recent[-1][0] if stats.recent else None,
        aov_minor=average_order_minor(profile),
        per_year=orders_per_year(profile, now_ms),
        days_between=days_between(profile),
        refunded_count=stats.refunded,
        cancelled_count=stats.cancelled,
    )


def _lifetime_value(profile: Profile, book: Book) -> LifetimeValue:
    ltv = profile.ltv
    return LifetimeValue(
        currency=book.shop_currency,
        gross_minor=ltv.gross,
        discount_minor=ltv.discount,
        refund_minor=ltv.refund,
        net_minor=ltv.net,
        margin_minor=ltv.margin,
        margin_estimated_share=ltv.estimated_gross / ltv.gross if ltv.gross > 0 else None,
        by_currency={currency: totals_shown(totals) for currency, totals in sorted(profile.by_currency.items())},
        unconverted_orders=profile.orders.unconverted,
        unconverted_refunds=profile.orders.unconverted_refunds,
    )


def totals_shown(totals: Totals) -> CurrencyTotals:
    """Sums in one currency as the document has them."""
    return CurrencyTotals(
        gross_minor=totals.gross,
        discount_minor=totals.discount,
        refund_minor=totals.refund,
        net_minor=totals.net,
        margin_minor=totals.margin,
    )


def segments_shown(profile: Profile) -> tuple[str, ...]:
    """The segments she is in, by name."""
    return tuple(sorted(profile.memberships.inside_ms))


def triggers_shown(profile: Profile) -> tuple[DecisionShown, ...]:
    """Her last decisions, newest first."""
    return tuple(
        DecisionShown(
            at_ms=kept.at_ms,
            name=kept.name,
            episode_key=kept.key,
            state=kept.state,
            reason=kept.reason,
            trigger_id=kept.trigger_id,
        )
        for kept in reversed(profile.last_decisions())
    )


def newest_first(profile: Profile, book: Book, now_ms: int) -> list[Cart]:
    """Her carts that hold something and are not dropped by now, the one that changed last first."""
    full = carts.kept_carts(profile, now_ms, book.rule(CartAbandonedRule).forget_ms)
    return sorted(full, key=lambda cart: (-cart.mutated_ms, cart.cart_id))


def dropped_ms(cart: Cart, book: Book) -> int:
    """From when on a cart is dropped, if nothing happens to it until then."""
    return carts.last_change_ms(cart) + book.rule(CartAbandonedRule).forget_ms + 1


def cart_shown(cart: Cart, book: Book) -> CartShown:
    """A cart as the document has it."""
    lines, currency = cart_currency.shown(cart)
    return CartShown(
        cart_id=cart.cart_id,
        items=tuple(
            CartItem(
                product_id=line.product_id,
                variant_id=line.variant_id,
                name=said.name,
                category=said.category,
                quantity=line.quantity,
                price_minor=line.price_minor,
            )
            for line in lines
            for said in (carts.description_of(cart.described, line),)
        ),
        value_minor=carts.value_minor(lines),
        currency=currency or book.shop_currency,
        updated_ms=cart.mutated_ms,
    )


def interests_shown(profile: Profile, now_ms: int) -> InterestsShown:
    """Interests as of now, or of the newest event where that is later."""
    found, now_ms = profile.interests, max(now_ms, profile.activity.last_ms or 0)
    return InterestsShown(
        categories=scores_shown(found.categories, found.landmark_ms, now_ms),
        brands=scores_shown(found.brands, found.landmark_ms, now_ms),
        occasions=scores_shown(found.occasions, found.landmark_ms, now_ms),
    )


def scores_shown(scores: dict[str, int], landmark_ms: int, now_ms: int) -> dict[str, float]:
    """Scores as of now, highest first, to four decimals: what is smaller is no interest any more.

    Which is higher is told by what they are before they are rounded, so no order turns because all of them fade.
    """
    now = {name: round(interests.read(units, landmark_ms, now_ms), 4) for name, units in scores.items()}
    return dict(
        sorted(
            ((name, score) for name, score in now.items() if score > 0), key=lambda item: (-scores[item[0]], item[0])
        )
    )


def replenishment(profile: Profile, book: Book) -> tuple[Replenishment, ...]:
    """What will run out, soonest first."""
    found = [coming for key in profile.supply if (coming := supply.forecast(profile, key, book)) is not None]
    return tuple(_coming(coming) for coming in sorted(found, key=lambda coming: (coming.due_ms, coming.product_id)))


def _coming(coming: supply.Forecast) -> Replenishment:
    last_ms, learned = coming.last_purchase_ms, coming.learned
    stops = learned is not None and learned.stopped_days < inf
    return Replenishment(
        product_id=coming.product_id,
        due_ms=coming.due_ms,
        run_out_ms=coming.run_out_ms,
        interval_days=coming.unit_days,
        window_start_ms=None if learned is None else last_ms + learned.window_start * DAY_MS,
        window_end_ms=None if learned is None else last_ms + learned.window_end * DAY_MS,
        confidence=None if learned is None else learned.confidence,
        stopped_ms=last_ms + round(learned.stopped_days * DAY_MS) if learned is not None and stops else None,
    )


def recommended(profile: Profile, book: Book, now_ms: int) -> tuple[str, ...]:
    """What is bought together with what lies in her carts and what she bought of late, without any of these."""
    together = book.models.together
    if not together:
        return ()
    items = carts.kept_products(profile, now_ms, book.rule(CartAbandonedRule).forget_ms)
    items.update(product_id for order in profile.recent_orders for product_id in order.bought)
    return tuple(for_set(together, sorted(items), items, RECOMMENDED_MAX))


def wishlist_shown(profile: Profile) -> tuple[WishShown, ...]:
    """What is on the wishlist, newest first."""
    there = [(since, wish) for wish in profile.wishes.values() if (since := wishes.since(wish)) is not None]
    return tuple(
        WishShown(product_id=wish.product_id, name=wish.said.name, category=wish.said.category, since_ms=since[0])
        for since, wish in sorted(there, key=lambda one: (-one[0][0], one[1].product_id))
    )


def coupons_shown(profile: Profile) -> tuple[CouponKnown, ...]:
    """Coupons that were issued to her, newest first."""
    issued = [(coupon.issued, coupon) for coupon in profile.coupons.values() if coupon.issued is not None]
    return tuple(
        CouponKnown(coupon_id=coupon.coupon_id, issued_ms=at[0], expires_ms=coupon.expires_ms, used_ms=coupon.used_ms)
        for at, coupon in sorted(issued, key=lambda one: (-one[0][0], one[1].coupon_id))
    )


def feedback_shown(profile: Profile, book: Book, now_ms: int) -> FeedbackShown:
    """What she said, and what is open of it at `now_ms`."""
    said, rule = profile.feedback, book.rules.open_feedback
    older = said.older_reviews or OlderReviews()
    answers = sorted(said.surveys.values(), key=lambda one: (-one.answered_ms, one.survey_id))
    rated = [review.rating for review in said.reviews.values() if review.rating is not None]
    ratings = older.rated + len(rated)
    newest = answers[0] if answers else None
    cases = sorted(complaints.cases(profile, book, now_ms), key=lambda one: (-one[1].opened_ms, one[0]))
    return FeedbackShown(
        nps_score=None if newest is None else newest.score,
        nps_at_ms=None if newest is None else newest.answered_ms,
        reviews=older.count + len(said.reviews),
        mean_rating=(older.rating_sum + fsum(rated)) / ratings if ratings else None,
        complains=complaints.complains(profile, book, now_ms),
        surveys=tuple(
            SurveyShown(survey_id=one.survey_id, kind=one.kind, score=one.score, at_ms=one.answered_ms)
            for one in answers
        ),
        cases=tuple(
            CaseShown(
                case_id=key,
                state=case.state,
                opened_ms=case.opened_ms,
                contacted_ms=case.contacted_ms,
                owner=None if (owner := said.cases[key].owner) is None else owner[2],
            )
            for key, case in cases
        ),
        tickets=tuple(
            TicketShown(
                ticket_id=ticket_id,
                open=complaints.is_open(ticket, rule, now_ms),
                opened_ms=ticket.opened_ms,
                updated_ms=ticket.changed[0],
                topic=None if ticket.topic is None else ticket.topic[2],
                satisfaction=None if ticket.satisfaction is None else ticket.satisfaction[2],
            )
            for ticket_id, ticket in sorted(said.tickets.items(), key=lambda item: (-item[1].changed[0], item[0]))
        ),
    )
