"""Shops whose data say little, or are wrong: a named reason and a fallback in every profile and in the report.

Each shop is told as events, from which counters, models, profiles and the report are made as in operation. No figure may be NaN,
infinite, or missing without its reason; and none may be a zero that stands for "not known".
"""

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.document import document
from profiles.engine import Engine
from profiles.models import Models
from schemas.decode import Decoder
from streams.embedded import Embedded
from streams.fitting.build import FitPlan
from streams.fitting.fit import fit_models
from streams.insight.effect import NoEffect
from streams.reporting.document import ReportDocument, report
from streams.reporting.foresight import Outlook
from streams.reporting.missing import Missing
from streams.reporting.page import write_page
from streams.reporting.snapshot import earlier_of, snapshot
from streams.trigger_registry import all_triggers
from tests.core.test_trigger_effects import comparison, plan
from tests.finite import assert_finite

DAY_MS = 86_400_000
START_MS = 1_767_225_600_000  # 2026-01-01
YEARS_MS = 700 * DAY_MS
SECTIONS = ("trend", "outlook", "distribution", "cohorts", "repurchase", "channels", "grid", "check", "replenished")

Told = Iterator[dict[str, Any]]


def order(customer: int, day: float, cents: int = 2_000, **more: Any) -> dict[str, Any]:
    at_ms = START_MS + round(day * DAY_MS)
    return {
        "event": "Order Completed",
        "message_id": f"m{customer}-{day}",
        "timestamp_ms": at_ms,
        "received_at_ms": at_ms,
        "user_id": f"c{customer}",
        "order_id": f"o{customer}-{day}",
        "revenue_minor": cents,
    } | more


def refund(of: dict[str, Any], cents: int) -> dict[str, Any]:
    kept = {name: of[name] for name in ("user_id", "order_id")}
    at_ms = of["timestamp_ms"] + DAY_MS
    told = {"event": "Order Refunded", "message_id": f"r-{of['message_id']}", "amount_minor": cents}
    return kept | told | {"timestamp_ms": at_ms, "received_at_ms": at_ms}


def too_few() -> Told:
    for customer in range(3):
        for day in (0, 30 + customer, 70):
            yield order(customer, day)


def visits(customer: int) -> Iterator[int]:
    """The days on which a customer of an ordinary shop orders, within the better part of a year."""
    draw = Random(customer)
    pace, leave, day = 10 + draw.expovariate(1 / 25), draw.betavariate(0.9, 3.6), draw.randrange(150)
    while day < 330:
        yield day
        if draw.random() < leave:
            return
        day += 1 + round(draw.expovariate(1 / pace))


