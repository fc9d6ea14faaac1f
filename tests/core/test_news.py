"""What may have come before: when it is sure that it did not."""

from msgspec.structs import replace

from profiles import apart
from profiles.book import Book
from profiles.engine import Engine
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import SEEN_MAX, Moment
from schemas.events import Arrival, Event, OrderCompleted, OrderReturned, PageViewed

START_MS, MINUTE_MS = 1_772_409_600_000, 60_000
ENGINE = Engine(Book(), ())


def came(event: Event) -> Arrival:
    return Arrival(event, event.timestamp_ms, event.timestamp_ms, "user_id:ada", "ada")


def page(minute: int) -> Arrival:
    return came(PageViewed(message_id=f"m{minute}", timestamp_ms=START_MS + minute * MINUTE_MS, user_id="ada"))


def order(minute: int) -> Arrival:
    at_ms = START_MS + minute * MINUTE_MS
    return came(OrderCompleted(message_id=f"o{minute}", timestamp_ms=at_ms, user_id="ada", order_id=f"o{minute}"))


class Ada:
    def __init__(self, *told: Arrival) -> None:
        self.profile, self.ledger = Profile("user_id:ada"), Ledger(complete=True)
        for arrival in told:
            ENGINE.step(self.profile, arrival, Moment(START_MS), self.ledger, [])

    def asks(self, arrival: Arrival) -> bool:
        before = self.profile.pack()
        news = ENGINE.is_news(self.profile, arrival, self.ledger)

        assert self.profile.pack() == before
        return news


def test_what_came_is_no_news_and_what_did_not_is_while_all_is_remembered() -> None:
    ada = Ada(page(1), order(2))

    assert [ada.asks(arrival) for arrival in (page(1), order(2), page(0), order(3))] == [False, False, True, True]


def test_where_messages_were_forgotten_only_an_order_that_the_ledger_lacks_is_sure_to_be_news() -> None:
    ada = Ada(page(0), order(1), *(page(minute) for minute in range(10, 10 + 2 * SEEN_MAX)))
    returned = OrderReturned(message_id="r", timestamp_ms=START_MS, user_id="ada", order_id="o2")

    assert [ada.asks(arrival) for arrival in (page(0), page(2), order(1), came(returned))] == [False] * 4
    assert ada.asks(order(2))


def test_of_what_was_taken_out_of_her_profile_nothing_is_sure() -> None:
    ada, by_phone = Ada(page(1)), replace(page(2), came_with="anonymous_id:phone")

    assert ada.asks(by_phone)
    apart.note(ada.profile.apart, "anonymous_id:phone", START_MS, "request")
    assert not ada.asks(by_phone)
