"""The seam between webhooks and adapters: which function reads a body, by the name of its format.

An adapter is a pure function of `schemas.adapters`; a line in FORMATS makes it reachable. A format without one is refused with
501, so that the sender keeps its deliveries instead of losing them into a 200.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from schemas.adapters import segment
from schemas.decode import DETAIL_MAX, Problem
from schemas.events import Event
from schemas.scalars import AdapterError
from streams.serve.answer import Refusal
from streams.serve.envelope import read_calls


class WebhookFormat(Protocol):
    """Reads a verified body into canonical events, each or a Problem, in their order.

    `delivery_id` is the same for every repeat of one delivery: message ids are made from it where the body has none of its
    own. `headers` have lower-case names. Raises Refusal only where the whole body is unreadable.
    """

    def __call__(
        self, body: bytes, headers: Mapping[str, str], /, *, delivery_id: str, shop_currency: str, received_ms: int
    ) -> Iterable[Event | Problem]: ...


def segment_calls(
    body: bytes, _: Mapping[str, str], /, *, delivery_id: str, shop_currency: str, received_ms: int
) -> Iterable[Event | Problem]:
    """One call of Segment's form, with its `type`, or a batch of them."""
    for place, message in enumerate(read_calls(body).messages):
        fields = message.fields
        if fields is None or not segment.fits(fields):
            yield Problem("unknown_shape", f"message {place} is no call with a `type`")
            continue
        fields.setdefault("messageId", f"{delivery_id}:{place}")
        fields.setdefault("timestamp", received_ms)
        try:
            yield segment.adapt(fields, message.original, shop_currency, received_ms)
        except AdapterError as error:
            yield Problem(error.reason, error.detail[:DETAIL_MAX])


FORMATS: Final[dict[str, WebhookFormat]] = {"segment": segment_calls}
"""Every format that this release reads."""


def format_named(name: str) -> WebhookFormat:
    """The adapter of a format. Raises Refusal (`no_adapter`)."""
    found = FORMATS.get(name)
    if found is None:
        raise Refusal("no_adapter", f"the format is {name!r}, known are {', '.join(sorted(FORMATS))}")
    return found
