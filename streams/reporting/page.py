"""The report as a page for people who decide: figures first, each plot with a sentence on how to read it.

One HTML file that opens anywhere, also offline (`streams.page`).
"""

from pathlib import Path

from profiles.value.absent import MEANINGS, Absent
from streams.commands.report_tables import amount, percent
from streams.page import Page
from streams.report import with_estimates, without_rate
from streams.reporting.bundles import Bundles
from streams.reporting.document import ReportDocument
from streams.reporting.foresight import HORIZON_DAYS, Outlook
from streams.reporting.missing import Missing
from streams.reporting.page_channels import add_channels
from streams.reporting.page_check import add_check
from streams.reporting.page_effects import add_effects
from streams.reporting.page_feedback import add_feedback, add_replenished
from streams.reporting.page_parts import nothing_to_show
from streams.reporting.page_worth import add_cohorts, add_distribution, add_grid, add_repurchase, add_trend
from streams.reporting.snapshot import day_name, month_name
from streams.reporting.worth import Repurchase, Trend


def write_page(document: ReportDocument, path: Path) -> None:
    """Write the page."""
    build_page(document).write(path)


def build_page(document: ReportDocument) -> Page:
    """The page of a report."""
    day = f"As of {day_name(document.today)}" if document.now_ms else "No event yet"
    page = Page(
        f"Customer value: {document.shop_id}",
        f"{day}, in {document.currency}. Every figure is counted event by event, refunds and cancellations included, and is "
        "current to that day; months are told of once they are over.",
    )
    page.tiles(_tiles(document))
    for said in without_rate(document.unconverted_orders, document.unconverted_refunds, document.currency):
        page.note(said)
    if document.margin_estimated_share:
        page.note(with_estimates(document.margin_estimated_share))
    for said in _unsaid(document.outlook):
        page.note(said)
    add_trend(page, document)
    add_distribution(page, document)
    add_cohorts(page, document.cohorts)
    add_repurchase(page, document.repurchase)
    add_channels(page, document)
    add_effects(page, document)
    add_grid(page, document)
    add_feedback(page, document.feedback)
    _bundles(page, document.together)
    add_check(page, document.check)
    add_replenished(page, document.replenished)
    return page


def _tiles(document: ReportDocument) -> list[tuple[str, str]]:
    currency, trend, outlook = document.currency, document.trend, document.outlook
    tiles = []
    if isinstance(trend, Trend):
        last, until = trend.points[-1], f"until the end of {month_name(trend.points[-1].month)}"
        tiles += [
            (f"{currency} {amount(last.net, currency)}", f"average customer lifetime value {until}, net revenue"),
            (f"{currency} {amount(last.margin, currency)}", "the same as margin, before marketing"),
            (f"{last.customers:,}", f"customers {until}"),
        ]
    if isinstance(document.repurchase, Repurchase):
        again = document.repurchase.within
        days = max((day for day in again if again[day] is not None), default=None)
        if days is not None:
            tiles.append((percent(again[days]), f"ordered again within {days} days"))
    if isinstance(outlook, Outlook):
        if outlook.margin is not None:
            tiles.append(
                (
                    f"{currency} {amount(outlook.margin, currency)}",
                    f"margin expected per customer in the next {HORIZON_DAYS} days, discounted to today",
                )
            )
        tiles += [
            (f"{outlook.alive:.0%}", "are still customers, by the model"),
        ]
    found = sum(effect.standing == "found" for effect in document.effects)
    if document.effects:
        tiles.append((f"{found} of {len(document.effects)}", "hold-outs show an effect"))
    return tiles


def _unsaid(outlook: Outlook | Missing) -> list[str]:
    """What is not foretold, and why."""
    if isinstance(outlook, Missing):
        return [f"What is to come is not foretold ({outlook.reason}): {outlook.remedy}."]
    said = [
        f"Its {name} is not foretold ({reason}): {MEANINGS[Absent(reason)]}" for name, reason in outlook.absent.items()
    ]
    if outlook.unvalued:
        why = MEANINGS[Absent.NOT_POSITIVE]
        said.append(f"Net is foretold without {outlook.unvalued:,} customers ({Absent.NOT_POSITIVE}): {why}")
    return said


def _bundles(page: Page, found: Bundles | Missing) -> None:
    page.heading(
        "What is bought together",
        "Pairs by how sure it is that it is no chance. Times chance: how much more often they share a basket than two products "
        "that have nothing to do with each other.",
    )
    if nothing_to_show(found, page):
        return
    page.table(
        ["products", "baskets with both", "times chance", "closeness (NPMI)"],
        [[f"{pair.a} + {pair.b}", f"{pair.count:,}", f"{pair.lift:.1f}", f"{pair.npmi:.2f}"] for pair in found.pairs],
    )
