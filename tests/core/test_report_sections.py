"""Sections of the report: CDNOW's published figures, small shops counted by hand, and bad input with a named reason."""

import io
import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from profiles.acquisition import label
from profiles.insight.cases import Case, contribution
from profiles.insight.tallies import merged
from profiles.months import month_of
from profiles.state import Touch
from profiles.value.buckets import bucket_of
from profiles.value.history import History
from profiles.value.tallies import tallies
from streams.commands.display import Words
from streams.commands.report_tables import print_document, replenished_note
from streams.reporting.channels import Channels, channels
from streams.reporting.document import report
from streams.reporting.feedback import FeedbackFigures, feedback
from streams.reporting.grid import Grid, grid
from streams.reporting.missing import Missing
from streams.reporting.page import write_page
from streams.reporting.replenished import Replenished, replenished
from streams.reporting.snapshot import (
    EarlierKeeper,
    Snapshot,
    SnapshotError,
    earlier_of,
    read_snapshot,
    write_snapshot,
)
from streams.reporting.spend import SpendError, read_spend
from streams.reporting.worth import Distribution, Repurchase, Tables, Trend, distribution, repurchase, tables, trend
from tests.core.test_cohorts import JANUARY, LAST_DAY
from tests.core.test_cohorts import counters as cdnow_counters
from tests.core.test_trigger_effects import comparison, plan

JULY = LAST_DAY + 1  # 1998-07-01: June is over


def shop(counters: dict[str, int], today: int = JULY) -> Snapshot:
    return Snapshot(
        shop_id="s", currency="USD", timezone="UTC", now_ms=today * 86_400_000, today=today, counters=counters
    )


def cdnow() -> Snapshot:
    return shop({f"cohort:{name}": count for name, count in cdnow_counters().items()})


def test_the_average_over_time_is_all_revenue_over_all_customers() -> None:
    found = trend(cdnow())

    assert isinstance(found, Trend)
    assert [point.month - JANUARY for point in found.points] == list(range(18))
    assert found.points[0].customers == 7_846
    assert found.points[0].net == pytest.approx(3_812, abs=0.5)  # published: 38.12 in the month of the first order
    assert found.points[-1].customers == 23_570
    assert found.points[-1].net == pytest.approx(250_031_563 / 23_570)  # 2,500,315.63 dollars, published
    assert found.at_age[12][0][0] == JANUARY
    # Published are months 0 to 6, which are the first seven; ours are the first six, so below.
    assert found.at_age[6][0][1] < 7_161 < found.at_age[12][0][1] < 9_575


def test_new_customers_of_a_month_are_shown_with_how_many_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, page = said(cdnow(), tmp_path, capsys)

    assert '"1997-01 (7,846)","1997-02 (8,476)","1997-03 (7,248)"' in page


def test_what_shows_the_newest_months_alone_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of eighteen months of CDNOW the table had the last twelve, under the name of all of them."""
    printed, _ = said(cdnow(), tmp_path, capsys)
    assert "Average lifetime value over time, the newest 12 of 18 months" in printed
    assert "Customers who ordered again, by month since the first order month new" in printed, "all three are there"

    years = {f"cohort:size|a|{JANUARY + number}": 40 for number in range(-6, 18)}
    printed, page = said(shop(years), tmp_path, capsys)
    assert "by month since the first order, the newest 12 of 24 months" in printed
    assert "The newest 18 of 24 months are shown." in page


def test_repurchase_is_the_published_curve() -> None:
    found = repurchase(shop(cdnow().counters, LAST_DAY))

    assert isinstance(found, Repurchase)
    assert found.within[90] == pytest.approx(0.292193, abs=5e-7)
    assert found.old_enough[365] == 23_570


def test_a_share_of_few_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One customer is a year old and came back: nobody is to read that all do."""
    counters = {f"first|{JULY - 40}": 29, f"again30|{JULY - 40}": 10, f"first|{JULY - 365}": 1}
    counters |= {f"again{days}|{JULY - 365}": 1 for days in (30, 60, 90, 180, 365)}
    found = shop({f"cohort:{name}": count for name, count in counters.items()})

    shares = repurchase(found)
    assert isinstance(shares, Repurchase)
    assert (shares.within, shares.old_enough) == (
        {30: 11 / 30, 60: None, 90: None, 180: None, 365: None},
        {30: 30, 60: 1, 90: 1, 180: 1, 365: 1},
    )
    printed, page = said(found, tmp_path, capsys)
    assert "share 36.7% - - - - of customers 30 1 1 1 1" in printed
    assert "ordered again within 30 days" in page
    few = shop({f"cohort:first|{JULY - 40}": 29})
    assert "fewer than 30 customers whose first order is 30 days old" in said(few, tmp_path, capsys)[1]


