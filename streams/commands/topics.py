"""`regulars topics`: make and list the topics."""

from typing import TYPE_CHECKING

import click

from streams.commands.options import WithSettings, check_shadow, settings_of

if TYPE_CHECKING:
    from kafka import KafkaAdminClient


@click.group("topics")
def command() -> None:
    """Create or list the topics on the broker."""


@command.command("create", cls=WithSettings)
@click.option("--shadow", metavar="NAME", help="Those of `regulars worker --shadow NAME` too.")
@click.pass_context
def create(ctx: click.Context, *, shadow: str | None) -> None:
    """Create every missing topic, internal ones too. Existing ones are left as they are."""
    from streams.kafka_admin import admin_client, create_topics, installed

    settings = settings_of(ctx)
    if shadow is not None:
        from streams.shadow import shadowed

        settings = shadowed(settings, check_shadow(shadow))
    with admin_client(settings) as client:
        made = create_topics(client, settings)
    for name in made:
        click.echo(f"created {name}")
    there = len(installed(settings)) - len(made)
    click.echo(
        f"{len(made)} topics created, {there} were there; each has {settings.kafka.partitions} partitions "
        f"on {settings.kafka.bootstrap}"
    )


@command.command("list", cls=WithSettings)
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List the topics with their partitions and records."""
    from streams.commands.display import listing, page
    from streams.kafka_admin import admin_client, describe_topics, installed

    settings = settings_of(ctx)
    with admin_client(settings) as client:
        states = describe_topics(client, settings)
        records = _records(client, {state.name: state.partitions for state in states.values()})
    table = listing("topic", "role", "partitions", "records", "holds")
    table.columns[2].justify = table.columns[3].justify = "right"
    for topic in installed(settings):
        name, state = settings.topic(topic.name), states.get(topic.name)
        there = str(state.partitions) if state is not None else "missing"
        table.add_row(name, topic.role, there, f"{records.get(name, 0):,}", topic.holds)
    page().print(table)


def _records(client: "KafkaAdminClient", partitions: dict[str, int]) -> dict[str, int]:
    """Records between start and end of each topic's partitions, by topic."""
    from kafka import TopicPartition
    from kafka.admin import OffsetSpec

    every = [TopicPartition(name, p) for name, count in partitions.items() for p in range(count)]
    totals = dict.fromkeys(partitions, 0)
    if every:
        starts = client.list_partition_offsets(dict.fromkeys(every, OffsetSpec.EARLIEST))
        ends = client.list_partition_offsets(dict.fromkeys(every, OffsetSpec.LATEST))
        for tp in every:
            totals[tp.topic] += ends[tp].offset - starts[tp].offset
    return totals
