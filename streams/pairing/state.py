"""Counts and positions in one file: whoever reads it goes on exactly where it was written.

A new state takes the place of the old one at once (written beside it, then renamed), so a run that is killed at any moment
leaves either; nothing is counted twice, nothing is left out.
"""

import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from profiles.insight.pairs import PairCounter
from streams.pairing.baskets import Baskets, Counted

VERSION: Final = 1


class PairStateError(ValueError):
    """The file of counted pairs can't be used. The message names file and cause; nothing was counted.

    Operator action: give another --state, or delete the file; all orders in the topics are then counted anew.
    """


class _Stored(Struct, frozen=True, kw_only=True):
    v: int = VERSION
    origin: str
    offsets: dict[str, int]
    counter: bytes
    orders: dict[str, Counted]


class PairState:
    """Baskets and, for each partition "topic:p", the offset to go on at. `origin` says of which shop's topics they are."""

    def __init__(self, origin: str, baskets: Baskets | None = None, offsets: dict[str, int] | None = None) -> None:
        self.origin = origin
        self.baskets = Baskets() if baskets is None else baskets
        self.offsets = {} if offsets is None else offsets


def load(path: Path, origin: str) -> PairState:
    """The state in a file, a new one where there is no file. Raises PairStateError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return PairState(origin)
    except OSError as error:
        raise PairStateError(f"{path} can't be read: {error.strerror}") from None
    try:
        stored = msgspec.msgpack.decode(data, type=_Stored)
        counter = PairCounter.decode(stored.counter)
    except (msgspec.DecodeError, ValueError) as error:
        raise PairStateError(f"{path} holds no counted pairs ({error}); delete it to count all orders anew") from None
    if stored.v > VERSION:
        raise PairStateError(f"{path} was written by a later release; update this one")
    if stored.origin != origin:
        raise PairStateError(f"{path} holds the pairs of {stored.origin}, not of {origin}; give another --state")
    return PairState(origin, Baskets(counter, stored.orders), stored.offsets)


def save(state: PairState, path: Path) -> None:
    """Write the state in place of what is there."""
    stored = _Stored(
        origin=state.origin,
        offsets=state.offsets,
        counter=state.baskets.counter.encode(),
        orders=state.baskets.orders,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(path.suffix + ".new")
    with beside.open("wb") as file:
        file.write(msgspec.msgpack.encode(stored))
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
