"""Further conditions of triggers: asked when due, of the customer as she is then and of what the trigger is about."""

import pytest

from profiles.book import Book
from profiles.engine import Engine
from profiles.expressions.errors import ExpressionError
from profiles.rules import Rules, RulesError
from profiles.triggers import CartAbandonedRule
from schemas import events
from tests.stories.timeline import DAY, Timeline, product, shop

CART = "cart.abandoned"


def with_condition(text: str) -> Timeline:
    return Timeline(shop(CartAbandonedRule(condition=text)))


def test_a_condition_over_the_episode_lets_only_dear_carts_through() -> None:
    text = 'episode.value_minor >= 5000 && episode.occurrence == 1 && episode.items.exists(i, i.product_id == "A")'
    cheap = with_condition(text).add(product("A", 4999), 0).until(DAY)
    dear = with_condition(text).add(product("A", 5000), 0).until(DAY)

    assert cheap.decisions(CART) == [("armed", None), ("cancelled", "condition")]
    assert dear.emitted(CART) == [60]


def test_it_is_asked_when_due_and_not_when_armed() -> None:
    ada = with_condition('profile.traits.tier == "gold"').add("A", 0)
    ada.tell(events.Identified, 30, traits={"tier": "gold"}).until(DAY)

    assert ada.emitted(CART) == [60]


def test_it_may_count_over_a_time_that_ends_when_it_is_due() -> None:
    text = 'views("2h") >= 1 && orders("30d") == 0'
    viewed = with_condition(text).tell(events.ProductViewed, -30, product=product("A")).add("A", 0).until(DAY)
    long_ago = with_condition(text).tell(events.ProductViewed, -60, product=product("A")).add("A", 0).until(DAY)
    bought = with_condition(text).order("o1", -DAY, "B").tell(events.ProductViewed, -30, product=product("A"))
    bought.add("A", 0).until(DAY)

    assert viewed.emitted(CART) == [60]
    # At 60 the window of two hours has just lost what happened at -60.
    assert long_ago.decisions(CART)[-1] == ("cancelled", "condition")
    assert bought.decisions(CART)[-1] == ("cancelled", "condition")


def test_it_sees_the_segments_she_is_in() -> None:
    book = shop(
        CartAbandonedRule(condition='"buyers" in profile.segments'),
        segments={"buyers": {"when": "profile.orders.count >= 1"}},
    )
    new = Timeline(book).add("A", 0).until(DAY)
    known = Timeline(book).order("o1", -DAY, "B").add("A", 0).until(DAY)

    assert new.emitted(CART) == []
    assert known.emitted(CART) == [60]


def test_a_segment_that_it_names_must_be_there() -> None:
    """It would never hold, and nobody would be sent anything."""
    with pytest.raises(RulesError) as refused:
        shop(
            CartAbandonedRule(condition='profile.orders.count > 1 || "buyer" in profile.segments'),
            segments={"buyers": {"when": "profile.orders.count >= 1"}},
        )

    assert str(refused.value) == "cart_abandoned.condition: there is no segment 'buyer'; did you mean 'buyers'?"


def test_one_that_fails_on_her_data_is_not_met_and_is_counted() -> None:
    ada = with_condition("profile.feedback.nps_score > 6").add("A", 0).until(DAY)
    segments = ada.engine.book.segments
    assert segments is not None
    (failure,) = segments.failures.take()

    assert ada.decisions(CART) == [("armed", None), ("cancelled", "condition")]
    assert (failure.condition, failure.count) == ("cart_abandoned.condition", 1)


def test_what_a_condition_can_not_see_is_refused_when_rules_are_loaded() -> None:
    with pytest.raises(ExpressionError) as refused:
        shop(CartAbandonedRule(condition="episode.valu_minor > 1"))

    assert "there is no field `valu_minor` in `episode`; did you mean `value_minor`?" in str(refused.value)


def test_rules_whose_conditions_were_not_compiled_can_not_be_used() -> None:
    rules = Rules.of(CartAbandonedRule(condition="true"))

    with pytest.raises(ValueError, match=r"cart\.abandoned"):
        Engine(Book(rules=rules))
