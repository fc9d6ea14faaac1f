"""What is asked of a profile as a whole with nearly every event: when it is due next, and its stored form.

A part of `profiles.profile` that is compiled (structs themselves can't be, see docs/decisions/0009).
"""

from typing import Any, Final

from msgspec import Raw
from msgspec.structs import astuple

from profiles.mixed_in import mixed_in
from profiles.parts import NOTHING, stored_part
from profiles.state import Episode, encode

VERSION: Final = 2
"""Schema version of a stored profile. A worker that meets a higher one stops. Since 2 views keep their own words of a product."""


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
