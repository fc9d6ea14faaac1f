"""`regulars fit` from a file of events: the counters and the parameters that the orders themselves give."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from profiles.book import Book
from profiles.insight.tallies import Tally
from profiles.models import Models, decode_models, encode_models, named
from profiles.statistics import part_of
from profiles.value.absent import Absent
from profiles.value.model import ModelError, Rejection
from schemas.decode import Decoder
from streams.cli import run
from streams.fitting.build import FitPlan, fit_model
from streams.fitting.fit import fit_models, refusals
from streams.fitting.gather import from_events
from streams.fitting.population import population_of
from streams.fitting.spend import fit_spend_rows
from streams.fitting.timing import fit_timing
from tests.finite import assert_finite
from tests.models import cdnow

DAY_MS = 86_400_000
NOON_MS = DAY_MS // 2
FIRST_DAY = 10_000
FIRST_MS = FIRST_DAY * DAY_MS + NOON_MS
PLAN = FitPlan(currency="USD", family="bg_nbd")


def order(customer: str, order_id: str, at_ms: int, cents: int, *categories: str) -> bytes:
    lines = [{"product_id": f"p-{category}", "category": category, "price_minor": 1} for category in categories]
    event: dict[str, Any] = {
        "event": "Order Completed",
        "message_id": f"m-{order_id}",
        "timestamp_ms": at_ms,
        "user_id": customer,
        "order_id": order_id,
        "revenue_minor": cents,
        "products": lines,
    }
    return json.dumps(event).encode()


def cdnow_events() -> Iterator[bytes]:
    """CDNOW's sample until the end of its calibration. A day that cost nothing costs a cent: here it is a purchase."""
    days = cdnow.purchase_days("sample")
    days = days[days["day"] <= cdnow.CALIBRATED_UNTIL].sort_values("day")
    rows = zip(days["customer"].tolist(), days["day"].tolist(), days["cents"].tolist(), strict=True)
    for number, (customer, day, cents) in enumerate(rows):
        yield order(f"c{customer}", f"o{number}", day * DAY_MS + NOON_MS, max(1, cents))


def counted(events: Iterator[bytes] | list[bytes]) -> tuple[Tally, int]:
    found = from_events(events, Book(), Decoder("USD"), lambda _: None)
    return found.counters, Book().shop_day(found.until_ms)


def test_a_batch_of_calls_counts_as_its_calls() -> None:
    """As for a replay: it was set aside whole, and its orders with it."""
    one, two = (
        {"type": "track", "event": "Order Completed", "messageId": f"m{number}", "userId": "u1",
         "timestamp": f"2026-03-0{number}T00:00:00Z", "properties": {"order_id": f"o{number}", "total": 10}}
        for number in (1, 2)
    )  # fmt: skip
    apart, batch = [[json.dumps(line).encode() for line in lines] for lines in ([one, two], [{"batch": [one, two]}])]

    assert counted(batch) == counted(apart)
    assert counted(apart)[0]


def test_an_order_of_the_year_9999_does_not_move_the_day_of_the_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All customers would have been silent for eight thousand years."""
    file, out = tmp_path / "events.jsonl", tmp_path / "models.json"
    orders = [order(f"c{n % 40}", f"o{n}", (20_000 + n) * DAY_MS, 1000) for n in range(200)]
    documents = []
    for lines in (orders, [*orders, order("c1", "late", 253_402_300_799_000, 1000)]):
        file.write_bytes(b"\n".join(lines))
        assert run(["fit", str(file), "--out", str(out)]) == 0
        documents.append(out.read_bytes())

    assert documents[0] == documents[1]
    assert "1 events could not be used" in capsys.readouterr().err


@pytest.fixture(scope="module")
def stream() -> Tally:
    return counted(cdnow_events())[0]


def test_the_counters_of_the_stream_are_those_of_the_purchases(stream: Tally) -> None:
    wanted = {name: count for name, count in cdnow.counters("sample").items() if name.startswith(("buyers|", "gaps"))}

    assert {
        name: count for name, count in part_of(stream, "value").items() if name.startswith(("buyers|", "gaps"))
    } == wanted


def test_parameters_fitted_from_events_are_the_published_ones(stream: Tally) -> None:
    """BG/NBD on CDNOW's sample, exact days: BTYD 2.4.3 and CLVTools 0.12.1 print these to five digits."""
    models = fit_models(stream, cdnow.CALIBRATED_UNTIL, PLAN)

    assert models.value is not None
    assert models.value.timing is not None
    found = models.value.timing.parameters
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.242595, 4.413602, 0.792922, 2.425907), rel=1e-4)
    # CDs without a category: their orders are repeated, yet what is bought again with them is not known.
    assert models.refused == {
        "repurchase": "few_gaps: 0 intervals between purchases of the same category, or the same product with supply_days; "
        "30 are needed"
    }


