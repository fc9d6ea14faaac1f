"""The whole report as one document: each section is figures, or the named reason why there are none."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from profiles.book import Book
from streams.insight.trigger_effects import Effect, Sent, effects, sent
from streams.reporting.bundles import Bundles, bundles
from streams.reporting.channels import Channels, channels
from streams.reporting.feedback import FeedbackFigures, feedback
from streams.reporting.foresight import Check, Outlook, check, outlook
from streams.reporting.grid import Grid, grid
from streams.reporting.missing import Missing
from streams.reporting.replenished import Replenished, replenished
from streams.reporting.snapshot import Snapshot
from streams.reporting.worth import Distribution, Repurchase, Tables, Trend, distribution, repurchase, tables, trend
from streams.trigger_registry import all_triggers, service_triggers

VERSION: Final = 1


class ReportDocument(Struct, frozen=True, kw_only=True):
    """All figures of a report. Amounts are minor units of `currency`; `today` is days since 1970-01-01. `unconverted_orders` have
    no exchange rate to it: their amounts are in no figure. Nor are those of `unconverted_refunds`, in another currency than their
    order's. `margin_estimated_share` is the share of gross revenue whose costs are not all known (0 to 1): what is not counts as
    nothing. None without gross revenue.
    """

    v: int = VERSION
    shop_id: str
    currency: str
    now_ms: int
    today: int
    unconverted_orders: int
    unconverted_refunds: int
    margin_estimated_share: float | None = None
    trend: Trend | Missing
    outlook: Outlook | Missing
    distribution: Distribution | Missing
    cohorts: Tables | Missing
    repurchase: Repurchase | Missing
    channels: Channels | Missing
    grid: Grid | Missing
    feedback: FeedbackFigures | Missing
    together: Bundles | Missing
    check: Check | Missing
    replenished: Replenished | Missing
    effects: tuple[Effect, ...]
    sent: tuple[Sent, ...]


def report(found: Snapshot, spend: Mapping[tuple[str, int], int] | None = None) -> ReportDocument:
    """The report on a snapshot; `spend` is minor units by channel and month."""
    return ReportDocument(
        shop_id=found.shop_id,
        currency=found.currency,
        now_ms=found.now_ms,
        today=found.today,
        unconverted_orders=found.counters.get("unconverted_orders", 0),
        unconverted_refunds=found.counters.get("unconverted_refunds", 0),
        margin_estimated_share=_estimated_share(found.counters),
        trend=trend(found),
        outlook=outlook(found),
        distribution=distribution(found),
        cohorts=tables(found),
        repurchase=repurchase(found),
        channels=channels(found, spend or {}),
        grid=grid(found),
        feedback=feedback(found),
        together=bundles(found),
        check=check(found),
        replenished=replenished(found),
        effects=tuple(effects(found.counters, found.plans)),
        sent=tuple(sent(found.counters, found.measured, service_triggers(Book(), all_triggers()))),
    )


def _estimated_share(counters: Mapping[str, int]) -> float | None:
    gross = counters.get("gross", 0)
    return counters.get("estimated_gross", 0) / gross if gross > 0 else None
