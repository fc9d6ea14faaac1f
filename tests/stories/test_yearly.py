"""Birthdays and anniversaries, at nine in the morning where the customer lives."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from profiles.calendar_days import YearlyDay, next_occasion, read_birthday
from profiles.life_rules import AnniversaryRule, BirthdayRule
from profiles.rules import QuietHours
from profiles.state import Moment
from schemas import events
from schemas.events import Arrival
from tests.stories.timeline import DAY, HOUR, START_MS, Timeline, ms, product, shop

BIRTHDAY, ANNIVERSARY = "birthday", "anniversary"
YEAR = 365 * DAY


def at(text: str) -> float:
    """The story's minute of a local time "2027-02-28 09:00 Europe/Berlin" (UTC where no zone is named)."""
    day, time, *zone = text.split()
    moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=ZoneInfo(zone[0]) if zone else UTC)
    return (moment.timestamp() * 1000 - START_MS) / 60_000


def born(
    date: Any, minute: float = 0, *, zone: str | None = None, ada: Timeline | None = None, **more: Any
) -> Timeline:
    return (ada or Timeline()).tell(events.Identified, minute, traits={"birthday": date}, timezone=zone, **more)


def test_the_birthday_of_29_february_is_kept_on_the_28th_in_common_years() -> None:
    ada = born("1992-02-29", zone="Europe/Berlin").until(at("2028-12-31 00:00"))

    assert ada.emitted(BIRTHDAY) == [at("2027-02-28 09:00 Europe/Berlin"), at("2028-02-29 09:00 Europe/Berlin")]
    assert [trigger.episode_key for trigger in ada.triggers] == ["user_id:ada|2027", "user_id:ada|2028"]


def test_or_on_1_march_where_the_shop_says_so() -> None:
    ada = born("1992-02-29", ada=Timeline(shop(BirthdayRule(leap_day="1 Mar")))).until(at("2028-12-31 00:00"))

    assert ada.emitted(BIRTHDAY) == [at("2027-03-01 09:00"), at("2028-02-29 09:00")]


def test_nine_o_clock_is_nine_o_clock_in_summer_and_in_winter() -> None:
    summer = born("07-01", zone="America/New_York").until(YEAR)
    winter = born("12-01", zone="America/New_York").until(YEAR)

    assert summer.emitted(BIRTHDAY) == [at("2026-07-01 13:00")]
    assert winter.emitted(BIRTHDAY) == [at("2026-12-01 14:00")]


def test_on_the_day_the_clocks_change_too() -> None:
    spring = born("03-29", zone="Europe/Berlin").until(60 * DAY)

    assert spring.emitted(BIRTHDAY) == [at("2026-03-29 07:00")]


def test_a_less_important_one_that_is_due_within_the_minute_before_waits_for_the_birthday() -> None:
    ada = born("03-10", ada=Timeline(consent=False))
    grant = (events.ConsentChange(state="GRANT", channel="email"),)
    ada.tell(events.ConsentChanged, at("2026-03-10 08:54") + 0.5, consent=grant).until(at("2026-03-11 00:00"))

    assert [trigger.name for trigger in ada.triggers] == [BIRTHDAY, "welcome"]
    assert ada.emitted("welcome") == [at("2026-03-10 09:00")]


def test_but_for_no_birthday_that_is_only_looked_at_then_and_days_ahead() -> None:
    # Two days before it the zone is looked up again.
    ada = born("03-10", ada=Timeline(consent=False))
    grant = (events.ConsentChange(state="GRANT", channel="email"),)
    ada.tell(events.ConsentChanged, at("2026-03-08 08:54") + 0.5, consent=grant).until(at("2026-03-11 00:00"))

    assert ada.emitted("welcome") == [at("2026-03-08 08:59") + 0.5]


def test_told_before_nine_on_the_day_it_is_kept_and_told_after_it_waits_a_year() -> None:
    before = born("03-10", at("2026-03-10 08:59")).until(20 * DAY)
    after = born("03-10", at("2026-03-10 09:01")).until(at("2027-04-01 00:00"))

    assert before.emitted(BIRTHDAY) == [at("2026-03-10 09:00")]
    assert after.emitted(BIRTHDAY) == [at("2027-03-10 09:00")]


