"""The parts of the HTTP side put together: from settings, a log, a table and clocks to an app that answers requests."""

import time
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.triggers import BUILT_IN
from schemas.adapters import ADAPTERS
from schemas.adapters.adapter import Adapter
from streams.identifier_forms import IdentifierForms
from streams.metrics import Metrics
from streams.model_source import ModelWatch
from streams.protection import load_protection
from streams.serve.app import App, Handler
from streams.serve.budget import Budget
from streams.serve.collect import Collector, Hook
from streams.serve.event_log import EventLog
from streams.serve.formats import Formats
from streams.serve.intake import Intake
from streams.serve.keys import Readers, Senders
from streams.serve.privacy import PrivacyDesk
from streams.serve.read import Reading
from streams.serve.status import Status
from streams.settings import Settings
from streams.table import Table
from streams.tracking_plan import load_plan


def wall_ms() -> int:
    """The wall clock."""
    return time.time_ns() // 1_000_000


class Served(Struct):
    """What is served, and what a server needs of it."""

    app: App
    status: Status
    metrics: Metrics
    budget: Budget
    models: ModelWatch

    def stopping(self) -> None:
        """Take no further work; /ready says so. What is under way goes on."""
        self.app.stopping = self.status.stopping = True


def make_budget(settings: Settings) -> Budget:
    """The budget that bodies and records share."""
    serve = settings.serve
    return Budget(bytes_max=serve.inflight_bytes, records_max=serve.inflight_records)


def build(
    settings: Settings,
    *,
    book: Book,
    adapters: tuple[Adapter, ...] = ADAPTERS,
    triggers: tuple[TriggerDefinition[Any], ...] = BUILT_IN,
    log: EventLog,
    table: Table,
    budget: Budget,
    now_ms: Callable[[], int] = wall_ms,
    mono_s: Callable[[], float] = time.monotonic,
) -> Served:
    """Put it together. Raises SettingsError for a key file that is none, PlanError for a tracking plan."""
    metrics = Metrics("serve")
    protection = load_protection(settings)
    forms = IdentifierForms(settings.shop.phone_region, protection)
    senders = Senders(settings.sources)
    formats = Formats(adapters, settings.shop.currency, settings.shop.phone_region)
    hooks = {name: Hook(name, webhook) for name, webhook in settings.webhooks.items()}
    plan = load_plan(settings.files.tracking_plan)
    intake = Intake(
        shop_currency=settings.shop.currency,
        partitions=settings.kafka.partitions,
        event_bytes=settings.serve.event_bytes,
        protected_traits=settings.serve.protected_traits,
        plan=None if plan is None else plan.check,
        forms=forms,
    )
    collector = Collector(
        settings.serve,
        senders=senders,
        hooks=hooks,
        formats=formats,
        intake=intake,
        log=log,
        budget=budget,
        metrics=metrics,
        wall_ms=now_ms,
    )
    readers = Readers(settings.tokens)
    desk = PrivacyDesk(
        settings.serve,
        readers=readers,
        log=log,
        table=table,
        budget=budget,
        partitions=settings.kafka.partitions,
        forms=forms,
        wall_ms=now_ms,
        mono_s=mono_s,
    )
    reading = Reading(
        readers=readers,
        table=table,
        book=book,
        triggers={trigger.name: trigger for trigger in triggers},
        partitions=settings.kafka.partitions,
        forms=forms,
        open_all=protection.open_all if protection is not None else None,
        wall_ms=now_ms,
        mono_s=mono_s,
    )
    status = Status(log=log, budget=budget, metrics=metrics)
    handlers: dict[str, Handler] = {
        "collect.track": collector.track,
        "collect.batch": collector.batch,
        "collect.webhook": collector.webhook,
        "collect.shopify": collector.shopify,
        "read.profile": reading.profile,
        "read.segments": reading.segments,
        "read.cart": reading.cart,
        "read.next": reading.next,
        "privacy.ask": desk.ask,
        "privacy.receipt": desk.receipt,
        "status.health": status.health,
        "status.ready": status.ready,
        "status.metrics": status.metrics,
        "status.openapi": status.openapi,
    }
    app = App(handlers, senders=senders, profile_origins=settings.serve.profile_origins, metrics=metrics)
    return Served(app, status, metrics, budget, ModelWatch(table, reading.renew, book))
