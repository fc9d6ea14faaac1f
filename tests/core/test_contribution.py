"""What one order is worth: which field is believed, what the margin is made of, and where estimates are marked."""

from typing import Any

import pytest

from profiles.book import Book
from profiles.catalogue import Catalogue
from profiles.contribution import contribute, net_units
from profiles.costs import build_costs
from profiles.order_state import Contribution, OrderEntry, OrderLine, OrderMoney, Refund, Totals
from profiles.rates import build_rates

DAY_MS = 86_400_000
PLAIN = Book(shop_currency="EUR")


def worth(entry: OrderEntry, book: Book = PLAIN) -> Contribution:
    contribution = contribute(entry, None, book)
    assert contribution is not None
    return contribution


def order(*lines: OrderLine, money: OrderMoney | None = None, **fields: Any) -> OrderEntry:
    return OrderEntry("o1", placed_ms=DAY_MS, lines=list(lines), money=money, **fields)


TEA = OrderLine("tea", 2.0, 1000, cost_minor=400)
POT = OrderLine("pot", 1.0, 3000, discount_minor=500, cost_minor=1000)


@pytest.mark.parametrize(
    "money, goods, source",
    [
        (OrderMoney(revenue=3300, subtotal=1, total=1), 3300, "revenue"),
        (OrderMoney(subtotal=3200, total=1), 3200, "subtotal"),
        (OrderMoney(total=4000, shipping=490, tax=510), 3000, "total"),
        (OrderMoney(total=3900), 3900, "total"),
        (OrderMoney(discount=800), 3200, "lines"),
        (None, 3500, "lines"),
    ],
)
def test_fields_are_believed_in_order_of_trust(money: OrderMoney | None, goods: int, source: str) -> None:
    contribution = worth(order(TEA, POT, money=money))

    assert contribution.revenue_from == source
    assert contribution.amounts.net == goods
    assert contribution.amounts.gross == 4000
    assert contribution.amounts.discount == 4000 - goods


def test_an_order_that_says_nothing_is_worth_nothing_and_still_counts() -> None:
    contribution = worth(order())

    assert contribution.revenue_from is None
    assert contribution.amounts == Totals()
    assert contribution.counted
    assert not contribution.valued


def test_lines_that_explain_less_than_the_revenue_do_not_make_a_negative_discount() -> None:
    contribution = worth(order(TEA, money=OrderMoney(revenue=5000, discount=200)))

    assert (contribution.amounts.gross, contribution.amounts.discount) == (5200, 200)


def test_without_every_list_price_gross_is_what_was_paid_and_taken_off() -> None:
    contribution = worth(order(TEA, OrderLine("pot", 1.0), money=OrderMoney(revenue=3000, discount=200)))

    assert (contribution.amounts.gross, contribution.amounts.net) == (3200, 3000)


@pytest.mark.parametrize(
    "refunds, refunded",
    [
        ({"a": Refund(1, amount=300)}, 300),
        ({"a": Refund(1, amount=300), "b": Refund(2)}, 3500),
        ({"a": Refund(1), "b": Refund(2)}, 3500),
        ({"a": Refund(1, amount=9000)}, 9000),
        ({"a": Refund(1, amount=9000), "b": Refund(2)}, 9000),
        # One of two teas: the pot alone was cheaper than its list price.
        ({"a": Refund(1, units={"tea": 1.0})}, 500),
        ({"a": Refund(1, units={"pot": 1.0})}, 2500),
        ({"a": Refund(1, units={"unheard of": 1.0})}, 3500),
    ],
)
def test_a_refund_is_its_amount_its_goods_or_the_rest(refunds: dict[str, Refund], refunded: int) -> None:
    contribution = worth(order(TEA, POT, refunds=refunds))

    assert contribution.amounts.refund == refunded
    assert contribution.amounts.net == 3500 - refunded
    assert contribution.refunded


