"""What a clock on the wall shows at an instant, in UTC or in a zone: `now.getHours("Europe/Berlin")`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from profiles.expressions.errors import Failed
from profiles.expressions.values import null_or_kind
from profiles.zones import find_zone

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSET: Final = re.compile(r"^([+-]?)(\d\d):(\d\d)$")

# Months and days of the month, and days of the year, count from 0 in this language; `getDate` counts from 1, and a week
# starts on Sunday.
GETTERS: Final[dict[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfMonth": lambda at: at.day - 1,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getDayOfYear": lambda at: at.timetuple().tm_yday - 1,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
    "getSeconds": lambda at: at.second,
    "getMilliseconds": lambda at: at.microsecond // 1000,
}


def instant(at_ms: int) -> datetime:
    """Epoch milliseconds as a timestamp."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def getter(name: str) -> Callable[..., int]:
    """A function of a timestamp and, if given, the name of a zone or its offset ("+02:00")."""
    get = GETTERS[name]

    def read(at: Any, zone: Any = "UTC") -> int:
        if not isinstance(at, datetime) or not isinstance(zone, str):
            raise Failed(f"`{name}` of {null_or_kind(at)} and {null_or_kind(zone)}")
        try:
            return get(at.astimezone(named_zone(zone)))
        except OverflowError:
            raise Failed("a time beyond the calendar") from None

    return read


def named_zone(name: str) -> tzinfo:
    """The zone of a name or an offset. Raises Failed where there is none."""
    offset = _OFFSET.match(name)
    if offset is not None:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    found = find_zone(name)
    if found is None:
        raise Failed("a time zone that does not exist")
    return found
