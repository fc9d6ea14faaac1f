"""What a channel cost on one day, as the shop's books or its advertising accounts send it: the topic `spend`.

The key of a record is "<channel>|<day>", and the topic keeps the newest record of each key. So a correction takes the place of
what was said before, the same again changes nothing, and a record without a value takes back what was said.
"""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from schemas.decode import refused, too_deep
from schemas.money import MINOR_MAX
from schemas.reasons import Problem


class ChannelSpend(Struct, frozen=True, kw_only=True):
    """What was spent on a channel on one day of the shop's calendar.

    `channel` is named as in the profiles ("google / cpc"). `amount_minor` are minor units of `currency`, the shop's where none
    is named.
    """

    day: date
    channel: Annotated[str, Meta(min_length=1, max_length=512)]
    amount_minor: Annotated[int, Meta(ge=0, le=MINOR_MAX)]
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | None = None
    schema: str = "regulars/spend/1"

    @property
    def key(self) -> str:
        """The key its record must have."""
        return f"{self.channel}|{self.day.isoformat()}"


_decode = msgspec.json.Decoder(ChannelSpend).decode


def read_record(value: bytes) -> ChannelSpend | Problem:
    """Read the value of a record, or say why it can't be taken."""
    if (problem := too_deep(value)) is not None:
        return problem
    try:
        return _decode(value)
    except msgspec.ValidationError as error:
        return refused(ValueError(str(error)))
    except UnicodeDecodeError as error:
        return refused(error)
    except msgspec.DecodeError as error:
        return Problem("not_json", str(error))


def decode_spend(key: bytes | None, value: bytes) -> ChannelSpend | Problem:
    """Read a record, or say why it can't be taken.

    >>> decode_spend(b"ads|2026-03-01", b'{"day": "2026-03-01", "channel": "ads", "amount_minor": 1250}').amount_minor
    1250
    """
    found = read_record(value)
    if isinstance(found, Problem):
        return found
    if key != found.key.encode():
        shown = "no key" if key is None else repr(key[:200].decode("utf-8", "replace"))
        return Problem("wrong_key", f"{shown} in place of {found.key!r}")
    return found
