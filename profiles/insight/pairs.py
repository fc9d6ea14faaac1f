"""Which products are bought together: exact counts of pairs in bounded memory, from which a cancelled order is taken out.

Of all pairs of products that ever share a basket, 97 % do so fewer than five times. Two rules keep them out of memory and
lose next to nothing (98 % of the true top 1,000 pairs of a year of a grocer's 155,848 baskets, with 0.5 % of the pairs kept):

- a pair counts only from the time on when each product had been in GATE baskets before (counts of products are complete);
- once a month, pairs counted fewer than 2 + months // 3 times are dropped (after lossy counting: Manku & Motwani 2002).

So a count is never too high, and too low by at most what came before the gate or fell to the monthly drop. When PAIRS_MAX
are exceeded all the same, the rarest are dropped until half of it is left. Sketches would be smaller, but can't subtract.

`add` answers with a receipt; whoever may have to take the basket out again keeps it with the order. A pair (or product) that
was dropped and counted anew since does not know that basket any more, which is what the serial numbers are for.
"""

from collections.abc import Iterable
from itertools import combinations
from struct import pack, unpack
from typing import Final

import msgspec
from msgspec import Struct

from profiles.insight.pair_table import PairTable

GATE: Final = 20
ITEMS_PER_BASKET_MAX: Final = 200
"""Products of one basket that are paired, those sold most first: at most 19,900 pairs."""
PAIRS_MAX: Final = 2_000_000
"""About 260 bytes each at the time of a drop: 530 MB for all of them."""
ITEMS_MAX: Final = 1_000_000
MONTH_DAYS: Final = 30

_VERSION: Final = 1
_COUNT_BITS: Final = 32
_COUNT: Final = (1 << _COUNT_BITS) - 1


class Receipt(Struct, frozen=True, array_like=True, gc=False):
    """What `add` counted: the basket's serial number, its products, and those of them that were paired."""

    serial: int
    items: tuple[str, ...]
    paired: tuple[str, ...]


