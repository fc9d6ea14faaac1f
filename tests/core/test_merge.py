"""Merging two profiles of one customer, by example. The laws for all histories are in tests/laws/test_merge_laws.py."""

from typing import Any

import pytest

from profiles import interests
from profiles.book import Book
from profiles.engine import Engine
from profiles.ledger import REFUND_WINDOW_MS, compact
from profiles.merge import merge
from profiles.needs import NeedLedger
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile
from profiles.state import ABSORBED_MAX, CARTS_MAX, EMITTED_MAX, IDS_PER_TYPE_MAX, TRAITS_MAX, Emitted, Moment
from schemas.decode import others_of
from schemas.events import (
    Arrival,
    CheckoutStarted,
    ConsentChange,
    ConsentChanged,
    Event,
    Identified,
    MessageOpened,
    NpsSubmitted,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    OrderUpdated,
    Product,
    ProductAdded,
    ProductRemoved,
    ProductReviewed,
    ProductViewed,
    SignedUp,
)

MINUTE_MS = 60_000
DAY_MS = 86_400_000
START_MS = 1_767_225_600_000
BOOK = Book()
Told = tuple[type[Event], float, dict[str, Any]]


class Side:
    """One of the two: a profile, its whole ledger, and what came out."""

    def __init__(self, name: str, *story: Told) -> None:
        self.profile, self.ledger = Profile(name), Ledger(complete=True)
        self.out: list[Any] = []
        for number, (kind, minute, fields) in enumerate(story):
            at_ms = START_MS + round(minute * MINUTE_MS)
            ids = {"message_id": f"{name}{number}", "timestamp_ms": at_ms}
            event = kind(**{**ids, **fields})
            arrival = Arrival(event, at_ms, at_ms, name, name, others_of(event, name))
            Engine(BOOK).step(self.profile, arrival, Moment(START_MS - 1), self.ledger, self.out)

    def absorb(self, other: "Side") -> Profile:
        merge(self.profile, self.ledger, other.profile, other.ledger.all(), BOOK)
        return self.profile


def ada(*story: Told) -> Side:
    return Side("user_id:ada", *story)


def visitor(*story: Told) -> Side:
    return Side("anonymous_id:v1", *story)


def order(minute: float, order_id: str, revenue: int, **fields: Any) -> Told:
    return OrderCompleted, minute, {"order_id": order_id, "revenue_minor": revenue, **fields}


def added(minute: float, product_id: str, cart_id: str = "c1", **fields: Any) -> Told:
    return ProductAdded, minute, {"cart_id": cart_id, "product": Product(product_id=product_id, quantity=1, **fields)}


# --- orders and money ---------------------------------------------------------------------------------------------


def test_orders_of_both_count_and_the_earliest_is_the_first() -> None:
    profile = ada(order(10, "o2", 500)).absorb(visitor(order(5, "o1", 300), order(20, "o3", 200)))

    assert (profile.orders.count, profile.ltv.net) == (3, 1000)
    assert profile.orders.first == (START_MS + 5 * MINUTE_MS, "o1")
    assert [order_id for _, order_id in profile.orders.recent] == ["o1", "o2", "o3"]


def test_an_order_known_to_both_counts_once_in_its_newest_version() -> None:
    updated = {"order_id": "o1", "revenue_minor": 700}
    profile = ada(order(10, "o1", 500)).absorb(visitor(order(10, "o1", 500), (OrderUpdated, 20, updated)))

    assert (profile.orders.count, profile.ltv.net) == (1, 700)


def test_a_refund_that_went_to_the_other_profile_finds_its_order() -> None:
    refund = (OrderRefunded, 15, {"order_id": "o1", "refund_id": "r1", "amount_minor": 100})
    profile = ada(order(10, "o1", 500)).absorb(visitor(refund))

    assert (profile.ltv.refund, profile.ltv.net, profile.orders.refunded) == (100, 400, 1)