@pytest.mark.parametrize("date", ["03-10", "1990-03-10"])
def test_who_tells_it_again_while_the_clock_has_yet_to_come_to_nine_does_not_wait_a_year(date: str) -> None:
    """The clock stays a minute behind events."""
    ada, nine = born("03-10").until(at("2026-03-10 08:00")), at("2026-03-10 09:00")
    again = events.Identified(message_id="again", timestamp_ms=ms(nine + 0.5), user_id="ada", traits={"birthday": date})
    arrival = Arrival(again, ms(nine + 0.5), ms(nine + 0.5), ada.profile.id, "ada")
    ada.engine.step(ada.profile, arrival, Moment(ms(nine - 0.5)), ada.orders, ada.out)
    ada.until(at("2027-03-11 00:00"))

    assert ada.emitted(BIRTHDAY) == [nine, at("2027-03-10 09:00")]


def test_nobody_has_two_birthdays_in_300_days_by_changing_the_date() -> None:
    ada = born("03-10").until(at("2026-03-11 00:00"))
    born("06-10", at("2026-03-12 00:00"), ada=ada).until(at("2027-07-01 00:00"))

    assert ada.emitted(BIRTHDAY) == [at("2026-03-10 09:00"), at("2027-06-10 09:00")]
    assert ("cancelled", "cooldown") in ada.decisions(BIRTHDAY)


@pytest.mark.parametrize("other, greeted", [("01-03", False), ("01-04", True)])
def test_but_on_the_three_hundredth_day_she_may(other: str, greeted: bool) -> None:
    ada = born("03-10").until(at("2026-03-11 00:00"))
    born(other, at("2026-03-12 00:00"), ada=ada).until(at("2027-02-01 00:00"))

    assert (len(ada.emitted(BIRTHDAY)) == 2) == greeted


def test_a_date_that_was_corrected_moves_the_birthday() -> None:
    ada = born("06-10")
    born("07-10", DAY, ada=ada).until(YEAR)

    assert ada.emitted(BIRTHDAY) == [at("2026-07-10 09:00")]


def test_the_zone_that_is_valid_on_the_day_decides() -> None:
    west = born("06-10", zone="Europe/Berlin")
    west.tell(events.PageViewed, DAY, timezone="America/New_York").until(YEAR)
    east = born("06-10", zone="Europe/Berlin")
    east.tell(events.PageViewed, DAY, timezone="Asia/Tokyo").until(YEAR)

    assert west.emitted(BIRTHDAY) == [at("2026-06-10 09:00 America/New_York")]
    assert east.emitted(BIRTHDAY) == [at("2026-06-10 09:00 Asia/Tokyo")]


def test_who_flies_past_nine_in_the_morning_is_not_forgotten() -> None:
    ada = born("06-10", zone="Europe/Berlin")
    ada.tell(events.PageViewed, at("2026-06-10 04:00"), timezone="Asia/Tokyo").until(YEAR)

    assert [trigger.due_at_ms for trigger in ada.triggers] == [START_MS + at("2026-06-10 09:00 Asia/Tokyo") * 60_000]
    assert ada.emitted(BIRTHDAY) == [at("2026-06-10 09:00 Europe/Berlin")]


def test_some_days_before_where_the_shop_says_so() -> None:
    ada = born("06-10", ada=Timeline(shop(BirthdayRule(days_before=3)))).until(YEAR)

    assert ada.emitted(BIRTHDAY) == [at("2026-06-07 09:00")]
    assert ada.triggers[0].details["date"] == "2026-06-10"


def test_days_before_new_year_reach_into_the_old_one() -> None:
    ada = born("01-02", ada=Timeline(shop(BirthdayRule(days_before=3)))).until(YEAR)

    assert ada.emitted(BIRTHDAY) == [at("2026-12-30 09:00")]
    assert ada.triggers[0].episode_key == "user_id:ada|2027"


@pytest.mark.parametrize("date, sent", [("2009-06-10", False), ("2008-06-10", True), ("06-10", False)])
def test_an_age_gate_leaves_out_who_is_younger_or_of_unknown_age(date: str, sent: bool) -> None:
    ada = born(date, ada=Timeline(shop(BirthdayRule(min_age=18)))).until(200 * DAY)

    assert bool(ada.emitted(BIRTHDAY)) == sent
    assert sent or ("cancelled", "age") in ada.decisions(BIRTHDAY)


