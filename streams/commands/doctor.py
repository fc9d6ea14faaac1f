"""`regulars doctor`: everything a worker checks at its start, and what `serve`, `relay` and `bridge` need besides, as ticks."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, settings_of

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command("doctor", cls=WithSettings, short_help="Check everything a worker needs, and say what to do.")
@click.pass_context
def command(ctx: click.Context) -> int:
    """Check settings, documents, Kafka, topics and Redis; say what to do where something is wrong. Exit code 2 then."""
    from streams.commands.errors import explain

    failed = 0
    settings: Settings | None = None
    try:
        settings = settings_of(ctx)
        click.echo(_tick("settings", "read"))
    except Exception as error:
        if (message := explain(error)) is None:
            raise
        click.echo(_cross("settings", message))
        return 2
    for name, check in CHECKS.items():
        try:
            click.echo(_tick(name, check(settings)))
        except Exception as error:  # noqa: BLE001 - a doctor goes on to the next organ; faults of ours are shown as such
            failed += 1
            click.echo(_cross(name, explain(error) or f"unexpected {type(error).__name__}: {error}"))
    if failed:
        click.echo(f"{failed} of {len(CHECKS) + 1} checks failed", err=True)
    return 2 if failed else 0


def _tick(name: str, text: str) -> str:
    return click.style("✓", fg="green") + f" {name:<10} {text}"


def _cross(name: str, text: str) -> str:
    return click.style("✗", fg="red") + f" {name:<10} " + text.replace("\n", "\n" + " " * 13)


def _documents(settings: "Settings") -> str:
    from streams.book_files import load_book, make_decoder

    book = load_book(settings)
    make_decoder(settings)  # reads what stands in files besides: sources, a tracking plan, keys
    known = len(book.catalogue.products) + len(book.catalogue.categories)
    read = f"rules {book.rules.version!r}, catalogue of {known:,}, rates of {len(book.rates.rates)} currencies"
    return "\n".join([read, *_misspelt(settings)])


def _misspelt(settings: "Settings") -> Iterator[str]:
    """Notes on names that relays wait for in vain."""
    if settings.relays:
        from streams.relay.run import unknown_names

        for name, relay in settings.relays.items():
            for said in unknown_names(relay):
                yield f"  note: relays.{name}.only names {said}; that delivers nothing"


def _kafka(settings: "Settings") -> str:
    from streams.kafka_admin import admin_client, describe_cluster

    with admin_client(settings) as client:
        cluster = describe_cluster(client)
    return f"{cluster.brokers} brokers at {settings.kafka.bootstrap}, cluster {cluster.cluster_id}"


def _topics(settings: "Settings") -> str:
    from streams.startup import read_topic_ids, written

    found = read_topic_ids(settings, written=written(settings))
    if settings.relays:
        from streams.relay.run import need_relay_topics

        for name in settings.relays:
            need_relay_topics(settings, name)
    if settings.raw:
        from streams.bridge import need_raw_topics

        need_raw_topics(settings)
    return f"all {len(found)} are there, each with {settings.kafka.partitions} partitions"


def _redis(settings: "Settings") -> str:
    import time

    from streams.commands.tables import with_table
    from streams.redis_checks import check_redis

    now_ms, elsewhere = int(time.time() * 1000), settings.redis.durable_elsewhere
    warnings = with_table(
        settings,
        lambda table: check_redis(table.link, durable_elsewhere=elsewhere, now_ms=now_ms),
        may_be_missing=True,
    )
    if not warnings:
        return "fit: noeviction, append-only file on"
    return "\n".join(["no fault found", *(f"  note: {warning}" for warning in warnings)])


CHECKS: dict[str, Callable[["Settings"], str]] = {
    "documents": _documents,
    "Kafka": _kafka,
    "topics": _topics,
    "Redis": _redis,
}
