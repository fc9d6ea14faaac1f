"""The product's test vectors, told as a tracker sends them (Segment's calls) and run through the whole embedded path.

Minutes count from 0; the reminder's delay is 60. Every event goes in as JSON, in order of arrival, and comes out on topics.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.engine import Engine
from profiles.profile import Profile
from profiles.rules import QuietHours
from profiles.triggers import CartAbandonedRule
from schemas.decode import Decoder
from schemas.outputs import Outgoing
from streams.embedded import Embedded
from tests.stories.timeline import shop

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR, DAY = 60, 24 * 60


def iso(minute: float) -> str:
    """The story's minute as a tracker writes it."""
    return (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


class Story:
    """Calls of one customer, in order of arrival."""

    def __init__(self, book: Book | None = None) -> None:
        self.book = book or shop()
        self.lines: list[bytes] = []
        self.rows: list[Outgoing] = []
        self.profiles: dict[str, Profile] = {}
        self.call("identify", -10 * DAY, traits={"consent": {"email": True}}, context={"imported": True})

    def call(self, kind: str, minute: float, *, arrives: float | None = None, **fields: Any) -> "Story":
        call = {"type": kind, "userId": "ada", "timestamp": iso(minute), "messageId": f"m{len(self.lines)}", **fields}
        if arrives is not None:
            call["receivedAt"] = iso(arrives)
        self.lines.append(json.dumps(call).encode())
        return self

    def track(self, event: str, minute: float, properties: dict[str, Any], **fields: Any) -> "Story":
        return self.call("track", minute, event=event, properties=properties, **fields)

    def add(self, product: str, minute: float, cart: str = "c1", **fields: Any) -> "Story":
        what = {"cart_id": cart, "product_id": product, "price": "10.00", "quantity": 1}
        return self.track("Product Added", minute, what, **fields)

    def remove(self, product: str, minute: float) -> "Story":
        return self.track("Product Removed", minute, {"cart_id": "c1", "product_id": product, "quantity": 1})

    def order(self, minute: float, cart: str = "c1", **fields: Any) -> "Story":
        properties = {"order_id": "o1", "cart_id": cart, "revenue": 10, "products": [{"product_id": "A", "price": 10}]}
        return self.track("Order Completed", minute, properties, **fields)

    def run(self, until: float | None = None) -> "Story":
        """Play it, and let the clock go on to a minute."""
        decoder = Decoder(self.book.shop_currency)
        with Embedded(Engine(self.book), decoder, on_row=self.rows.append) as embedded:
            embedded.feed((line, 0) for line in self.lines)
            if until is not None:
                embedded.advance_to(int((START + timedelta(minutes=until)).timestamp() * 1000))
            self.profiles = {profile.id: profile for profile in embedded.profiles()}
        return self

    def on(self, topic: str) -> list[dict[str, Any]]:
        """What went out on a topic."""
        return [json.loads(bytes(row.value)) for row in self.rows if row.topic == topic]

    def sent(self) -> list[tuple[str, float]]:
        """(name, minute due) of each trigger."""
        return [(one["name"], (one["due_at_ms"] / 1000 - START.timestamp()) / 60) for one in self.on("triggers")]

    def ends(self, name: str) -> list[tuple[str, str | None]]:
        """How episodes went: (state, reason)."""
        return [(one["state"], one.get("reason")) for one in self.on("decisions") if one["name"] == name]

    @property
    def ada(self) -> Profile:
        return self.profiles["user_id:ada"]


CART = "cart.abandoned"


def minute_of(at_ms: int) -> float:
    """An instant as a minute of the story."""
    return (at_ms / 1000 - START.timestamp()) / 60


def test_1_a_cart_is_due_after_an_hour_with_its_item() -> None:
    story = Story().add("A", 0).run(DAY)

    assert story.sent() == [(CART, 60)]
    assert [item["product_id"] for item in story.on("triggers")[0]["items"]] == ["A"]


def test_2_the_second_item_moves_it() -> None:
    story = Story().add("A", 0).add("B", 50).run(DAY)

    assert story.sent() == [(CART, 110)]
    assert {item["product_id"] for item in story.on("triggers")[0]["items"]} == {"A", "B"}


def test_3_an_emptied_cart_is_cancelled() -> None:
    story = Story().add("A", 0).remove("A", 10).run(DAY)

    assert story.ends(CART) == [("armed", None), ("cancelled", "empty")]


def test_4_what_was_removed_is_not_shown() -> None:
    story = Story().add("A", 0).add("B", 5).remove("A", 6).run(DAY)

    assert story.sent() == [(CART, 66)]
    assert [item["product_id"] for item in story.on("triggers")[0]["items"]] == ["B"]


def test_5_an_order_of_minute_59_that_arrives_at_65_takes_the_reminder_back() -> None:
    story = Story().add("A", 0).call("page", 64).order(59, arrives=65).run(DAY)

    assert story.sent() == [(CART, 60)]
    assert [(one["of_name"], one["reason"]) for one in story.on("trigger-cancelled")] == [(CART, "late_conversion")]
    assert story.on("cart-recovered") == []


def test_6_an_order_after_the_reminder_recovers_the_cart() -> None:
    story = Story().add("A", 0).order(90).run(DAY)

    assert story.sent() == [(CART, 60)]
    assert [one["order_id"] for one in story.on("trigger-converted")] == ["o1"]
    assert [one["of_trigger_id"] for one in story.on("cart-recovered")] == [story.on("triggers")[0]["trigger_id"]]


def by_a_visitor(story: Story, event: str, minute: float, properties: dict[str, Any]) -> Story:
    """A call of somebody who has not logged in."""
    call = {"type": "track", "anonymousId": "a-1", "timestamp": iso(minute), "messageId": f"v{minute}"}
    story.lines.append(json.dumps({**call, "event": event, "properties": properties}).encode())
    return story


A_CART = {"cart_id": "c1", "product_id": "A", "price": "10.00", "quantity": 1}


def test_7_a_visitor_who_logs_in_in_time_is_reminded_as_who_she_is() -> None:
    story = by_a_visitor(Story(), "Product Added", 0, A_CART)
    story.call("identify", 55, anonymousId="a-1").run(DAY)
    (trigger,) = story.on("triggers")

    assert story.sent() == [(CART, 60)]
    assert minute_of(trigger["emitted_at_ms"]) == 60
    assert trigger["customer"]["id"] == "user_id:ada"
    assert trigger["customer"]["anonymous_ids"] == ["a-1"]


def test_8_who_logs_in_after_it_was_due_is_reminded_then() -> None:
    story = by_a_visitor(Story(), "Product Added", 0, A_CART)
    story.call("identify", 300, anonymousId="a-1").run(DAY)
    (trigger,) = story.on("triggers")

    assert (minute_of(trigger["due_at_ms"]), minute_of(trigger["emitted_at_ms"])) == (60, 300)
    assert ("unreachable", "unreachable") in story.ends(CART)
    assert story.ends(CART)[-1] == ("emitted", None)


def test_9_a_checkout_takes_over() -> None:
    story = Story().add("A", 0).track("Checkout Started", 10, {"checkout_id": "k1", "cart_id": "c1"}).run(2 * HOUR)

    assert story.sent() == [("checkout.abandoned", 70)]


def test_10_the_same_message_twice_is_one_line_and_one_reminder() -> None:
    story = Story().add("A", 0, messageId="once").call("page", 599).add("A", 0, messageId="once", receivedAt=iso(600))
    story.run(DAY)

    assert story.sent() == [(CART, 60)]
    assert [line.quantity for line in story.ada.carts["c1"].lines.values()] == [1]


def test_11_the_other_cart_is_reminded_of() -> None:
    story = Story().add("A", 0, "c1").add("B", 20, "c2").order(30, "c1").run(DAY)

    assert story.sent() == [(CART, 80)]
    assert story.on("triggers")[0]["episode_key"] == "c2"


def test_11_unless_any_order_ends_every_reminder() -> None:
    book = shop(CartAbandonedRule(any_order=True))

    assert Story(book).add("A", 0, "c1").add("B", 20, "c2").order(30, "c1").run(DAY).sent() == []


def refund(story: Story, minute: float) -> Story:
    return story.track("Order Refunded", minute, {"order_id": "o1", "refund_id": "r1", "refund_amount": "30"})


def hundred(story: Story, minute: float, event: str = "Order Completed", **properties: Any) -> Story:
    return story.track(event, minute, {"order_id": "o1", "revenue": 100, **properties})


def test_12_a_refund_told_twice_counts_once_and_a_cancellation_leaves_nothing() -> None:
    story = refund(refund(hundred(Story(), 0), 10), 20)

    assert story.run().ada.ltv.net == 7000

    hundred(story, 30, "Order Cancelled").run()

    assert (story.ada.ltv.net, story.ada.orders.count) == (0, 0)


def test_13_a_refund_before_its_order_waits_for_it() -> None:
    assert hundred(refund(Story(), 0), 10).run().ada.ltv.net == 7000


def test_14_the_newer_version_of_an_order_stays_whichever_comes_first() -> None:
    story = hundred(Story(), 10, "Order Updated", revenue=80, updated_at=iso(10))
    hundred(story, 0, "Order Updated", updated_at=iso(0)).run()

    assert story.ada.ltv.net == 8000


def test_15_a_birthday_of_29_february_is_kept_on_the_28th_in_common_years_at_nine_where_she_lives() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    story = Story()
    story.call("identify", 0, traits={"birthday": "1992-02-29", "timezone": "Europe/Berlin"})
    for months in range(1, 27):  # she is there now and then
        story.call("page", months * 30 * DAY)
    story.run((datetime(2028, 3, 10, tzinfo=UTC) - START).days * DAY)
    kept = [
        datetime.fromtimestamp(one["emitted_at_ms"] / 1000, berlin).strftime("%Y-%m-%d %H:%M")
        for one in story.on("triggers")
        if one["name"] == "birthday"
    ]

    assert kept == ["2027-02-28 09:00", "2028-02-29 09:00"]


def test_16_what_is_due_at_half_past_ten_in_her_night_goes_out_after_eight_with_the_same_id() -> None:
    """Half past ten in New York, where she lives, is half past three of the next day in UTC."""
    lives = {"timezone": "America/New_York"}
    add = DAY + 3 * HOUR + 30 - 60
    night = Story(shop(quiet_hours=QuietHours())).call("identify", 0, traits=lives).add("A", add).run(3 * DAY)
    day = Story().call("identify", 0, traits=lives).add("A", add).run(3 * DAY)
    (late,), (prompt,) = night.on("triggers"), day.on("triggers")

    assert minute_of(late["due_at_ms"]) == minute_of(prompt["emitted_at_ms"]) == DAY + 3 * HOUR + 30
    eight = DAY + 13 * HOUR
    assert eight <= minute_of(late["emitted_at_ms"]) <= eight + 15
    assert late["trigger_id"] == prompt["trigger_id"]
    assert ("deferred", "quiet_hours") in night.ends(CART)


def test_19_who_is_erased_between_arming_and_the_due_time_hears_nothing_and_the_receipt_says_so() -> None:
    story = Story().add("A", 0)
    story.track("Erase Customer", 30, {"request_id": "r1"}).run(DAY)
    receipt = story.on("receipts")[-1]

    assert story.sent() == []
    assert receipt["final"]
    assert receipt["counts"]["profiles"] == 1
    assert receipt["counts"]["timers"] == 1
    assert "user_id:ada" not in story.profiles


def test_18_after_an_outage_of_36_hours_carts_are_let_go_and_longer_lived_triggers_are_not() -> None:
    book = shop(catalogue=build_catalogue([{"product_id": "tea", "supply_days": 10}]))
    story = Story(book)
    bought = {"order_id": "o1", "cart_id": "other", "products": [{"product_id": "tea", "price": 5}]}
    story.track("Order Completed", 0, bought)
    story.add("A", 6 * DAY, arrives=6 * DAY + 36 * HOUR).call("page", 6 * DAY + 36 * HOUR).run(10 * DAY)

    assert story.ends(CART) == [("expired", "max_lateness")]
    assert [name for name, _ in story.sent()] == ["second.order.welcome", "replenishment.due"]


def test_20_a_client_clock_three_days_ahead_is_put_right_by_when_it_was_sent() -> None:
    wrong = {"originalTimestamp": iso(3 * DAY), "sentAt": iso(3 * DAY + 1), "receivedAt": iso(1)}
    story = Story().add("A", 3 * DAY, **wrong).run(DAY)

    assert story.sent() == [(CART, 60)]


@pytest.mark.parametrize("event", ["Order Completed", "Completed Order"])
def test_old_names_of_events_mean_the_same(event: str) -> None:
    assert hundred(Story(), 0, event).run().ada.ltv.net == 10_000