def test_wishes_and_interests_go_along_as_suggestions() -> None:
    ada = born("03-20").wish(product("A", category="tents"), 0).wish(product("B", category="boots"), 5)
    ada.order("o1", DAY, "A").until(30 * DAY)
    trigger = next(one for one in ada.triggers if one.name == BIRTHDAY)

    assert [item.product_id for item in trigger.items] == ["B"]
    assert trigger.details["interests"] == ["boots", "tents"]


def test_without_consent_there_is_no_birthday() -> None:
    ada = born("03-20", ada=Timeline(consent=False)).until(30 * DAY)

    assert ada.decisions(BIRTHDAY)[-1] == ("suppressed", "no_consent")


def test_what_is_no_date_is_no_birthday() -> None:
    for nonsense in ("", "soon", "1990-13-01", "02-30", 19900101, None, ["1990-01-01"]):
        assert born(nonsense).until(YEAR).decisions(BIRTHDAY) == []


@pytest.mark.parametrize(
    "text, day",
    [
        ("1990-02-29", YearlyDay(2, 29, 1990)),
        ("1604-05-06", YearlyDay(5, 6)),
        ("--05-06", YearlyDay(5, 6)),
        ("5-6", YearlyDay(5, 6)),
        ("1990-05-06T00:00:00.000Z", YearlyDay(5, 6, 1990)),
    ],
)
def test_birthdays_are_read_as_shops_write_them(text: str, day: YearlyDay) -> None:
    assert read_birthday(text) == day


def test_a_time_that_spring_leaves_out_is_as_much_later_as_the_clocks_jumped() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    coming = next_occasion(YearlyDay(3, 29), START_MS, berlin, 150)

    assert datetime.fromtimestamp(coming.at_ms / 1000, berlin).isoformat() == "2026-03-29T03:30:00+02:00"


def test_an_anniversary_comes_each_year_after_the_first_order() -> None:
    ada = Timeline().tell(events.PageViewed, -10, timezone="Europe/Berlin").order("o1", 12 * HOUR, "A")
    ada.order("o2", 400 * DAY, "A").until(2.5 * YEAR)

    assert (
        ada.emitted(ANNIVERSARY)
        == [
            at("2027-03-02 09:00 Europe/Berlin"),
            at("2028-03-02 09:00 Europe/Berlin"),
            at("2029-03-02 09:00 Europe/Berlin") if at("2029-03-02 09:00") < 3 * YEAR else None,
        ][: len(ada.emitted(ANNIVERSARY))]
    )
    assert [one.details["years"] for one in ada.triggers if one.name == ANNIVERSARY] == [1, 2]


def test_who_ordered_nothing_for_two_years_is_left_to_the_winback_and_not_asked_again() -> None:
    ada = Timeline().order("o1", 0, "A").until(6 * YEAR)

    assert ada.emitted(ANNIVERSARY) == [at("2027-03-02 09:00")]
    assert ada.decisions(ANNIVERSARY)[-1] == ("cancelled", "lapsed")
    assert ada.decisions(ANNIVERSARY).count(("cancelled", "lapsed")) == 1


def test_a_first_order_of_the_morning_is_no_anniversary_of_its_own_day() -> None:
    ada = Timeline().order("o1", 8 * HOUR, "A").until(300 * DAY)

    assert ada.decisions(ANNIVERSARY) == []


def test_a_cancelled_first_order_hands_its_day_to_the_next() -> None:
    ada = Timeline().order("o1", 0, "A").order("o2", 10 * DAY, "A")
    ada.tell(events.OrderCancelled, 11 * DAY, order_id="o1").until(YEAR + 30 * DAY)

    assert ada.emitted(ANNIVERSARY) == [at("2027-03-12 09:00")]


def test_an_older_order_that_becomes_known_late_moves_the_day() -> None:
    ada = Timeline().order("o1", 0, "A").order("o0", -30 * DAY, "A", arrives=DAY).until(YEAR)

    assert ada.emitted(ANNIVERSARY) == [at("2027-01-31 09:00")]


