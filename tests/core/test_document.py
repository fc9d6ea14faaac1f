"""The public document: decided names, figures by their definitions, null where a figure has no meaning."""

from typing import Any

import msgspec
import pytest

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.document import document
from profiles.engine import Engine
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import Moment
from schemas.decode import others_of
from schemas.events import (
    Arrival,
    CaseUpdated,
    ConsentChange,
    ConsentChanged,
    CouponIssued,
    CouponUsed,
    Event,
    Identified,
    MessageOpened,
    NpsSubmitted,
    OrderCancelled,
    OrderCompleted,
    OrderRefunded,
    Product,
    ProductAdded,
    ProductAddedToWishlist,
    ProductRemovedFromWishlist,
    ProductReviewed,
    ProductViewed,
    TicketOpened,
    TicketResolved,
)

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000  # 2026-01-01
BOOK = Book(catalogue=build_catalogue([{"product_id": "coffee", "supply_days": "30", "cost": "2.00"}]))


def shown(*story: tuple[type[Event], float, dict[str, Any]], now_day: float = 0.0, book: Book = BOOK) -> dict[str, Any]:
    """The document, as JSON reads it, of user 7 after these events, each (kind, day, fields)."""
    profile, ledger, engine = Profile("user_id:7"), Ledger(complete=True), Engine(book)
    for number, (kind, day, fields) in enumerate(story):
        at_ms = START_MS + round(day * DAY_MS)
        event = kind(**{"message_id": f"m{number}", "timestamp_ms": at_ms, "user_id": "7", **fields})
        engine.step(
            profile,
            Arrival(event, at_ms, at_ms, "user_id:7", "7", others_of(event, "user_id:7")),
            Moment(at_ms),
            ledger,
            [],
        )
    found: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(document(profile, book, START_MS + round(now_day * DAY_MS)))
    )
    return found


def order(day: float, order_id: str, revenue: int | None, **fields: Any) -> tuple[type[Event], float, dict[str, Any]]:
    return OrderCompleted, day, {"order_id": order_id, "revenue_minor": revenue, **fields}


def test_the_fields_are_the_decided_ones_and_all_there_for_a_customer_of_whom_nothing_is_known() -> None:
    empty: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document(Profile("user_id:7"), BOOK, START_MS)))

    assert empty == {
        "id": "user_id:7",
        "ids": {},
        "merging": [],
        "traits": {},
        "consent": {},
        "first_seen_ms": None,
        "last_seen_ms": None,
        "sessions": {"count": 0},
        "acquisition": {"channel": None, "first_touch": None, "last_touch": None},
        "orders": {
            "count": 0,
            "first_ms": None,
            "last_ms": None,
            "aov_minor": None,
            "per_year": None,
            "days_between": None,
            "refunded_count": 0,
            "cancelled_count": 0,
        },
        "ltv": {
            "currency": "USD",
            "gross_minor": 0,
            "discount_minor": 0,
            "refund_minor": 0,
            "net_minor": 0,
            "margin_minor": 0,
            "margin_estimated_share": None,
            "by_currency": {},
            "unconverted_orders": 0,
            "unconverted_refunds": 0,
        },
        "carts": [],
        "interests": {"categories": {}, "brands": {}, "occasions": {}},
        "replenishment": [],
        "recommended": [],
        "wishlist": [],
        "coupons": [],
        "feedback": {
            "nps_score": None,
            "nps_at_ms": None,
            "reviews": 0,
            "mean_rating": None,
            "complains": False,
            "surveys": [],
            "cases": [],
            "tickets": [],
        },
        "messages": {},
        "segments": [],
        "triggers": [],
        "predicted": None,
    }


def test_wishes_still_wished_for_and_coupons_issued_to_her_are_shown_newest_first() -> None:
    tent, boots = Product(product_id="tent", name="Tent", category="camping"), Product(product_id="boots")
    found = shown(
        (ProductAddedToWishlist, 1, {"product": tent}),
        (ProductAddedToWishlist, 2, {"product": boots}),
        (ProductAddedToWishlist, 3, {"product": Product(product_id="hat")}),
        (ProductRemovedFromWishlist, 4, {"product": Product(product_id="hat")}),
        (CouponIssued, 5, {"coupon_id": "x1", "expires_ms": START_MS + 30 * DAY_MS}),
        (CouponUsed, 6, {"coupon_id": "x1"}),
        (CouponUsed, 7, {"coupon_id": "of-everybody"}),
        now_day=10,
    )

    assert found["wishlist"] == [
        {"product_id": "boots", "name": None, "category": None, "since_ms": START_MS + 2 * DAY_MS},
        {"product_id": "tent", "name": "Tent", "category": "camping", "since_ms": START_MS + DAY_MS},
    ]
    assert found["coupons"] == [
        {
            "coupon_id": "x1",
            "issued_ms": START_MS + 5 * DAY_MS,
            "expires_ms": START_MS + 30 * DAY_MS,
            "used_ms": START_MS + 6 * DAY_MS,
        }
    ]