def bought_once() -> Told:
    return (order(customer, customer // 2) for customer in range(700))


def spent_nothing() -> Told:
    return (order(customer, day, 0) for customer in range(700) for day in visits(customer))


def sent_all_back() -> Told:
    """Everything after the first order went back, for more than it cost."""
    for customer in range(900):
        for number, day in enumerate(visits(customer)):
            told = order(customer, day)
            yield told
            if number:
                yield refund(told, 3_500)


def on_one_day() -> Told:
    return (order(customer, customer / 1_400) for customer in range(700))


def clocks_in_the_future() -> Told:
    """A third of the tills are two years ahead of the servers that received what they said."""
    for customer in range(900):
        for day in visits(customer):
            told = order(customer, day, 500 + 100 * (customer * day % 31) + 40 * (customer % 50))
            if customer % 3 == 0:
                told["timestamp_ms"] += YEARS_MS
            yield told


def servers_in_the_future() -> Told:
    """The same, and the servers believed them; a few stand for themselves, so that the shop's day is theirs."""
    for told in clocks_in_the_future():
        told["received_at_ms"] = told["timestamp_ms"]
        yield told


class Case(NamedTuple):
    """A shop, why its predictions are by rules of thumb (None: by a model), and what stands in the place of some figure."""

    told: Callable[[], Told]
    heuristic: str | None
    refused: str | None = None


CASES = {
    "too few customers": Case(too_few, "few_buyers"),
    "one-time buyers only": Case(bought_once, "no_good_fit", "timing"),
    "spend of nothing": Case(spent_nothing, "few_buyers"),
    "spend below zero": Case(sent_all_back, None, "spend"),
    "all orders on one day": Case(on_one_day, "short_history"),
    "clocks in the future": Case(clocks_in_the_future, None),
    "clocks and servers in the future": Case(servers_in_the_future, None),
}


class Seen(NamedTuple):
    """What came of a shop."""

    models: Models
    profiles: list[dict[str, Any]]
    report: ReportDocument


@cache
def seen(case: str) -> Seen:
    book = Book(shop_currency="EUR")
    lines = [json.dumps(told).encode() for told in CASES[case].told()]
    with Embedded(Engine(book, ()), Decoder("EUR"), on_row=lambda _: None, disorder_ms=0) as embedded:
        embedded.feed((line, 0) for line in lines)
        counters, now_ms = embedded.population(), embedded.pace.clock_ms
        today = book.shop_day(now_ms)
        models = fit_models(counters, today, FitPlan(currency="EUR"))
        book = replace(book, models=models)
        profiles = [
            json.loads(msgspec.json.encode(document(profile, book, now_ms).predicted))
            for profile in list(embedded.profiles())[:60]
        ]
    earlier = earlier_of(counters, today - 40)
    found = replace(snapshot(book, all_triggers(), counters, now_ms), earlier=earlier)
    return Seen(models, profiles, report(found, {("ads", 2026 * 12): 900}))


every_shop = pytest.mark.parametrize("case", CASES)


@every_shop
def test_predictions_say_by_what_they_were_made_and_why(case: str) -> None:
    found = seen(case)
    assert found.models.value is not None

    for predicted in found.profiles:
        assert predicted["heuristic_reason"] == CASES[case].heuristic
        assert predicted["method"] == ("model" if CASES[case].heuristic is None else "heuristic")
    refused = {one.part for one in found.models.value.rejected}
    assert CASES[case].refused is None or CASES[case].refused in refused


@every_shop
def test_no_figure_of_a_profile_is_missing_without_a_reason_or_no_number(case: str) -> None:
    for predicted in seen(case).profiles:
        assert_finite(predicted)
        for part in (predicted, *predicted["expected"].values()):
            missing = {name for name, value in part.items() if value is None and name not in UNEXPLAINED}
            assert missing <= set(part["absent"]), predicted
        nothing = {name for name, value in predicted["p_order"].items() if value is None}
        assert not nothing or predicted["method"] == "heuristic" or "p_order" in predicted["absent"]


UNEXPLAINED = {"heuristic_reason", "segment", "spend_segment", "margin_segment", "net_percentile"}
"""Null where there is nothing of the kind, and not because it could not be worked out."""


@every_shop
def test_what_is_not_known_of_a_customer_is_not_written_as_zero(case: str) -> None:
    """Who has ordered is expected to order again with some probability, however small: a zero would be a silent one."""
    for predicted in seen(case).profiles:
        orders = predicted["expected"]["365"]["orders"]
        if predicted["absent"].get("rfm") == "no_orders":
            assert orders is None
        else:
            assert orders is None or orders > 0.0
        for name in ("order_net_minor", "order_margin_minor"):
            assert predicted[name] != 0 or predicted["historic_net_minor"] == 0


@every_shop
def test_the_report_has_a_figure_or_a_named_reason_with_a_remedy_for_every_question(case: str, tmp_path: Path) -> None:
    document = seen(case).report
    assert_finite(json.loads(msgspec.json.encode(document)))

    for name in SECTIONS:
        section = getattr(document, name)
        if isinstance(section, Missing):
            assert section.reason
            assert section.remedy
    assert isinstance(document.outlook, Outlook) is (CASES[case].heuristic is None)
    if isinstance(document.outlook, Outlook):
        for name in ("net", "margin"):
            assert (getattr(document.outlook, name) is None) is (name in document.outlook.absent)
            assert getattr(document.outlook, name) != 0.0
    elif isinstance(document.outlook, Missing):
        assert document.outlook.reason == CASES[case].heuristic
    not_foretold = "not foretold (" in shown(document, tmp_path)
    assert not_foretold is (isinstance(document.outlook, Missing) or bool(document.outlook.absent))
    assert_page_has_only_numbers(document, tmp_path)


def test_money_that_went_back_leaves_no_net_to_foretell_and_says_so() -> None:
    found = seen("spend below zero")
    again = [one for one in found.profiles if one["absent"].get("order_net_minor") is not None]

    assert again
    assert {one["absent"]["order_net_minor"] for one in again} <= {"no_good_fit", "not_positive"}
    assert isinstance(found.report.outlook, Outlook)
    assert found.report.outlook.absent == {"net": "no_good_fit"}
    assert (found.report.outlook.margin or 0.0) < 0.0


def test_a_clock_ahead_is_not_believed_against_the_server_that_received_the_event() -> None:
    models = seen("clocks in the future").models
    assert models.value is not None

    assert models.as_of_day < (START_MS + 365 * DAY_MS) // DAY_MS


def test_a_channel_without_spend_has_no_ratio_and_says_so_and_so_has_spend_that_brought_nobody() -> None:
    channels = json.loads(msgspec.json.encode(seen("clocks in the future").report.channels))["channels"]
    reasons = {one["channel"]: (one["cost"], one["ratio"], one["payback"], one["reason"]) for one in channels}

    assert reasons["direct"] == (None, {}, None, "no_spend")
    assert reasons["ads"] == (None, {}, None, "no_customers")


@pytest.mark.parametrize(
    "sizes, reason", [((0, 0), "no_customers"), ((0, 9), "no_customers"), ((1, 9), "one_customer")]
)
def test_an_arm_of_nobody_or_of_one_has_a_reason_and_no_number_in_the_report(
    sizes: tuple[int, int], reason: str, tmp_path: Path
) -> None:
    found = snapshot(Book(shop_currency="EUR"), all_triggers(), comparison("cart", 5, 0, sizes), START_MS)
    document = report(replace(found, plans=(plan("cart", 0.1),)), {})
    (effect,) = document.effects

    assert effect.standing == "no_number"
    assert {outcome.estimate for outcome in effect.outcomes} == {NoEffect(reason)}  # type: ignore[arg-type]
    assert_finite(json.loads(msgspec.json.encode(document)))
    assert_page_has_only_numbers(document, tmp_path)


def shown(document: ReportDocument, folder: Path) -> str:
    """The page of a report."""
    write_page(document, folder / "report.html")
    return (folder / "report.html").read_text()


def assert_page_has_only_numbers(document: ReportDocument, folder: Path) -> None:
    """Neither the text nor the plots; the plots' library has a right to the words."""
    html = shown(document, folder)
    plots = [one for one in re.findall(r"<script.*?</script>", html, re.DOTALL) if len(one) < 500_000]
    text = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    for part in (text, *plots):
        assert not re.search(r"\bNaN\b|\bInfinity\b|\binf\b|\bnan\b", part)
