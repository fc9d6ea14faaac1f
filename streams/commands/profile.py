"""`regulars profile`: what is known of one customer, what her triggers are doing, and taking a wrong merge apart."""

from typing import TYPE_CHECKING

import click

from schemas.nearest import nearest
from streams.commands.options import TEXT, WithSettings, settings_of
from streams.commands.requests import Asked, asks, carry_out
from streams.commands.requests import show as show_receipt

if TYPE_CHECKING:
    from streams.profile_lookup import Found
    from streams.settings import Settings


@click.group("profile")
def command() -> None:
    """Show a customer's profile, explain her triggers, or take a wrong merge apart."""


@command.command("show", cls=WithSettings)
@click.argument("id_", type=TEXT, metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="The public profile document as one JSON object.")
@click.pass_context
def show(ctx: click.Context, *, id_: str, as_json: bool) -> None:
    """Show one profile. ID is a value (tried as user id, e-mail, phone ...) or type:value, such as email:ann@example.org."""
    import time
    from functools import partial

    import msgspec

    from profiles.document import document
    from schemas.profile_document import ProfileDocument
    from streams.book_files import load_book
    from streams.commands.tables import with_table
    from streams.model_source import with_models
    from streams.protection import load_protection

    settings = settings_of(ctx)
    found = _find(settings, id_)
    book = with_table(settings, partial(with_models, load_book(settings)))
    shown = document(found.profile, book, int(time.time() * 1000))
    text, protection = msgspec.json.encode(shown), load_protection(settings)
    if protection is not None:
        text = protection.open_all(text)
    if as_json:
        click.echo(text)
    else:
        from streams.commands.profile_table import print_profile

        print_profile(msgspec.json.decode(text, type=ProfileDocument))


@command.command("explain", cls=WithSettings)
@click.argument("id_", type=TEXT, metavar="ID")
@click.option("--trigger", "name", metavar="NAME", help="Of one trigger alone, such as cart.abandoned.")
@click.pass_context
def explain(ctx: click.Context, *, id_: str, name: str | None) -> None:
    """Explain which triggers wait for a customer, which went out, and which did not and why. ID as in `profile show`.

    Times are on her clock: of the time zone by which her quiet hours go, the shop's (shop.timezone) where hers is not known. Of a
    shadow worker's keys it is told what would have been sent. The whole life of one trigger: regulars explain TRIGGER_ID.
    """
    import time

    from streams.book_files import load_book
    from streams.commands.profile_table import print_explanation
    from streams.shadow import is_shadow
    from streams.trigger_registry import all_triggers

    names = sorted(trigger.name for trigger in all_triggers())
    if name is not None and name not in names:
        meant = nearest(name, names)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
        raise click.UsageError(f"no trigger {name!r}; {hint}")
    settings = settings_of(ctx)
    found, book = _find(settings, id_), load_book(settings)
    print_explanation(found.profile, book, int(time.time() * 1000), name, tried=is_shadow(settings))


@command.command("split", cls=WithSettings)
@click.argument("customer", type=TEXT, metavar="CUSTOMER")
@click.argument("identifier", type=TEXT, metavar="IDENTIFIER")
@asks
def split(ctx: click.Context, *, customer: str, identifier: str, asked: Asked) -> None:
    """Take an identifier out of a customer's profile, with all that came with it: they were united by mistake.

    Both as type:value, such as user_id:2375 email:bob@example.org. Possible for 30 days after the two were united. The events
    that united them do not do so again. With --wait, exit code 1 says that it was refused.
    """
    from streams.privacy_request import by_type, split_request

    found = carry_out(
        settings_of(ctx),
        asked,
        lambda request_id, reason, now_ms, forms: split_request(
            by_type([customer]),
            by_type([identifier]),
            request_id=request_id,
            now_ms=now_ms,
            reason=reason,
            forms=forms,
        ),
    )
    if found is not None:
        show_receipt(found, as_json=asked.as_json)


def _find(settings: "Settings", id_: str) -> "Found":
    from streams.commands.tables import with_table
    from streams.identifier_forms import identifier_forms
    from streams.profile_lookup import candidates, find

    forms = identifier_forms(settings)
    found = with_table(settings, lambda table: find(table, id_, settings.kafka.partitions, forms))
    if found is None:
        raise click.ClickException(f"no profile of {id_!r}; looked for {', '.join(candidates(id_, forms))}")
    return found
