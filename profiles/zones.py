"""A customer's time zone and the hours of her day. Instants are epoch milliseconds UTC, zones IANA names.

The zone is the customer's own, else that of her country where the whole country keeps one time, else the shop's. Names that
no zone bears count as absent. Zone rules come from the system or from the tzdata package, which differ only in their date.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from profiles.profile import Profile

LATEST_MS: Final = 221_845_392_000_000
"""The year 9000. Later instants count as this one: nothing is planned for then, and calendars end in 9999."""

QUARTER_MS: Final = 900_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_LAST_ORDINAL: Final = datetime(9000, 1, 1, tzinfo=UTC).toordinal()
_UTC: Final = ZoneInfo("UTC")


def zone_of(profile: Profile, shop_timezone: str) -> ZoneInfo:
    """The zone a customer lives by: her own, her country's, the shop's."""
    own = own_zone(profile)
    if own is not None:
        return own
    if profile.country is not None:
        general = COUNTRY_ZONES.get(profile.country[1].strip().upper())
        if general is not None and (found := find_zone(general)) is not None:
            return found
    return find_zone(shop_timezone) or _UTC


def own_zone(profile: Profile) -> ZoneInfo | None:
    """The zone told as a trait, else the one her device last told; None where there is none of that name."""
    for told in (told_zone(profile), profile.timezone[1] if profile.timezone is not None else None):
        if told is not None and (own := find_zone(told)) is not None:
            return own
    return None


def told_zone(profile: Profile) -> str | None:
    """The zone that stands among her traits, None where none does or it is no text."""
    told = profile.traits.get("timezone") if profile.has_traits else None
    return told[1] if told is not None and isinstance(told[1], str) else None


@lru_cache(maxsize=1024)
def find_zone(name: str) -> ZoneInfo | None:
    """The zone of that name, None if there is none. The names come from events, so anything may be in them."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name at all; the name of a folder of zones
        return None


def local_time(at_ms: int, zone: ZoneInfo) -> datetime:
    """An instant on the zone's clock."""
    return (_EPOCH + timedelta(milliseconds=min(max(at_ms, 0), LATEST_MS))).astimezone(zone)


def local_hour(at_ms: int, zone: ZoneInfo) -> int:
    """The hour of day on the zone's clock, 0 to 23."""
    return _hour_of_quarter(at_ms // QUARTER_MS, zone)


@lru_cache(maxsize=1 << 16)
def _hour_of_quarter(quarter: int, zone: ZoneInfo) -> int:
    # No zone is off by anything but whole quarters of an hour since 1972.
    return local_time(quarter * QUARTER_MS, zone).hour


def day_of(at_ms: int, zone: ZoneInfo) -> int:
    """The local day of an instant, as days since 1970-01-01 on the zone's calendar."""
    return _day_of_quarter(at_ms // QUARTER_MS, zone)


@lru_cache(maxsize=1 << 16)
def _day_of_quarter(quarter: int, zone: ZoneInfo) -> int:
    return local_time(quarter * QUARTER_MS, zone).toordinal() - _EPOCH_ORDINAL


def start_of_day(day: int, zone: ZoneInfo) -> int:
    """The first instant of a local day."""
    return _minute_of_day(day, zone, 0)


def instant(local: datetime) -> int:
    """The instant of a time that knows its zone."""
    return (local - _EPOCH) // timedelta(milliseconds=1)


def at_hour(at_ms: int, zone: ZoneInfo, hour: int) -> int:
    """`hour` o'clock on the local day of an instant; see `at_minute`."""
    return at_minute(at_ms, zone, hour * 60)


def at_minute(at_ms: int, zone: ZoneInfo, minute: int, days: int = 0) -> int:
    """A minute of the day (0 to 1439) on the local day of an instant, or so many days later.

    The first of the two when clocks go back; when the time is left out in spring, as much later as the clocks jumped.
    """
    return _minute_of_day(day_of(at_ms, zone) + days, zone, minute)


@lru_cache(maxsize=1 << 14)
def _minute_of_day(day: int, zone: ZoneInfo, minute: int) -> int:
    start = datetime.fromordinal(min(day + _EPOCH_ORDINAL, _LAST_ORDINAL))
    return instant(start.replace(hour=minute // 60, minute=minute % 60, tzinfo=zone).astimezone(UTC))


# Countries that keep one time, so that the country alone tells it. Those with several are left to the shop's zone: a guess
# would be wrong by hours for a third of the customers.
COUNTRY_ZONES: Final = {
    "AE": "Asia/Dubai",
    "AT": "Europe/Vienna",
    "BD": "Asia/Dhaka",
    "BE": "Europe/Brussels",
    "BG": "Europe/Sofia",
    "BH": "Asia/Bahrain",
    "CH": "Europe/Zurich",
    "CN": "Asia/Shanghai",
    "CO": "America/Bogota",
    "CR": "America/Costa_Rica",
    "CZ": "Europe/Prague",
    "DE": "Europe/Berlin",
    "DK": "Europe/Copenhagen",
    "EE": "Europe/Tallinn",
    "EG": "Africa/Cairo",
    "FI": "Europe/Helsinki",
    "FR": "Europe/Paris",
    "GB": "Europe/London",
    "GR": "Europe/Athens",
    "HK": "Asia/Hong_Kong",
    "HR": "Europe/Zagreb",
    "HU": "Europe/Budapest",
    "IE": "Europe/Dublin",
    "IL": "Asia/Jerusalem",
    "IN": "Asia/Kolkata",
    "IS": "Atlantic/Reykjavik",
    "IT": "Europe/Rome",
    "JP": "Asia/Tokyo",
    "KE": "Africa/Nairobi",
    "KR": "Asia/Seoul",
    "KW": "Asia/Kuwait",
    "LI": "Europe/Vaduz",
    "LK": "Asia/Colombo",
    "LT": "Europe/Vilnius",
    "LU": "Europe/Luxembourg",
    "LV": "Europe/Riga",
    "MA": "Africa/Casablanca",
    "MT": "Europe/Malta",
    "MY": "Asia/Kuala_Lumpur",
    "NG": "Africa/Lagos",
    "NL": "Europe/Amsterdam",
    "NO": "Europe/Oslo",
    "PE": "America/Lima",
    "PH": "Asia/Manila",
    "PK": "Asia/Karachi",
    "PL": "Europe/Warsaw",
    "QA": "Asia/Qatar",
    "RO": "Europe/Bucharest",
    "RS": "Europe/Belgrade",
    "SA": "Asia/Riyadh",
    "SE": "Europe/Stockholm",
    "SG": "Asia/Singapore",
    "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava",
    "TH": "Asia/Bangkok",
    "TN": "Africa/Tunis",
    "TR": "Europe/Istanbul",
    "TW": "Asia/Taipei",
    "UA": "Europe/Kyiv",
    "UY": "America/Montevideo",
    "VN": "Asia/Ho_Chi_Minh",
    "ZA": "Africa/Johannesburg",
}
