"""What entries ([webhooks.shop], [relays.crm], [raw.web]) say that is of the right type and still of no use.

It is asked wherever settings are read, so that `regulars doctor` and every other command refuses what `serve`, `relay` and
`bridge` could not start with.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from yarl import URL

from schemas.adapters import ADAPTERS
from streams.relay.addresses import PrivateAddress, check_host
from streams.serve.signatures import standard_secret
from streams.setting_raw import Raw
from streams.setting_relay import Relay
from streams.setting_serve import Webhook

if TYPE_CHECKING:
    from streams.settings import Settings

Wrong = tuple[str, str]
"""A field, and what is wrong with it."""

_FORMATS: Final = tuple(adapter.name for adapter in ADAPTERS)


def unusable_entries(settings: "Settings") -> Iterator[Wrong]:
    """Each field that can't be used, by its path ("webhooks.shop.format"), and why."""
    tables: tuple[tuple[str, dict[str, Any], Callable[[Any], Iterator[Wrong]]], ...] = (
        ("webhooks", settings.webhooks, _of_webhook),
        ("relays", settings.relays, _of_relay),
        ("raw", settings.raw, _of_raw),
    )
    for table, entries, wrong_in in tables:
        for name, entry in entries.items():
            for field, why in wrong_in(entry):
                yield f"{table}.{name}.{field}", why
    yield from _topics_taken(settings)


def _of_webhook(webhook: Webhook) -> Iterator[Wrong]:
    if webhook.format:
        yield from _of_format(webhook.format)
    if webhook.scheme == "standard":
        for secret in webhook.secrets:
            yield from _of_secret("secrets", secret)


def _of_relay(relay: Relay) -> Iterator[Wrong]:
    if relay.format == "standard":
        yield from _of_secret("secret", relay.secret)
        if relay.secret_before:
            yield from _of_secret("secret_before", relay.secret_before)
    elif relay.format == "customerio" and not relay.user:
        yield "user", "Customer.io asks for the site id beside the key"
    try:
        url = URL(relay.url)
        if relay.format != "standard" and "@" in url.raw_authority:
            yield "url", f"no login can stand in it: {relay.format} knows its callers by the key in `secret`"
        if not relay.allow_private:
            check_host(url.host or "")
    except (ValueError, PrivateAddress) as error:
        # Of an error that quotes a login only that there is one.
        yield "url", "host and port can't be read" if "@" in str(error) else str(error)


def _of_raw(raw: Raw) -> Iterator[Wrong]:
    yield from _of_format(raw.format)


def _of_format(named: str) -> Iterator[Wrong]:
    if named not in _FORMATS:
        yield "format", f"there is no source {named!r}; there are {', '.join(_FORMATS)}"


def _of_secret(field: str, secret: str) -> Iterator[Wrong]:
    try:
        standard_secret(secret)
    except ValueError as error:
        yield field, str(error)


def _topics_taken(settings: "Settings") -> Iterator[Wrong]:
    """A topic that another entry reads, or the workers themselves."""
    readers: dict[str, str] = {}
    for name, raw in settings.raw.items():
        if raw.topic in readers:
            yield f"raw.{name}.topic", f"{raw.topic} is raw.{readers[raw.topic]}'s already"
        if raw.topic in settings.consumed():
            yield f"raw.{name}.topic", f"workers read {raw.topic} themselves, in any form"
        readers[raw.topic] = name