def test_a_narrow_terminal_breaks_no_figure() -> None:
    """In eighty columns a value of 129.62 stood there as 129. with 62 below it."""
    figures = []
    for width in (200, 60):
        shown = io.StringIO()
        print_document(report(cdnow()), Words(file=shown, width=width, force_terminal=True, color_system=None))
        figures.append(re.findall(r"\d[\d,]*\.\d\d\b", shown.getvalue()))

    assert len(figures[0]) > 20
    assert sorted(figures[1]) == sorted(figures[0])


def test_tables_end_with_the_last_month_that_is_over() -> None:
    found = tables(shop(cdnow().counters, LAST_DAY))  # June is not over on its last day

    assert isinstance(found, Tables)
    assert len(found.cohorts[0].retention) == 17


def values(*amounts: int) -> dict[str, int]:
    counters: dict[str, int] = {}
    for amount in amounts:
        name = f"value:value|{bucket_of(amount)}"
        counters[name] = counters.get(name, 0) + 1
    return counters


def test_the_spread_says_what_the_best_tenth_brings() -> None:
    found = distribution(shop(values(*[1_000] * 9, 91_000)))

    assert isinstance(found, Distribution)
    assert (found.customers, found.not_above_zero) == (10, 0)
    assert found.mean == pytest.approx(10_000, rel=0.01)
    assert found.top_tenth == pytest.approx(0.91, abs=0.01)
    assert found.quantiles == pytest.approx([1_000] * 5, rel=0.01)
    assert [(low, high, count) for low, high, count in found.bins if count] == [(1_000, 1_500, 9), (70_000, 100_000, 1)]