def test_an_order_whose_refunds_all_failed_is_not_a_refunded_one() -> None:
    assert not worth(order(TEA, POT, refunds={"a": Refund(1, amount=0)})).refunded
    assert worth(order(TEA, POT, refunds={"a": Refund(1, amount=0), "b": Refund(2, amount=300)})).refunded


@pytest.mark.parametrize(
    "refunds, refunded",
    [
        ({"a": Refund(1, amount=2000, priced=True)}, 2000),
        ({"a": Refund(1, amount=4000, priced=True)}, 3000),
        ({"a": Refund(1, amount=2000, priced=True), "b": Refund(1, amount=2000, priced=True)}, 3000),
        ({"a": Refund(1, amount=500), "b": Refund(1, amount=4000, priced=True)}, 3000),
        ({"a": Refund(1, amount=3200), "b": Refund(1, amount=4000, priced=True)}, 3200),
        # One of two teas at a quarter off.
        ({"a": Refund(1, units={"tea": 1.0})}, 375),
    ],
)
def test_products_alone_never_take_back_more_than_the_order_brought_after_its_discount(
    refunds: dict[str, Refund], refunded: int
) -> None:
    lines = (OrderLine("tea", 2.0, 1000), OrderLine("pot", 1.0, 3000))

    assert worth(order(*lines, money=OrderMoney(discount=1000), refunds=refunds)).amounts.refund == refunded


OF_119 = OrderMoney(revenue=10_000, tax=1_900)
OF_124 = OrderMoney(revenue=10_000, tax=1_900, shipping=500)


@pytest.mark.parametrize(
    "money, amounts, refunded",
    [
        (OF_119, (11_900,), 10_000),
        (OF_119, (5_950,), 5_000),
        (OF_119, (5_950, 5_950), 10_000),
        (OF_119, (3_333, 8_567), 10_000),
        (OF_119, (12_000,), 10_100),  # goodwill beyond all that was paid
        (OF_124, (11_900,), 10_000),
        (OF_124, (12_400,), 10_000),
        (OF_124, (5_950,), 5_000),
        (OrderMoney(total=12_400, tax=1_900, shipping=500), (12_400,), 10_000),
        (OrderMoney(revenue=10_000, total=12_400, shipping=500), (5_950,), 5_000),
        (OrderMoney(revenue=10_000), (10_000,), 10_000),
        (OrderMoney(revenue=10_000), (11_000,), 11_000),
        (OrderMoney(revenue=0, tax=0), (500,), 500),
    ],
)
def test_of_what_went_back_with_its_tax_the_goods_have_their_part(
    money: OrderMoney, amounts: tuple[int, ...], refunded: int
) -> None:
    refunds = {str(number): Refund(1, amount=amount, with_tax=True) for number, amount in enumerate(amounts)}

    assert worth(order(money=money, refunds=refunds)).amounts.refund == refunded


@pytest.mark.parametrize("amounts, refunded", [((12_400,), 10_000), ((6_200, 6_200), 10_000), ((11_000,), 11_000)])
def test_an_amount_that_is_all_that_was_paid_is_the_whole_order_whoever_states_it(
    amounts: tuple[int, ...], refunded: int
) -> None:
    refunds = {str(number): Refund(1, amount=amount) for number, amount in enumerate(amounts)}

    assert worth(order(money=OF_124, refunds=refunds)).amounts.refund == refunded


def test_parts_that_come_to_all_that_was_paid_are_goods_where_others_are_said_to_have_tax_in_them() -> None:
    parts = {"a": Refund(1, amount=6_200), "b": Refund(1, amount=6_200), "c": Refund(1, amount=119, with_tax=True)}

    assert worth(order(money=OF_124, refunds=parts)).amounts.refund == 12_400 + 100


