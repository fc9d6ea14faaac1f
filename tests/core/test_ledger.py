"""The ledger by example. The laws are in tests/laws/test_ledger_laws.py."""

from typing import Any

import pytest

from profiles.book import Book
from profiles.ledger import REFUND_WINDOW_MS, OrderChange, apply_order, compact
from profiles.needs import NeedLedger
from profiles.order_state import Ledger, OrderEntry
from profiles.profile import Profile
from schemas import events
from schemas.events import Arrival, OrderEvent, Product

DAY_MS = 86_400_000
BOOK = Book(shop_currency="EUR")


class Customer:
    """A profile with its ledger, told about orders day by day."""

    def __init__(self) -> None:
        self.profile = Profile("user_id:ada")
        self.ledger = Ledger(complete=True)
        self._count = 0

    def tell(
        self, kind: type[OrderEvent], day: float, order_id: str = "o1", *, arrives: float | None = None, **fields: Any
    ) -> OrderChange:
        self._count += 1
        fields.setdefault("message_id", f"m{self._count}")
        at_ms, received_ms = round(day * DAY_MS), round((day if arrives is None else arrives) * DAY_MS)
        event = kind(timestamp_ms=at_ms, order_id=order_id, **fields)
        return apply_order(self.profile, Arrival(event, at_ms, received_ms, "user_id:ada", "ada"), self.ledger, BOOK)

    @property
    def net(self) -> int:
        return self.profile.ltv.net

    def entry(self, order_id: str = "o1") -> OrderEntry:
        entry = self.ledger.get(order_id)
        assert entry is not None
        return entry


def test_the_same_refund_twice_counts_once_and_a_cancellation_takes_all() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    ada.tell(events.OrderRefunded, 2, refund_id="r", amount_minor=30)
    ada.tell(events.OrderRefunded, 3, refund_id="r", amount_minor=30)

    assert ada.net == 70
    assert ada.profile.orders.refunded == 1

    ada.tell(events.OrderCancelled, 4)

    assert ada.net == 0
    assert ada.profile.by_currency == {}
    assert (ada.profile.orders.count, ada.profile.orders.cancelled, ada.profile.orders.refunded) == (0, 1, 0)


def test_a_refund_waits_for_its_order() -> None:
    ada = Customer()
    ada.tell(events.OrderRefunded, 2, amount_minor=30)

    assert (ada.net, ada.profile.orders.count) == (0, 0)

    change = ada.tell(events.OrderCompleted, 1, revenue_minor=100)

    assert change.is_new
    assert ada.net == 70


def test_a_newer_version_stays_when_an_older_one_arrives_later() -> None:
    ada = Customer()
    ada.tell(events.OrderUpdated, 3, revenue_minor=80, updated_at_ms=30)
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, updated_at_ms=10)

    assert ada.net == 80
    assert ada.entry().placed_ms == 1 * DAY_MS


def test_what_a_public_key_says_of_an_order_changes_nothing_that_a_server_said() -> None:
    tea, gold = Product(product_id="tea", price_minor=100), Product(product_id="gold", price_minor=900_000)
    said: list[dict[str, Any]] = [
        {"message_id": "a", "day": 1, "revenue_minor": 100, "products": (tea,), "currency": "EUR"},
        {"message_id": "b", "day": 2, "revenue_minor": 1, "products": (gold,), "currency": "JPY", "source_kind": "client",
         "updated_at_ms": 90 * DAY_MS, "cart_id": "hers"},
    ]  # fmt: skip
    for order in (said, said[::-1]):
        ada = Customer()
        for one in order:
            ada.tell(events.OrderCompleted, **one)

        assert ada.net == 100
        assert (ada.entry().currency, [line.product_id for line in ada.entry().lines]) == ("EUR", ["tea"])


