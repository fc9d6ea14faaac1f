"""What `regulars privacy` and `regulars profile split` have in common: the options of a request, putting it into the log, and its
receipt.
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from streams.commands.options import TEXT

if TYPE_CHECKING:
    from schemas.outputs import Receipt
    from streams.identifier_forms import IdentifierForms
    from streams.privacy_request import Request
    from streams.settings import Settings

POLL_S: Final = 0.5

_OF_SHOPS: Final = {
    "by_hand": "no worker erases its own shop: stop all that runs of it, then regulars privacy erase-shop"
}
as_json_option: Final = click.option("--json", "as_json", is_flag=True, help="The receipt as JSON.")
_OPTIONS: Final = (
    click.option(
        "--request-id", type=TEXT, metavar="ID", help="The number you know the request by; one is made without it."
    ),
    click.option("--reason", type=TEXT, metavar="TEXT", help="Why; it stands in the record of the command."),
    click.option("--wait", is_flag=True, help="Wait for the final receipt, and show it."),
    click.option("--timeout", type=click.IntRange(min=1), default=60, show_default=True, metavar="S"),
    as_json_option,
)


class Asked(NamedTuple):
    """The options of a request; `request_id` is the one given, or one made."""

    request_id: str
    reason: str | None
    wait: bool
    timeout_s: int
    as_json: bool


Make = Callable[[str, str | None, int, "IdentifierForms"], "Request"]
"""Makes the command of its number, reason, time (epoch ms) and the installation's forms of identifiers."""


def asks(run: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a request; it gets its context, and these as `asked`."""

    @wraps(run)
    def with_options(
        ctx: click.Context,
        *,
        request_id: str | None,
        reason: str | None,
        wait: bool,
        timeout: int,
        as_json: bool,
        **others: object,
    ) -> None:
        import secrets

        run(ctx, asked=Asked(request_id or secrets.token_hex(16), reason, wait, timeout, as_json), **others)

    made: Callable[..., None] = click.pass_context(with_options)
    for option in reversed(_OPTIONS):
        made = option(made)
    return made


def carry_out(settings: "Settings", asked: Asked, make: Make) -> "Receipt | None":
    """Put a request into the log; its final receipt where that is to be waited for, else None and a word of how to look later.

    Raises UsageError where its identifiers name nobody.
    """
    import time

    from streams.feed import feed
    from streams.identifier_forms import identifier_forms
    from streams.privacy_request import BadIdentifiers
    from streams.sources import Line

    try:
        made = make(asked.request_id, asked.reason, time.time_ns() // 1_000_000, identifier_forms(settings))
    except BadIdentifiers as error:
        raise click.UsageError(str(error)) from None
    feed([Line(made.event.timestamp_ms, "commands", made.home, made.value)], settings)
    if asked.wait:
        return _await_receipt(settings, asked)
    click.echo(asked.request_id)
    click.echo(f"it is on its way; what became of it: regulars privacy receipt {asked.request_id}", err=True)
    return None


def present_receipt(settings: "Settings", request_id: str) -> "Receipt | None":
    """What has become of a request, None before the first home has answered."""
    import time

    from streams.commands.tables import with_table
    from streams.privacy_request import receipt

    now_ms = time.time_ns() // 1_000_000
    return with_table(
        settings,
        lambda table: receipt(table, request_id, settings.kafka.partitions, now_ms),
        may_be_missing=True,  # a request may wait for the first worker
    )


def _await_receipt(settings: "Settings", asked: Asked) -> "Receipt":
    import time

    until_s = time.monotonic() + asked.timeout_s
    while True:
        found = present_receipt(settings, asked.request_id)
        if found is not None and found.final:
            return found
        if time.monotonic() >= until_s:
            state = "no home has answered" if found is None else f"{found.waiting} homes have not answered"
            raise click.ClickException(
                f"after {asked.timeout_s} s {state}. Is a worker running? The request stays: "
                f"regulars privacy receipt {asked.request_id}"
            )
        time.sleep(POLL_S)


_OF_WHAT_IS_KNOWN: Final = frozenset({"erase", "export", "anonymise"})


def show(receipt: "Receipt", *, as_json: bool) -> None:
    """Print a receipt. Exit code 1 where nothing was done, for the reason it says."""
    import msgspec

    for line in [msgspec.json.encode(receipt)] if as_json else readable(receipt):
        click.echo(line)
    if receipt.refused is not None:
        click.get_current_context().exit(1)


def readable(receipt: "Receipt") -> list[str]:
    """A receipt for people."""
    from profiles.splitting import REFUSALS

    state = "final" if receipt.final else f"{receipt.waiting} homes have not answered"
    lines = [f"{receipt.command} {receipt.request_id}: {state}; {receipt.homes} homes"]
    lines += [f"  {store.replace('_', ' '):<22}{count:>8,}" for store, count in receipt.counts.items()]
    if receipt.refused is not None:
        lines.append(f"  refused ({receipt.refused}): {(REFUSALS | _OF_SHOPS).get(receipt.refused, receipt.refused)}")
    if receipt.final and receipt.refused is None and not receipt.counts and receipt.command in _OF_WHAT_IS_KNOWN:
        lines.append("  nothing was known of them; are the identifiers right?")
    if receipt.orders_not_found:
        lines.append(
            f"  {receipt.orders_not_found} of the orders that the request names are with none of her identifiers. "
            "Who has them: regulars privacy orders ORDER_ID..."
        )
    if receipt.command in {"erase", "anonymise"}:
        lines.append("  Her events are still in these topics, for at most so many days:")
        by_days: dict[int, list[str]] = {}
        for topic, kept_ms in receipt.kept_ms.items():
            by_days.setdefault(kept_ms // 86_400_000, []).append(topic)
        lines += [f"  {days:>4}  {', '.join(topics)}" for days, topics in sorted(by_days.items())]
    return lines
