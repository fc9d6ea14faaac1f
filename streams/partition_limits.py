"""Bounds of one partition, and how order and time are judged in it."""

from typing import Final

from msgspec import Struct


class PartitionLimits(Struct, frozen=True, kw_only=True):
    """Bounds of one partition, and how order and time are judged. See the settings of the same names."""

    inbox_records: int = 8000
    batch_records: int = 1000
    batch_profiles: int = 1000
    batch_bytes: int = 4 * 1024 * 1024
    due_timers: int = 1000
    cache_profiles: int = 50_000
    cache_bytes: int = 256 * 1024 * 1024
    disorder_ms: int = 60_000
    grace_ms: int = 60_000
    idle_ms: int = 250
    idle_commit_ms: int = 5000


DEFAULT_LIMITS: Final = PartitionLimits()