@pytest.fixture(scope="module")
def countries() -> tuple[list[bytes], Tally]:
    """CDNOW's sample as events that tell a country, and its customers as counters, made here.

    Every second of those who came back within two months is said to live in Austria, all others in Germany. The newest order
    says so: by then a customer has long been counted as one of no country.
    """
    days = cdnow.purchase_days("sample")
    days = days[days["day"] <= cdnow.CALIBRATED_UNTIL].sort_values("day")
    bought: dict[str, list[int]] = {}
    for customer, day in zip(days["customer"].tolist(), days["day"].tolist(), strict=True):
        bought.setdefault(customer, []).append(day)
    told: list[tuple[int, bytes]] = []
    customers: Tally = {}
    for who, on in bought.items():
        country = "AT" if len(on) > 1 and on[1] - on[0] < 60 and int(who) % 2 else "DE"
        for day in on:
            text = order(f"c{who}", f"o{who}-{day}", day * DAY_MS + NOON_MS, 900)
            told.append((day, text if day != on[-1] else text[:-1] + f', "country": "{country}"}}'.encode()))
        key = f"buyers|{len(on) - 1}|{on[0]}|{on[-1]}||{country}"
        customers[key] = customers.get(key, 0) + 1
    return [text for _, text in sorted(told, key=lambda one: one[0])], customers


def test_parts_of_the_shop_fitted_from_events_are_those_of_their_customers(
    countries: tuple[list[bytes], Tally],
) -> None:
    told, customers = countries
    stream, today = counted(told)
    kept = part_of(stream, "value")

    assert {name: count for name, count in kept.items() if name.startswith("buyers|")} == customers
    value = fit_model(kept, today, PLAN)
    assert value.segmented_by == "country"
    for country in ("AT", "DE"):
        of_country = {name: count for name, count in customers.items() if name.endswith(f"|{country}")}
        assert value.segments[country].customers == sum(of_country.values())
    alone = fit_timing(population_of(of_country), today, "bg_nbd").parameters
    found = value.segments["DE"].parameters
    assert value.segments["DE"].own_weight == 1.0
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((alone.r, alone.alpha, alone.a, alone.b), rel=2e-3)


@pytest.mark.parametrize("told_late", [False, True], ids=["from the first order on", "by the newest order"])
def test_spend_and_margin_by_country_are_those_of_the_customers_orders(told_late: bool) -> None:
    """Half of CDNOW's sample pay double, in Austria; they order like all others. The margin is what they pay less 2.00."""
    days = cdnow.purchase_days("sample")
    days = days[days["day"] <= cdnow.CALIBRATED_UNTIL].sort_values("day")
    last = days.groupby("customer")["day"].max().to_dict()
    events: list[bytes] = []
    seen: dict[str, list[int]] = {}
    for who, day, cents in zip(days["customer"].tolist(), days["day"].tolist(), days["cents"].tolist(), strict=True):
        country = "AT" if int(who) % 2 else "DE"
        paid = max(1, cents) * (2 if country == "AT" else 1)
        event = json.loads(order(f"c{who}", f"o{who}-{day}", day * DAY_MS + NOON_MS, paid))
        event["products"] = [{"product_id": "cd", "quantity": 1, "price_minor": paid, "cost_minor": 200}]
        if day == last[who] or not told_late:
            event["country"] = country
        events.append(json.dumps(event).encode())
        if who in seen:
            seen[who].append(paid)
        seen.setdefault(who, [])
    value = fit_model(part_of(counted(events)[0], "value"), cdnow.CALIBRATED_UNTIL, PLAN)

    assert (value.spend_by, value.margin_by, value.segmented_by) == ("country", "country", None)
    for country in ("AT", "DE"):
        spend, margin = value.spend_segments[country], value.margin_segments[country]
        bought_again = [paid for who, paid in seen.items() if paid and ("AT" if int(who) % 2 else "DE") == country]
        assert margin.customers == len(bought_again)
        weight = len(bought_again) / 1_000
        assert spend.own_weight == pytest.approx(weight, abs=2e-3)
    alone = {c: fit_spend_rows(*rows_of(seen, c), cdnow.CALIBRATED_UNTIL).parameters for c in ("AT", "DE")}
    assert value.spend is not None
    for country, own in alone.items():
        found, shop = value.spend_segments[country], value.spend.parameters
        for at in ("p", "q", "v"):
            between = getattr(own, at) ** found.own_weight * getattr(shop, at) ** (1 - found.own_weight)
            assert getattr(found.parameters, at) == pytest.approx(between, rel=0.02)
    ratio = value.spend_segments["AT"].parameters.v / value.spend_segments["DE"].parameters.v
    assert 1.2 < ratio < 2.0


