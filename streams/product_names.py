"""Which product a catalogue event is about that names only a variant, an SKU or an inventory item.

It is learned from catalogue events that name both. Every such event reaches every partition, and each keeps the names that
live with it: a name's home is found like a customer's, by its hash. So each name is kept once in the whole installation, and
an event that names nothing else is sent to its name's home, looked up there, and goes on from there to every partition with
the product beside it. Names change in the commits of their partition, like goods, and stand among them under keys that no
product can have: identifiers hold no control characters.

The newest word about a name holds, whatever came first. What comes before any word about its name is set aside.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from schemas.events import Arrival, CatalogueEvent
from streams.home import home_partition

NAMES_MAX: Final = 100_000
"""Names kept in one partition, some 100 bytes each. Above it those give way that were told longest ago."""
GIVE_WAY: Final = 1000
NAME_SIGN: Final = "\x1f"


class Named(Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """What a name stands for: the product, or one variant of it; and the event that told so."""

    product_id: str
    variant_id: str | None
    at_ms: int
    by: str


class BatchNames:
    """The names in one batch. `base` is what the partition knows, and is not changed here."""

    def __init__(self, base: Mapping[str, Named], partition: int, partitions: int) -> None:
        self._base, self._partition, self._partitions = base, partition, partitions
        self._told: dict[str, list[tuple[int, Named]]] = {}

    def learn(self, place: int, arrival: Arrival) -> None:
        """Keep what an event that names a product says of names that live here."""
        event = arrival.event
        assert isinstance(event, CatalogueEvent)
        assert event.product_id is not None
        for key, value in _names_of(event):
            if home_partition(value, self._partitions) == self._partition:
                told = Named(event.product_id, event.variant_id, arrival.time_ms, event.message_id)
                known = self._at(place, key)
                if known is None or (known.at_ms, known.by) < (told.at_ms, told.by):
                    self._told.setdefault(key, []).append((place, told))

    def find(self, place: int, event: CatalogueEvent) -> Named | None:
        """What the name of an event stands for at its place in the batch. It is the one that the event lives by."""
        key, _ = next(_names_of(event))
        return self._at(place, key)

    def _at(self, place: int, key: str) -> Named | None:
        known = self._base.get(key)
        for told_at, told in self._told.get(key, ()):
            if told_at >= place:
                break
            known = told
        return known

    def forget(self) -> None:
        """The batch ends before its first record."""
        self._told.clear()

    def changed(self, end: int) -> dict[str, Named | None]:
        """Names that are new or not what they were after the records before `end`; None for one that gives way."""
        changed: dict[str, Named | None] = {
            key: named for key, told in self._told.items() for place, named in told if place < end
        }
        too_many = len(self._base) + sum(1 for key in changed if key not in self._base) - NAMES_MAX
        if too_many > 0:
            oldest = sorted((named.at_ms, key) for key, named in self._base.items() if key not in changed)
            changed.update(dict.fromkeys(key for _, key in oldest[: max(GIVE_WAY, too_many)]))
        return changed


def _names_of(event: CatalogueEvent) -> Iterator[tuple[str, str]]:
    """The names of an event besides the product's, the one it lives by first: where they are kept, and their text."""
    for kind, value in (("variant", event.variant_id), ("sku", event.sku), ("item", event.inventory_item_id)):
        if value is not None:
            yield f"{NAME_SIGN}{kind}:{value}", value


decode_named = msgspec.json.Decoder(Named).decode