def test_shipping_that_went_back_is_no_margin_any_more() -> None:
    def margin(*amounts: int) -> int:
        refunds = {str(number): Refund(1, amount=amount, with_tax=True) for number, amount in enumerate(amounts)}
        return worth(order(money=OF_124, refunds=refunds)).amounts.margin

    assert (margin(), margin(11_900), margin(11_900, 200), margin(12_400)) == (10_500, 500, 300, 0)


def test_a_refund_in_another_currency_is_converted_at_the_orders_day() -> None:
    rates = build_rates([{"currency": "USD", "date": "1970-01-01", "rate": "0.8"}], "EUR", lambda _: 2)
    entry = order(TEA, refunds={"a": Refund(1, amount=100, currency="USD")})

    assert worth(entry, Book(shop_currency="EUR", rates=rates)).amounts.refund == 80
    assert (worth(entry).amounts.refund, worth(entry).unconverted_refunds) == (0, 1)


def test_the_margin_is_what_is_left_after_goods_shipping_payment_and_returns() -> None:
    money = OrderMoney(revenue=3500, shipping=490, shipping_cost=410, payment_fee=80)
    refunds = {"a": Refund(1, amount=500, units={"tea": 1.0}, return_shipping=300, restocking_fee=100)}
    contribution = worth(order(TEA, POT, money=money, refunds=refunds))

    # net 3000 - goods 1400 + one tea back 200 + 490 - 410 - 80 - 300 + 100
    assert contribution.amounts.margin == 1600
    assert contribution.amounts.estimated_gross == 0


def test_goods_that_can_not_be_sold_again_stay_a_cost() -> None:
    back = {"a": Refund(1, amount=500, units={"tea": 1.0}, restocked=False)}

    assert worth(order(TEA, POT, refunds=back)).amounts.margin == 3000 - 1400


def test_a_refund_of_the_rest_brings_all_goods_back_and_an_amount_alone_none() -> None:
    assert worth(order(TEA, POT, refunds={"a": Refund(1)})).amounts.margin == 0
    assert worth(order(TEA, POT, refunds={"a": Refund(1, amount=3500)})).amounts.margin == -1400


def test_more_units_back_than_were_ordered_bring_no_more_cost_back() -> None:
    back = {"a": Refund(1, amount=0, units={"tea": 9.0})}

    assert worth(order(TEA, POT, refunds=back)).amounts.margin == 3500 - 1000


def test_costs_come_from_the_event_the_catalogue_a_rate_or_count_nothing() -> None:
    lines = (
        OrderLine("tea", 1.0, 1000, cost_minor=333),
        OrderLine("pot", 2.0, 2000),
        OrderLine("cup", 1.0, 500, category="china/cups"),
        OrderLine("tin", 1.0, 700),
    )
    money = OrderMoney(shipping_cost=0, payment_fee=0)
    book = Book(
        shop_currency="EUR",
        catalogue=Catalogue.from_rows([{"product_id": "pot", "cost": "4.00"}]),
        costs=build_costs({"cost_rates": {"china": "0.3"}}),
    )
    contribution = worth(order(*lines, money=money), book)

    assert contribution.amounts.margin == 4200 - 333 - 2 * 400 - 150 - 0
    assert contribution.amounts.estimated_gross == 500 + 700


def test_no_more_of_an_order_is_estimated_than_it_came_to() -> None:
    lines = (OrderLine("tea", 1.0, 1000), OrderLine("pot", 1.0, None, cost_minor=100))
    contribution = worth(order(*lines, money=OrderMoney(revenue=600, shipping_cost=0, payment_fee=0)))

    assert (contribution.amounts.gross, contribution.amounts.estimated_gross) == (600, 600)


def test_goods_of_an_order_without_lines_cost_their_rate_of_what_it_is_worth_now() -> None:
    book = Book(shop_currency="EUR", costs=build_costs({"cost_rate": "0.5"}))
    costs = {"shipping_cost": 0, "payment_fee": 0}
    before, entry = order(money=OrderMoney(revenue=1000, **costs)), order(money=OrderMoney(revenue=800, **costs))
    before.contribution = worth(before, book)
    contribution = contribute(entry, before, book)

    assert contribution is not None
    assert contribution.amounts.margin == 400