def test_of_two_words_under_public_keys_the_one_that_came_first_stands() -> None:
    for days in ((1, 2), (2, 1)):
        ada = Customer()
        for day in days:
            ada.tell(events.OrderCompleted, day, message_id=f"d{day}", revenue_minor=100 * day, source_kind="client")

        assert ada.net == 100


def test_when_a_word_came_is_seen_by_the_collector_and_not_said_by_the_page() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 5, arrives=5, revenue_minor=500, source_kind="client")
    ada.tell(events.OrderCompleted, 1, arrives=6, revenue_minor=1, source_kind="client")

    assert ada.net == 500


def test_a_version_without_lines_or_money_leaves_the_older_ones() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, products=(Product(product_id="tea", price_minor=120),))
    ada.tell(events.OrderUpdated, 2)
    ada.tell(events.OrderUpdated, 3, revenue_minor=90)

    assert (ada.profile.ltv.gross, ada.net) == (120, 90)


def test_a_fee_that_becomes_known_later_does_not_wipe_out_the_revenue() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    ada.tell(events.OrderUpdated, 2, payment_fee_minor=3, shipping_cost_minor=5)

    assert (ada.net, ada.profile.ltv.margin) == (100, 92)
    assert ada.entry().money is not None


def test_shipping_that_is_told_alone_does_not_wipe_out_the_revenue() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, shipping_minor=10, tax_minor=19)
    ada.tell(events.OrderUpdated, 3, shipping_minor=4)

    assert (ada.net, ada.profile.ltv.margin) == (100, 104)

    ada.tell(events.OrderUpdated, 2, revenue_minor=80)

    assert (ada.net, ada.profile.ltv.margin) == (80, 84)

    ada.tell(events.OrderUpdated, 4, revenue_minor=90)

    assert (ada.net, ada.profile.ltv.margin) == (90, 90)


def test_a_total_moves_with_the_tax_and_shipping_in_it_and_gives_up_what_it_did_not_name() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, total_minor=129, shipping_minor=10)
    ada.tell(events.OrderUpdated, 2, shipping_minor=4)

    assert ada.net == 119

    ada.tell(events.OrderUpdated, 3, tax_minor=19)

    assert ada.net == 100

    ada.tell(events.OrderRefunded, 4, amount_minor=123)  # all that was paid, with less for shipping

    assert (ada.net, ada.profile.ltv.margin) == (0, 0)


def test_a_discount_that_is_told_alone_lowers_what_the_order_was_worth_after_its_first_one() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, discount_minor=20)
    ada.tell(events.OrderUpdated, 2, discount_minor=30)

    assert (ada.profile.ltv.gross, ada.net) == (120, 90)

    ada.tell(events.OrderCompleted, 1, "o2", products=(Product(product_id="tea", price_minor=50),))
    ada.tell(events.OrderUpdated, 2, "o2", discount_minor=5)

    assert ada.net == 90 + 45


def test_shipping_told_alone_without_a_currency_has_its_orders_decimals_also_after_the_lines_went() -> None:
    ada = Customer()
    tea = Product(product_id="tea", price_minor=500)
    ada.tell(events.OrderCompleted, 1, products=(tea,), total_minor=600, shipping_minor=100, currency="JPY")
    compact(ada.profile, REFUND_WINDOW_MS + 3 * DAY_MS, ada.ledger, BOOK)
    ada.tell(events.OrderUpdated, 450, shipping_minor=4_000)  # "40", read in a shop that counts in cents

    totals = ada.profile.by_currency["JPY"]
    assert (totals.net, totals.margin) == (500, 540)


def test_an_order_completed_says_when_it_was_placed_even_if_an_update_was_earlier() -> None:
    ada = Customer()
    assert ada.tell(events.OrderUpdated, 1, revenue_minor=100).is_new
    assert not ada.tell(events.OrderCompleted, 2).is_new

    assert ada.profile.orders.first == (2 * DAY_MS, "o1")


