"""replenishment.due and .late once repurchase was learned: the best window, how sure it is, and when she has stopped."""

from math import exp, log

import pytest
from msgspec.structs import replace

from profiles import statistics, supply
from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.insight.repurchase import EDGES, Key, RepurchaseModel, Shape
from profiles.insight.repurchase_plan import RepurchaseRule, RepurchaseRules
from profiles.insight.tallies import add
from profiles.models import Models, named
from profiles.rhythms import RHYTHMS_MAX
from profiles.rules import Rules
from profiles.state import SUPPLY_PURCHASES_MAX, Moment
from profiles.triggers import REPLENISHMENT_DUE
from profiles.turn import Turn
from tests.stories.timeline import DAY, Timeline, product, shop


def clockwork(centre: float = 1.0) -> Shape:
    """Nearly everybody buys between 0.9 and 1.1 of her pace, and one in thirty never again."""
    hazard, total = [], 0.0
    for edge in EDGES:
        total = 3.5 if edge >= 1.1 * centre else 0.02 * edge / centre if edge < 0.9 * centre else 1.2
        hazard.append(total)
    return Shape(hazard, [max(0.0, centre - half) for half in EDGES[1:]])


def learned(**days: float) -> Book:
    """A shop that learned how long things of these categories last."""
    keys = {name: Key(location=log(gap), within=0.1, between=0.1, gaps=400) for name, gap in days.items()}
    typical = Key(location=log(30), within=0.6, between=0.3)
    models = named(Models(repurchase=RepurchaseModel([clockwork()] * 6, typical, keys)))
    return replace(shop(), models=models)


def coffee(ada: Timeline, day: float, units: float = 1, product_id: str = "beans") -> Timeline:
    return ada.order(f"o{day}", day * DAY + 600, product(product_id, quantity=units, category="coffee"))


