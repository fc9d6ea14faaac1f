"""Running out: the published vectors, and the arithmetic around them."""

from typing import Any

import pytest

from profiles.book import Book
from profiles.catalogue import Catalogue
from profiles.ledger import apply_order
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import SUPPLY_PRODUCTS_MAX, SUPPLY_PURCHASES_MAX
from profiles.supply import Forecast, SupplyChange, forecast, joined, own_pace, record_purchases, units_on_hand
from profiles.supply_rules import ReplenishmentDueRule
from schemas import events
from schemas.events import Arrival, OrderEvent, Product

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
START_MS = 1_772_409_600_000  # 2026-03-02 00:00 UTC
CATALOGUE = Catalogue.from_rows(
    [
        {"product_id": "beans", "supply_days": 30},
        {"product_id": "milk", "supply_days": 2},
        {"product_id": "small", "supply_days": 10, "group": "soap"},
        {"product_id": "large", "supply_days": 25, "group": "soap"},
        {"category": "tea", "supply_days": 20},
    ]
)


class Customer:
    """A customer who buys, told in days from the start."""

    def __init__(self, catalogue: Catalogue = CATALOGUE, **book: Any) -> None:
        self.book = Book(catalogue=catalogue, **book)
        self.profile = Profile("user_id:ada")
        self.ledger = Ledger(complete=True)
        self._count = 0

    def tell(self, kind: type[OrderEvent], day: float, order_id: str, **fields: Any) -> SupplyChange:
        self._count += 1
        at_ms = START_MS + round(day * DAY_MS)
        event = kind(message_id=f"m{self._count}", timestamp_ms=at_ms, order_id=order_id, **fields)
        change = apply_order(self.profile, Arrival(event, at_ms, at_ms, "user_id:ada", "ada"), self.ledger, self.book)
        return record_purchases(self.profile, change, self.book)

    def buy(self, day: float, product_id: str, units: float = 1, category: str | None = None) -> SupplyChange:
        product = Product(product_id=product_id, quantity=units, price_minor=100, category=category)
        return self.tell(events.OrderCompleted, day, f"o{day:g}", products=(product,))

    def outlook(self, key: str = "beans") -> Forecast:
        found = forecast(self.profile, key, self.book)
        assert found is not None
        return found


def day_of(at_ms: int) -> float:
    return (at_ms - START_MS) / DAY_MS


def test_two_units_of_thirty_days_run_out_on_day_60_and_are_due_on_day_54() -> None:
    ada = Customer()
    ada.buy(0, "beans", 2)

    assert day_of(ada.outlook().run_out_ms) == 60
    assert day_of(ada.outlook().due_ms) == 54
    assert day_of(ada.outlook().late_ms) == 75


def test_buying_early_adds_up() -> None:
    bought = [(0, 2.0), (50 * DAY_MS, 1.0)]

    on_hand = units_on_hand(bought, 30.0)

    assert on_hand == pytest.approx(4 / 3)
    assert 50 + on_hand * 30 == pytest.approx(90)


def test_the_second_purchase_moves_the_pace_towards_the_customers_own() -> None:
    ada = Customer()
    ada.buy(0, "beans", 2)
    ada.buy(50, "beans", 1)
    outlook = ada.outlook()

    assert round(outlook.unit_days, 2) == 28.66
    assert round(outlook.on_hand, 2) == 0.26 + 1
    assert round(day_of(outlook.run_out_ms), 1) == 86.0
    assert (outlook.intervals, outlook.last_order_id) == (1, "o50")


def test_an_absence_is_not_consumption() -> None:
    assert own_pace([(0, 1.0), (90 * DAY_MS, 1.0)], 30.0, 3.0)[1] == 1
    assert own_pace([(0, 1.0), (90 * DAY_MS + 1, 1.0)], 30.0, 3.0) == (30.0, 0)


def test_purchases_within_two_days_are_one() -> None:
    ada = Customer()
    for day in (0, 1, 2, 3):
        ada.buy(day, "beans")

    bought = joined(ada.profile.supply["beans"].purchases)

    assert [(day_of(at_ms), units) for at_ms, units in bought] == [(0, 3.0), (3, 1.0)]


