"""A table as it was before one place of a batch, over the table as it was before the batch."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from typing_extensions import override

V = TypeVar("V")


class AsOf(Mapping[str, V]):
    """`base` with what was told of each key before `place`, in the order of places; None where it was taken out."""

    __slots__ = ("_base", "_place", "_told")

    def __init__(self, base: Mapping[str, V], told: Mapping[str, list[tuple[int, V | None]]], place: int) -> None:
        self._base, self._told, self._place = base, told, place

    @override
    def __getitem__(self, key: str) -> V:
        value = self._base.get(key)
        for place, now in self._told.get(key, ()):
            if place >= self._place:
                break
            value = now
        if value is None:
            raise KeyError(key)
        return value

    @override
    def __iter__(self) -> Iterator[str]:
        return (key for key in {**self._base, **self._told} if key in self)

    @override
    def __len__(self) -> int:
        return sum(1 for _ in self)