def test_a_cancellation_that_overtakes_its_order_holds() -> None:
    ada = Customer()
    ada.tell(events.OrderCancelled, 2)

    assert ada.profile.orders.cancelled == 0

    change = ada.tell(events.OrderCompleted, 1, revenue_minor=100)

    assert change.is_new
    assert not change.is_counted
    assert (ada.net, ada.profile.orders.count, ada.profile.orders.cancelled) == (0, 0, 1)


def test_a_test_order_is_nowhere() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    change = ada.tell(events.OrderUpdated, 2, test=True)

    assert (change.was_counted, change.is_counted) == (True, False)
    assert (ada.net, ada.profile.orders.count, ada.profile.orders.cancelled) == (0, 0, 0)
    assert ada.profile.orders.first is None


def test_an_order_worth_nothing_counts_but_not_as_valued() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=0)

    assert (ada.profile.orders.count, ada.profile.orders.valued) == (1, 0)


def test_goodwill_may_take_an_order_below_zero() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    ada.tell(events.OrderRefunded, 2, refund_id="a")
    ada.tell(events.OrderRefunded, 3, refund_id="b", amount_minor=120)

    assert ada.net == -20


def test_products_with_prices_make_up_a_refund_without_an_amount() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    back = (
        Product(product_id="tea", price_minor=12, quantity=2),
        Product(product_id="pot", price_minor=99, list_minor=30),
    )
    ada.tell(events.OrderRefunded, 2, products=back)

    assert ada.net == 100 - 24 - 30


def test_a_refund_of_products_bought_at_a_discount_is_of_what_they_cost_her_and_not_of_their_list_price() -> None:
    ada = Customer()
    tea = Product(product_id="tea", price_minor=1000, quantity=2, discount_minor=400)
    ada.tell(events.OrderCompleted, 1, products=(tea,))

    assert ada.net == 1600

    ada.tell(events.OrderRefunded, 2, products=(tea,))

    assert ada.net == 0


def test_all_products_of_an_order_with_a_coupon_going_back_one_by_one_leave_nothing_and_never_less() -> None:
    ada = Customer()
    tea, pot = Product(product_id="tea", price_minor=6000), Product(product_id="pot", price_minor=4000)
    ada.tell(events.OrderCompleted, 1, products=(tea, pot), discount_minor=1000)

    assert ada.net == 9000

    ada.tell(events.OrderRefunded, 2, products=(tea,))

    assert ada.net == 3000

    ada.tell(events.OrderRefunded, 3, products=(pot,))

    assert ada.net == 0


def test_a_refund_that_names_no_currency_is_in_its_orders_with_that_ones_decimals() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=500, currency="JPY")
    ada.tell(events.OrderRefunded, 2, amount_minor=20_000)  # "200", read in a shop that counts in cents

    assert ada.profile.by_currency["JPY"].net == 300

    ada.tell(events.OrderUpdated, 3, revenue_minor=40_000)

    assert ada.profile.by_currency["JPY"].net == 200

    ada.tell(events.OrderCompleted, 1, "o2", revenue_minor=5_520, currency="KWD")
    ada.tell(events.OrderRefunded, 2, "o2", products=(Product(product_id="tea", price_minor=552),))

    assert ada.profile.by_currency["KWD"].net == 0


def test_lines_that_name_no_currency_are_in_their_orders_with_that_ones_decimals() -> None:
    ada = Customer()
    tea = Product(product_id="tea", price_minor=300, quantity=2, discount_minor=100, cost_minor=150)
    ada.tell(events.OrderCompleted, 1, products=(tea,), currency="JPY")
    ada.tell(
        events.OrderUpdated,
        2,
        products=(Product(product_id="tea", price_minor=30_000, discount_minor=10_000, cost_minor=15_000),),
    )

    totals = ada.profile.by_currency["JPY"]
    assert (totals.gross, totals.discount, totals.net, totals.margin) == (300, 100, 200, 50)


