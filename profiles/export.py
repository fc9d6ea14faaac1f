"""Everything that is known of a customer, for herself: her profile as it is shown, as it is stored, and all her orders.

In parts, since a row for a topic is bounded and a customer's orders are not.
"""

from typing import Any, Final

import msgspec

from profiles.document import document
from profiles.order_state import OrderEntry
from profiles.state import encode
from profiles.turn import Turn
from schemas.outputs import Export

PART_BYTES: Final = 128 * 1024
"""Orders of one part, about; a part of one larger order holds that alone."""

_plain: Final = msgspec.json.Decoder(dict[str, Any]).decode


def exports(turn: Turn, request_id: str, entries: list[OrderEntry]) -> list[Export]:
    """The parts of an export, the profile first, then orders by order id. Changes nothing of the profile."""
    profile = turn.profile
    shown, stored = _plain(encode(document(profile, turn.book, turn.now_ms))), _plain(profile.pack())
    parts = [Export(request_id=request_id, customer_id=profile.id, part=0, document=shown, profile=stored)]
    orders: list[dict[str, Any]] = []
    size = 0
    for entry in sorted(entries, key=lambda entry: entry.order_id):
        text = encode(entry)
        if orders and size + len(text) > PART_BYTES:
            parts.append(_orders(request_id, profile.id, len(parts), orders))
            orders, size = [], 0
        orders.append(_plain(text))
        size += len(text)
    if orders:
        parts.append(_orders(request_id, profile.id, len(parts), orders))
    return parts


def _orders(request_id: str, customer_id: str, part: int, orders: list[dict[str, Any]]) -> Export:
    return Export(request_id=request_id, customer_id=customer_id, part=part, orders=tuple(orders))