def test_a_customer_whose_only_order_was_cancelled_has_none() -> None:
    ada = Timeline().order("o1", 0, "A").tell(events.OrderCancelled, DAY, order_id="o1").until(2 * YEAR)

    assert ada.decisions(ANNIVERSARY) == []


def test_how_long_is_for_the_shop_to_say() -> None:
    ada = Timeline(shop(AnniversaryRule(lapsed_after_ms=100 * DAY * 60_000))).order("o1", 0, "A").until(2 * YEAR)

    assert ada.decisions(ANNIVERSARY) == [("armed", None), ("cancelled", "lapsed")]


@pytest.mark.parametrize(
    "ordered, told", [(at("2027-03-02 09:00") - 100 * DAY, 1), (at("2027-03-02 08:59") - 100 * DAY, 0)]
)
def test_and_it_ends_at_its_minute(ordered: float, told: int) -> None:
    ada = Timeline(shop(AnniversaryRule(lapsed_after_ms=100 * DAY * 60_000))).order("o1", 0, "A")
    ada.order("o2", ordered, "A").until(2 * YEAR)

    assert len(ada.emitted(ANNIVERSARY)) == told


# --- when two become one --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guest_first", [True, False])
def test_a_merge_that_brings_an_earlier_first_order_brings_no_second_anniversary_in_that_year(
    *, guest_first: bool
) -> None:
    ada, guest = Timeline(), Timeline(customer="email:ada@example.com")
    early, late = (guest, ada) if guest_first else (ada, guest)
    early.order("o1", 0, "A").until(YEAR + 322 * DAY)
    late.order("o2", 320 * DAY, "A").until(YEAR + 322 * DAY)
    ada.becomes_one_with(guest).order("o3", YEAR + 330 * DAY, "A").until(at("2029-12-31 00:00"))

    assert late.emitted(ANNIVERSARY)[:1] == [at("2028-01-16 09:00")]
    assert [one.episode_key[-4:] for one in ada.triggers if one.name == ANNIVERSARY][-1:] == ["2029"]
    assert at("2028-03-02 09:00") not in ada.emitted(ANNIVERSARY)
    assert ("cancelled", "cooldown") in ada.decisions(ANNIVERSARY)


def test_neither_does_an_order_of_before_that_becomes_known_after_it() -> None:
    ada = Timeline().order("o1", 0, "A").until(at("2027-03-03 00:00"))
    ada.order("o0", -350 * DAY, "A", arrives=at("2027-03-04 00:00")).until(at("2027-12-31 00:00"))

    assert ada.emitted(ANNIVERSARY) == [at("2027-03-02 09:00")]


def test_the_day_of_a_first_order_is_kept_though_its_customer_had_stayed_away_before_the_merge() -> None:
    ada, guest = Timeline(), Timeline(customer="email:ada@example.com")
    guest.order("o1", 0, "A").until(800 * DAY)
    ada.order("o2", 400 * DAY, "A").until(800 * DAY)
    ada.becomes_one_with(guest).until(at("2029-12-31 00:00"))

    assert ada.emitted(ANNIVERSARY) == [at("2028-04-06 09:00"), at("2029-03-02 09:00")]


def test_nobody_has_two_birthdays_by_a_merge() -> None:
    ada, guest = born("03-10"), born("06-10", ada=Timeline(customer="email:ada@example.com"))
    ada.until(at("2026-03-11 00:00"))
    ada.becomes_one_with(guest.until(at("2026-03-11 00:00"))).until(at("2027-07-01 00:00"))

    assert ada.emitted(BIRTHDAY) == [at("2026-03-10 09:00"), at("2027-06-10 09:00")]


@pytest.mark.parametrize(
    "zone", ["Asia/Tokyo", "Australia/Sydney", "Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Niue"]
)
def test_where_she_lives_may_become_known_long_after_her_birthday(zone: str) -> None:
    ada = Timeline(shop(quiet_hours=QuietHours())).tell(events.Identified, 0, traits={"birthday": "1990-06-10"})
    ada.tell(events.Identified, 30 * DAY, timezone=zone).until(120 * DAY)

    (greeting,) = ada.sent("birthday")
    local = datetime.fromtimestamp(greeting.emitted_at_ms / 1000, ZoneInfo(zone))
    assert f"{local:%Y-%m-%d %H:%M}" == "2026-06-10 09:00"