def replenishments(ada: Timeline, name: str = "replenishment.due") -> list[int]:
    return [int(minute // DAY) for minute in ada.emitted(name)]


def test_a_category_without_days_of_the_merchant_is_reminded_of_before_its_best_window() -> None:
    ada = coffee(Timeline(learned(coffee=40)), 0).until(60 * DAY)

    (due,) = replenishments(ada)
    (trigger,) = [trigger for trigger in ada.triggers if trigger.name == "replenishment.due"]
    start = (trigger.details["window_start_ms"] - trigger.details["last_purchase_ms"]) / 86_400_000
    assert due == start - 3
    assert start + 7 == pytest.approx(40, abs=4)  # the middle of the window is the category's typical gap
    assert trigger.details["confidence"] > 0.5
    assert trigger.details["models"] == ada.engine.book.models.id
    assert [item.product_id for item in trigger.items] == ["beans"]
    assert trigger.emitted_at_ms // 3_600_000 % 24 == 10  # her hour of ordering


def test_her_own_pace_draws_the_window_to_it() -> None:
    ada = Timeline(learned(coffee=40))
    for day in range(0, 200, 20):
        coffee(ada, day)
    found = supply.forecast(ada.profile, "=coffee", ada.engine.book)

    assert found is not None
    assert found.learned is not None
    assert found.learned.gaps == 9
    pace = exp((3 * log(40) + 9 * log(20)) / 12)
    assert found.learned.window_start + 7 == pytest.approx(pace, abs=4)


def test_who_is_too_hard_to_foretell_is_left_alone() -> None:
    book = learned(coffee=40)
    strict = replace(book, rules=replace(book.rules, repurchase=RepurchaseRules(confidence_min=1.0)))
    ada = coffee(Timeline(strict), 0).until(200 * DAY)

    assert ada.decisions("replenishment.due") == [("armed", None), ("cancelled", "unsure")]
    assert ada.decisions("replenishment.late") == []


def test_settings_hold_by_category() -> None:
    book = learned(coffee=40, tea=40)
    rules = RepurchaseRules(by_key={"coffee": RepurchaseRule(lead_days=10), "tea": RepurchaseRule(remind=False)})
    ada = Timeline(replace(book, rules=replace(book.rules, repurchase=rules)))
    plain = coffee(Timeline(book), 0).until(60 * DAY)
    coffee(ada, 0)
    ada.order("t", 700, product("sencha", category="tea"))
    ada.until(60 * DAY)

    assert replenishments(ada) == [replenishments(plain)[0] - 7]
    assert list(ada.profile.supply) == ["=coffee"]


def test_the_merchants_word_places_a_product_that_was_not_learned() -> None:
    catalogue = build_catalogue([{"product_id": "beans", "supply_days": "90", "category": "coffee"}])
    ada = coffee(Timeline(replace(learned(coffee=40), catalogue=catalogue)), 0)
    found = supply.forecast(ada.profile, "beans", ada.engine.book)

    assert found is not None
    assert found.learned is not None
    assert found.learned.window_start + 7 == pytest.approx(90, abs=6)


def test_substitutes_are_one() -> None:
    catalogue = build_catalogue(
        [
            {"product_id": "beans", "supply_days": "30", "category": "coffee", "group": "g"},
            {"product_id": "ground", "supply_days": "30", "category": "coffee", "group": "g"},
        ]
    )
    ada = Timeline(replace(learned(coffee=40), catalogue=catalogue))
    coffee(ada, 0)
    coffee(ada, 15, product_id="ground")
    ada.until(80 * DAY)

    assert set(ada.profile.rhythms) == {"coffee", "coffee/~g"}
    assert ada.decisions("replenishment.due")[:2] == [("armed", None), ("cancelled", "repurchased")]
    assert len(replenishments(ada)) == 1


def test_units_stretch_the_gap_where_the_rules_say_so() -> None:
    book = learned(coffee=40)
    rules = RepurchaseRules(by_key={"coffee": RepurchaseRule(quantity_exponent=1.0)})
    ada = Timeline(replace(book, rules=replace(book.rules, repurchase=rules)))
    found = [
        supply.forecast(coffee(Timeline(ada.engine.book), 0, units).profile, "=coffee", ada.engine.book)
        for units in (1, 2)
    ]

    one, two = (one.learned for one in found if one is not None and one.learned is not None)
    assert two.window_start + 7 == pytest.approx(2 * (one.window_start + 7), abs=8)


def test_the_late_reminder_comes_when_few_would_still_come() -> None:
    ada = coffee(Timeline(learned(coffee=40)), 0).until(400 * DAY)
    (due,), (late,) = replenishments(ada), replenishments(ada, "replenishment.late")
    (first, *_) = [trigger for trigger in ada.triggers if trigger.name == "replenishment.due"]
    end = (first.details["window_end_ms"] - first.details["last_purchase_ms"]) / 86_400_000

    assert due < end < late


def test_nobody_is_reminded_who_has_most_likely_stopped() -> None:
    ada = coffee(Timeline(learned(coffee=40)), 0)
    (episode,) = (one for one in ada.profile.episodes.values() if one.name == "replenishment.due")
    found = supply.forecast(ada.profile, "=coffee", ada.engine.book)
    assert found is not None
    assert found.learned is not None
    turn = Turn(ada.profile, ada.engine.book, Moment(0), [], "timer", 0, 0)
    stopped_ms = found.last_purchase_ms + round(found.learned.stopped_days * 86_400_000)

    assert REPLENISHMENT_DUE.check(turn, episode, stopped_ms - 1000) is None
    assert REPLENISHMENT_DUE.check(turn, episode, stopped_ms + 1000) == "stopped"


def test_buying_in_time_ends_it_and_opens_the_next() -> None:
    ada = coffee(coffee(Timeline(learned(coffee=40)), 0), 20).until(30 * DAY)

    assert replenishments(ada) == []
    assert ada.decisions("replenishment.due") == [("armed", None), ("cancelled", "repurchased"), ("armed", None)]


def test_of_many_categories_the_newest_are_followed() -> None:
    ada = Timeline(learned(coffee=40))
    for number in range(RHYTHMS_MAX + 5):
        ada.order(f"o{number}", number * DAY, product("p", category=f"c{number}"))

    assert len(ada.profile.rhythms) == RHYTHMS_MAX
    assert "c0" not in ada.profile.rhythms


def test_without_anything_learned_nothing_is_followed() -> None:
    ada = coffee(Timeline(shop()), 0)

    assert ada.profile.supply == {}
    assert Rules().repurchase.of("coffee").remind


def foretold(ada: Timeline) -> dict[str, int]:
    """What the counters say of what was foretold, without the weeks."""
    found: dict[str, int] = {}
    for name, count in statistics.counters(ada.profile, ada.engine.book).items():
        if name.startswith("foretold:"):
            what = name.removeprefix("foretold:").rpartition("|")[0]
            found[what] = found.get(what, 0) + count
    return found


def test_what_was_foretold_stands_with_the_purchase_and_is_held_against_the_next() -> None:
    ada = coffee(Timeline(learned(coffee=40)), 0)
    (first,) = ada.profile.supply["=coffee"].purchases
    assert first.told is not None
    start, end, sure = first.told
    assert sure is not None
    assert foretold(ada) == {f"open|{sure // 10}": 1, f"sure|{sure // 10}": sure}

    for next_day, outcome in ((start - 1, "early"), (start, "hit"), (end, "hit"), (end + 1, "late")):
        again = coffee(coffee(Timeline(learned(coffee=40)), 0), next_day)
        told = again.profile.supply["=coffee"].purchases[-1].told
        assert told is not None
        assert told[2] is not None
        assert foretold(again)[f"{outcome}|{sure // 10}"] == 1
        assert foretold(again)[f"open|{told[2] // 10}"] == 1


def test_a_model_of_later_changes_nothing_of_what_was_foretold() -> None:
    ada = coffee(Timeline(learned(coffee=40)), 0)
    before = ada.profile.supply["=coffee"].purchases[0].told
    ada.engine = Timeline(learned(coffee=90)).engine
    coffee(ada, 41)

    was, newest = ada.profile.supply["=coffee"].purchases
    assert was.told == before
    assert newest.told is not None
    assert before is not None
    assert newest.told[0] > before[0]


def test_an_order_that_comes_late_is_foretold_from_as_if_it_had_come_in_time() -> None:
    in_time, late = Timeline(learned(coffee=40)), Timeline(learned(coffee=40))
    for day in (0, 20, 40):
        coffee(in_time, day)
    for day in (0, 40, 20):
        late.order(f"o{day}", day * DAY + 600, product("beans", category="coffee"), arrives=41 * DAY)

    assert late.profile.supply["=coffee"].purchases == in_time.profile.supply["=coffee"].purchases
    assert foretold(late) == foretold(in_time)


def test_counters_told_with_each_order_are_those_of_the_profile_also_beyond_what_is_kept() -> None:
    ada, told = Timeline(learned(coffee=20)), dict[str, int]()
    for number in range(SUPPLY_PURCHASES_MAX + 6):
        coffee(ada, number * 17 % 300, product_id="beans")
        add(told, {name: count for name, count in ada.orders.counted.items() if name.startswith("foretold:")})
        ada.orders.counted.clear()

    kept = {
        name: count for name, count in statistics.counters(ada.profile, ada.engine.book).items() if "foretold:" in name
    }
    assert told == kept
    assert sum(count for name, count in kept.items() if "sure" not in name) == SUPPLY_PURCHASES_MAX


def test_a_reminder_that_was_planned_before_it_was_learned_how_long_things_last_waits_until_then() -> None:
    """And one that would move by less than a tenth of its wait goes out when it was planned."""
    catalogue = build_catalogue([{"product_id": "beans", "supply_days": "30", "category": "coffee"}])
    for days, moves in ((60.0, True), (39.0, False)):
        ada = coffee(Timeline(shop(catalogue=catalogue)), 0).until(20 * DAY)
        ada.engine = Engine(replace(learned(**{"coffee/beans": days}), catalogue=catalogue))
        found = supply.forecast(ada.profile, "beans", ada.engine.book)
        assert found is not None
        due = round((found.due_ms - found.last_purchase_ms) / 86_400_000)
        assert (due >= 27 * 1.1) is moves

        ada.until(100 * DAY)

        assert replenishments(ada) == [due if moves else 27]
        assert ("cancelled", "lasts_longer") in ada.decisions("replenishment.due") or not moves
