"""The sale of a gift card is a debt to whoever will redeem it; the order that is paid with it is the sale."""

from typing import Any

import pytest

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.document import average_order_minor
from profiles.ledger import REFUND_WINDOW_MS, apply_order, compact, pieces
from profiles.merge_orders import join
from profiles.order_state import Contribution, Ledger, Totals
from profiles.profile import Profile
from schemas import events
from schemas.events import Arrival, OrderEvent, Product

DAY_MS = 86_400_000
BOOK = Book(shop_currency="EUR")
TEA = Product(product_id="tea", price_minor=10_000)
CARD = Product(product_id="card", price_minor=5_000, gift_card=True)


class Customer:
    """A profile with its ledger, told about orders."""

    def __init__(self, book: Book = BOOK) -> None:
        self.book = book
        self.profile = Profile("user_id:ada")
        self.ledger = Ledger(complete=True)
        self._count = 0

    def tell(self, kind: type[OrderEvent], day: float = 1, order_id: str = "o1", **fields: Any) -> None:
        self._count += 1
        at_ms = round(day * DAY_MS)
        event = kind(message_id=f"m{self._count}", timestamp_ms=at_ms, order_id=order_id, **fields)
        apply_order(self.profile, Arrival(event, at_ms, at_ms, "user_id:ada", "ada"), self.ledger, self.book)

    @property
    def ltv(self) -> Totals:
        return self.profile.ltv

    @property
    def contribution(self) -> Contribution:
        entry = self.ledger.get("o1")
        assert entry is not None
        assert entry.contribution is not None
        return entry.contribution


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"revenue_minor": 15_000},
        {"subtotal_minor": 15_000},
        {"total_minor": 17_500, "shipping_minor": 600, "tax_minor": 1_900},
        {"revenue_minor": 10_000},  # a sender that leaves gift cards out itself
    ],
)
def test_a_gift_card_is_no_sale_whatever_states_what_the_order_is_worth(stated: dict[str, Any]) -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(TEA, CARD), **stated)

    assert (ada.ltv.gross, ada.ltv.discount, ada.ltv.net) == (10_000, 0, 10_000)
    assert not ada.contribution.gift_cards_alone


def test_the_order_that_is_paid_with_it_is_the_sale() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(CARD,), revenue_minor=5_000)
    ada.tell(events.OrderCompleted, order_id="o2", day=9, products=(TEA,), revenue_minor=10_000)

    assert ada.ltv.net == 10_000


def test_an_order_of_gift_cards_alone_is_an_order_and_in_no_rate_and_no_average() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(TEA,), revenue_minor=10_000)
    ada.tell(events.OrderCompleted, order_id="o2", day=9, products=(CARD,), revenue_minor=5_000)

    assert (ada.profile.orders.count, ada.profile.orders.valued) == (2, 1)
    assert average_order_minor(ada.profile) == 10_000
    assert len(pieces(ada.ledger.all(), BOOK)) == 1


@pytest.mark.parametrize("price", [5_000, None])
def test_an_order_of_gift_cards_alone_is_worth_nothing_with_all_that_is_stated_of_it(price: int | None) -> None:
    ada = Customer()
    card = Product(product_id="card", price_minor=price, gift_card=True)
    ada.tell(events.OrderCompleted, products=(card,), revenue_minor=5_350, discount_minor=100)

    assert ada.ltv == Totals()
    assert ada.contribution.gift_cards_alone


def test_a_discount_on_the_gift_card_is_none_on_the_rest() -> None:
    ada = Customer()
    card = Product(product_id="card", price_minor=5_000, discount_minor=500, gift_card=True)
    tea = Product(product_id="tea", price_minor=10_000, discount_minor=1_000)
    ada.tell(events.OrderCompleted, products=(tea, card), discount_minor=1_500)

    assert (ada.ltv.gross, ada.ltv.discount, ada.ltv.net) == (10_000, 1_000, 9_000)


