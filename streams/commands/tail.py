"""`regulars tail`: triggers as they come, one line each."""

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from schemas.topics import holds_triggers
from streams.commands.options import WithSettings, settings_of
from streams.commands.times import utc

if TYPE_CHECKING:
    from kafka import TopicPartition

AWAY = "Kafka does not answer about these topics; what comes is shown when it does again (Ctrl-C stops)"
BACK = "Kafka answers again"
TIMES = ("emitted_at_ms", "at_ms", "timestamp_ms", "failed_at_ms")
OUTCOMES = ("trigger-cancelled", "trigger-converted", "cart-recovered")


@click.command("tail", cls=WithSettings)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="NAME",
    help=f"Output topic; default: all with triggers, {', '.join(OUTCOMES)}.",
)
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
    from streams.kafka_admin import installed
    from streams.looking_on import looker_on, places_of

    settings = settings_of(ctx)
    outputs = [topic.name for topic in installed(settings) if topic.role == "output"]
    for name in topics:
        if name not in outputs:
            raise click.UsageError(f"no output topic {name!r}; there are {', '.join(outputs)}")
    every = places_of(settings, topics or usual(outputs))
    shown = 0
    with looker_on(settings) as consumer, suppress(KeyboardInterrupt):  # the usual way to stop looking
        for value in values(consumer, every, from_beginning=from_beginning, no_follow=no_follow):
            click.echo(value if as_json else readable(value))
            shown += 1
            if shown == limit:
                break


def usual(outputs: list[str]) -> list[str]:
    """Of the output topics those that are shown unless others are named: triggers, those published apart too, and their ends."""
    return [name for name in outputs if name in OUTCOMES or holds_triggers(name)]


def values(consumer: Any, every: "list[TopicPartition]", *, from_beginning: bool, no_follow: bool) -> Iterator[bytes]:
    """Values of the records there are, in each poll by time; with `no_follow` only those that are there now."""
    from streams.looking_on import read_to

    consumer.assign(every)
    if from_beginning:
        consumer.seek_to_beginning(*every)
    else:
        consumer.seek_to_end(*every)
    polls = read_to(consumer, consumer.end_offsets(every)) if no_follow else _followed(consumer, every)
    for batches in polls:
        # Partitions come in any order within a poll; by time they read as they happened.
        records = sorted((r for rs in batches.values() for r in rs), key=lambda r: (r.timestamp, r.topic, r.offset))
        for record in records:
            if record.value is not None:
                yield record.value


def _followed(consumer: Any, every: "list[TopicPartition]") -> "Iterator[dict[TopicPartition, list[Any]]]":
    """What each poll brings, without an end; that no broker answers is said on standard error."""
    from streams.looking_on import POLL_MS, QUIET_S, answers

    answered, heard_s = True, time.monotonic()
    while True:
        batches = consumer.poll(timeout_ms=POLL_MS)
        if batches or time.monotonic() - heard_s >= QUIET_S:
            answered_before, answered = answered, bool(batches) or answers(consumer, every)
            if answered != answered_before:
                click.echo(BACK if answered else AWAY, err=True)
            heard_s = time.monotonic()
        yield batches


def readable(value: bytes) -> str:
    """One line of an output record: when, what, whom, about what; of what is none, its beginning.

    >>> readable(b'{"name":"welcome","emitted_at_ms":0,"customer":{"id":"user_id:7"},"trigger_id":"t1"}')
    '1970-01-01 00:00:00 UTC  welcome               user_id:7  t1'
    """
    import msgspec

    from streams.commands.display import plain

    try:
        return plain(_line(msgspec.json.decode(value, type=dict[str, Any])))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return repr(value[:200])


def _line(record: dict[str, Any]) -> str:
    at_ms = next((record[name] for name in TIMES if name in record), None)
    original = record.get("original")
    about = original if isinstance(original, dict) else record  # what a relay could not deliver says whom it was for
    customer = about.get("customer_id") or (about.get("customer") or {}).get("id") or record.get("key") or "-"
    name = record.get("name") or record.get("command") or record.get("reason") or ""
    parts = [utc(at_ms), f"{name:<20}", str(customer), *_rules(record)]
    if record.get("of_name"):
        parts.append(f"of {record['of_name']}")
    if record.get("state"):
        parts.append(record["state"])
    if segment := (record.get("details") or {}).get("segment"):
        parts.append(str(segment))
    if record.get("items"):
        parts.append(_items(record["items"]))
    if record.get("value_minor") is not None:
        parts.append(_money(record))
    if record.get("order_id"):
        parts.append(f"order {record['order_id']}")
    if record.get("reason") and record.get("name"):
        parts.append(f"({record['reason']})")
    if record.get("relay"):
        parts.append(f"by {record['relay']}")
    parts += [str(record[name]) for name in ("detail", "trigger_id", "request_id") if record.get(name)]
    return "  ".join(parts)


def _rules(record: dict[str, Any]) -> Iterator[str]:
    """What a record of one partition's rules tells of them; two sets of one version are told apart by their digests."""
    if record.get("schema", "").startswith(("regulars/rules-changed/", "regulars/segments-ready/")):
        yield f"partition {record['partition']}"
        for which, word in (("old_", "from "), ("new_", "to "), ("", "")):
            if f"{which}version" in record:
                yield f"{word}{record[f'{which}version']} ({record[f'{which}digest'][:8]})"


def _items(items: list[dict[str, Any]]) -> str:
    first = items[0].get("name") or items[0].get("product_id", "?")
    return f"{first} and {len(items) - 1} more" if len(items) > 1 else str(first)


def _money(record: dict[str, Any]) -> str:
    exponent = record.get("exponent", 2)
    amount = record["value_minor"] / 10**exponent  # for eyes only, so a float does no harm
    return f"{record.get('currency', '')} {amount:,.{exponent}f}".strip()
