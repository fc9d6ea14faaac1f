"""What events told of products besides price, stock and names, in one partition: cost, category, days of supply, what goes with
a product and stands in for it, what there is to tell of it (see `profiles.product_facts`).

Every partition has all of it, since any customer may buy any product. It changes in the commits of the partition and stands
among its goods, under keys that no product can have. An event that names no such fact costs one look at its kind.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from profiles.product_facts import NOTHING_TOLD, with_word
from profiles.told import Told, ToldFacts, Word
from schemas.events import Arrival
from streams.as_of import AsOf

FACTS_MAX: Final = 20_000
"""Products and variants of which facts are kept in one partition, some 200 bytes each in the table. Above it those give way
of which was told longest ago: what holds of a larger range belongs into the catalogue's file."""
GIVE_WAY: Final = 1000
FACTS_SIGN: Final = "\x1e"
_SHARED_MAX: Final = 100_000

_shared: dict[Told, Told] = {}


class Shop(Protocol):
    """What is asked of the engine about facts."""

    def words(self, arrival: Arrival) -> Iterator[tuple[str, Word]]: ...


class BatchFacts:
    """The facts in one batch. `base` is what the partition knows, and is not changed here."""

    def __init__(self, shop: Shop, base: dict[str, Told]) -> None:
        self._shop, self._base = shop, base
        self._told: dict[str, list[tuple[int, Told | None]]] = {}

    def learn(self, place: int, arrival: Arrival) -> None:
        """Keep what an event that names its product says of it."""
        for key, word in self._shop.words(arrival):
            told = self._told.get(key)
            known = told[-1][1] if told else self._base.get(key)
            now = with_word(known or NOTHING_TOLD, word)
            if now is not known:
                self._told.setdefault(key, []).append((place, shared(now)))

    @property
    def vary(self) -> bool:
        """Whether records of this batch may find other facts than those before them."""
        return bool(self._told)

    def at(self, place: int) -> ToldFacts:
        """What a record at this place finds told, and the timers before it."""
        return AsOf(self._base, self._told, place) if self._told else self._base

    def forget(self) -> None:
        """The batch ends before its first record."""
        self._told.clear()

    def changed(self, end: int) -> dict[str, Told | None]:
        """Facts that are new or not what they were after the records before `end`; None where they give way."""
        changed = {key: now for key, told in self._told.items() for place, now in told if place < end}
        too_many = len(self._base) + sum(1 for key in changed if key not in self._base) - FACTS_MAX
        if too_many > 0:
            oldest = sorted((told[0].at_ms, key) for key, told in self._base.items() if key not in changed)
            changed.update(dict.fromkeys(key for _, key in oldest[: max(GIVE_WAY, too_many)]))
        return changed


def shared(told: Told) -> Told:
    """The same facts as one object: all partitions of a worker hold the same."""
    if len(_shared) >= _SHARED_MAX:
        _shared.clear()
    return _shared.setdefault(told, told)


def decode_told(stored: bytes) -> Told:
    """Facts as the table holds them. Raises msgspec.DecodeError for damage."""
    return shared(_decode(stored))


def stored_keys(product_ids: Iterable[str]) -> list[str]:
    """Where the facts of these products lie."""
    return [FACTS_SIGN + product_id for product_id in product_ids]


def with_signs(changed: Mapping[str, Told | None]) -> dict[str, Told | None]:
    """Changes by the keys of the table."""
    return {FACTS_SIGN + key: told for key, told in changed.items()}


_decode: Final = msgspec.json.Decoder(Told).decode