def test_the_reminder_comes_at_the_customers_usual_hour_on_that_local_day() -> None:
    ada = Customer(shop_timezone="America/New_York")
    ada.profile.timezone = (0, "Asia/Tokyo")  # nine hours ahead of UTC
    for day, hour in ((0, 8), (1, 10), (2, 22)):  # 17, 19 and 7 o'clock in Tokyo; the median is 17
        ada.buy(day + hour / 24, "beans", 0.5 if day else 1)

    assert ada.outlook().due_ms % DAY_MS == 8 * HOUR_MS


def test_delivery_time_and_lead_are_taken_off() -> None:
    rules = Rules.of(ReplenishmentDueRule(lead_ms=5 * DAY_MS, lead_share=0.0, delivery_ms=2 * DAY_MS))
    ada = Customer(rules=rules)
    ada.buy(0, "beans")

    assert day_of(ada.outlook().due_ms) == 30 - 5 - 2


def test_nobody_is_reminded_by_the_purchase_itself() -> None:
    ada = Customer()
    ada.buy(0.25, "milk")

    assert 0.25 < day_of(ada.outlook("milk").due_ms) < day_of(ada.outlook("milk").run_out_ms)


def test_goods_sent_back_and_cancelled_orders_supply_nothing() -> None:
    ada = Customer()
    ada.buy(0, "beans", 2)
    ada.buy(20, "beans", 2)
    back = (Product(product_id="beans", quantity=1, price_minor=100),)
    ada.tell(events.OrderRefunded, 21, "o20", products=back)

    assert [purchase.units for purchase in ada.profile.supply["beans"].purchases] == [2.0, 1.0]

    changed = ada.tell(events.OrderCancelled, 22, "o20")

    assert changed.products == ["beans"]
    assert changed.orders_of("beans") == ["o0", "o20"]
    assert ada.outlook().last_order_id == "o0"

    ada.tell(events.OrderRefunded, 23, "o0")

    assert ada.profile.supply == {}
    assert forecast(ada.profile, "beans", ada.book) is None


def test_substitutes_are_one_supply_counted_in_the_smallest_unit() -> None:
    ada = Customer()
    ada.buy(0, "large")
    ada.buy(20, "small")
    outlook = ada.outlook("~soap")

    assert [purchase.units for purchase in ada.profile.supply["~soap"].purchases] == [2.5, 1.0]
    assert outlook.product_id == "small"
    assert outlook.unit_days == pytest.approx((10**3 * 8) ** 0.25)

    ada.tell(events.OrderCancelled, 21, "o20")

    assert ada.outlook("~soap").product_id == "large"
    assert day_of(ada.outlook("~soap").run_out_ms) == 25


def test_a_product_without_a_row_lasts_as_long_as_its_category_says() -> None:
    ada = Customer()
    ada.buy(0, "sencha", category="tea/green")

    assert day_of(ada.outlook("sencha").run_out_ms) == 20


def test_what_is_not_replenishable_is_not_recorded() -> None:
    ada = Customer()

    assert ada.buy(0, "lamp").products == []
    assert ada.profile.supply == {}
    assert forecast(ada.profile, "lamp", ada.book) is None


def test_a_late_order_takes_its_place_in_time() -> None:
    ada = Customer()
    ada.buy(40, "beans")
    ada.buy(0, "beans")
    straight = Customer()
    straight.buy(0, "beans")
    straight.buy(40, "beans")

    assert straight.outlook() == ada.outlook()


def test_a_repeat_changes_nothing() -> None:
    ada = Customer()
    ada.buy(0, "beans")

    assert ada.buy(0, "beans").products == []


def test_supplies_stay_bounded() -> None:
    count = SUPPLY_PRODUCTS_MAX + 3
    ada = Customer(Catalogue.from_rows([{"product_id": f"p{number}", "supply_days": 30} for number in range(count)]))
    for number in range(count):
        ada.buy(number, f"p{number}")
    for number in range(SUPPLY_PURCHASES_MAX + 5):
        ada.buy(100 + 3 * number, "p9")

    assert len(ada.profile.supply) == SUPPLY_PRODUCTS_MAX
    assert "p0" not in ada.profile.supply
    assert len(ada.profile.supply["p9"].purchases) == SUPPLY_PURCHASES_MAX


def test_a_lifetime_supply_is_no_reason_for_a_reminder() -> None:
    ada = Customer()
    ada.buy(0, "beans", 1e9)

    assert forecast(ada.profile, "beans", ada.book) is None