def test_a_cancellation_that_went_to_the_other_profile_takes_the_order_out() -> None:
    cancelled = (OrderCancelled, 15, {"order_id": "o1"})
    profile = ada(order(10, "o1", 500), order(11, "o2", 50)).absorb(visitor(cancelled))

    assert (profile.orders.count, profile.orders.cancelled, profile.ltv.net) == (1, 1, 50)
    assert profile.orders.first == (START_MS + 11 * MINUTE_MS, "o2")


def test_entries_that_changed_are_marked_to_be_written_and_others_are_not() -> None:
    side = ada(order(10, "o1", 500), order(11, "o2", 500))
    side.ledger.changed.clear()
    side.absorb(
        visitor(order(10, "o1", 500), (OrderRefunded, 15, {"order_id": "o2", "amount_minor": 1}), order(12, "o3", 5))
    )

    assert side.ledger.changed >= {"o2", "o3"}


def test_it_asks_for_the_whole_ledger_before_it_changes_anything() -> None:
    side, other = ada(order(10, "o1", 500)), visitor(added(1, "A"), order(5, "o0", 300))
    before = side.profile.pack()
    partly = Ledger({"o1": side.ledger.get("o1")})

    with pytest.raises(NeedLedger) as raised:
        merge(side.profile, partly, other.profile, other.ledger.all(), BOOK)

    assert raised.value.order_id is None
    assert side.profile.pack() == before
    assert partly.changed == set()


def test_a_visitor_without_orders_needs_no_ledger() -> None:
    side, other = ada(order(10, "o1", 500)), visitor(added(1, "A", "c9"))
    merge(side.profile, Ledger(), other.profile, [], BOOK)

    assert set(side.profile.carts) == {"c9"}


# --- carts --------------------------------------------------------------------------------------------------------


def test_carts_of_both_are_kept() -> None:
    profile = ada(added(1, "A", "c1")).absorb(visitor(added(2, "B", "c2")))

    assert {cart_id: list(cart.lines) for cart_id, cart in profile.carts.items()} == {"c1": ["A"], "c2": ["B"]}


def test_one_cart_of_both_is_the_fold_of_all_operations_in_time() -> None:
    removed = (ProductRemoved, 3, {"cart_id": "c1", "product": Product(product_id="A", quantity=1)})
    cart = ada(removed, added(4, "C")).absorb(visitor(added(1, "A"), added(2, "B"))).carts["c1"]

    assert set(cart.lines) == {"B", "C"}
    assert (cart.opened_ms, cart.opened_by) == (START_MS + MINUTE_MS, "anonymous_id:v10")


def test_an_order_of_one_empties_the_cart_of_the_other() -> None:
    named = ada(order(5, "o1", 100, cart_id="c1")).absorb(visitor(added(1, "A"), added(9, "B")))
    covering = ada(order(5, "o1", 100, products=(Product(product_id="A"),))).absorb(
        visitor(added(1, "A"), added(2, "B"))
    )

    assert set(named.carts["c1"].lines) == {"B"}
    assert set(covering.carts["c1"].lines) == {"B"}


def test_what_was_folded_into_the_base_of_a_cart_comes_along_and_is_not_doubled_by_a_second_merge() -> None:
    days = 24 * 60
    old = visitor(added(0, "A"), added(2 * days, "B"))
    side = ada(added(2 * days + 1, "C"), added(4 * days, "D"))
    side.absorb(old)
    once = {key: line.quantity for key, line in side.profile.carts["c1"].lines.items()}
    side.absorb(old)

    assert once == {"A": 1, "B": 1, "C": 1, "D": 1}
    assert {key: line.quantity for key, line in side.profile.carts["c1"].lines.items()} == once