def test_orders_and_money_follow_their_definitions() -> None:
    found = shown(
        order(0, "o1", 1000, discount_minor=200),
        order(10, "o2", 501),
        order(40, "o3", 2000),
        (OrderRefunded, 41, {"order_id": "o1", "amount_minor": 300}),
        order(50, "o4", 9999),
        (OrderCancelled, 51, {"order_id": "o4"}),
        now_day=100,
    )
    orders, ltv = found["orders"], found["ltv"]

    assert (orders["count"], orders["refunded_count"], orders["cancelled_count"]) == (3, 1, 1)
    assert (orders["first_ms"], orders["last_ms"]) == (START_MS, START_MS + 40 * DAY_MS)
    assert (ltv["gross_minor"], ltv["discount_minor"], ltv["refund_minor"], ltv["net_minor"]) == (3701, 200, 300, 3201)
    assert orders["aov_minor"] == 1067
    assert orders["days_between"] == 20.0
    assert orders["per_year"] == pytest.approx(2 * 365.25 / 100)


@pytest.mark.parametrize("net, count, average", [(25, 2, 12), (35, 2, 18), (-25, 2, -12), (10**17 + 1, 1, 10**17 + 1)])
def test_the_average_order_is_rounded_half_to_even_without_losing_digits(net: int, count: int, average: int) -> None:
    profile = Profile("user_id:7")
    profile.ltv.net, profile.orders.count = net, count

    assert document(profile, BOOK, START_MS).orders.aov_minor == average


def test_one_order_has_no_rhythm_and_a_short_history_no_frequency() -> None:
    one = shown(order(0, "o1", 1000), now_day=400)["orders"]
    short = shown(order(0, "o1", 1000), order(5, "o2", 1000), now_day=29)["orders"]

    assert (one["days_between"], one["per_year"]) == (None, None)
    assert (short["days_between"], short["per_year"]) == (5.0, None)


def test_frequency_sinks_while_she_stays_away_and_rhythm_does_not() -> None:
    story = (order(0, "o1", 1000), order(30, "o2", 1000))
    then, later = shown(*story, now_day=30)["orders"], shown(*story, now_day=300)["orders"]

    assert then["days_between"] == later["days_between"] == 30.0
    assert then["per_year"] == pytest.approx(12.175)
    assert later["per_year"] == pytest.approx(1.2175)


def test_margin_says_how_much_of_it_is_estimated() -> None:
    coffee = Product(product_id="coffee", quantity=2, price_minor=500)
    known = {"products": (coffee,), "shipping_cost_minor": 100, "payment_fee_minor": 50}
    sure = shown((OrderCompleted, 0, {"order_id": "o1", **known}))["ltv"]
    half = shown((OrderCompleted, 0, {"order_id": "o1", **known}), order(1, "o2", 1000))["ltv"]

    assert (sure["margin_minor"], sure["margin_estimated_share"]) == (1000 - 400 - 150, 0.0)
    assert half["margin_estimated_share"] == 0.5


def test_an_order_without_a_rate_is_shown_in_its_own_currency_only() -> None:
    ltv = shown(order(0, "o1", 1000), order(1, "o2", 777, currency="EUR"))["ltv"]

    assert (ltv["net_minor"], ltv["unconverted_orders"]) == (1000, 1)
    assert ltv["by_currency"]["EUR"]["net_minor"] == 777


def test_an_average_order_is_one_of_those_whose_amounts_are_known() -> None:
    def average(*told: tuple[type[Event], float, dict[str, Any]]) -> int | None:
        found: int | None = shown(*told)["orders"]["aov_minor"]
        return found

    assert average(order(0, "o1", 1000), order(1, "o2", 777, currency="EUR"), order(2, "o3", 2000)) == 1500
    assert average(order(1, "o2", 777, currency="EUR")) is None


def test_a_cart_is_shown_until_it_is_dropped_whether_she_comes_by_or_not() -> None:
    added = ProductAdded, 0, {"cart_id": "c", "product": Product(product_id="a", price_minor=250)}

    assert len(shown(added, now_day=30)["carts"]) == 1
    assert shown(added, now_day=30 + 1 / DAY_MS)["carts"] == []


