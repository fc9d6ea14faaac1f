"""`regulars tail`: triggers as they come, one line each."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from streams.commands.options import WithSettings, settings_of
from streams.commands.times import utc

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition

    from streams.settings import Settings

QUIET_S = 5.0
"""After so long without a record Kafka is asked whether it is there: its client waits for a broker without a word."""
ANSWER_MS = 5000
AWAY = "Kafka does not answer about these topics; what comes is shown when it does again (Ctrl-C stops)"
BACK = "Kafka answers again"
TOPICS = ("triggers", "trigger-cancelled", "trigger-converted", "cart-recovered")


@click.command("tail", cls=WithSettings)
@click.option("--topic", "topics", multiple=True, metavar="NAME", help=f"Output topic; default: {', '.join(TOPICS)}.")
@click.option("--from-beginning", is_flag=True, help="Start with the oldest there is, not with what comes next.")
@click.option("--json", "as_json", is_flag=True, help="Each record's JSON as it is.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option("--no-follow", is_flag=True, help="Stop at the end of what is there.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    topics: tuple[str, ...],
    from_beginning: bool,
    as_json: bool,
    limit: int | None,
    no_follow: bool,
) -> None:
    """Show triggers, and what became of them, as they come. Ctrl-C stops.

    While no broker answers it waits, and says so on standard error.
    """
    from kafka import KafkaConsumer

    from streams.kafka_admin import installed

    settings = settings_of(ctx)
    outputs = [topic.name for topic in installed(settings) if topic.role == "output"]
    for name in topics:
        if name not in outputs:
            raise click.UsageError(f"no output topic {name!r}; there are {', '.join(outputs)}")
    names = topics or TOPICS
    every = partitions_of(settings, names)
    consumer = KafkaConsumer(
        **settings.to_kafka_python(),
        group_id=None,  # a looker-on: takes no part in any group and leaves no trace
        isolation_level="read_committed",
        bootstrap_timeout_ms=10_000,
    )
    shown = 0
    try:
        for value in values(consumer, every, from_beginning=from_beginning, no_follow=no_follow):
            click.echo(value if as_json else readable(value))
            shown += 1
            if shown == limit:
                break
    except KeyboardInterrupt:
        pass  # the usual way to stop looking
    finally:
        consumer.close()


def partitions_of(settings: "Settings", names: Sequence[str]) -> list[tuple[str, int]]:
    """Name and number of every partition of these topics. Raises SourceError for one that is missing."""
    from streams.kafka_admin import admin_client, describe_topics
    from streams.sources.errors import SourceError

    with admin_client(settings) as client:
        states = describe_topics(client, settings)
    for name in names:
        if name not in states:
            raise SourceError(f"topic {settings.topic(name)} is missing.\n  Make the topics: regulars topics create")
    return [(states[name].name, p) for name in names for p in range(states[name].partitions)]


def values(
    consumer: "KafkaConsumer", partitions: list[tuple[str, int]], *, from_beginning: bool, no_follow: bool
) -> Iterator[bytes]:
    """Values of the records there are, in each poll by time; with `no_follow` only those that are there now."""
    from kafka import TopicPartition

    every = [TopicPartition(name, p) for name, p in partitions]
    consumer.assign(every)
    if from_beginning:
        consumer.seek_to_beginning(*every)
    else:
        consumer.seek_to_end(*every)
    ends = consumer.end_offsets(every) if no_follow else {}
    answers, heard_s = True, time.monotonic()
    while True:
        batches = consumer.poll(timeout_ms=500)
        if batches or time.monotonic() - heard_s >= QUIET_S:
            answered = bool(batches) or _answers(consumer, every)
            if answered != answers:
                click.echo(BACK if answered else AWAY, err=True)
            answers, heard_s = answered, time.monotonic()
        # Partitions come in any order within a poll; by time they read as they happened.
        records = sorted((r for rs in batches.values() for r in rs), key=lambda r: (r.timestamp, r.topic, r.offset))
        for record in records:
            if record.value is not None:
                yield record.value
        if no_follow and all(consumer.position(tp) >= end for tp, end in ends.items()):
            return


def _answers(consumer: "KafkaConsumer", every: "list[TopicPartition]") -> bool:
    from kafka.errors import KafkaTimeoutError

    try:
        consumer.end_offsets(every, timeout_ms=ANSWER_MS)
    except KafkaTimeoutError:
        return False
    return True


def readable(value: bytes) -> str:
    """One line of an output record: when, what, whom, about what; of what is none, its beginning.

    >>> readable(b'{"name":"welcome","emitted_at_ms":0,"customer":{"id":"user_id:7"},"trigger_id":"t1"}')
    '1970-01-01 00:00:00 UTC  welcome               user_id:7  t1'
    """
    import msgspec

    try:
        return _line(msgspec.json.decode(value, type=dict[str, Any]))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return repr(value[:200])


def _line(record: dict[str, Any]) -> str:
    at_ms = record.get("emitted_at_ms", record.get("at_ms", record.get("timestamp_ms", 0))) or 0
    customer = record.get("customer_id") or (record.get("customer") or {}).get("id") or record.get("key") or "-"
    name = record.get("name") or record.get("command") or record.get("reason") or ""
    parts = [utc(at_ms), f"{name:<20}", str(customer)]
    if record.get("of_name"):
        parts.append(f"of {record['of_name']}")
    if record.get("state"):
        parts.append(record["state"])
    if record.get("items"):
        parts.append(_items(record["items"]))
    if record.get("value_minor") is not None:
        parts.append(_money(record))
    if record.get("order_id"):
        parts.append(f"order {record['order_id']}")
    if record.get("reason") and record.get("name"):
        parts.append(f"({record['reason']})")
    parts.append(str(record.get("trigger_id") or record.get("detail") or record.get("request_id") or ""))
    return "  ".join(parts)


def _items(items: list[dict[str, Any]]) -> str:
    first = items[0].get("name") or items[0].get("product_id", "?")
    return f"{first} and {len(items) - 1} more" if len(items) > 1 else str(first)


def _money(record: dict[str, Any]) -> str:
    exponent = record.get("exponent", 2)
    amount = record["value_minor"] / 10**exponent  # for eyes only, so a float does no harm
    return f"{record.get('currency', '')} {amount:,.{exponent}f}".strip()