def rows_of(seen: dict[str, list[int]], country: str) -> tuple[Any, Any, Any]:
    """x, mean value and 1 for each of a country's customers who came back."""
    paid = [found for who, found in seen.items() if found and ("AT" if int(who) % 2 else "DE") == country]
    return (
        np.array([len(one) for one in paid]),
        np.array([sum(one) / len(one) for one in paid]),
        np.ones(len(paid), np.int64),
    )


def test_the_command_tells_parts_of_the_shop_apart(
    countries: tuple[list[bytes], Tally], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "orders.jsonl", tmp_path / "models.json"
    source.write_bytes(b"\n".join(countries[0]))

    assert run(["fit", str(source), "--out", str(out), "--family", "bg_nbd"]) == 0

    said = capsys.readouterr()
    value = decode_models(out.read_bytes()).value
    assert value is not None
    germans = value.segments["DE"]
    assert "  segments   by country\n" in said.out
    assert f"    DE: {germans.customers:,} buyers, r {germans.parameters.r:.4g}, " in said.out
    assert "100% its own" in said.out
    assert "segment" not in said.err


def test_a_document_survives_being_written_and_a_changed_one_is_refused(stream: Tally) -> None:
    models = fit_models(stream, cdnow.CALIBRATED_UNTIL, PLAN)
    document = encode_models(models)

    assert decode_models(document) == models
    with pytest.raises(ModelError, match="does not match their id"):
        decode_models(document.replace(b'"buyers":2357', b'"buyers":2358'))
    with pytest.raises(ModelError, match="update the program"):
        decode_models(document.replace(b'{"v":1', b'{"v":3', 1))
    with pytest.raises(ModelError, match="damaged"):
        decode_models(document[:-5])


@pytest.mark.parametrize(
    "field, misspelt, said",
    [
        (b'"repurchase":null', b'"repurchse":null', r"unknown field \$\.repurchse; did you mean 'repurchase'\?"),
        (b'"buyers":2357', b'"byers":2357', r"unknown field \$\.value\.byers; did you mean 'buyers'\?"),
        (b'"alpha":', b'"beta":1.0,"alpha":', r"\$\.value\.timing\.parameters\.beta; known are .*alpha.*regularity"),
        (
            b'"cohorts":{"',
            b'"cohorts":{"1969-12":{"expcted":[]},"',
            r"\$\.value\.outlook\.cohorts\[\.\.\.\]\.expcted; .*'expected'",
        ),
    ],
)
def test_a_field_that_models_do_not_have_is_refused_by_name_and_place(
    stream: Tally, field: bytes, misspelt: bytes, said: str
) -> None:
    document = encode_models(fit_models(stream, cdnow.CALIBRATED_UNTIL, PLAN))
    assert field in document

    with pytest.raises(ModelError, match=said):
        decode_models(document.replace(field, misspelt, 1))


def test_a_second_fit_keeps_the_parts_that_can_not_be_fitted_anew(stream: Tally) -> None:
    first = fit_models(stream, cdnow.CALIBRATED_UNTIL, PLAN)
    assert first.value is not None
    broken = {name: count if not name.startswith("value:spend|") else 0 for name, count in stream.items()} | {
        "value:spend|1|0": first.value.repeat_buyers
    }

    second = fit_models(broken, cdnow.CALIBRATED_UNTIL + 1, PLAN, last=first)

    assert second.value is not None
    assert second.value.spend == first.value.spend
    assert [(one.part, one.reason) for one in second.value.rejected] == [("spend", Rejection.FEW_REPEAT_BUYERS)]
    assert ("spend", "few_repeat_buyers: 0 customers spent again, 50 are needed for spend") in refusals(second)


@pytest.mark.parametrize(
    "events, reason",
    [
        ([order("ann", "o1", FIRST_MS, 500)], Absent.FEW_BUYERS),
        ([order(f"c{n}", f"o{n}", FIRST_MS + n, 900) for n in range(600)], Absent.SHORT_HISTORY),
        ([order(f"c{n}", f"o{n}", FIRST_MS + n * DAY_MS // 2, 900) for n in range(600)], Absent.NO_GOOD_FIT),
    ],
    ids=["too few", "all on one day", "nobody came back"],
)
def test_thin_data_are_named_and_leave_rules_of_thumb(events: list[bytes], reason: Absent) -> None:
    counters, today = counted(events)
    models = fit_models(counters, today, PLAN)

    assert models.value is not None
    assert models.value.timing is None
    assert models.value.heuristic is not None
    assert models.value.heuristic.reason is reason
    assert_finite(json.loads(encode_models(models)))


def test_orders_below_zero_and_clocks_ahead_leave_a_model_without_a_number_that_is_none() -> None:
    """Everything a customer bought after her first order went back, for more than it cost; some clocks are years ahead."""
    told: list[bytes] = []
    for n in range(700):
        for visit in range(1 + n % 3):
            at_ms = (n % 300 + 40 * visit) * DAY_MS + FIRST_MS
            told.append(order(f"c{n}", f"o{n}-{visit}", at_ms, 900))
            if visit:
                refund = {
                    "event": "Order Refunded",
                    "message_id": f"r{n}-{visit}",
                    "timestamp_ms": at_ms + 1,
                    "user_id": f"c{n}",
                    "order_id": f"o{n}-{visit}",
                    "amount_minor": 1_500,
                }
                told.append(json.dumps(refund).encode())
    counters, _ = counted(told)
    models = fit_models(counters, FIRST_DAY + 200, PLAN)  # a day before many of the orders

    assert models.value is not None
    assert models.value.spend is None
    assert ("spend", Rejection.FEW_REPEAT_BUYERS) in [(one.part, one.reason) for one in models.value.rejected]
    assert_finite(json.loads(encode_models(models)))


def test_the_command_writes_what_the_fit_gives(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "orders.jsonl", tmp_path / "models.json"
    source.write_bytes(b"\n".join(order(f"c{n}", f"o{n}", FIRST_MS, 500, "tea") for n in range(3)))

    assert run(["fit", str(source), "--out", str(out)]) == 0

    said = capsys.readouterr()
    models = decode_models(out.read_bytes())
    assert models.value is not None
    assert (models.value.buyers, models.repurchase) == (3, None)
    assert "from 3 buyers, 0 of whom came back" in said.out
    assert "value: few_buyers: rules of thumb stand in" in said.err
    assert models == named(models)


def test_the_command_says_when_there_was_nothing_to_learn_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "nothing.jsonl"
    source.write_bytes(b"")

    assert run(["fit", str(source), "--out", str(tmp_path / "models.json")]) == 1
    assert "nobody has bought yet" in capsys.readouterr().err
    assert not (tmp_path / "models.json").exists()


def test_the_command_says_how_many_events_it_could_not_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "export.jsonl"
    source.write_text('{"colour": "red"}\nnot json\n')

    assert run(["fit", str(source), "--out", str(tmp_path / "models.json")]) == 1
    assert "2 events could not be used" in capsys.readouterr().err
    assert run(["pairs", str(source), "--out", str(tmp_path / "pairs.json")]) == 0
    assert "2 events could not be used" in capsys.readouterr().err


def test_the_command_wants_a_place_for_the_models_of_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "orders.jsonl"]) == 2
    assert "--out" in capsys.readouterr().err


def test_what_is_bought_together_survives_a_fit(stream: Tally) -> None:
    pair = ("jam", "tea")
    counted = Models(v=2, together={"jam": [], "tea": []}, bundles=dict.fromkeys(pair, pair))

    fitted = decode_models(encode_models(fit_models(stream, cdnow.CALIBRATED_UNTIL, PLAN, last=counted)))

    assert (fitted.v, fitted.together, fitted.bundles) == (2, counted.together, counted.bundles)
