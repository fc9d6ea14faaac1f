"""Searches that nothing came of."""

import pytest

from profiles.visit_rules import SearchAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

SEARCH = "search.abandoned"


@pytest.fixture
def ada() -> Timeline:
    return Timeline()


def test_a_search_without_hits_is_told_of_two_hours_later(ada: Timeline) -> None:
    ada.search("Green  Tea", 0, results=0)

    assert ada.waiting(SEARCH) == [120]

    ada.until(DAY)

    assert ada.emitted(SEARCH) == [120]
    assert ada.triggers[0].details == {"query": "green tea", "results": 0, "searches": 1}
    assert ada.triggers[0].episode_key == "user_id:ada|green tea"


def test_one_search_with_hits_is_nothing(ada: Timeline) -> None:
    ada.search("tea", 0, results=7).until(DAY)

    assert ada.decisions(SEARCH) == []


def test_two_searches_and_no_look_at_a_product_are_told_of_by_the_second(ada: Timeline) -> None:
    ada.search("tea", 0, results=7).search("green tea", 5).until(DAY)

    assert ada.emitted(SEARCH) == [125]
    assert ada.triggers[0].details["query"] == "green tea"


@pytest.mark.parametrize("first, second", [(0, 40), (0, 90), (50, 40)])
def test_a_visit_goes_on_by_something_else_between_two_searches(ada: Timeline, first: int, second: int) -> None:
    searches = {first: ("tea", 0), second: ("green tea", 40)}
    ada.tell(events.PageViewed, 20, channel="browser")
    for arrives in sorted(searches):
        ada.search(*searches[arrives], results=7, arrives=max(20, arrives))
    ada.until(DAY)

    assert ada.emitted(SEARCH) == [160]


def test_two_searches_of_two_visits_are_nothing(ada: Timeline) -> None:
    ada.search("tea", 0, results=7).search("green tea", 40).tell(events.PageViewed, 45, channel="browser").until(DAY)

    assert ada.decisions(SEARCH) == []


def test_searching_again_for_the_same_starts_the_two_hours_anew(ada: Timeline) -> None:
    ada.search("tea", 0, results=0).search("TEA", 50, results=0)

    assert ada.waiting(SEARCH) == [170]


@pytest.mark.parametrize("later", [0, 10])
@pytest.mark.parametrize("kind", [events.ProductClicked, events.ProductViewed, events.ProductAdded])
def test_a_look_at_a_product_ends_it(ada: Timeline, kind: type[events.Event], later: int) -> None:
    ada.search("tea", 0, results=0).tell(kind, later, product=product("A"), channel="browser")

    assert ada.decisions(SEARCH) == [("armed", None), ("cancelled", "found")]


def test_a_product_that_a_cart_told_as_a_whole_shows_anew_ends_it(ada: Timeline) -> None:
    ada.search("tea", 0, results=0).tell(events.CartUpdated, 10, cart_id="c1", products=(product("A"),))
    ada.tell(events.CartUpdated, 11, cart_id="c1", products=()).until(DAY)

    assert ada.decisions(SEARCH) == [("armed", None), ("cancelled", "found")]


def test_an_order_ends_it(ada: Timeline) -> None:
    ada.search("tea", 0, results=0).order("o1", 10, "A").until(DAY)

    assert ada.decisions(SEARCH) == [("armed", None), ("cancelled", "found")]


def test_a_look_between_two_searches_makes_the_second_a_first(ada: Timeline) -> None:
    ada.search("tea", 0, results=7).view("A", 2).search("green tea", 5, results=7).until(DAY)

    assert ada.decisions(SEARCH) == []


def test_a_look_that_becomes_known_late_takes_the_episode_back(ada: Timeline) -> None:
    ada.search("tea", 0, results=7).search("green tea", 5, results=7).view("A", 2, arrives=20).until(DAY)

    assert ada.decisions(SEARCH) == [("armed", None), ("cancelled", "found")]


@pytest.mark.parametrize("later, told", [(29, True), (30, False)])
def test_a_second_search_after_half_an_hour_is_another_visit(ada: Timeline, later: int, told: bool) -> None:
    ada.search("tea", 0, results=7).search("green tea", later, results=7).until(DAY)

    assert bool(ada.emitted(SEARCH)) == told


def test_another_query_within_two_weeks_is_suppressed(ada: Timeline) -> None:
    ada.search("tea", 0, results=0).search("coffee", DAY, results=0).until(2 * DAY)

    assert ada.decisions(SEARCH)[-1] == ("suppressed", "cooldown")


def test_the_same_query_opens_a_new_episode_only_by_a_new_search() -> None:
    ada = Timeline(shop(SearchAbandonedRule(cooldown_ms=0)))
    ada.search("tea", 0, results=0).until(DAY).search("shoes", DAY, results=3).until(2 * DAY)

    assert ada.emitted(SEARCH) == [120]

    ada.search("tea", 3 * DAY, results=0).until(4 * DAY)

    assert ada.emitted(SEARCH) == [120, 3 * DAY + 120]
    assert len({trigger.trigger_id for trigger in ada.triggers}) == 2


def test_what_was_searched_for_goes_before_what_was_only_looked_at(ada: Timeline) -> None:
    """Views, then a search without hits: the search is higher on the ladder, and still waits when the views come due."""
    ada.view("A", 0).view("B", 1).search("tea", 2, results=0).until(DAY)

    assert ada.emitted(SEARCH) == [122]
    assert ada.decisions("browse.abandoned") == [("armed", None), ("suppressed", "superseded")]


def test_a_search_two_days_late_arms_nothing(ada: Timeline) -> None:
    ada.search("tea", 0, results=0, arrives=2 * DAY).until(3 * DAY)

    assert ada.emitted(SEARCH) == []


def test_a_search_that_came_late_is_reminded_of_at_once(ada: Timeline) -> None:
    ada.search("tea", 0, results=0, arrives=300).until(DAY)

    assert ada.emitted(SEARCH) == [300]


def test_a_search_heard_of_after_what_was_put_into_the_cart_since_is_answered(ada: Timeline) -> None:
    ada.add("A", 5).search("tea", 0, results=0).until(DAY)

    assert ada.emitted(SEARCH) == []
