"""A change of a product of which not all who watch it have heard yet, as a partition's meta keeps it."""

import msgspec
from msgspec import Struct

from profiles.goods_state import GoodChange


class Wake(Struct, frozen=True, kw_only=True):
    """A change that not all watchers have heard of yet. `woken` of them have."""

    change: GoodChange
    woken: int


def encode_wake(wake: Wake | None) -> str:
    """The text that stands in a partition's meta; empty where all have heard."""
    return "" if wake is None else msgspec.json.encode(wake).decode()


decode_wake = msgspec.json.Decoder(Wake).decode