def test_no_more_carts_are_kept_than_the_bound_and_the_oldest_go() -> None:
    one = ada(*(added(minute, "A", f"a{minute}") for minute in range(10, 10 + CARTS_MAX)))
    profile = one.absorb(visitor(added(0, "A", "oldest"), added(99, "A", "newest")))

    assert len(profile.carts) == CARTS_MAX
    assert "newest" in profile.carts
    assert "oldest" not in profile.carts


def test_a_checkout_of_both_began_at_the_earlier_start_and_is_as_it_moved_last() -> None:
    def checkout(minute: float, value: int) -> Told:
        return CheckoutStarted, minute, {"checkout_id": "k1", "cart_id": "c1", "value_minor": value}

    united = ada(checkout(5, 100)).absorb(visitor(checkout(2, 70))).checkouts["k1"]

    assert (united.started_ms, united.moved_ms, united.value_minor) == (
        START_MS + 2 * MINUTE_MS,
        START_MS + 5 * MINUTE_MS,
        100,
    )


def begun(minute: float, product_id: str, **fields: Any) -> Told:
    return CheckoutStarted, minute, {"products": (Product(product_id=product_id),), **fields}


def test_an_order_of_one_ends_the_checkouts_of_the_other_begun_before_it() -> None:
    before, after = begun(1, "A", checkout_id="k1"), begun(9, "A", checkout_id="k1")

    assert ada(order(5, "o1", 100)).absorb(visitor(before)).checkouts["k1"].done == "o1"
    assert ada(before).absorb(visitor(order(5, "o1", 100))).checkouts["k1"].done == "o1"
    assert ada(order(5, "o1", 100)).absorb(visitor(after)).checkouts["k1"].done is None


@pytest.mark.parametrize("loaded", [True, False])
def test_an_order_of_one_out_of_a_checkout_of_the_other_empties_the_cart_of_that_alone(*, loaded: bool) -> None:
    side = ada(added(1, "A", "c2"), order(5, "o1", 100, checkout_id="k1", products=(Product(product_id="A"),)))
    other = visitor(added(2, "A", "c1"), begun(3, "A", checkout_id="k1", cart_id="c1"))
    merge(side.profile, side.ledger if loaded else Ledger(), other.profile, [], BOOK)

    assert {cart_id: list(cart.lines) for cart_id, cart in side.profile.carts.items()} == {"c1": [], "c2": ["A"]}


def test_a_newer_checkout_of_one_replaces_that_of_the_other() -> None:
    checkouts = ada(begun(9, "B", checkout_id="k2")).absorb(visitor(begun(1, "A", checkout_id="k1"))).checkouts

    assert (checkouts["k1"].done, checkouts["k2"].done) == ("replaced", None)


def test_a_checkout_without_a_name_is_hers_after_the_merge() -> None:
    checkouts = ada().absorb(visitor(begun(1, "A"))).checkouts

    assert {name: checkout.checkout_id for name, checkout in checkouts.items()} == {
        "user_id:ada|checkout": "user_id:ada|checkout"
    }


def test_a_checkout_without_a_name_is_another_one_than_that_which_was_ordered_before() -> None:
    checkout = ada(begun(1, "A"), order(5, "o1", 100)).absorb(visitor(begun(9, "B"))).checkouts["user_id:ada|checkout"]

    assert checkout.done is None
    assert [line.product_id for line in checkout.lines] == ["B"]


# --- who she is ---------------------------------------------------------------------------------------------------


def consent(minute: float, state: Any) -> Told:
    return ConsentChanged, minute, {"consent": (ConsentChange(state=state, channel="email"),)}


def test_the_newer_consent_holds_whichever_side_has_it() -> None:
    revoked_later = ada(consent(1, "GRANT")).absorb(visitor(consent(2, "REVOKED")))
    granted_later = ada(consent(2, "GRANT")).absorb(visitor(consent(1, "REVOKED")))

    assert revoked_later.consent["email.marketing"].state == "REVOKED"
    assert granted_later.consent["email.marketing"].state == "GRANT"