def test_costs_that_name_no_currency_are_in_their_orders_with_that_ones_decimals_whenever_they_are_told() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=10_000, currency="JPY")
    ada.tell(events.OrderUpdated, 2, shipping_cost_minor=50_000, payment_fee_minor=10_000)  # "500" and "100"

    assert ada.profile.by_currency["JPY"].margin == 9_400

    ada.tell(events.OrderUpdated, 3, revenue_minor=11_000, currency="JPY")

    assert ada.profile.by_currency["JPY"].margin == 10_400

    ada.tell(events.OrderUpdated, 4, shipping_cost_minor=600, currency="JPY")

    assert ada.profile.by_currency["JPY"].margin == 10_300

    ada.tell(events.OrderUpdated, 1, "o2", shipping_cost_minor=120)  # before anybody said that it is in dinars
    ada.tell(events.OrderCompleted, 2, "o2", revenue_minor=5_520, currency="KWD")

    assert ada.profile.by_currency["KWD"].margin == 4_320


def test_a_refund_by_products_of_an_order_that_came_to_less_than_nothing_gives_her_nothing() -> None:
    ada = Customer()
    tea = Product(product_id="tea", price_minor=1000)
    ada.tell(events.OrderCompleted, 1, products=(tea,), total_minor=100, tax_minor=300)
    ada.tell(events.OrderRefunded, 2, products=(Product(product_id="tea"),))

    assert ada.net == -200


def test_what_went_back_with_its_tax_leaves_nothing_of_the_order_and_no_less_also_before_it_and_long_after() -> None:
    ada = Customer()
    ada.tell(events.OrderRefunded, 1, amount_minor=5950, amount_with_tax=True)
    ada.tell(events.OrderCompleted, 1, revenue_minor=10_000, tax_minor=1_900)

    assert ada.net == 5000

    compact(ada.profile, REFUND_WINDOW_MS + 3 * DAY_MS, ada.ledger, BOOK)
    ada.tell(events.OrderRefunded, 450, amount_minor=5950, amount_with_tax=True)

    assert ada.net == 0


def test_all_that_was_paid_is_the_whole_order_also_beside_what_was_given_on_top() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, tax_minor=19)
    ada.tell(events.OrderRefunded, 2, amount_minor=119)
    ada.tell(events.OrderRefunded, 3, amount_minor=10)

    assert ada.net == -10


def test_a_refund_by_products_alone_counts_the_same_once_the_order_has_lost_its_lines() -> None:
    ada = Customer()
    tea, pot = Product(product_id="tea", price_minor=6000), Product(product_id="pot", price_minor=4000)
    ada.tell(events.OrderCompleted, 1, products=(tea, pot), discount_minor=1000)
    ada.tell(events.OrderRefunded, 2, products=(tea,))
    ada.tell(events.OrderRefunded, 3, products=(Product(product_id="pot"),))
    compact(ada.profile, REFUND_WINDOW_MS + 3 * DAY_MS, ada.ledger, BOOK)
    ada.tell(events.OrderRefunded, 450, products=(tea, pot))

    assert ada.entry().compact
    assert ada.net == 0


def test_prices_written_with_a_minus_take_no_money_from_her_in_a_refund() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    ada.tell(events.OrderRefunded, 2, products=(Product(product_id="tea", price_minor=-30),))

    assert ada.net == 70


def test_what_the_customer_keeps_is_told_before_and_after() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, products=(Product(product_id="tea", price_minor=10, quantity=3),))
    change = ada.tell(
        events.OrderRefunded, 2, amount_minor=10, products=(Product(product_id="tea", quantity=1, price_minor=10),)
    )

    assert (change.units_before, change.units_after) == ({"tea": 3.0}, {"tea": 2.0})
    assert change.kind is events.OrderRefunded


def test_a_repeat_writes_nothing() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100, message_id="same")
    ada.ledger.changed.clear()
    before = ada.profile.pack()
    change = ada.tell(events.OrderCompleted, 1, revenue_minor=100, message_id="same")

    assert not ada.ledger.changed
    assert ada.profile.pack() == before
    assert not change.is_new


