"""The seam between webhooks and adapters: what reads the body of a verified webhook, by the name of its format.

A format is the name of a source that the installation takes. A body is read as the worker would read it from a topic; for
Shopify the headers of use are put beside it first, since they say what it is about.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from schemas.adapters import customerio, segment, shopify
from schemas.adapters.adapter import Adapter, Given
from schemas.decode import too_deep
from schemas.events import Event
from schemas.reasons import DETAIL_MAX, Problem
from schemas.scalars import AdapterError
from streams.serve.answer import Refusal
from streams.serve.envelope import read_calls

SEGMENT: Final = segment.ADAPTER.name
SHOPIFY: Final = shopify.ADAPTER.name
CUSTOMERIO: Final = customerio.ADAPTER.name

_decode = msgspec.json.Decoder().decode


class Formats:
    """The formats of an installation, which takes these sources. Amounts that name no currency are in `shop_currency`, national
    phone numbers of `phone_region`.
    """

    def __init__(self, adapters: tuple[Adapter, ...], shop_currency: str, phone_region: str = "") -> None:
        self._adapters = {adapter.name: adapter for adapter in adapters}
        self._currency = shop_currency
        self._phone_region = phone_region

    def read(
        self, name: str, body: bytes, headers: Mapping[str, str], *, delivery_id: str, received_ms: int
    ) -> list[Event | Problem]:
        """The events of a verified body, each or the reason why not, in their order. `headers` have lower-case names.

        `delivery_id` is the same for every repeat of one delivery: ids of calls that have none are made of it. Raises Refusal
        (`not_json`, `wrong_shape`, `empty_batch`, `too_many`) only where the whole body is unreadable.
        """
        if (problem := too_deep(body)) is not None:
            return [problem]
        if name == SEGMENT:
            return list(self._calls(body, delivery_id, received_ms))
        adapter = self._adapters[name]
        original = shopify.envelope(headers, body) if name == SHOPIFY else body
        try:
            message = _decode(original)
        except (ValueError, RecursionError) as error:
            raise Refusal("not_json", str(error)[:DETAIL_MAX]) from None
        if not isinstance(message, dict) or not adapter.fits(message):
            return [Problem("unknown_shape", f"the body has not the marks of {adapter.title}")]
        return adapter.adapt(message, self._given(original, received_ms, delivery_id))

    def _calls(self, body: bytes, delivery_id: str, received_ms: int) -> Iterator[Event | Problem]:
        """One call of Segment's form, with its `type`, or a batch of them."""
        for place, message in enumerate(read_calls(body).messages):
            fields = message.fields
            if fields is None or not segment.fits(fields):
                yield Problem("unknown_shape", f"message {place} is no call with a `type`")
                continue
            fields.setdefault("messageId", f"{delivery_id}:{place}")
            fields.setdefault("timestamp", received_ms)
            try:
                event = segment.adapt(fields, self._given(message.original, received_ms))
                if event is not None:
                    yield event
            except AdapterError as error:
                yield Problem(error.reason, error.detail[:DETAIL_MAX])

    def _given(self, original: bytes, received_ms: int, delivery_id: str = "") -> Given:
        return Given(
            original=original,
            shop_currency=self._currency,
            record_ms=received_ms,
            phone_region=self._phone_region,
            delivery_id=delivery_id,
        )
