"""What there is to tell about a product comes the day after it arrived, once, and not to who sent it back."""

from profiles.catalogue import Catalogue, build_catalogue
from profiles.order_rules import NextOrderCouponRule, PostPurchaseContentRule
from profiles.rules import Caps
from schemas import events
from tests.stories.timeline import DAY, HOUR, Timeline, product, shop

CONTENT = "post.purchase.content"
GRANT = (events.ConsentChange(state="GRANT", channel="email"),)


def teas() -> Catalogue:
    return build_catalogue(
        [
            {"product_id": "oolong", "contents": "brewing;storing"},
            {"product_id": "sencha", "contents": "brewing"},
            {"product_id": "cup"},
        ]
    )


def tea_drinker() -> Timeline:
    return Timeline(shop(catalogue=teas()))


def told(ada: Timeline) -> list[str]:
    return [trigger.details["content_id"] for trigger in ada.sent(CONTENT)]


def test_each_content_of_what_arrived_comes_a_day_later() -> None:
    ada = (
        tea_drinker().order("o1", 0, "oolong", "cup").tell(events.OrderDelivered, 2 * DAY, order_id="o1").until(9 * DAY)
    )

    assert ada.emitted(CONTENT) == [3 * DAY, 3 * DAY]
    assert sorted(told(ada)) == ["brewing", "storing"]
    assert {item.product_id for trigger in ada.sent(CONTENT) for item in trigger.items} == {"oolong"}


def test_what_can_only_be_said_that_day_goes_before_it() -> None:
    """The shop writes once a day. Her tea came at nine on the day before her birthday, the 6th of March."""
    nine = 3 * DAY + 9 * HOUR
    ada = Timeline(shop(NextOrderCouponRule(enabled=False), catalogue=teas(), caps=Caps(max_in_day=1)))
    ada.tell(events.Identified, 0, traits={"birthday": "1990-03-06"}).order("o1", 1, "sencha")
    ada.tell(events.OrderDelivered, nine, order_id="o1").until(nine + DAY + 1)

    assert ada.emitted("birthday") == [nine + DAY]
    assert ada.decisions(CONTENT)[-1] == ("suppressed", "frequency_cap")


def test_an_order_tells_the_same_thing_once_though_two_products_share_it() -> None:
    ada = tea_drinker().order("o1", 0, "sencha", "oolong").tell(events.OrderDelivered, 1, order_id="o1").until(9 * DAY)

    assert sorted(told(ada)) == ["brewing", "storing"]


def test_a_product_without_content_is_not_written_about() -> None:
    ada = tea_drinker().order("o1", 0, "cup").tell(events.OrderDelivered, 1, order_id="o1").until(9 * DAY)

    assert ada.decisions(CONTENT) == []


def test_where_nobody_tells_of_the_arrival_it_is_a_week_after_the_parcel_was_sent() -> None:
    ada = tea_drinker().order("o1", 0, "sencha").tell(events.OrderFulfilled, DAY, order_id="o1").until(20 * DAY)

    assert ada.emitted(CONTENT) == [9 * DAY]


def test_news_of_the_arrival_moves_what_was_planned_by_the_sending() -> None:
    ada = tea_drinker().order("o1", 0, "sencha").tell(events.OrderFulfilled, DAY, order_id="o1")
    ada.tell(events.OrderDelivered, 3 * DAY, order_id="o1").until(20 * DAY)

    assert ada.emitted(CONTENT) == [4 * DAY]


def test_goods_sent_back_or_refunded_in_time_are_not_written_about() -> None:
    back = tea_drinker().order("o1", 0, "sencha").tell(events.OrderDelivered, 60, order_id="o1")
    back.tell(events.OrderReturned, 120, order_id="o1", products=(product("sencha"),)).until(9 * DAY)
    refunded = tea_drinker().order("o1", 0, "sencha").tell(events.OrderDelivered, 60, order_id="o1")
    refunded.tell(events.OrderRefunded, 120, order_id="o1", refund_id="r1").until(9 * DAY)

    assert back.decisions(CONTENT) == [("armed", None), ("cancelled", "returned")]
    assert refunded.decisions(CONTENT) == [("armed", None), ("cancelled", "refunded")]


def test_what_she_was_told_half_a_year_ago_is_not_told_again_before() -> None:
    ada = tea_drinker()
    for number, day in enumerate((0, 100, 200)):
        ada.order(f"o{number}", day * DAY, "sencha").tell(events.OrderDelivered, day * DAY + 1, order_id=f"o{number}")
    ada.until(300 * DAY)

    assert ada.emitted(CONTENT) == [DAY + 1, 201 * DAY + 1]
    assert ("suppressed", "cooldown") in ada.decisions(CONTENT)


def test_an_order_that_changes_after_it_was_told_of_does_not_bring_it_up_again() -> None:
    ada = tea_drinker().order("o1", 0, "sencha", "cup").tell(events.OrderDelivered, 1, order_id="o1").until(3 * DAY)
    ada.tell(events.OrderRefunded, 4 * DAY, order_id="o1", refund_id="r1", products=(product("cup"),)).until(30 * DAY)

    assert ada.decisions(CONTENT) == [("armed", None), ("emitted", None)]


def test_nor_one_of_which_she_had_wanted_to_hear_nothing_where_its_time_is_over() -> None:
    ada = tea_drinker().order("o1", 0, "sencha", "cup").tell(events.OrderDelivered, 1, order_id="o1")
    ada.tell(events.Unsubscribed, HOUR, message_channel="email").tell(events.ConsentChanged, 2 * DAY, consent=GRANT)
    ada.tell(events.OrderRefunded, 4 * DAY, order_id="o1", refund_id="r1", products=(product("cup"),)).until(30 * DAY)

    assert ada.decisions(CONTENT) == [("armed", None), ("cancelled", "unsubscribed")]


def test_its_delay_is_a_rule() -> None:
    ada = Timeline(shop(PostPurchaseContentRule(delay_ms=3_600_000), catalogue=teas())).order("o1", 0, "sencha")
    ada.tell(events.OrderDelivered, 30, order_id="o1").until(DAY)

    assert ada.emitted(CONTENT) == [90]


def test_who_comes_back_too_late_hears_nothing() -> None:
    ada = tea_drinker().order("o1", 0, "sencha")
    ada.tell(events.OrderDelivered, DAY, order_id="o1", arrives=20 * DAY).until(30 * DAY)

    assert ada.decisions(CONTENT) == [("expired", "max_lateness")]