def test_delivery_and_fulfilment_are_the_earliest_told() -> None:
    ada = Customer()
    for day in (5, 4, 6):
        ada.tell(events.OrderDelivered, day)
        ada.tell(events.OrderFulfilled, day - 1)

    assert (ada.entry().delivered_ms, ada.entry().fulfilled_ms) == (4 * DAY_MS, 3 * DAY_MS)
    assert ada.profile.orders.count == 0


def test_goods_that_came_back_move_no_money_and_make_no_entry() -> None:
    ada = Customer()
    ada.tell(events.OrderReturned, 1)

    assert ada.ledger.all() == []


def test_lines_go_after_the_refund_window_in_rounds_of_a_month() -> None:
    ada = Customer()
    tea = (Product(product_id="tea", price_minor=100),)
    for day in (0, 10, 60):
        ada.tell(events.OrderCompleted, day, f"o{day}", products=tea)
    due_ms = ada.profile.compact_ms
    assert due_ms == REFUND_WINDOW_MS

    compact(ada.profile, due_ms, ada.ledger, BOOK)

    assert [bool(ada.entry(order).lines) for order in ("o0", "o10", "o60")] == [False, True, True]
    assert ada.entry("o0").compact
    rounds = [ada.profile.compact_ms]
    compact(ada.profile, due_ms + 60 * DAY_MS, ada.ledger, BOOK)
    rounds.append(ada.profile.compact_ms)

    assert rounds == [due_ms + 30 * DAY_MS, None]
    assert ada.net == 300


def test_compaction_asks_for_the_whole_ledger_first() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 0, products=(Product(product_id="tea", price_minor=100),))
    before = ada.profile.pack()

    with pytest.raises(NeedLedger):
        compact(ada.profile, REFUND_WINDOW_MS, Ledger({"o1": ada.entry()}), BOOK)

    assert ada.profile.pack() == before


def test_lines_that_only_a_cancellation_told_go_as_long_after_it() -> None:
    ada = Customer()
    ada.tell(events.OrderCancelled, 100, products=(Product(product_id="tea", price_minor=100),))
    due_ms = ada.profile.compact_ms

    assert due_ms == REFUND_WINDOW_MS + 100 * DAY_MS

    compact(ada.profile, due_ms - 1, ada.ledger, BOOK)

    assert ada.entry().lines

    compact(ada.profile, due_ms, ada.ledger, BOOK)

    assert not ada.entry().lines


def test_an_old_order_from_an_import_waits_a_month_with_its_lines() -> None:
    ada = Customer()
    event = events.OrderCompleted(
        message_id="m", timestamp_ms=0, order_id="o1", products=(Product(product_id="tea", price_minor=100),)
    )
    apply_order(ada.profile, Arrival(event, 0, 2000 * DAY_MS, "user_id:ada", "ada"), ada.ledger, BOOK)

    assert ada.profile.compact_ms == 2030 * DAY_MS


def test_a_compact_order_can_still_be_changed_refunded_and_cancelled() -> None:
    ada = Customer()
    tea = Product(product_id="tea", price_minor=100, cost_minor=40)
    ada.tell(events.OrderCompleted, 0, products=(tea,), payment_fee_minor=0, shipping_cost_minor=0)
    compact(ada.profile, REFUND_WINDOW_MS, ada.ledger, BOOK)

    ada.tell(events.OrderUpdated, 401, revenue_minor=90, shipping_cost_minor=5)
    assert (ada.profile.ltv.gross, ada.net, ada.profile.ltv.margin) == (100, 90, 90 - 40 - 5)

    ada.tell(events.OrderRefunded, 402, amount_minor=30, return_shipping_minor=4)
    assert (ada.net, ada.profile.ltv.margin) == (60, 60 - 40 - 5 - 4)

    ada.tell(events.OrderUpdated, 403, products=(tea, tea))
    assert (ada.profile.ltv.gross, ada.profile.ltv.margin) == (200, 60 - 80 - 5 - 4)

    ada.tell(events.OrderCancelled, 404)
    assert ada.net == 0