def test_of_two_consents_of_the_same_moment_the_stricter_holds() -> None:
    here = ada(consent(1, "GRANT")).absorb(visitor(consent(1, "DENY")))
    there = ada(consent(1, "DENY")).absorb(visitor(consent(1, "GRANT")))

    assert here.consent["email.marketing"].state == there.consent["email.marketing"].state == "DENY"


def test_identifiers_and_traits_of_both_are_known_and_the_newer_word_holds() -> None:
    old = (Identified, 1, {"traits": {"tier": "silver", "town": "Ulm"}, "timezone": "Europe/Rome"})
    new = (Identified, 2, {"email": "a@example.org", "traits": {"tier": "gold"}, "timezone": "Europe/Berlin"})
    profile = ada(new).absorb(
        visitor(old, (ProductViewed, 3, {"anonymous_id": "v1", "product": Product(product_id="A")}))
    )

    assert profile.ids == {"user_id": ["ada"], "anonymous_id": ["v1"], "email": ["a@example.org"]}
    assert {name: value for name, (_, value) in profile.traits.items()} == {"tier": "gold", "town": "Ulm"}
    assert profile.timezone == (START_MS + 2 * MINUTE_MS, "Europe/Berlin")


def test_identifiers_and_traits_stay_bounded() -> None:
    one, two = ada(), visitor()
    one.profile.ids = {"anonymous_id": [f"a{n:02}" for n in range(IDS_PER_TYPE_MAX)]}
    two.profile.ids = {"anonymous_id": [f"b{n:02}" for n in range(IDS_PER_TYPE_MAX)]}
    one.profile.traits = {f"old{n}": (1, n) for n in range(TRAITS_MAX)}
    two.profile.traits = {f"new{n:02}": (2, n) for n in range(TRAITS_MAX)}
    one.profile.traits["birthday"] = (1, "03-10")  # triggers go by it
    profile = one.absorb(two)

    assert len(profile.ids["anonymous_id"]) == IDS_PER_TYPE_MAX
    assert set(profile.traits) == {"birthday", *(f"new{n:02}" for n in range(TRAITS_MAX - 1))}


# --- what is counted, what is kept --------------------------------------------------------------------------------


def test_first_and_last_moments_are_those_of_both() -> None:
    profile = ada(added(5, "A"), (SignedUp, 6, {})).absorb(visitor(added(1, "A"), (SignedUp, 9, {})))

    assert (profile.activity.first_ms, profile.activity.last_ms) == (START_MS + MINUTE_MS, START_MS + 9 * MINUTE_MS)
    assert profile.milestones.signed_up == (START_MS + 6 * MINUTE_MS, "user_id:ada1")


def test_counts_are_added_once_however_often_the_same_profile_comes() -> None:
    other = visitor(
        (ProductViewed, 1, {"anonymous_id": "v1", "product": Product(product_id="A", category="tea")}),
        (ProductReviewed, 2, {"product_id": "A", "rating": 4.0}),
        (MessageOpened, 3, {}),
    )
    side = ada((ProductReviewed, 4, {"product_id": "B", "rating": 2.0}), (NpsSubmitted, 5, {"score": 9}))
    for _ in range(3):
        side.absorb(other)
    profile = side.profile

    assert (profile.activity.events, profile.activity.sessions, profile.activity.views) == (5, 1, 1)
    assert profile.messages == {"opened": 1, "last_opened_ms": START_MS + 3 * MINUTE_MS}
    assert len(profile.feedback.reviews) == 2
    assert sorted(review.rating or 0 for review in profile.feedback.reviews.values()) == [2.0, 4.0]
    assert [answer.score for answer in profile.feedback.surveys.values()] == [9]
    assert interests.read(profile.interests.categories["tea"], profile.interests.landmark_ms, START_MS + MINUTE_MS) == (
        pytest.approx(1.0, abs=1e-4)
    )
    assert profile.absorbed == ["anonymous_id:v1"]