def test_carts_with_items_are_shown_newest_first_with_their_value() -> None:
    def added(
        day: float, cart_id: str, product_id: str, quantity: int = 1
    ) -> tuple[type[Event], float, dict[str, Any]]:
        product = Product(product_id=product_id, price_minor=250, quantity=quantity, name=product_id.upper())
        return ProductAdded, day, {"cart_id": cart_id, "product": product}

    carts = shown(
        added(0.1, "old", "a", 3), added(0.2, "new", "b"), added(0.2, "gone", "c"), order(0.3, "o", 1, cart_id="gone")
    )["carts"]

    assert [cart["cart_id"] for cart in carts] == ["new", "old"]
    assert carts[1]["value_minor"] == 750
    assert carts[1]["currency"] == "USD"
    assert carts[1]["updated_ms"] == START_MS + round(0.1 * DAY_MS)
    assert carts[1]["items"] == [
        {"product_id": "a", "variant_id": None, "name": "A", "category": None, "quantity": 3, "price_minor": 250}
    ]


def test_interests_are_as_of_now_and_highest_first() -> None:
    def viewed(day: float, category: str) -> tuple[type[Event], float, dict[str, Any]]:
        return ProductViewed, day, {"product": Product(product_id="x", category=category)}

    categories = shown(viewed(0, "tea"), viewed(14, "coffee"), now_day=28)["interests"]["categories"]

    assert list(categories.items()) == [("coffee", 0.5), ("tea", 0.25)]


def test_what_will_run_out_is_shown_with_its_dates() -> None:
    coffee = Product(product_id="coffee", quantity=2, price_minor=500)
    found = shown((OrderCompleted, 0, {"order_id": "o1", "products": (coffee,)}), now_day=1)["replenishment"]

    assert found == [
        {
            "product_id": "coffee",
            "due_ms": START_MS + 54 * DAY_MS,
            "run_out_ms": START_MS + 60 * DAY_MS,
            "interval_days": 30.0,
            "window_start_ms": None,
            "window_end_ms": None,
            "confidence": None,
            "stopped_ms": None,
        }
    ]


def test_who_she_is_and_what_she_said() -> None:
    found = shown(
        (Identified, 0, {"email": "ann@example.org", "traits": {"tier": "gold"}}),
        (ConsentChanged, 1, {"consent": (ConsentChange(state="GRANT", channel="email"),)}),
        (NpsSubmitted, 2, {"score": 9}),
        (ProductReviewed, 3, {"product_id": "x", "rating": 4.0}),
        (ProductReviewed, 4, {"product_id": "y", "rating": 5.0}),
    )

    assert found["ids"] == {"email": ["ann@example.org"], "user_id": ["7"]}
    assert found["traits"] == {"tier": "gold"}
    assert found["consent"] == {"email.marketing": "GRANT"}
    assert (found["first_seen_ms"], found["last_seen_ms"]) == (START_MS, START_MS + 4 * DAY_MS)
    said = found["feedback"]
    assert (said["nps_score"], said["nps_at_ms"]) == (9, START_MS + 2 * DAY_MS)
    assert (said["reviews"], said["mean_rating"], said["complains"]) == (2, 4.5, False)


def test_what_is_open_of_a_complaint_shows_with_its_state() -> None:
    found = shown(
        (NpsSubmitted, 0, {"score": 3, "survey_id": "s1", "order_id": "o1"}),
        (CaseUpdated, 1, {"case_id": "s1|o1", "state": "contacted", "owner": "bob"}),
        (TicketOpened, 2, {"ticket_id": "t1", "topic": "delivery"}),
        (TicketResolved, 3, {"ticket_id": "t1", "satisfaction": 4.0}),
        (MessageOpened, 4, {}),
    )["feedback"]

    assert found["complains"] is True
    assert found["surveys"] == [{"survey_id": "s1|o1", "kind": "transactional", "score": 3, "at_ms": START_MS}]
    assert found["cases"] == [
        {
            "case_id": "s1|o1",
            "state": "contacted",
            "opened_ms": START_MS,
            "contacted_ms": START_MS + DAY_MS,
            "owner": "bob",
        }
    ]
    assert found["tickets"] == [
        {
            "ticket_id": "t1",
            "open": False,
            "opened_ms": START_MS + 2 * DAY_MS,
            "updated_ms": START_MS + 3 * DAY_MS,
            "topic": "delivery",
            "satisfaction": 4.0,
        }
    ]


def test_the_newest_decision_comes_first() -> None:
    cart = {"cart_id": "c1", "product": Product(product_id="a")}
    triggers = shown((ProductAdded, 0, cart), order(0.01, "o1", 100, cart_id="c1"))["triggers"]

    assert [(one["name"], one["episode_key"], one["state"], one["reason"]) for one in triggers] == [
        ("second.order.welcome", "user_id:7", "armed", None),
        ("cart.abandoned", "c1", "cancelled", "ordered"),
        ("cart.abandoned", "c1", "armed", None),
    ]
