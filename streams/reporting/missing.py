"""Why a section of the report has no figures."""

from msgspec import Struct


class Missing(Struct, frozen=True, tag=True):
    """A named reason (stable, for programs) and a sentence that says what to do about it."""

    reason: str
    remedy: str
