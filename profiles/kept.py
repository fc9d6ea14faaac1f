"""What is asked of profiles with nearly every event: the parts that views change, when it is due next, its stored form.

A part of `profiles.profile` that is compiled (structs themselves can't be, see docs/decisions/0009).
"""

from typing import Any, Final, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import astuple

from profiles.mixed_in import mixed_in
from profiles.state import Browsing, Episode, Interests, Watch, encode

VERSION: Final = 2
"""Schema version of a stored profile. A worker that meets a higher one stops. Since 2 views keep their own words of a product."""
NOTHING: Final = Raw()
"""A part of which nothing is known."""
_NOTHING_STORED: Final = frozenset((b"{}", b"[]"))

T = TypeVar("T")


def open_part(part: Raw, kind: tuple[msgspec.json.Decoder[T], Any]) -> T:
    """What a text stands for: a decoder, and what makes one of nothing."""
    decoder, make = kind
    if part is NOTHING:
        made: T = make()
        return made
    return decoder.decode(part)


_INTERESTS: Final = (msgspec.json.Decoder(Interests), Interests)
_WATCHES: Final = (msgspec.json.Decoder(dict[str, Watch]), dict)
_BROWSING: Final = (msgspec.json.Decoder(Browsing), Browsing)


def stored_part(part: Any) -> Raw:
    """A part as text; what is empty is as if it had never been there."""
    text = encode(part)
    return NOTHING if is_nothing(text) else Raw(text)


def is_nothing(text: bytes) -> bool:
    """Whether the text of a part says nothing."""
    return len(text) == 2 and text in _NOTHING_STORED  # a long one is not hashed for it


def own_texts(profile: Any) -> None:
    """Give each part of a profile that was just read a text of its own: until then they are places in the text of the whole,
    which would stay in memory as long as any part of it.
    """
    parts, names = astuple(profile), type(profile).__struct_fields__
    for place in range(len(parts) - 1, -1, -1):  # the parts come last
        name: str = names[place]
        if name[0] != "_":
            break
        part = parts[place]
        if part is not NOTHING:
            setattr(profile, name, part.copy())


@mixed_in
class Kept:
    """Methods of `Profile`."""

    __slots__ = ()

    @property
    def interests(self: Any) -> Interests:
        """Decayed interest in categories, brands and occasions."""
        part: Interests | Raw = self._interests
        if type(part) is Raw:
            part = self._interests = open_part(part, _INTERESTS)
        return part

    @property
    def watches(self: Any) -> dict[str, Watch]:
        """Products she has an eye on, by their key among the goods."""
        part: dict[str, Watch] | Raw = self._watches
        if type(part) is Raw:
            part = self._watches = open_part(part, _WATCHES)
        return part

    @property
    def has_watches(self: Any) -> bool:
        """Whether she has an eye on anything, without opening it."""
        part: dict[str, Watch] | Raw = self._watches
        return part is not NOTHING and (type(part) is Raw or bool(part))

    @property
    def browsing(self: Any) -> Browsing:
        """Views and searches of the last days."""
        part: Browsing | Raw = self._browsing
        if type(part) is Raw:
            part = self._browsing = open_part(part, _BROWSING)
        return part

    @property
    def has_browsing(self: Any) -> bool:
        """Whether any view, search or click is remembered, without opening them."""
        part: Browsing | Raw = self._browsing
        return part is not NOTHING if type(part) is Raw else bool(part.views or part.searches or part.found_ms)

    @property
    def has_sides(self: Any) -> bool:
        """Whether facts are kept apart by the identifier they came with, without opening them."""
        return self._sides is not NOTHING and (type(self._sides) is Raw or bool(self._sides))

    @property
    def exposures_opened(self: Any) -> bool:
        """Whether somebody asked for the comparisons: only then they may have changed."""
        return type(self._exposures) is not Raw

    def next_due_ms(self: Any) -> int | None:
        """The earliest moment at which something here wants to be looked at, or None."""
        due: int | None = self.compact_ms
        episodes: dict[str, Episode] = self.episodes
        wakes: dict[str, int] = self.wakes
        for episode in episodes.values():
            wake_ms = episode.due_ms if episode.wait_ms is None else episode.wait_ms
            if due is None or wake_ms < due:
                due = wake_ms
        for wake_ms in wakes.values():
            if due is None or wake_ms < due:
                due = wake_ms
        return due

    def pack(self: Any) -> bytes:
        """The stored form. Parts that were opened are text again afterwards.

        Raises TypeError for a timer that is no whole number: it would be written, and the profile never be read again.
        """
        self.v = VERSION
        at_ms: Any
        for at_ms in self.wakes.values():
            if type(at_ms) is not int:
                raise TypeError(f"a timer in wakes is {type(at_ms).__name__}, and no int, in milliseconds")
        if type(self._sides) is not Raw:
            for side in self._sides.values():
                side.pack()
        parts, names = astuple(self), type(self).__struct_fields__
        # The parts come last, and no other field holds text.
        for place in range(len(parts) - 1, -1, -1):
            part = parts[place]
            if type(part) is Raw:
                continue
            name: str = names[place]
            if name[0] != "_":
                break
            setattr(self, name, stored_part(part))
        return encode(self)