def test_what_the_absorbed_one_had_absorbed_is_not_added_again() -> None:
    first, second = Side("anonymous_id:1", added(1, "A")), Side("anonymous_id:2", added(2, "A"))
    second.absorb(first)
    side = ada()
    side.absorb(second)
    events = side.profile.activity.events
    side.absorb(first)

    assert events == side.profile.activity.events == 2
    assert side.profile.absorbed == ["anonymous_id:1", "anonymous_id:2"]


def test_the_list_of_absorbed_profiles_is_bounded() -> None:
    side = ada()
    for number in range(ABSORBED_MAX + 5):
        side.absorb(Side(f"anonymous_id:{number}", added(number, "A")))

    assert len(side.profile.absorbed) == ABSORBED_MAX
    assert side.profile.absorbed[-1] == f"anonymous_id:{ABSORBED_MAX + 4}"


def test_a_session_that_went_on_after_the_login_is_one_session() -> None:
    def viewed(minute: float) -> Told:
        return ProductViewed, minute, {"anonymous_id": "v1", "product": Product(product_id="A")}

    going_on = ada(viewed(10), viewed(20)).absorb(visitor(viewed(0), viewed(5)))
    days_apart = ada(viewed(5000)).absorb(visitor(viewed(0)))

    assert (going_on.activity.sessions, days_apart.activity.sessions) == (1, 2)


def test_waiting_triggers_and_decisions_of_both_are_kept() -> None:
    profile = ada(added(1, "A", "c1")).absorb(visitor(added(2, "B", "c2")))

    assert {episode.key for episode in profile.episodes.values()} == {"c1", "c2"}
    assert [kept.key for kept in profile.last_decisions()] == ["c1", "c2"]


def test_an_order_that_has_lost_its_lines_keeps_its_money() -> None:
    coffee = Product(product_id="coffee", price_minor=250, quantity=2, cost_minor=100)
    side = ada(order(0, "o1", 500, products=(coffee,)))
    compact(side.profile, START_MS + REFUND_WINDOW_MS, side.ledger, BOOK)
    profile = side.absorb(visitor((OrderRefunded, 60, {"order_id": "o1", "amount_minor": 100})))
    united = side.ledger.get("o1")

    assert isinstance(united, OrderEntry)
    assert united.compact
    assert (profile.ltv.gross, profile.ltv.refund, profile.ltv.net) == (500, 100, 400)
    assert profile.ltv.margin == 400 - 200


def test_of_an_order_that_only_one_side_has_compacted_the_lines_are_kept() -> None:
    coffee = Product(product_id="coffee", price_minor=250, quantity=2)
    side, other = (make(order(0, "o1", 500, products=(coffee,))) for make in (ada, ada))
    compact(side.profile, START_MS + REFUND_WINDOW_MS, side.ledger, BOOK)
    profile = side.absorb(other)
    united = side.ledger.get("o1")

    assert isinstance(united, OrderEntry)
    assert [line.product_id for line in united.lines] == ["coffee"]
    assert (profile.orders.count, profile.ltv.net) == (1, 500)


@pytest.mark.parametrize("noisy", [0, 1])
def test_of_too_many_messages_of_both_those_to_the_customer_herself_are_remembered_longest(noisy: int) -> None:
    sides = Side("user_id:ada"), Side("anonymous_id:a1")
    for number in range(EMITTED_MAX):
        told = Emitted(f"s{number}", "segment.entered", "big", 0, number + 10, service=True, until_ms=number + 99)
        sides[noisy].profile.emitted.append(told)
    sides[1 - noisy].profile.emitted.append(Emitted("t1", "cart.abandoned", "c1", 0, 5, until_ms=50))
    kept = sides[0].absorb(sides[1]).emitted

    assert [one.trigger_id for one in kept] == ["t1", *(f"s{number}" for number in range(1, EMITTED_MAX))]
