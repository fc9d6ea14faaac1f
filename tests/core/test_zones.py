"""Zones and local hours, also on the days when clocks change."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from profiles.profile import Profile
from profiles.zones import COUNTRY_ZONES, LATEST_MS, at_hour, find_zone, instant, local_time, zone_of

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def test_a_zone_among_her_traits_goes_before_the_one_of_the_device_in_her_hands() -> None:
    travelling = Profile("user_id:ada", timezone=(1, "Asia/Tokyo"))
    travelling.traits["timezone"] = (0, "Europe/Berlin")
    assert zone_of(travelling, "UTC").key == "Europe/Berlin"

    for nonsense in ("Nowhere/Town", 2, None):
        travelling.traits["timezone"] = (0, nonsense)
        assert zone_of(travelling, "UTC").key == "Asia/Tokyo"


def test_the_customers_own_zone_goes_before_her_countrys_and_the_shops() -> None:
    ada = Profile("user_id:ada", timezone=(1, "Asia/Tokyo"), country=(1, "de"))

    assert zone_of(ada, "America/New_York").key == "Asia/Tokyo"
    ada.timezone = (2, "Mars/Olympus_Mons")
    assert zone_of(ada, "America/New_York").key == "Europe/Berlin"
    ada.country = (2, "US")  # four zones: her hour can't be told
    assert zone_of(ada, "America/New_York").key == "America/New_York"
    assert zone_of(ada, "nowhere").key == "UTC"


@pytest.mark.parametrize(
    "name", ["", ".", "../etc/passwd", "/etc/passwd", "America", "a\x00b", "Europe/Berlin ", "\ud800"]
)
def test_whatever_stands_in_an_event_is_a_zone_or_none(name: str) -> None:
    assert find_zone(name) is None


def test_every_country_zone_exists() -> None:
    assert [zone for zone in COUNTRY_ZONES.values() if find_zone(zone) is None] == []


@pytest.mark.parametrize(
    "moment, hour, expected",
    [
        ("2026-07-01T23:30:00+00:00", 9, "2026-07-02T07:00:00+00:00"),
        ("2026-03-29T12:00:00+00:00", 2, "2026-03-29T01:00:00+00:00"),  # 02:00 is left out; it is then 03:00
        ("2026-10-25T12:00:00+00:00", 2, "2026-10-25T00:00:00+00:00"),  # 02:00 comes twice; the first
        ("2026-10-25T01:30:00+00:00", 2, "2026-10-25T00:00:00+00:00"),
    ],
)
def test_an_hour_on_a_local_day(moment: str, hour: int, expected: str) -> None:
    assert at_hour(ms(moment), BERLIN, hour) == ms(expected)


def test_instants_survive_the_way_to_local_time_and_back() -> None:
    for at_ms in (0, 1, 1_772_409_600_123, LATEST_MS):
        assert instant(local_time(at_ms, BERLIN)) == at_ms


def test_the_end_of_time_does_no_harm() -> None:
    assert local_time(10**17, BERLIN) == local_time(LATEST_MS, BERLIN)
