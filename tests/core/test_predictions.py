"""What a profile's document foretells: the models' figures under their public names, and never a number that is none."""

import json
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.document import document
from profiles.models import Models, named
from profiles.predictions import holds_until_ms
from profiles.value.absent import Absent
from profiles.value.model import Heuristic, SpendFit, ValueModel
from profiles.value.model import named as named_value
from profiles.value.spend import GammaGamma
from profiles.zones import LATEST_MS
from schemas import events
from tests.finite import assert_finite
from tests.stories.customers import buys, learned, shop_that_learned
from tests.stories.timeline import DAY, START_MS, Timeline, ms, product, shop


def shown(ada: Timeline, day: float, book: Book | None = None) -> Any:
    """The predictions in her document on a day, as JSON reads them."""
    text = msgspec.json.encode(document(ada.profile, book or ada.engine.book, ms(day * DAY)).predicted)
    assert_finite(json.loads(text))
    return json.loads(text)


def with_spend(models: Models) -> Models:
    """The CDNOW spend of Fader & Hardie's note 025, in cents."""
    spend = SpendFit(
        parameters=GammaGamma(p=6.25, q=3.74, v=1_544.0),
        customers=946,
        left_out=0,
        log_likelihood=-4_055.9,
        standard_errors={},
        correlation=0.1,
        as_of_day=20_000,
    )
    assert models.value is not None
    return named(replace(models, value=named_value(replace(models.value, spend=spend))))


def reference_buyer(book: Book) -> Timeline:
    """x = 2, t_x = 30.43 weeks: a line of the table of reference points."""
    ada = Timeline(book)
    return buys(buys(buys(ada, 0, 3_000), 17, 2_235), 213, 2_235)


def test_probabilities_and_expectations_are_those_of_the_reference_points() -> None:
    """MBG/NBD at CDNOW's parameters, (2, 30.43, 38.86): computed with 40 digits by mpmath for this project."""
    ada = reference_buyer(shop_that_learned(models=with_spend(learned())))
    found = shown(ada, 272)

    assert found["model_version"] == ada.engine.book.models.id
    assert (found["method"], found["heuristic_reason"]) == ("model", None)
    assert found["p_alive"] == pytest.approx(0.706202, abs=2e-5)
    assert found["order_net_minor"] == 2_466  # note 025's customer with a mean of 22.35: 24.66
    assert set(found["p_order"]) == {"7", "30", "90"}
    assert found["p_order"]["7"] < found["p_order"]["30"] < found["p_order"]["90"]
    assert found["expected"]["90"]["p_order"] == found["p_order"]["90"]
    assert found["churn"]["risk"] == pytest.approx(1 - found["p_order"]["90"])
    year = found["expected"]["365"]
    assert year["orders_interval"]["low"] <= year["orders"] <= year["orders_interval"]["high"]
    assert year["total_net_minor"] == year["residual_net_minor"] + 7_470
    assert year["residual_net_minor"] == pytest.approx(year["orders"] * 2_466, rel=0.06)  # discounted
    assert year["residual_margin_minor"] is None
    assert year["absent"]["residual_margin_minor"] == "no_good_fit"
    assert found["historic_net_minor"] == 7_470


def test_the_band_is_the_one_that_was_decided_and_moves_with_the_timer() -> None:
    ada = reference_buyer(shop_that_learned())
    before = shown(ada, 213)["churn"]
    ada.until(before["worsens_ms"] / 60_000 - START_MS / 60_000)
    after = shown(ada, (before["worsens_ms"] - START_MS) / 86_400_000)["churn"]

    assert (before["band"], after["band"]) == ("medium", "high")
    assert after["since_ms"] == before["worsens_ms"]


def by_country(**weights: float) -> Models:
    """A shop that looks at countries: customers of a segment order twice as often as those of the whole shop."""
    models = learned()
    assert models.value is not None
    assert models.value.timing is not None
    whole = models.value.timing
    quick = replace(whole, parameters=replace(whole.parameters, alpha=whole.parameters.alpha / 2))
    segments = {name: replace(quick if weight else whole, own_weight=weight) for name, weight in weights.items()}
    value = replace(models.value, segmented_by="country", segments=segments)
    return named(replace(models, value=named_value(value)))


def of_country(country: str | None, models: Models) -> Timeline:
    """The buyer of the reference points, whose second order told a country."""
    ada = Timeline(shop_that_learned(models=models))
    buys(ada, 0).order("o2", 17 * DAY, product("tea"), country=country)
    return buys(ada, 213)


