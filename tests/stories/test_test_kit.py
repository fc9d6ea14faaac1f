"""The stories a shop can tell of its own rules with `streams.testing`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typing_extensions import override

from profiles.book import Book
from profiles.content import Content, OrderTold
from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.goods_state import Good
from profiles.rules import HOUR_MS, Rules, TriggerRule
from profiles.state import Episode
from profiles.triggers import BackInStockRule, CartAbandonedRule
from profiles.turn import Turn
from schemas.events import OrderDelivered, Product, ProductPriceChanged, StockAlertSubscribed
from streams.book_files import BookError
from streams.testing import Sent, Story, StoryError, TriggerFault


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


# --- what the shop does -----------------------------------------------------------------------------------------------


def test_a_price_that_falls_reaches_who_looked_at_the_product() -> None:
    story = Story()
    story.at("09:00").ana.agrees()
    story.shop.prices("tent", 100)
    story.at("10:00").ana.looks_at("tent", price=100)
    story.at("day 2 10:00").shop.prices("tent", 79.90)
    story.at("day 2 11:00")

    assert [one.name for one in story.ana.got] == ["welcome", "price.dropped"]
    assert story.ana.triggers[-1].items[0].price_minor == 7990


def test_who_has_waited_longest_hears_first_that_a_product_is_back() -> None:
    story = Story(Rules.of(BackInStockRule(told_per_piece=1)))
    story.shop.has("tent", 0)
    for time, name in (("09:00", "bob"), ("09:01", "ana")):
        story.at(time).customer(name).agrees().does(StockAlertSubscribed, product=Product(product_id="tent"))
    story.at("10:00").shop.has("tent", 1)
    story.at("10:05")

    assert Sent("10:00", "back.in.stock") in story.bob.got
    assert story.ana.waits_for("back.in.stock") == ["10:10"]


def test_what_the_shop_tells_of_a_product_is_known_to_its_triggers() -> None:
    story = Story()
    story.shop.describes("tent", category="camping")
    story.at("09:00").ana.looks_at("tent")

    assert story.ana.profile.interests.categories.keys() == {"camping"}


def test_other_rules_move_what_waits() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")

    assert story.ana.waits_for("cart.abandoned") == ["10:00"]

    story.shop.decides(Rules.of(CartAbandonedRule(delay_ms=4 * HOUR_MS)))

    assert story.ana.waits_for("cart.abandoned") == ["13:00"]


# --- what customers say, and turn out to be ----------------------------------------------------------------------------


def test_feedback_is_told_in_words() -> None:
    story = Story()
    story.at("09:00").ana.agrees().orders("tent").receives().reviews("tent", 5)
    story.at("10:00").ana.answers(3).complains()
    story.at("11:00")

    assert Sent("10:00", "nps.detractor") in story.ana.got
    assert story.ana.profile.feedback.tickets["ana-ticket"].resolved is False
    assert story.ana.is_helped().profile.feedback.tickets["ana-ticket"].resolved is True


def test_money_goes_back() -> None:
    story = Story()
    ana = story.at("09:00").ana.orders("tent", price=50).orders("pegs", price=20)

    assert ana.is_refunded(5).profile.ltv.net == 6500
    assert ana.cancels("ana-1").profile.ltv.net == 1500


def test_who_declines_is_not_written_to() -> None:
    story = Story()
    story.at("09:00").ana.declines().adds("tent", to="cart")
    story.at("12:00")

    assert story.ana.why_not("cart.abandoned") == "no_consent"


def test_quiet_hours_are_those_of_where_she_lives() -> None:
    story = Story()
    story.at("12:00").ana.agrees().lives_in("Asia/Tokyo").adds("tent", to="cart")
    story.at("13:30")

    assert story.ana.got == []
    assert story.ana.happened("cart.abandoned")[-1].startswith("13:00 cart.abandoned deferred: quiet_hours, until 23:")


def test_a_visitor_who_logs_in_is_one_customer_with_her_account() -> None:
    story = Story()
    story.at("09:00").ana.agrees()
    story.at("10:00").visitor("phone").adds("tent", to="cart")
    story.at("10:30").ana.logs_in(on="phone")
    story.at("12:00").visitor("phone").looks_at("pegs")

    assert story.ana.got == [Sent("09:05", "welcome"), Sent("11:00", "cart.abandoned")]
    assert story.visitor("phone").got == story.ana.got
    assert story.ana.profile.activity.views == 1


def test_who_is_held_out_got_nothing_and_is_said_to_be() -> None:
    story = Story(Rules.of(CartAbandonedRule(holdout=1.0)))
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.at("12:00")

    assert [one.name for one in story.ana.got] == ["welcome"]
    assert story.ana.why_not("cart.abandoned") == "holdout"


def test_a_story_says_what_happened_instead() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.at("09:30").ana.orders("tent", cart="cart")

    assert story.ana.happened("cart.abandoned") == [
        "09:00 cart.abandoned armed, due 10:00",
        "09:30 cart.abandoned cancelled: ordered",
    ]
    assert story.ana.happened()[0] == "09:00 welcome armed, due 09:05"


# --- what is misspelt ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "slip, said",
    [
        (
            lambda story: story.ana.waits_for("cart.abandonned"),
            "'cart.abandonned' is no trigger .* did you mean 'cart.aband",
        ),
        (
            lambda story: story.ana.why_not("cart_abandoned"),
            "is no trigger of this story; did you mean 'cart.abandoned'",
        ),
        (lambda story: story.anna.got, "nothing was told of anna in this story; did you mean 'ana'"),
        (lambda story: story.ana.adds("tent", prize=49.90), "Product has no field 'prize'; did you mean 'price'"),
        (lambda story: story.ana.answers(11), "NPS Submitted: Expected `int` <= 10"),
        (
            lambda story: story.ana.does(OrderDelivered, order="1"),
            "Order Delivered has no field 'order'; did you mean 'order_id'",
        ),
        (lambda story: story.ana.does(OrderDelivered), "Order Delivered: Missing required argument 'order_id'"),
        (lambda story: story.ana.does(ProductPriceChanged, product_id="tent"), r"the shop tells it: story\.shop\.does"),
        (lambda story: story.shop.does(OrderDelivered, order_id="1"), r"say who does it: story\.ana\.does"),
        (lambda story: story.ana.lives_in("Berlin"), "'Berlin' is no time zone"),
        (lambda story: story.ana.receives(), "ana has not ordered anything yet"),
        (lambda story: story.visitor("ana"), "ana is a customer of this story already"),
        (lambda story: story.ana.logs_in(on="phone").logs_in(on="phone"), "phone turned out to be ana already"),
        (lambda story: story.ana.adds("tent", price="49,90"), "'49,90' is no price; write a number such as 49.90"),
        (lambda story: story.shop.prices("tent", float("nan")), "nan is no price"),
    ],
    ids=range(15),
)
def test_a_slip_of_the_pen_is_told(slip: Callable[[Story], Any], said: str) -> None:
    story = Story()
    story.at("09:00").ana.agrees()

    with pytest.raises(StoryError, match=said):
        slip(story)


# --- triggers that fail ------------------------------------------------------------------------------------------------


class Stumbles(Thanks):
    """It takes for granted that she has told her birthday."""

    @override
    def on_order(self, turn: Turn, told: OrderTold) -> None:
        raise KeyError("birthday")


class Late(Thanks):
    """It stumbles when it is asked."""

    @override
    def check(self, turn: Turn, episode: Episode, now_ms: int) -> str | None:
        raise KeyError("birthday")


class Nothing(Thanks):
    """It has nothing to say."""

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        nothing: Any = None
        return nothing  # type: ignore[no-any-return] # as an author without a type checker may


class Mute(Thanks):
    """It says what no message can hold."""

    @override
    def content(self, turn: Turn, episode: Episode) -> Content:
        return Content(details={"of": object()})


@pytest.mark.parametrize(
    "own, said",
    [
        (
            Stumbles(),
            r"shop\.thanks\.on_order raised KeyError: 'birthday'; on Order Completed \(ana-2\) of ana, at 09:00\. .*leaves the ",
        ),
        (
            Late(),
            r"shop\.thanks\.check raised KeyError: 'birthday'; on a timer of ana, at 11:00\. .*lets go of that timer",
        ),
        (Nothing(), r"shop\.thanks\.content answers NoneType, and not a Content; on a timer of ana, at 11:00"),
        (Mute(), r"shop\.thanks: what it says in a trigger can't be published: Encoding objects of type object"),
    ],
    ids=lambda one: "" if isinstance(one, str) else type(one).__name__,
)
def test_a_trigger_that_fails_is_named_with_hook_customer_and_event(own: Thanks, said: str) -> None:
    story = Story(triggers=[own])

    with pytest.raises(TriggerFault, match=said):
        story.at("09:00").ana.agrees().orders("tent").story.at("11:00")


def test_a_built_in_trigger_that_fails_is_named_too() -> None:
    story = Story()
    story.at("09:00").ana.agrees().adds("tent", to="cart")
    story.ana.profile.emitted.append("no emission")  # type: ignore[arg-type] # a fault of ours, for once

    with pytest.raises(TriggerFault, match=r"on a timer of ana, at 12:00"):
        story.at("12:00")