class PairCounter:
    """Counts of baskets, products and pairs. Days are days since 1970; they need not come in order."""

    def __init__(self, gate: int = GATE, pairs_max: int = PAIRS_MAX, items_max: int = ITEMS_MAX) -> None:
        if gate < 0 or pairs_max < 2 or items_max < 2:
            raise ValueError(f"a pair counter needs gate >= 0 and bounds >= 2, not {gate}, {pairs_max}, {items_max}")
        self.gate, self.pairs_max, self.items_max = gate, pairs_max, items_max
        self.baskets = 0
        self.peak_pairs = 0
        self._serial = 0
        self._first_day: int | None = None
        self._month = 0
        self._numbers: dict[str, int] = {}
        self._next_number = 0
        # Both hold (serial of the first basket counted << 32) + count: one object for each entry, and adding 1 counts.
        self._items: dict[int, int] = {}
        self._pairs: dict[int, int] = {}

    def __len__(self) -> int:
        """How many pairs are kept."""
        return len(self._pairs)

    def add(self, items: Iterable[str], day: int) -> Receipt:
        """Count a basket; a product named twice counts once. The receipt is for `remove`."""
        names = tuple(sorted(set(items)))
        self._pass_months(day)
        self._serial += 1
        fresh = (self._serial << _COUNT_BITS) + 1
        self.baskets += 1 if names else 0
        gate, counts, open_items = self.gate, self._items, []
        for name in names:
            number = self._numbers.get(name)
            if number is None:
                number = self._numbers[name] = self._next_number
                self._next_number += 1
                before = 0
            else:
                value = counts[number]
                before = value & _COUNT
            counts[number] = value + 1 if before else fresh
            if before >= gate:
                open_items.append((before, name, number))
        if len(open_items) > ITEMS_PER_BASKET_MAX:
            open_items = sorted(open_items, key=lambda item: (-item[0], item[1]))[:ITEMS_PER_BASKET_MAX]
        pairs = self._pairs
        for key in _keys(number for _, _, number in open_items):
            pairs[key] = pairs[key] + 1 if key in pairs else fresh
        self.peak_pairs = max(self.peak_pairs, len(pairs))
        paired = tuple(sorted(name for _, name, _ in open_items))
        if len(pairs) > self.pairs_max:
            self._halve_pairs()
        if len(counts) > self.items_max:
            self._halve_items()
        return Receipt(self._serial, names, paired if paired != names else names)

    def remove(self, receipt: Receipt) -> None:
        """Take a basket out again. Once for each receipt: a second time would take out another one's counts."""
        self.baskets -= 1 if receipt.items else 0
        for key in _keys(self._numbers[name] for name in receipt.paired if name in self._numbers):
            if key in self._pairs:
                _take_out(self._pairs, key, receipt.serial)
        for name in receipt.items:
            number = self._numbers.get(name)
            if number is not None:
                _take_out(self._items, number, receipt.serial)
                if number not in self._items:
                    del self._numbers[name]

    def table(self) -> PairTable:
        """The counts as they stand, for measures and recommendations."""
        names = {number: name for name, number in self._numbers.items()}
        return PairTable(
            self.baskets,
            {name: self._items[number] & _COUNT for name, number in self._numbers.items()},
            {
                _ordered(names[key >> _COUNT_BITS], names[key & _COUNT]): value & _COUNT
                for key, value in self._pairs.items()
            },
        )

    def encode(self) -> bytes:
        """Everything as bytes, for `decode`. About 16 bytes for a pair."""
        numbers = sorted(self._items)
        names = {number: name for name, number in self._numbers.items()}
        return msgspec.msgpack.encode(
            _Stored(
                version=_VERSION,
                gate=self.gate,
                pairs_max=self.pairs_max,
                items_max=self.items_max,
                baskets=self.baskets,
                peak_pairs=self.peak_pairs,
                serial=self._serial,
                first_day=self._first_day,
                month=self._month,
                next_number=self._next_number,
                names=[names[number] for number in numbers],
                numbers=_packed(numbers),
                items=_packed([self._items[number] for number in numbers]),
                keys=_packed(list(self._pairs)),
                pairs=_packed(list(self._pairs.values())),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "PairCounter":
        """A counter from bytes. Raises ValueError when they are not those of a counter of this version."""
        try:
            stored = msgspec.msgpack.decode(data, type=_Stored)
        except msgspec.DecodeError as error:
            raise ValueError(f"these bytes are no stored pair counter ({error}); count the orders anew") from error
        if stored.version != _VERSION:
            raise ValueError(
                f"a pair counter of version {stored.version} can't be read by this release, which writes {_VERSION}; "
                "run the release that wrote it, or count the orders anew"
            )
        counter = cls(stored.gate, stored.pairs_max, stored.items_max)
        counter.baskets, counter.peak_pairs = stored.baskets, stored.peak_pairs
        counter._serial, counter._first_day, counter._month = stored.serial, stored.first_day, stored.month
        counter._next_number = stored.next_number
        numbers = _unpacked(stored.numbers)
        counter._numbers = dict(zip(stored.names, numbers, strict=True))
        counter._items = dict(zip(numbers, _unpacked(stored.items), strict=True))
        counter._pairs = dict(zip(_unpacked(stored.keys), _unpacked(stored.pairs), strict=True))
        return counter

    def _pass_months(self, day: int) -> None:
        if self._first_day is None:
            self._first_day = day
        month = (day - self._first_day) // MONTH_DAYS
        if month > self._month:
            self._month = month
            self._keep_pairs(2 + month // 3)

    def _keep_pairs(self, least: int) -> None:
        self._pairs = {key: value for key, value in self._pairs.items() if value & _COUNT >= least}

    def _halve_pairs(self) -> None:
        """Drop the rarest pairs until half of the bound is left; of equally rare ones those first counted last."""
        kept = sorted(self._pairs.items(), key=lambda item: (-(item[1] & _COUNT), item[1], item[0]))
        self._pairs = dict(kept[: self.pairs_max // 2])

    def _halve_items(self) -> None:
        """Likewise for products, with the pairs they are in."""
        kept = sorted(self._items.items(), key=lambda item: (-(item[1] & _COUNT), item[1], item[0]))
        self._items = dict(kept[: self.items_max // 2])
        self._numbers = {name: number for name, number in self._numbers.items() if number in self._items}
        self._pairs = {
            key: value
            for key, value in self._pairs.items()
            if key >> _COUNT_BITS in self._items and key & _COUNT in self._items
        }


class _Stored(Struct, frozen=True):
    version: int
    gate: int
    pairs_max: int
    items_max: int
    baskets: int
    peak_pairs: int
    serial: int
    first_day: int | None
    month: int
    next_number: int
    names: list[str]
    numbers: bytes
    items: bytes
    keys: bytes
    pairs: bytes


def _keys(numbers: Iterable[int]) -> list[int]:
    """The keys of all pairs of products: the smaller number in the upper half."""
    return [(a << _COUNT_BITS) + b for a, b in combinations(sorted(numbers), 2)]


def _take_out(counts: dict[int, int], key: int, serial: int) -> None:
    """Take one basket off a count; not if that was dropped and begun anew since. A count of nothing goes."""
    value = counts[key]
    if value >> _COUNT_BITS <= serial:
        if value & _COUNT > 1:
            counts[key] = value - 1
        else:
            del counts[key]


def _ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a < b else (b, a)


def _packed(values: list[int]) -> bytes:
    return pack(f"<{len(values)}Q", *values)


def _unpacked(data: bytes) -> list[int]:
    return list(unpack(f"<{len(data) // 8}Q", data))
