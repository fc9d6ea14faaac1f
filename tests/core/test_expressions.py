"""What conditions mean: null, missing keys, events and episodes, bounds, and functions of ours."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from profiles.book import Book
from profiles.expressions.errors import Failed, Problem
from profiles.expressions.expression import compile_expression
from profiles.expressions.failures import REASONS_MAX, Failure, Failures
from profiles.expressions.scope import STEPS_MAX, Scope
from profiles.expressions.shapes import PROFILE, Shape
from profiles.profile import Profile
from profiles.scores import first_without
from profiles.state import Cart, CartLine
from profiles.view import ProfileView
from schemas import events
from schemas.conditions import EpisodeShown
from schemas.events import Product
from schemas.outputs import Item
from tests.stories.customers import shop_that_learned

NOW_MS = 1_772_409_600_000  # 2026-03-02 00:00 UTC, a Monday
DAY_MS = 86_400_000


def met(text: str, profile: Profile | None = None, *, seen: str = "profile", **variables: Any) -> bool:
    view = ProfileView(profile or Profile("user_id:7"), Book(), NOW_MS)
    return compile_expression(text, seen).met(Scope(view, **variables))


def fails(text: str, reason: str, profile: Profile | None = None, **variables: Any) -> None:
    with pytest.raises(Failed) as failed:
        met(text, profile, **variables)

    assert failed.value.reason == reason


# --- null -----------------------------------------------------------------------------------------------------------


def test_a_field_without_a_value_is_null_and_can_be_asked_for_that() -> None:
    assert met("profile.orders.aov_minor == null && !has(profile.orders.aov_minor)")
    assert met("profile.orders.aov_minor != 5")


def test_any_other_use_of_null_fails_and_says_which_field_it_was() -> None:
    fails("profile.orders.aov_minor > 5", "profile.orders.aov_minor is null")
    fails("profile.orders.aov_minor + 1 == 1", "profile.orders.aov_minor is null")


def test_a_failure_is_absorbed_where_the_other_side_decides() -> None:
    assert met("profile.orders.aov_minor > 5 || true")
    assert met("true || profile.orders.aov_minor > 5")
    assert not met("profile.orders.aov_minor > 5 && false")
    fails("profile.orders.aov_minor > 5 || false", "profile.orders.aov_minor is null")
    assert met("has(profile.orders.aov_minor) ? profile.orders.aov_minor > 5 : true")


def test_a_trait_that_is_missing_fails_and_has_asks_for_it() -> None:
    profile = Profile("user_id:7")
    profile.traits = {"age": (1, 33), "nothing": (1, None)}

    assert met("profile.traits.age > 30 && has(profile.traits.nothing) && profile.traits.nothing == null", profile)
    assert not met("has(profile.traits.tier)", profile)
    fails('profile.traits.tier == "gold"', "a key that is not there", profile)
    fails('profile.traits.age > "30"', "`>` on int and string", profile)
    fails("profile.traits.nothing > 3", "`>` on null and int", profile)


ASKED = {"int": "{} > 0", "double": "{} > 0.5", "string": '{} > "a"', "bool": "{}"}


def questions(shape: Shape, above: str) -> Iterator[str]:
    """A condition on each field below a struct, and on a value of each map."""
    for field in shape.fields.values():
        chain = f"{above}.{field.name}"
        yield f"has({chain})"
        if field.is_list or field.is_map:
            yield f"size({chain}) > 0"
        elif field.shape is not None:
            yield from questions(field.shape, chain)
        kind = field.type.removeprefix("map(string, ").rstrip("?)")
        if kind in ASKED:
            yield ASKED[kind].format(f'{chain}["30"]' if field.is_map else chain)


@pytest.mark.parametrize("book", [Book(), shop_that_learned()], ids=["without models", "with models"])
def test_whatever_is_asked_of_who_never_did_anything_is_answered_or_fails(book: Book) -> None:
    """Nothing else may be raised: it would stop the worker."""
    for text in questions(PROFILE, "profile"):
        view = ProfileView(Profile("user_id:7"), book, NOW_MS)
        with contextlib.suppress(Failed):
            assert isinstance(compile_expression(text).met(Scope(view)), bool)


def test_a_struct_that_is_not_there_has_no_fields() -> None:
    fails("profile.predicted.churn.risk > 0.5", "profile.predicted is null")
    fails('"30" in profile.predicted.p_order', "profile.predicted is null")
    assert not met("has(profile.predicted.churn.risk)")
    assert met("profile.predicted == null || profile.predicted.churn.risk < 0.5")


def test_a_value_of_a_map_may_be_null_too() -> None:
    view = ProfileView(Profile("user_id:7"), shop_that_learned(), NOW_MS)
    assert compile_expression('profile.predicted.p_order["30"] == null').met(Scope(view))
    with pytest.raises(Failed, match="a value is null"):
        compile_expression('profile.predicted.p_order["30"] < 0.3').met(Scope(view))


# --- events and episodes --------------------------------------------------------------------------------------------


def viewed(**fields: Any) -> events.Event:
    return events.ProductViewed(message_id="m", timestamp_ms=NOW_MS, product=Product(product_id="A", **fields))


def test_an_event_is_read_by_its_fields_and_its_name() -> None:
    event = viewed(category="tea", occasions=("easter",))

    assert met('event.event == "Product Viewed" && event.product.category == "tea"', seen="event", event=event)
    assert met('event.product.occasions.exists(o, o == "easter")', seen="event", event=event)
    assert met("event.product.quantity >= 1.0 && event.timestamp_ms == now_ms", seen="event", event=event)


def test_a_whole_quantity_is_a_number_with_a_fraction_all_the_same() -> None:
    assert met("event.product.quantity / 4.0 == 0.5", seen="event", event=viewed(quantity=2))
    assert met("type(event.product.quantity) == double", seen="event", event=viewed(quantity=2))


def test_what_a_kind_of_event_does_not_have_is_null_or_empty() -> None:
    event = events.PageViewed(message_id="m", timestamp_ms=NOW_MS)

    assert met(
        "event.product == null && !has(event.product) && !has(event.product.category)", seen="event", event=event
    )
    assert met("event.order_id == null && size(event.products) == 0 && !has(event.products)", seen="event", event=event)
    fails('event.product.category == "tea"', "event.product is null", seen="event", event=event)
    fails("event.product.category == null", "event.product is null", seen="event", event=event)


def test_an_episode_shows_what_it_is_about() -> None:
    episode = EpisodeShown(
        name="cart.abandoned",
        key="c1",
        opened_ms=NOW_MS - DAY_MS,
        due_ms=NOW_MS,
        occurrence=1,
        items=(Item(product_id="A", price_minor=500, quantity=2),),
        value_minor=1000,
        currency="EUR",
    )

    text = (
        'episode.value_minor >= 1000 && episode.items.exists(i, i.price_minor == 500) && episode.opened_ms < ago("1h")'
    )
    assert met(text, seen="episode", episode=episode)


# --- time -----------------------------------------------------------------------------------------------------------


def test_ago_and_ahead_are_instants_around_now() -> None:
    assert met('ago("1d") == now_ms - 86400000 && ahead("1.5h") == now_ms + 5400000')
    assert met('now == timestamp("2026-03-02T00:00:00Z") && now.getDayOfWeek() == 1')
    assert met(
        'now.getHours("Europe/Berlin") == 1 && now.getHours("-03:30") == 20 && now.getDate("America/New_York") == 1'
    )
    fails("now.getHours(profile.id) == 1", "a time zone that does not exist")


def test_a_condition_of_a_trigger_may_calculate_with_the_time() -> None:
    assert met("(now_ms - 1000) / 1000 > 5")
    with pytest.raises(Problem, match="changes by itself"):
        compile_expression("(now_ms - 1000) / 1000 > 5", exact=True)


def test_the_end_of_what_holds_is_found_to_the_millisecond_or_there_is_none() -> None:
    for end_ms in (1, 2, 17, 5_000, 10**9):
        for guess_ms in (0, 1, end_ms - 1, end_ms, end_ms + 1, 3 * end_ms):
            assert first_without(lambda at_ms, end_ms=end_ms: at_ms < end_ms, 0, guess_ms) == end_ms  # type: ignore[misc]
    assert first_without(lambda _: True, 0, 5) is None


# --- bounds ---------------------------------------------------------------------------------------------------------


def with_carts(carts: int, lines: int) -> Profile:
    profile = Profile("user_id:7")
    for number in range(carts):
        cart = Cart(f"c{number}", mutated_ms=NOW_MS - number)
        cart.lines = {f"p{line}": CartLine(f"p{line}", None, 1.0, 0, 100) for line in range(lines)}
        profile.carts[cart.cart_id] = cart
    return profile


def test_the_fullest_carts_can_be_gone_through_but_not_each_line_with_each_other() -> None:
    profile = with_carts(16, 200)

    assert met("profile.carts.all(c, c.items.all(i, i.price_minor == 100))", profile)
    every_pair = "profile.carts.all(c, c.items.all(i, c.items.all(j, i.price_minor == j.price_minor)))"
    fails(every_pair, f"more than {STEPS_MAX} steps", profile)


def test_a_failure_in_a_loop_counts_only_where_no_element_decides() -> None:
    assert met("[0, 1].exists(x, 1 / x == 1)")
    assert not met("[0, 1].all(x, 1 / x == 2)")
    fails("[0, 1].exists(x, 1 / x == 2)", "a division by zero")
    fails("[0].exists_one(x, 1 / x == 2) || false", "a division by zero")
    fails("[1, 2].exists(x, dyn(x))", "a loop asks a bool, and this is int")


def test_regular_expressions_take_time_linear_in_the_text() -> None:
    profile = Profile("user_id:" + "a" * 200)

    assert not met('profile.id.matches("(a+)+$b")', profile)


def test_a_failure_beside_null_is_a_failure_whatever_side_it_is_on() -> None:
    failing = "(profile.orders.aov_minor > 5 ? null : null)"
    for text in (f"null == {failing}", f"{failing} == null", f"profile.orders.aov_minor != {failing}"):
        fails(text, "profile.orders.aov_minor is null")
    assert met("null == (profile.orders.count > 5 ? null : null)")


def test_keys_of_a_map_that_are_the_same_to_nobody_else_are_refused() -> None:
    """true, 1, and 1u: other implementations of the language hold them for two keys or for one."""
    for text in ("{true: 1, 1: 2}.size() == 2", "{1: 1, 2u: 2}.size() == 2", "{false: 1, dyn(2) == 2: 1, 7u: 1} != {}"):
        with pytest.raises(Problem, match="keys of a map"):
            compile_expression(text)
    with pytest.raises(Problem, match="no key of a map"):
        compile_expression("{1.5: 1}.size() == 1")
    fails("{dyn(true): 1, dyn(1): 2}.size() == 2", "a key that is there twice")
    assert met("{1: 'a', 'b': 'c', dyn('d'): 'e'}.size() == 3")


def test_what_becomes_a_text_is_looked_at_when_it_is_read() -> None:
    assert met("string(dyn(timestamp('2026-03-01T00:00:00Z'))) == '2026-03-01T00:00:00Z'")
    assert met("string(dyn(duration('36h'))) == '129600s'")
    assert met("int(dyn(timestamp('2026-03-01T00:00:00Z'))) == 1772323200")
    assert met("string(dyn(1.5)) + string(dyn(7u)) + string(dyn(true)) == '1.57true'")
    fails("string(dyn([1])) == ''", "`string` can't be done on such a value")


# --- failures -------------------------------------------------------------------------------------------------------


def test_failures_are_counted_by_condition_and_reason_until_they_are_taken() -> None:
    failures = Failures()
    for _ in range(3):
        failures.note("segments.a", "x is null")
    failures.note("segments.a", "a division by zero")
    failures.note("segments.b", "x is null")

    assert failures.take() == (
        Failure("segments.a", 4, (("x is null", 3), ("a division by zero", 1))),
        Failure("segments.b", 1, (("x is null", 1),)),
    )
    assert failures.take() == ()


def test_the_reasons_kept_are_bounded() -> None:
    failures = Failures()
    for number in range(100):
        failures.note("segments.a", f"reason {number}")
    (found,) = failures.take()

    assert found.count == 100
    assert len(found.reasons) == REASONS_MAX + 1
