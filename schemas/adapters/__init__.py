"""Foreign shapes of events, each turned into canonical ones by a pure function.

`ADAPTERS` is the table of them, asked in order. A new one is a module beside this file and a line in the table.
"""

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from schemas.adapters import segment
from schemas.events import Event


class Adapt(Protocol):
    """The message, its bytes, the shop's currency, and the record's time (epoch ms) into an event, or AdapterError."""

    def __call__(self, message: dict[str, Any], original: bytes, shop_currency: str, record_ms: int) -> Event: ...


class Adapter(Struct, frozen=True):
    """A foreign shape: how to tell it, and how to read it."""

    name: str
    fits: Callable[[dict[str, Any]], bool]
    adapt: Adapt


ADAPTERS: tuple[Adapter, ...] = (Adapter("segment", segment.fits, segment.adapt),)
"""Every foreign shape, in the order in which they are asked."""
