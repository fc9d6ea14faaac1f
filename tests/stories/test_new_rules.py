"""Rules that change while triggers wait with timers of their own: due by the new rules, and never in the past."""

import pytest

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.life_rules import BirthdayRule
from profiles.rules import DAY_MS, MINUTE_MS, DeliveryRules
from profiles.triggers import BehaviourChangeRule, WinbackRule
from profiles.visit_rules import BrowseAbandonedRule
from schemas import events
from tests.stories.customers import buys
from tests.stories.timeline import DAY, HOUR, Timeline, shop


def days(ada: Timeline, name: str) -> list[float]:
    return [minute / DAY for minute in ada.emitted(name)]


def winback(days: int) -> Book:
    return shop(WinbackRule(after_ms=days * DAY_MS))


def test_a_shorter_silence_brings_all_tries_forward() -> None:
    ada = buys(Timeline(winback(90)), 0).until(10 * DAY).new_rules(winback(60)).until(400 * DAY)

    assert days(ada, "winback") == [60, 90, 120]


def test_a_longer_silence_puts_them_off() -> None:
    ada = buys(Timeline(winback(90)), 0).until(10 * DAY).new_rules(winback(120)).until(400 * DAY)

    assert days(ada, "winback") == [120, 180, 240]


def test_who_has_been_silent_for_longer_than_the_new_rules_ask_is_due_at_once() -> None:
    ada = buys(Timeline(winback(90)), 0).until(70 * DAY).new_rules(winback(60)).until(75 * DAY)

    assert [round(day, 3) for day in days(ada, "winback")] == [70]


def test_a_trigger_that_is_switched_off_keeps_its_timer() -> None:
    ada = buys(Timeline(winback(90)), 0)
    before = dict(ada.profile.wakes)

    assert ada.new_rules(shop(WinbackRule(after_ms=DAY_MS, enabled=False))).profile.wakes == before


def born(book: Book) -> Timeline:
    """The story begins on 2 March; her birthday is on the 22nd."""
    return Timeline(book).tell(events.Identified, 0, traits={"birthday": "1990-03-22"})


def test_a_birthday_is_told_so_many_days_before_as_the_new_rules_say() -> None:
    same_day = days(born(shop(BirthdayRule())).until(60 * DAY), "birthday")
    sooner = born(shop(BirthdayRule())).until(DAY).new_rules(shop(BirthdayRule(days_before=7))).until(60 * DAY)
    later = born(shop(BirthdayRule(days_before=7))).until(DAY).new_rules(shop(BirthdayRule())).until(60 * DAY)

    assert [round(day, 3) for day in days(sooner, "birthday")] == [round(day - 7, 3) for day in same_day]
    assert days(later, "birthday") == same_day


def browse(minutes: int) -> Book:
    return shop(BrowseAbandonedRule(delay_ms=minutes * MINUTE_MS, views=2))


def test_a_shorter_time_after_a_visit_holds_for_the_visit_that_goes_on() -> None:
    ada = Timeline(browse(240)).view("A", 0).view("B", 20).new_rules(browse(60)).until(5 * HOUR)

    assert ada.emitted("browse.abandoned") == [80]


def test_a_longer_time_after_a_visit_is_seen_when_the_timer_comes() -> None:
    ada = Timeline(browse(60)).view("A", 0).view("B", 20).new_rules(browse(240)).until(5 * HOUR)

    assert ada.emitted("browse.abandoned") == [260]


def test_silence_is_noticed_sooner_by_a_stricter_share() -> None:
    def weekly(book: Book) -> Timeline:
        ada = Timeline(book)
        for week in range(20):
            buys(ada, 7 * week)
        return ada

    strict, easy = shop(BehaviourChangeRule(silence_share=0.2)), shop(BehaviourChangeRule(silence_share=0.01))
    as_strict = weekly(strict).profile.wakes["behaviour.change|silence"]
    changed = weekly(easy)

    assert changed.profile.wakes["behaviour.change|silence"] > as_strict
    assert changed.new_rules(strict).profile.wakes["behaviour.change|silence"] == as_strict


def parcels(days: int) -> Book:
    tips = build_catalogue([{"product_id": "tea", "contents": "brewing"}])
    return shop(catalogue=tips, delivery=DeliveryRules(transit_ms=days * DAY_MS))


@pytest.mark.parametrize("name", ["review.request", "post.purchase.content", "nps.survey"])
def test_parcels_that_travel_longer_by_the_new_rules_put_off_all_that_waits_for_them(name: str) -> None:
    def sent(ada: Timeline) -> Timeline:
        return ada.order("o1", 0, "tea").tell(events.OrderFulfilled, HOUR, order_id="o1")

    from_the_first = sent(Timeline(parcels(9))).until(40 * DAY)
    changed = sent(Timeline(parcels(7))).until(DAY).new_rules(parcels(9)).until(40 * DAY)

    assert changed.emitted(name) == from_the_first.emitted(name) != []