def said(found: Snapshot, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What a report says on a terminal and on its page."""
    document = report(found)
    print_document(document)
    write_page(document, folder / "page.html")
    return " ".join(capsys.readouterr().out.split()), (folder / "page.html").read_text()


def test_the_spread_tells_only_what_is_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, by_few = said(shop(values(100, 200, 9_000)), tmp_path, capsys)
    _, by_many = said(shop(values(0, 0, 5_000, 6_000, 6_000)), tmp_path, capsys)
    _, even = said(shop(values(9_000, 10_000, 10_000, 11_000, 12_000)), tmp_path, capsys)

    assert "it is made by few" in by_few
    assert "it is made by few" not in even, "the mean is a little above the middle, as of all that can't be below zero"
    assert "have brought nothing" not in by_few
    assert "it is made by few" not in by_many
    # Their goods were free, or all was paid back, or nobody knows the rate: the counters do not say which.
    assert "2 customers have brought nothing, or less, after discounts and refunds." in by_many


def test_margins_say_how_much_of_them_is_estimated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders = values(5_000, 6_000) | {"cohort:size|a|23960": 2, "cohort:net|a|23960|0": 11_000, "gross": 20_000}
    warning = "For 75.0% of gross revenue some cost (of goods, shipping or payment) is not known and counts as nothing"

    for text in said(shop(orders | {"estimated_gross": 15_000}), tmp_path, capsys):
        assert warning in text
    for text in said(shop(orders), tmp_path, capsys):
        assert "counts as nothing" not in text
    assert report(shop(orders | {"estimated_gross": 15_000})).margin_estimated_share == 0.75
    assert report(shop({})).margin_estimated_share is None


def test_orders_are_no_success_of_what_is_sent_as_a_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counters = {f"trigger:{name}|sent": 8 for name in ("nps.detractor", "welcome")} | {"trigger:welcome|converted": 2}

    printed, page = said(shop(counters), tmp_path, capsys)

    assert re.search(r"nps\.detractor 8 0 - not randomised", printed)
    assert re.search(r"welcome 8 0 2 \(25\.0%\)", printed)
    assert ">nps.detractor</td><td>8</td><td>0</td><td>-</td><td>-</td>" in page
    # Where the shop's own rules make it marketing, an order may be credited to it.
    assert "1 (12.5%)" in said(shop(counters | {"trigger:nps.detractor|converted": 1}), tmp_path, capsys)[0]


def test_what_messages_bring_is_said_with_the_time_in_which_and_who_was_in_both_arms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counters = comparison("welcome", 1, 1_500) | {"effect:welcome|contaminated|customers|n": 7}
    found = msgspec.structs.replace(shop(counters), plans=[plan("welcome")])

    for text in said(found, tmp_path, capsys):
        assert "in the 90 days from her first one on" in text
        assert "welcome: 7 customers were in both arms" in text
    for text in said(shop(counters), tmp_path, capsys):
        assert "from her first one on" not in text


def test_messages_that_cost_revenue_are_not_just_said_to_have_an_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = msgspec.structs.replace(shop(comparison("welcome", 1, -1_500)), plans=[plan("welcome")])

    for text in said(found, tmp_path, capsys):
        assert "found: they bring less" in text


def test_an_average_is_said_to_be_of_the_last_month_that_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in said(cdnow(), tmp_path, capsys):
        assert "verage customer lifetime value until the end of 1998-06" in text


def test_plots_write_amounts_with_the_decimals_of_the_currency(tmp_path: Path) -> None:
    orders = values(5_000, 6_000) | {"cohort:size|a|23960": 2, "cohort:net|a|23960|0": 11_000}

    write_page(report(replace(shop(orders), currency="JPY")), tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text()
    assert "%{y:,.0f}" in page
    assert "%{y:,.2f}" not in page


def test_without_any_order_no_section_says_that_a_month_has_to_pass() -> None:
    document = report(shop({}))

    assert {
        one.reason for one in (document.trend, document.cohorts, document.channels) if isinstance(one, Missing)
    } == {"no_orders"}


def test_a_shop_without_an_event_has_no_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed, page = said(shop({}, today=0), tmp_path, capsys)

    assert printed.startswith("s, no event yet, amounts in USD")
    assert "No event yet, in USD." in page
    assert "1970" not in printed


def test_where_refunds_ate_everything_there_is_no_share_of_revenue() -> None:
    found = distribution(shop(values(0, -500, -500)))

    assert isinstance(found, Distribution)
    assert (found.top_tenth, found.not_above_zero, found.bins) == (None, 3, [])


def test_the_grid_counts_everybody_once_in_her_class() -> None:
    counters = {
        "value:buyers|0|10000|10000": 6,  # one order, 408 days ago
        "value:buyers|0|10400|10400": 1,
        "value:buyers|4|10000|10400": 2,
        "value:buyers|9|9000|10408": 1,  # today, and dated tomorrow below
        "value:buyers|2|9000|10409": 1,
    }
    found = grid(shop(counters))

    assert isinstance(found, Grid)
    assert sum(map(sum, found.customers)) == 11
    assert found.customers[-1][0] == 6
    assert found.frequency[0] == "1 order day"
    assert found.recency[0].startswith("0")


def test_a_buyer_with_many_orders_a_day_is_told_by_the_days_on_which_she_ordered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A company with 10,000 orders in 418 days was shown to have 418 orders."""
    printed, page = said(shop({"value:buyers|417|10000|10417": 1}), tmp_path, capsys)

    assert "418 order days" in printed
    assert '"x":["418 order days"]' in page


def test_one_time_buyers_of_one_day_are_a_grid_of_one_cell() -> None:
    found = grid(shop({"value:buyers|0|10000|10000": 6}))

    assert found == Grid(["408 days"], ["1 order day"], [[6]], [[0]])


def test_each_cell_of_the_grid_knows_what_its_customers_brought() -> None:
    histories = [
        History(x=0, first_day=10_000, last_day=10_000, net_minor=1_999),
        History(x=0, first_day=10_000, last_day=10_000, net_minor=-500),  # more came back than was bought
        History(x=4, first_day=10_000, last_day=10_400, net_minor=70_000),
        History(x=4, first_day=9_000, last_day=10_400, net_minor=8_000),
    ]
    counters = merged({f"value:{name}": count for name, count in tallies(one).items()} for one in histories)
    found = grid(shop(counters))

    assert isinstance(found, Grid)
    assert found.customers == [[0, 2], [2, 0]]
    assert found.net == [[0, 78_000], [1_499, 0]]


def answers(kind: str, day: int, promoters: int, passives: int, detractors: int) -> dict[str, int]:
    groups = {"promoters": promoters, "passives": passives, "detractors": detractors}
    return {f"nps:{kind}.{day}.{group}.all": count for group, count in groups.items()} | {
        f"nps:{kind}.{day}.answered.all": promoters + passives + detractors
    }


def test_scores_stand_apart_by_kind_and_window_with_their_interval() -> None:
    counters = (
        answers("relational", JULY - 200, 50, 30, 20)  # of the year alone
        | answers("transactional", JULY - 89, 20, 5, 5)
        | answers("transactional", JULY - 90, 0, 0, 29)
        | {f"asked:transactional.{JULY - 89}.asked.all": 120}
    )
    found = feedback(shop(counters))

    assert isinstance(found, FeedbackFigures)
    assert [(one.kind, one.days, one.nps.answers) for one in found.scores] == [
        ("relational", 365, 100),
        ("transactional", 90, 30),
        ("transactional", 365, 59),
    ]
    year, quarter, _ = (one.nps for one in found.scores)
    # 50, 30 and 20 of 100: the interval of cybaea.net's note on the variance of the score.
    assert [year.score, year.low, year.high] == pytest.approx([30, 14.69, 45.31], abs=0.01)
    assert year.response_rate is None
    assert [quarter.score, quarter.response_rate] == pytest.approx([50, 0.25])


def test_without_a_single_answer_the_report_says_how_to_get_some() -> None:
    found = feedback(shop({"orders": 3}))

    assert isinstance(found, Missing)
    assert found.reason == "no_answers"


def test_cases_go_by_the_rules_of_the_shop() -> None:
    counters = merged(
        {f"cases:{name}": count for name, count in contribution(case).items()}
        for case in (
            Case(JULY - 20, 0, contacted_ms=30 * 3_600_000),
            Case(JULY - 5, 0, contacted_ms=60_000, resolved_ms=60_000),
            Case(JULY - 4, 0),
            Case(JULY - 1, 0),  # not due yet, wherever in the day it was opened
        )
    )
    strict = feedback(shop(counters))
    mild = feedback(replace(shop(counters), contact_due_ms=2 * 86_400_000, case_expires_ms=10 * 86_400_000))

    assert isinstance(strict, FeedbackFigures)
    assert isinstance(mild, FeedbackFigures)
    assert (strict.open.open, strict.open.waiting, strict.open.overdue) == (3, 2, 1)
    assert [strict.loop.opened, strict.loop.contacted_in_time, strict.loop.expired] == pytest.approx([3, 1 / 3, 0])
    assert (mild.open.open, mild.open.oldest_day) == (2, JULY - 4)
    assert [mild.loop.contacted_in_time, mild.loop.expired] == pytest.approx([2 / 3, 1 / 3])


def test_what_was_foretold_is_held_against_what_came_once_its_window_is_over() -> None:
    over, running = (JULY - 7) // 7, (JULY - 7) // 7 + 1
    counters = {
        f"foretold:hit|4|{over}": 81,
        f"foretold:early|4|{over}": 20,
        f"foretold:late|4|{over - 3}": 5,
        f"foretold:open|4|{over}": 157,  # nothing came in the window
        f"foretold:sure|4|{over}": 258 * 44,
        f"foretold:sure|4|{over - 3}": 5 * 44,
        f"foretold:hit|word|{over}": 1,
        f"foretold:early|word|{over}": 1,
        f"foretold:hit|9|{running}": 70,  # those who are to come are not known yet
        f"foretold:sure|9|{running}": 70 * 95,
        f"foretold:hit|9|{over - 60}": 70,  # more than a year ago
    }
    found = replenished(shop(counters))

    assert isinstance(found, Replenished)
    fifth, word = found.tenths
    assert (fifth.low, fifth.purchases, fifth.foretold) == (0.4, 263, 0.44)
    # 81 of 263: Newcombe 1998, table I.
    assert [fifth.hit_low, fifth.hit, fifth.hit_high] == pytest.approx([0.2553, 81 / 263, 0.3662], abs=5e-5)
    assert fifth.early == pytest.approx(20 / 263)
    assert (word.low, word.purchases, word.foretold, word.hit, word.early) == (None, 2, None, 0.5, 0.5)
    assert found.purchases == 265
    assert found.error == pytest.approx(0.44 - 81 / 263)


def test_where_nothing_was_foretold_or_no_window_is_over_the_report_says_so() -> None:
    nothing, early = replenished(shop({})), replenished(shop({f"foretold:open|4|{JULY // 7}": 3}))

    assert isinstance(nothing, Missing)
    assert isinstance(early, Missing)
    assert (nothing.reason, early.reason) == ("nothing_foretold", "no_window_over")


def channel(name: str, month: int, customers: int, *margins: int) -> dict[str, int]:
    counters = {f"cohort:size|{name}|{month}": customers, f"cohort:first|{name}": 0}
    for age, margin in enumerate(margins):
        counters[f"cohort:margin|{name}|{month}|{age}"] = margin
    return {name: count for name, count in counters.items() if count}


def test_a_channel_is_paid_back_when_its_curve_reaches_the_cost() -> None:
    last = month_of(JULY) - 1
    counters = channel("ads", last - 3, 100, 100_000, 50_000, 50_000, 20_000) | channel("ads", last, 100, 140_000)
    (found,) = channels(shop(counters), {("ads", last - 3): 200_000, ("ads", last): 200_000}).channels  # type: ignore[union-attr]

    assert found.cost == 2_000
    # Month 1: (100,000 + 140,000) / 200; months 2 to 4: of the first cohort alone.
    assert found.curve == [1_200, 1_700, 2_200, 2_400]
    assert found.value == {1: 1_200, 3: 2_200}
    assert found.ratio == {1: 0.6, 3: 1.1}
    assert (found.payback, found.reason) == (3, None)


def test_who_came_before_spend_was_noted_does_not_make_the_others_cheap() -> None:
    """A shop of many years begins to send what it spends: a fresh ratio of 50 would say that advertising is nearly free."""
    last = month_of(JULY) - 1
    counters = channel("ads", last - 30, 900, 900_000) | channel("ads", last - 2, 60, 60_000) | channel("ads", last, 40)
    (found,) = channels(shop(counters), {("ads", last - 2): 90_000, ("ads", last): 110_000}).channels  # type: ignore[union-attr]

    assert (found.customers, found.spend, found.cost) == (1_000, 200_000, 2_000)
    (late,) = channels(shop(counters), {("ads", last - 1): 5_000}).channels  # type: ignore[union-attr]
    assert (late.cost, late.ratio, late.reason) == (None, {}, "no_customers")


def test_each_months_new_customers_are_held_against_what_that_month_cost() -> None:
    """CDNOW's cohorts of January to March 1997, what each customer had brought after 0, 6 and 12 months, at a cost of 70.00.

    The sums of months 1 to 6 and 7 to 12 are put into the last of them, since no others are published.
    """
    brought = (
        (3_812, 3_349, 2_414),
        (3_758, 3_106, 2_230),
        (3_862, 2_944, 2_380),
    )  # month 0, months 1 to 6, months 7 to 12
    last = month_of(JULY) - 1
    counters: dict[str, int] = {}
    for number, (first, half, year) in enumerate(brought):
        start = last - 12 - number
        margins = [100 * first, *[0] * 5, 100 * half, *[0] * 5, 100 * year]
        counters |= channel("ads", start, 100, *margins)
    spend = {("ads", last - 12 - number): 100 * 7_000 for number in range(3)} | {("ads", last - 1): 500}
    found = channels(shop(counters), spend)

    assert isinstance(found, Channels)
    *oldest_first, nobody = found.cohorts
    assert [(one.channel, one.customers, one.cost) for one in oldest_first] == [("ads", 100, 7_000.0)] * 3
    assert [one.payback for one in reversed(oldest_first)] == [7, 13, 13]  # the sums come at months 6 and 12
    assert oldest_first[-1].ratio == pytest.approx(
        {1: 3_812 / 7_000, 3: 3_812 / 7_000, 6: 3_812 / 7_000, 12: 7_161 / 7_000}
    )
    assert (nobody.month, nobody.customers, nobody.ratio, nobody.reason) == (
        "1998-05",
        0,
        {},
        "no_customers",
    )


def test_the_page_says_of_whom_the_cost_of_one_is(tmp_path: Path) -> None:
    """Of 150 customers and 1,000.00 spent in one month a customer was said to have cost 20.00, and nobody could tell why."""
    last = month_of(JULY) - 1
    counters = channel("ads", last - 3, 100, 10_000) | channel("ads", last, 50, 10_000)
    document = report(shop(counters), {("ads", last): 100_000})
    write_page(document, tmp_path / "page.html")

    assert isinstance(document.channels, Channels)
    assert document.channels.channels[0].cost == 2_000
    assert "divided by the customers won from the first month with spend to the last" in page_text(tmp_path)
    write_page(report(shop(counters)), tmp_path / "page.html")
    assert "from the first month with spend" not in page_text(tmp_path), "nobody has told of any"


def test_one_channel_alone_is_named_beside_its_line_and_a_long_name_leaves_room_for_the_months(tmp_path: Path) -> None:
    last, name = month_of(JULY) - 1, "partner-of-the-spring-campaign-for-those-who-came-before / affiliate"
    write_page(report(shop(channel(name, last, 50, 10_000)), {(name, last): 100}), tmp_path / "page.html")
    text = page_text(tmp_path)

    assert '"showlegend":true' in text
    assert '"ticktext":["partner-of-the-spring-cam…"]' in text


def page_text(folder: Path) -> str:
    return (folder / "page.html").read_text()


def test_what_was_foretold_is_off_by_points_not_by_a_share_of_itself() -> None:
    """Chances of about 15 % that are off by 3 points are off by a fifth."""
    note = replenished_note(Replenished(days=365, purchases=10, tenths=[], error=0.0321))

    assert note.endswith("what was foretold is off by 3.2 percentage points on average")


def test_a_channel_without_spend_and_spend_without_customers_say_so() -> None:
    last = month_of(JULY) - 1
    found = channels(shop(channel("mail", last, 50, 10_000)), {("radio", last): 70_000})

    assert isinstance(found, Channels)
    mail, radio = found.channels
    assert (mail.spend, mail.cost, mail.ratio, mail.payback, mail.reason) == (None, None, {}, None, "no_spend")
    assert (radio.customers, radio.spend, radio.cost, radio.reason) == (0, 70_000, None, "no_customers")


@pytest.mark.parametrize("source", ["partner:blog", "fb|ig", "a" * 90])
def test_spend_is_found_for_channels_whose_names_are_counted_in_another_form(source: str) -> None:
    """Bars, colons and what comes after 80 characters are in no counter's name: such spend had "brought nobody"."""
    last = month_of(JULY) - 1
    counted = label(Touch(0, source, "email"))
    found = channels(shop(channel(counted, last, 50, 10_000)), {(f"{source} / email", last): 70_000})

    assert isinstance(found, Channels)
    assert [(one.channel, one.customers, one.cost) for one in found.channels] == [(counted, 50, 1_400)]
    assert [(one.channel, one.reason) for one in found.cohorts if one.month == "1998-06"] == [(counted, None)]


def spend_file(folder: Path, *lines: str) -> Path:
    path = folder / "spend.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_spend_is_added_up_by_channel_and_month(tmp_path: Path) -> None:
    path = spend_file(
        tmp_path,
        "# from the books",
        "Channel,day,spend",
        "ads,2026-03-01,1.50",
        "ads,2026-03-31,2",
        "",
        "ads,2026-04-01,0",
    )

    assert read_spend(path, "EUR") == {("ads", 2026 * 12 + 2): 350, ("ads", 2026 * 12 + 3): 0}


@pytest.mark.parametrize(
    "line, message",
    [
        ("2026-02-30,ads,1", "line 2, column day: '2026-02-30' is no day"),
        ("2026-02-03,,1", "line 2, column channel: it is empty"),
        ("2026-02-03,ads,much", "line 2, column spend: 'much' is no amount"),
        ("2026-02-03,ads,-1", "line 2, column spend: '-1' is no amount of EUR from zero on"),
        ("2026-02-03,ads,nan", "line 2, column spend: 'nan' is no amount of EUR"),
        ("2026-02-03,ads,1.005", "line 2, column spend"),
        ("2026-02-03,ads,1e14", "line 2, column spend: '1e14' is no amount of EUR"),
        ("2026-02-03,ads,1e999999999", "line 2, column spend: '1e999999999' is no amount of EUR"),
        ("2026-02-03,ads", "line 2: 2 columns, the first line names 3"),
    ],
)
def test_a_line_of_spend_that_can_not_be_is_named(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(SpendError, match=message.replace("(", r"\(")):
        read_spend(spend_file(tmp_path, "day,channel,spend", line), "EUR")


def test_a_file_of_spend_without_its_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpendError, match="names no column 'channel'"):
        read_spend(spend_file(tmp_path, "day,medium,spend"), "EUR")
    with pytest.raises(SpendError, match="separated by commas, not by semicolons"):
        read_spend(spend_file(tmp_path, "day;channel;spend", "2026-02-03;ads;1,50"), "EUR")


def test_a_file_of_spend_that_can_not_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    missing, binary = tmp_path / "none.csv", tmp_path / "binary.csv"
    binary.write_bytes(b"day,channel,spend\n\xff")

    for path, words in ((missing, "can't be read: No such file or directory"), (binary, "not UTF-8 text")):
        with pytest.raises(SpendError) as refused:
            read_spend(path, "EUR")
        assert str(refused.value).startswith(str(path))
        assert words in str(refused.value)
        assert "Errno" not in str(refused.value)


BAD: dict[str, dict[str, int]] = {
    "nothing": {},
    "one customer": {
        "value:buyers|0|10000|10000": 1,
        "value:value|0": 1,
        "cohort:size|unknown|23968": 1,
        "cohort:first|10000": 1,
        "cohort:active|unknown|23968|0": 1,
    },
    "revenue below zero": values(-5, -700) | {"cohort:size|a|23960": 2, "cohort:net|a|23960|0": -705},
    "clocks in the future": {"value:buyers|3|20000|30000": 4, "cohort:size|a|30000": 4, "cohort:first|30000": 4},
    "a case resolved that nobody opened": {"cases:9.resolved": 1, "nps:relational.9.answered.all": 1},
    "arms of nobody and of one": {"effect:g|treated|customers|n": 1, "effect:h|contaminated|customers|n": 2},
}


@pytest.mark.parametrize("counters", BAD.values(), ids=BAD)
def test_bad_input_gives_named_reasons_and_never_a_number_that_is_none(counters: dict[str, int]) -> None:
    document = report(shop(counters), {("a", month_of(JULY) - 2): 0})
    text = msgspec.json.encode(document).decode()

    assert "NaN" not in text
    assert "Infinity" not in text
    for number in _numbers(json.loads(text)):
        assert math.isfinite(number)
    for name in (
        "trend",
        "outlook",
        "distribution",
        "cohorts",
        "repurchase",
        "channels",
        "grid",
        "feedback",
        "check",
        "replenished",
    ):
        section = getattr(document, name)
        if isinstance(section, Missing):
            assert section.reason
            assert section.remedy


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for part in value.values() for number in _numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, int | float) else []


