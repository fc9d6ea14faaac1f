"""`regulars privacy`: suppress, unsuppress, erase, export or anonymise a customer, and see what has become of it; find whose an
order is, and erase a whole shop.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.commands.options import OUT_FILE, TEXT, WithSettings, agree, settings_of
from streams.commands.requests import Asked, as_json_option, asks, carry_out, present_receipt, show

if TYPE_CHECKING:
    from schemas.events import CommandName
    from streams.redis_table import RedisTable

HELP: "dict[CommandName, str]" = {
    "suppress": "Collect nothing more about a customer and send nothing; what is known stays.",
    "unsuppress": "Take a suppression, or an erasure, back: what happens from now on is taken in again.",
    "erase": "Erase everything that is known of a customer, and take in nothing more.",
    "export": "Hand out everything that is known of a customer.",
    "anonymise": "Erase who a customer is; the shop's figures stay.",
}


@click.group("privacy", short_help="Suppress, erase, export or anonymise a customer.")
def command() -> None:
    """Answer a customer's privacy request. Workers carry it out; the receipt says what was done, store by store."""


def _define(name: "CommandName") -> None:
    @command.command(name, cls=WithSettings, help=f"{HELP[name]} Name all identifiers you know, one of each type.")
    @click.argument("identifiers", type=TEXT, metavar="TYPE:VALUE...", nargs=-1, required=True)
    @asks
    def run(ctx: click.Context, *, identifiers: tuple[str, ...], asked: Asked, out: Path | None = None) -> None:
        from streams.privacy_request import by_type, request

        settings = settings_of(ctx)
        asked = asked._replace(wait=asked.wait or out is not None)
        found = carry_out(
            settings,
            asked,
            lambda request_id, reason, now_ms, forms: request(
                name, by_type(identifiers), request_id=request_id, now_ms=now_ms, reason=reason, forms=forms
            ),
        )
        if found is None:
            return
        if out is not None:
            from streams.privacy_export import collect

            out.write_bytes(collect(settings, asked.request_id, found.counts.get("parts", 0), asked.timeout_s))
        show(found, as_json=asked.as_json)

    if name == "export":
        click.option(
            "--out",
            type=OUT_FILE,
            metavar="FILE",
            help="Wait, and write what is known as one JSON document.",
        )(run)


@command.command("receipt", cls=WithSettings)
@click.argument("request_id", type=TEXT, metavar="REQUEST_ID")
@as_json_option
@click.pass_context
def receipt_command(ctx: click.Context, *, request_id: str, as_json: bool) -> None:
    """Show what has become of a request. Exit code 1 while some home has not answered, and where it was refused."""
    found = present_receipt(settings_of(ctx), request_id)
    if found is None:
        raise click.ClickException(f"no home has answered to {request_id!r} yet, or it is long forgotten")
    show(found, as_json=as_json)
    if not found.final:
        ctx.exit(1)


@command.command("orders", cls=WithSettings)
@click.argument("order_ids", type=TEXT, metavar="ORDER_ID...", nargs=-1, required=True)
@click.pass_context
def orders_command(ctx: click.Context, *, order_ids: tuple[str, ...]) -> None:
    """Find whose orders these are, in all ledgers: for orders that a request names and its receipt calls not found.

    Exit code 1 if nobody has one of them.
    """
    from schemas.events import ANONYMOUS
    from streams.commands.tables import with_table
    from streams.order_lookup import Holder, holders

    settings = settings_of(ctx)

    async def look(table: "RedisTable") -> list[Holder]:
        partitions = range(settings.kafka.partitions)
        return [found for number in partitions async for found in holders(table, number, order_ids)]

    found = with_table(settings, look)
    for one in sorted(found):
        whose = "nobody's, it came without an identifier" if one.profile_id == ANONYMOUS else one.profile_id
        click.echo(f"{one.order_id}: {whose} (partition {one.partition})")
    missing = [order_id for order_id in order_ids if order_id not in {one.order_id for one in found}]
    for order_id in missing:
        click.echo(f"{order_id}: not here")
    if missing:
        ctx.exit(1)


@command.command("erase-shop", cls=WithSettings)
@click.option(
    "--keep-inputs", is_flag=True, help="Leave the input topics: others read them, and you erase them yourself."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase_shop_command(ctx: click.Context, *, keep_inputs: bool, yes: bool) -> None:
    """Erase the whole shop: every key in Redis, every topic, what was read of them. It can't be taken back.

    Stop all processes of the installation before. What was erased is printed as one JSON object: keep it as your proof.
    """
    import time

    import msgspec

    from streams.commands.tables import with_table
    from streams.kafka_admin import admin_client
    from streams.shop_erasure import Gone, erase_keys, erase_log, refuse_running

    settings = settings_of(ctx)
    partitions = settings.kafka.partitions
    with admin_client(settings) as client:
        refuse_running(client, settings)
        if not yes:
            redis, topics = settings.redis.prefix, settings.kafka.topic_prefix
            agree(f"Erase all keys {redis}:* and all topics {topics}* of this shop for ever?")
        keys = with_table(settings, lambda table: erase_keys(table, partitions), may_be_missing=True)
        names, kept = erase_log(client, settings, keep_inputs=keep_inputs)
    gone = Gone(keys=keys, topics=tuple(names), kept=tuple(kept))
    shown = {"command": "erase_shop", "at_ms": time.time_ns() // 1_000_000, **msgspec.to_builtins(gone)}
    click.echo(msgspec.json.encode(shown))


for _name in HELP:
    _define(_name)