@pytest.mark.parametrize(
    "refund, refunded",
    [
        ({"amount_minor": 5_000, "products": (CARD,)}, 0),
        ({"products": (CARD,)}, 0),
        ({"products": (Product(product_id="card"),)}, 0),
        ({"amount_minor": 15_000, "products": (TEA, CARD)}, 10_000),
        ({"products": (TEA, CARD)}, 10_000),
        ({"products": (Product(product_id="tea"), Product(product_id="card"))}, 10_000),
        ({"amount_minor": 17_500, "products": (TEA, CARD)}, 10_000),  # all that was paid
        ({"amount_minor": 17_500}, 10_000),
        ({"amount_minor": 17_500, "amount_with_tax": True}, 10_000),
        ({}, 10_000),
        ({"amount_minor": 10_000, "products": (TEA,)}, 10_000),
        ({"amount_minor": 4_000}, 4_000),
    ],
)
def test_a_gift_card_that_is_given_back_takes_nothing_from_what_she_bought(
    refund: dict[str, Any], refunded: int
) -> None:
    order = {"products": (TEA, CARD), "total_minor": 17_500, "shipping_minor": 600, "tax_minor": 1_900}
    told: list[tuple[type[OrderEvent], dict[str, Any]]] = [
        (events.OrderCompleted, order),
        (events.OrderRefunded, {"refund_id": "r1", "day": 3, **refund}),
    ]
    for way in (told, told[::-1]):
        ada = Customer()
        for kind, fields in way:
            ada.tell(kind, **fields)

        assert (ada.ltv.refund, ada.ltv.net) == (refunded, 10_000 - refunded)
        assert ada.profile.orders.refunded == (refunded > 0)


@pytest.mark.parametrize(
    "refund, net",
    [
        ({}, 0),
        ({"amount_minor": 2_000}, 0),
        ({"amount_minor": 5_350}, 0),
        ({"amount_minor": 5_350, "amount_with_tax": True}, 0),
        ({"amount_minor": 6_350}, -1_000),  # goodwill
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_refund_of_an_order_of_gift_cards_alone_is_of_these_whatever_it_names(
    refund: dict[str, Any], net: int, late: bool
) -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(CARD,), total_minor=5_350, shipping_minor=350)
    if late:
        compact(ada.profile, 2 * REFUND_WINDOW_MS, ada.ledger, BOOK)
    ada.tell(events.OrderRefunded, refund_id="r1", day=3, **refund)

    assert ada.ltv.net == net


def test_what_was_paid_for_gift_cards_is_known_after_the_lines_went() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(TEA, CARD), revenue_minor=15_000)
    ada.tell(events.OrderRefunded, refund_id="r1", amount_minor=6_000, products=(Product(product_id="card"), TEA))
    before = ada.ltv.net
    compact(ada.profile, 2 * REFUND_WINDOW_MS, ada.ledger, BOOK)
    ada.tell(events.OrderRefunded, refund_id="r2", day=2, amount_minor=0)

    assert ada.ltv.net == before == 9_000

    ada.tell(events.OrderUpdated, day=900, revenue_minor=14_000)

    assert ada.ltv.net == 8_000


def test_who_says_that_it_is_one_is_believed_whenever_it_is_said_and_on_either_side_of_a_merge() -> None:
    plain = Product(product_id="card", price_minor=5_000)
    ada, guest = Customer(), Customer()
    ada.tell(events.OrderCompleted, products=(TEA, CARD), revenue_minor=15_000)
    ada.tell(events.OrderUpdated, day=2, products=(TEA, plain), revenue_minor=15_000)
    guest.tell(events.OrderUpdated, day=3, products=(TEA, plain), revenue_minor=15_000)
    ours, theirs = ada.ledger.get("o1"), guest.ledger.get("o1")

    assert ada.ltv.net == 10_000
    assert ours is not None
    assert theirs is not None
    for joined in (join(ours, theirs, BOOK), join(theirs, ours, BOOK)):
        assert joined.contribution is not None
        assert joined.contribution.amounts.net == 10_000


@pytest.mark.parametrize(
    "row", [{"product_id": "card", "gift_card": "true"}, {"product_id": "", "category": "gift cards", "gift_card": 1}]
)
def test_the_catalogue_may_say_it_for_trackers_that_can_not(row: dict[str, Any]) -> None:
    ada = Customer(Book(shop_currency="EUR", catalogue=build_catalogue([row])))
    card = Product(product_id="card", price_minor=5_000, category="gift cards/by mail")
    ada.tell(events.OrderCompleted, products=(TEA, card), revenue_minor=15_000)
    ada.tell(events.OrderRefunded, refund_id="r1", day=2, amount_minor=5_000, products=(Product(product_id="card"),))

    assert ada.ltv.net == 10_000


def test_of_what_goes_back_with_its_tax_gift_cards_have_no_share() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, products=(TEA, CARD), total_minor=15_600, shipping_minor=600)
    ada.tell(events.OrderRefunded, 2, amount_minor=10_000, amount_with_tax=True)

    assert (ada.ltv.refund, ada.ltv.net) == (10_000, 0)