def test_a_snapshot_survives_its_file_and_others_are_refused(tmp_path: Path) -> None:
    found = shop({"orders": 3})
    path = write_snapshot(found, tmp_path)

    assert read_snapshot(tmp_path) == found
    path.write_text(path.read_text().replace('"v":1', '"v":9'))
    with pytest.raises(SnapshotError, match="update it"):
        read_snapshot(path)
    path.write_text("{")
    with pytest.raises(SnapshotError, match="holds no counters"):
        read_snapshot(path)
    with pytest.raises(SnapshotError, match="regulars replay"):
        read_snapshot(tmp_path / "elsewhere")


def test_counters_of_two_months_before_the_end_are_kept_wherever_the_end_is() -> None:
    day_ms = 86_400_000
    keeper = EarlierKeeper(lambda at_ms: at_ms // day_ms)
    for day in range(0, 200, 3):
        keeper.see(day * day_ms, lambda day=day: {"value:gaps": day + 1, "orders": 1})  # type: ignore[misc]
        if day == 30:
            assert keeper.before(day) is None
    kept = keeper.before(200)

    assert kept is not None
    assert 60 <= 200 - kept.today < 60 + 2 * keeper.EVERY_DAYS
    assert kept.counters == {"value:gaps": kept.today + 1}
    assert earlier_of({"value:buyers|1|2|3": 4, "cohort:x": 1}, 9).counters == {"value:buyers|1|2|3": 4}


def test_records_of_spend_count_as_on_the_topic_and_those_that_can_not_be_are_named(tmp_path: Path) -> None:
    path = tmp_path / "spend.jsonl"
    record = '{"day": "2026-03-01", "channel": "ads", "amount_minor": %s}'
    path.write_text("\n".join((record % 999, "", record.replace("03-01", "03-02") % 50, record % 150)))

    assert read_spend(path, "EUR") == {("ads", 2026 * 12 + 2): 200}  # the last word on the first of March

    for line, message in (
        ("{", "line 2: not_json"),
        (record % '"1.50"', "line 2: wrong_type"),
        (record % '1, "currency": "USD"', "line 2: in USD; a file of spend is in EUR"),
    ):
        path.write_text("\n".join((record % 1, line)))
        with pytest.raises(SpendError, match=message):
            read_spend(path, "EUR")