@pytest.mark.parametrize(
    "country, segment",
    [("at", "country:AT"), ("FR", "country:other"), ("DE", None), (None, None)],
    ids=["her own", "a rare one", "one like the shop", "not known"],
)
def test_a_customer_is_foretold_by_the_part_of_the_shop_she_is_in(country: str | None, segment: str | None) -> None:
    ada = of_country(country, by_country(AT=1.0, DE=0.0, other=0.4))
    found, whole = shown(ada, 272), shown(of_country(country, learned()), 272)

    assert found["segment"] == segment
    assert whole["segment"] is None
    figures = ("p_alive", "p_order", "next_order_ms", "expected")
    assert [found[name] != whole[name] for name in figures] == [segment is not None] * 4


def test_the_band_is_decided_by_the_same_parameters() -> None:
    """At twice the pace, the same silence worries earlier: the timer too is the segment's."""
    models = by_country(AT=1.0)
    quick, usual = (of_country(country, models) for country in ("AT", None))
    due = [shown(ada, 213)["churn"]["worsens_ms"] for ada in (quick, usual)]

    assert due[0] != due[1]
    quick.until((due[0] - START_MS) / 60_000)
    assert shown(quick, (due[0] - START_MS) / 86_400_000)["churn"]["since_ms"] == due[0]


def test_a_country_told_later_moves_her_into_its_segment() -> None:
    ada = of_country(None, by_country(AT=1.0))
    ada.view("tea", 250 * DAY, country="AT")

    assert shown(ada, 272)["segment"] == "country:AT"


def test_nothing_is_foretold_before_the_first_fit() -> None:
    ada = buys(Timeline(), 0)

    assert shown(ada, 1) is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Beirut", "America/Havana", "Pacific/Apia"])
def test_a_day_of_the_shop_ends_after_it_began_and_none_where_calendars_end(zone: str) -> None:
    book = Book(shop_timezone=zone)
    for hour in range(0, 366 * 24, 5):
        now_ms = ms(hour * 60)
        ends_ms = holds_until_ms(book, now_ms)
        assert ends_ms is not None
        assert now_ms < ends_ms <= now_ms + 25 * 3_600_000

    assert holds_until_ms(book, LATEST_MS + 2 * 86_400_000) is None


def test_who_has_not_ordered_has_a_reason_in_place_of_each_figure() -> None:
    found = shown(Timeline(shop_that_learned()), 1)

    assert found["p_order"] == {"7": None, "30": None, "90": None}
    assert found["churn"]["band"] is None
    assert found["absent"]["p_alive"] == "no_orders"
    assert found["expected"]["90"]["absent"]["orders"] == "no_orders"
    assert (found["net_percentile"], found["tier"]) == (None, 0)


def test_thin_data_are_named() -> None:
    rules = Heuristic(
        reason=Absent.FEW_BUYERS, interval_days=20.0, repeat_share=0.4, order_net_minor=2_000.0, order_margin_minor=None
    )
    thin = ValueModel(currency="USD", first_day=20_000, as_of_day=20_100, buyers=12, repeat_buyers=5, heuristic=rules)
    models = named(Models(value=named_value(thin)))
    found = shown(buys(Timeline(replace(shop(), models=models)), 0), 10)

    assert (found["method"], found["heuristic_reason"]) == ("heuristic", "few_buyers")
    assert found["churn"] == {
        "band": "low",
        "since_ms": START_MS,
        "risk": None,
        "concern": 0.0,
        "worsens_ms": START_MS + 30 * 86_400_000,
    }
    assert found["expected"]["90"]["orders"] == pytest.approx(0.4 * 90 / 20)
    assert found["absent"]["p_alive"] == "heuristic"


def test_all_went_back_and_a_clock_ahead_leave_no_number_that_is_none() -> None:
    ada = Timeline(shop_that_learned(models=with_spend(learned(net_percentiles=tuple(float(n) for n in range(99))))))
    buys(ada, 0, 1_000, "o1")
    buys(ada, 30, 1_000, "o2")
    ada.tell(events.OrderRefunded, 31 * DAY, order_id="o2", refund_id="r", amount_minor=5_000)

    found = shown(ada, -400)  # read by a machine whose clock is a year behind

    assert found["order_net_minor"] is None
    assert found["absent"]["order_net_minor"] == "not_positive"
    assert found["net_percentile"] == 0
    assert 0 < found["p_alive"] < 1