def test_unknown_shipping_cost_makes_the_whole_order_an_estimate() -> None:
    assert worth(order(TEA, money=OrderMoney(payment_fee=10))).amounts.estimated_gross == 1000


def test_settings_stand_in_for_shipping_cost_and_payment_fee() -> None:
    book = Book(
        shop_currency="EUR",
        costs=build_costs({"shipping_cost_minor": 450, "payment_rate": "0.02", "payment_fixed_minor": 30}),
    )
    contribution = worth(order(TEA, money=OrderMoney(revenue=1000, shipping=490, tax=283)), book)

    # The provider takes its share of all that is paid: 1000 + 490 + 283.
    assert contribution.amounts.margin == 1000 - 400 + 490 - 450 - 35 - 30
    assert contribution.amounts.estimated_gross == 0


def test_an_order_that_costs_nothing_has_no_payment_fee() -> None:
    book = Book(shop_currency="EUR", costs=build_costs({"shipping_cost_minor": 0, "payment_fixed_minor": 30}))

    assert worth(order(money=OrderMoney(revenue=0)), book).amounts.margin == 0


def test_without_a_rate_nothing_is_added_in_the_shops_currency() -> None:
    contribution = worth(order(TEA, currency="USD"))

    assert contribution.rate is None
    assert contribution.shop == Totals()
    assert contribution.amounts.net == 1000


def test_net_is_what_the_rounded_parts_leave() -> None:
    # At a third, 100 - 50 - 25 = 25 becomes 33 - 17 - 8 = 8, and 25 / 3 alone would be 8 as well; 101 gives 34 - 17 - 8 = 9.
    rates = build_rates([{"currency": "USD", "date": "1970-01-01", "rate": "0.3333333333"}], "EUR", lambda _: 2)
    entry = order(
        OrderLine("tea", 1.0, 101), currency="USD", money=OrderMoney(revenue=51), refunds={"a": Refund(1, amount=25)}
    )
    shop = worth(entry, Book(shop_currency="EUR", rates=rates)).shop

    assert (shop.gross, shop.discount, shop.refund, shop.net) == (34, 17, 8, 9)


@pytest.mark.parametrize("listed, paid", [(5, 3), (3, 2), (1, 1), (7, 5)])
def test_a_whole_order_that_went_back_leaves_nothing_in_the_shops_currency_either(listed: int, paid: int) -> None:
    rates = build_rates([{"currency": "USD", "date": "1970-01-01", "rate": "0.5"}], "EUR", lambda _: 2)
    back = {"a": Refund(1)}
    entry = order(OrderLine("tea", 1.0, listed), currency="USD", money=OrderMoney(revenue=paid), refunds=back)
    shop = worth(entry, Book(shop_currency="EUR", rates=rates)).shop

    assert (shop.gross - shop.discount - shop.refund, shop.net) == (0, 0)


@pytest.mark.parametrize("fields", [{"cancelled_ms": 5}, {"test": True}])
def test_cancelled_and_test_orders_contribute_nothing(fields: dict[str, Any]) -> None:
    contribution = contribute(order(TEA, **fields), None, PLAIN)

    assert contribution in (None, Contribution("EUR", cancelled=True))


def test_what_was_sent_back_is_not_kept() -> None:
    entry = order(
        TEA, POT, OrderLine("tea", 1.0, 500), refunds={"a": Refund(1, amount=5, units={"tea": 1.0, "pot": 4.0})}
    )
    entry.contribution = worth(entry)

    assert net_units(entry) == {"tea": 2.0}
    entry.refunds["b"] = Refund(2)
    assert net_units(entry) == {}
    assert net_units(None) == {}