def test_a_refunded_product_whose_discount_is_above_its_price_takes_nothing_off_the_other_one() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=1000)
    ada.tell(
        events.OrderRefunded,
        2,
        products=(
            Product(product_id="tea", price_minor=300),
            Product(product_id="pot", price_minor=100, discount_minor=250),
        ),
    )

    assert ada.net == 700


def test_shipping_that_is_told_alone_moves_the_margin_of_a_compact_order_by_what_is_new_of_it() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=1000, products=(Product(product_id="tea", price_minor=1000),))
    ada.tell(events.OrderUpdated, 2, shipping_minor=50)
    compact(ada.profile, REFUND_WINDOW_MS + 3 * DAY_MS, ada.ledger, BOOK)
    before = ada.profile.ltv.margin
    ada.tell(events.OrderUpdated, 3, shipping_minor=70)

    assert ada.entry().compact
    assert ada.profile.ltv.margin == before + 20


@pytest.mark.parametrize("days", [(3, 5), (5, 3)])
def test_an_order_is_cancelled_since_it_first_was_whichever_word_comes_first(days: tuple[int, int]) -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=100)
    for day in days:
        ada.tell(events.OrderCancelled, day)

    assert ada.entry().cancelled_ms == 3 * DAY_MS


# --- refunds in a currency that can't be converted into the order's -----------------------------------------------

TWO = (Product(product_id="tea", price_minor=300), Product(product_id="pot", price_minor=100))


def told(ada: Customer) -> tuple[int, int]:
    return ada.net, ada.profile.orders.unconverted_refunds


def test_a_refund_that_cannot_be_converted_counts_nothing_and_is_counted() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=400, products=TWO)
    ada.tell(events.OrderRefunded, 2, refund_id="r", amount_minor=90, currency="JPY")

    assert told(ada) == (400, 1)

    ada.tell(events.OrderRefunded, 3, refund_id="r", amount_minor=90, currency="EUR")

    assert told(ada) == (310, 0)


@pytest.mark.parametrize("stated", [{"amount_minor": 9000}, {}])
def test_where_it_names_products_it_counts_by_their_share_of_the_order(stated: dict[str, Any]) -> None:
    ada, tea = Customer(), Product(product_id="tea", price_minor=9000)
    ada.tell(events.OrderCompleted, 1, revenue_minor=200, products=TWO)
    ada.tell(events.OrderRefunded, 2, products=(tea,), currency="JPY", **stated)

    assert told(ada) == (50, 0)

    compact(ada.profile, REFUND_WINDOW_MS + 3 * DAY_MS, ada.ledger, BOOK)
    ada.tell(events.OrderRefunded, 600, amount_minor=10)

    assert told(ada) == (40, 0)


def test_a_refund_of_nothing_is_so_in_every_currency() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=400)
    ada.tell(events.OrderRefunded, 2, amount_minor=0, currency="JPY")

    assert told(ada) == (400, 0)


def test_fees_of_a_return_that_cannot_be_converted_leave_the_margin_an_estimate() -> None:
    ada = Customer()
    ada.tell(events.OrderCompleted, 1, revenue_minor=400, shipping_cost_minor=0, payment_fee_minor=0,
             products=(Product(product_id="tea", price_minor=400, cost_minor=100),))  # fmt: skip

    assert (ada.profile.ltv.margin, ada.profile.ltv.estimated_gross) == (300, 0)

    ada.tell(events.OrderRefunded, 2, amount_minor=0, return_shipping_minor=50, currency="JPY", restocked=False)

    assert (ada.profile.ltv.margin, ada.profile.ltv.estimated_gross) == (300, 400)
