"""Live profiles of one partition, kept between batches. Only a successful commit keeps it; any failure drops it whole."""

from msgspec import Struct

from profiles.order_state import Ledger
from profiles.profile import Profile

PROFILES_MAX = 50_000
BYTES_MAX = 256 * 1024 * 1024
LEDGER_ENTRIES_MAX = 64
"""Entries kept with a cached profile; beyond that they are let go after the commit and read again when needed."""


class Live(Struct, gc=False):
    """A profile in memory with what is known of its ledger; `due_ms` and `size` are as last stored."""

    profile: Profile
    ledger: Ledger
    due_ms: int | None
    size: int


class Cache:
    """The least recently used profile goes first when a bound is met. Bytes are those of the stored form."""

    def __init__(self, profiles_max: int = PROFILES_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._live: dict[str, Live] = {}
        self._profiles_max, self._bytes_max = profiles_max, bytes_max
        self.size = 0

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, profile_id: object) -> bool:
        return profile_id in self._live

    def get(self, profile_id: str) -> Live | None:
        """A profile, None if it is not here."""
        return self._live.get(profile_id)

    def take(self, profile_id: str) -> Live:
        """Take a profile out for a batch; it comes back by `keep`, or not at all. Raises KeyError if it is not here."""
        live = self._live.pop(profile_id)
        self.size -= live.size
        return live

    def keep(self, live: Live) -> None:
        """Put a committed profile in, as the most recently used one."""
        if len(live.ledger) > LEDGER_ENTRIES_MAX:
            live.ledger = Ledger()
        self._live[live.profile.id] = live
        self.size += live.size
        while len(self._live) > self._profiles_max or (self.size > self._bytes_max and len(self._live) > 1):
            oldest = self._live.pop(next(iter(self._live)))
            self.size -= oldest.size

    def clear(self) -> None:
        """Forget everything."""
        self._live.clear()
        self.size = 0
