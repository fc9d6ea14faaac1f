"""The stories a shop can tell of its own rules with `streams.testing`."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
from typing_extensions import override

from profiles.book import Book
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.goods_state import Good
from profiles.rules import HOUR_MS, TriggerRule
from profiles.state import Episode
from profiles.turn import Turn
from streams.book_files import BookError
from streams.testing import Sent, Story
from streams.testing.story import StoryError


def test_a_cart_left_at_ten_is_reminded_of_at_eleven() -> None:
    story = Story()
    story.at("09:00").ana.agrees()
    story.at("10:00").ana.adds("tent", price=49.90, to="cart")

    assert story.ana.waits_for("cart.abandoned") == ["11:00"]

    story.at("12:00")

    assert story.ana.got == [Sent("09:05", "welcome"), Sent("11:00", "cart.abandoned")]
    assert story.ana.triggers[1].value_minor == 4990


def test_customers_have_lives_of_their_own() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.at("09:00").bob.adds("tent", to="cart")
    story.at("09:30").ana.orders("tent", cart="cart")
    story.at("12:00")

    assert story.ana.why_not("cart.abandoned") == "ordered"
    assert story.bob.why_not("cart.abandoned") == "no_consent"
    assert story.customer("bob").got == []


def test_a_shops_own_rules_file_is_what_counts(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[cart_abandoned]\ndelay = "4h"\ncondition = "profile.orders.count > 0"\n', encoding="utf-8")
    story = Story(rules=rules)
    story.at("09:00").ana.agrees().adds("tent")
    story.at("09:00").bob.agrees().orders("pegs").adds("tent")
    story.at("18:00")

    assert story.ana.why_not("cart.abandoned") == "condition"
    assert Sent("13:00", "cart.abandoned") in story.bob.got


def test_a_rules_file_that_is_wrong_is_refused_with_its_line(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[cart_abandoned]\ndealy = "4h"\n', encoding="utf-8")

    with pytest.raises(BookError, match=r"line 2.*did you mean 'delay'"):
        Story(rules=rules)


def test_quiet_hours_are_those_of_the_shop_and_times_are_told_by_day() -> None:
    story = Story(book=Book(shop_timezone="Europe/Berlin"))
    story.at("08:30").ana.agrees()
    story.at("21:30").ana.adds("tent", to="cart")
    story.at("day 2 09:00")
    at, name = story.ana.got[-1]

    assert name == "cart.abandoned"
    assert "day 2 08:00" <= at <= "day 2 08:15"


def test_every_verb_is_understood() -> None:
    story = Story()
    ana = story.at("10:00").ana
    ana.signs_up().agrees().tells(birthday="1990-03-03").searches("tea", hits=0).looks_at("tea").wishes_for("tent")
    ana.adds("tea", to="cart", quantity=2).removes("tea", "cart", quantity=1).starts_checkout("k1", of="cart")
    story.at("10:10").ana.unsubscribes()

    assert ana.profile.orders.count == 0
    assert ana.profile.carts["ana-cart"].lines["tea"].quantity == 1
    assert ana.why_not("checkout.abandoned") == "unsubscribed"
    assert set(ana.profile.wishes) == {"tent"}


def test_an_order_in_time_is_a_conversion() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.at("11:00").ana.orders("tent", cart="cart")

    # The cart's reminder first, being the latest; the welcome has brought an order too.
    assert story.ana.outcomes == ["trigger.converted", "cart.recovered", "trigger.converted"]


def test_an_order_has_the_price_that_the_story_says() -> None:
    story = Story()
    story.at("09:00").ana.orders("tent", "pegs", price=49.90).orders("tea")

    assert (story.ana.profile.orders.count, story.ana.profile.ltv.net) == (2, 9980)


def test_what_is_due_in_a_minute_is_decided_after_what_happens_in_it() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.at("09:59").ana.orders("tent", cart="cart")
    story.at("11:00")

    assert story.ana.got == [Sent("09:05", "welcome")]


def test_stock_is_for_the_story_to_say() -> None:
    story = Story()
    story.goods["tent"] = Good(stock=0)
    story.at("09:00").ana.agrees().wishes_for("tent")
    story.at("day 5 12:00")

    assert story.ana.why_not("wishlist.reminder") == "out_of_stock"


@pytest.mark.parametrize("time", ["10", "25:00", "day 10:00", "tomorrow"])
def test_what_is_no_time_is_said_to_be_none(time: str) -> None:
    with pytest.raises(StoryError, match="is no time"):
        Story().at(time)


def test_time_does_not_go_back() -> None:
    with pytest.raises(StoryError, match="the story stands at 10:00"):
        Story().at("10:00").at("09:59")


class ThanksRule(TriggerRule, frozen=True, kw_only=True):
    """An order was placed."""

    trigger: ClassVar[str] = "shop.thanks"


class Thanks(TriggerDefinition[ThanksRule]):
    """A company's own trigger."""

    name = "shop.thanks"
    rule_type = ThanksRule

    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        order: Any = told.order
        if order is not None and told.change.is_new:
            plan(turn, self, order.order_id, order.order_id, order.at_ms, order.at_ms + HOUR_MS)

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(rule="an order")


def test_a_companys_own_trigger_takes_part() -> None:
    story = Story(triggers=[Thanks()])
    story.at("09:00").ana.agrees().orders("tent")
    story.at("11:00")

    assert story.ana.got == [Sent("10:00", "shop.thanks")]
