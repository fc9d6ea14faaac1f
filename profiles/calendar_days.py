"""Days that come round every year: birthdays as shops write them, and when the next one begins for a customer."""

import re
from calendar import isleap
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from profiles import zones
from profiles.rates import DAY_MS

LeapDay = Literal["28 Feb", "1 Mar"]
"""When somebody born on 29 February has her day in common years."""

YEARS_AHEAD: Final = 2
_DAYS_IN: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DATE: Final = re.compile(r"^\s*(?:(\d{4})-|--)?(\d{1,2})-(\d{1,2})(?:[T ].*)?\s*$")


class YearlyDay(NamedTuple):
    """A day of the year, and the year it is counted from where that is known."""

    month: int
    day: int
    year: int | None = None


class Occasion(NamedTuple):
    """One coming round of a yearly day: the instant it is acted upon, and its date ("2027-02-28")."""

    at_ms: int
    date: str

    @property
    def year(self) -> int:
        """The year of its date."""
        return int(self.date[:4])


def read_birthday(value: Any) -> YearlyDay | None:
    """A birthday as shops write it; None for what is no date. A year before 1900, or none, counts as unknown.

    >>> read_birthday("1990-02-29T00:00:00Z"), read_birthday("--12-24"), read_birthday("02-30")
    (YearlyDay(month=2, day=29, year=1990), YearlyDay(month=12, day=24, year=None), None)
    """
    match = _DATE.match(value) if isinstance(value, str) else None
    if match is None:
        return None
    month, day = int(match[2]), int(match[3])
    if not (1 <= month <= 12 and 1 <= day <= _DAYS_IN[month - 1]):
        return None
    year = int(match[1]) if match[1] and int(match[1]) >= 1900 else None
    return YearlyDay(month, day, year)


def day_of(at_ms: int, zone: ZoneInfo) -> YearlyDay:
    """The local date of an instant."""
    local = zones.local_time(at_ms, zone)
    return YearlyDay(local.month, local.day, local.year)


def next_occasion(
    day: YearlyDay, after_ms: int, zone: ZoneInfo, minute: int, leap_day: LeapDay = "28 Feb", days_before: int = 0
) -> Occasion:
    """The first coming round at or after an instant: `minute` of the local day, or so many days before it.

    A time that spring leaves out is as much later as the clocks jumped; of one that autumn has twice it is the first.
    """
    first_year = zones.local_time(after_ms, zone).year - 1
    for year in range(first_year, first_year + YEARS_AHEAD + 2):
        month, of_month = day.month, day.day
        if (month, of_month) == (2, 29) and not isleap(year):
            month, of_month = (2, 28) if leap_day == "28 Feb" else (3, 1)
        noon_ms = zones.instant(datetime(year, month, of_month, 12, tzinfo=zone)) if year < 9999 else zones.LATEST_MS
        at_ms = zones.at_minute(noon_ms, zone, minute, -days_before)
        if at_ms >= after_ms:
            return Occasion(at_ms, f"{year:04d}-{month:02d}-{of_month:02d}")
    raise AssertionError("a day of the year comes round within two years")


SETTLED_MS: Final = 2 * DAY_MS
"""A change of time zone moves an occasion by less than this."""
