"""Law: after a wrong merge was taken apart, each of the two waits for what she would wait for if they had never been one.

Ada has a user id, Eve an address; one event of Ada's names that address by mistake. The same is played to a town where it did
not, and what waits there has to wait here. No timers fire once the two are welcomed, so that nothing is sent meanwhile. Some
of what Eve does after the split was sent on to Ada's home, and comes back from there.
"""

from collections.abc import Collection
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.rules import QuietHours, Rules
from profiles.standing import LOOK
from profiles.triggers.browse_abandoned import VISIT
from schemas import events
from schemas.decode import others_of
from schemas.events import Arrival, ConsentChange, ConsentChanged, Event, PageViewed, SplitProfile
from tests.core.town import ADA, MAIL, START_MS, Town
from tests.laws.histories import DAY_MS, MINUTE_MS, one_event

BOOK = Book(
    rules=Rules(quiet_hours=QuietHours(enabled=False)),
    catalogue=build_catalogue(
        [
            {"product_id": "A", "supply_days": "10", "bundles": "weekend"},
            {"product_id": "B", "supply_days": "20", "bundles": "weekend"},
            {"product_id": "C", "complementary": "A", "contents": "brew"},
        ]
    ),
)
FROM, UNTIL = 10, 600
"""Minutes of a life."""
HERS: Final = ("order_id", "cart_id", "checkout_id", "coupon_id", "survey_id", "case_id", "ticket_id", "review_id")
WITHDRAWN: Final = (events.Unsubscribed, events.MessageBounced, events.ConsentChanged)
"""They end what waits with her, and what a split plans anew the gates hold back."""
OF_CARTS: Final = (events.ProductAdded, events.ProductAdded, events.CartUpdated, *WITHDRAWN)
ASTRAY: Final = st.sets(st.integers(0, 13))
Life = list[tuple[int, str, Event | tuple[str, int]]]
"""Minute, whose, and what happened: an event, or so many pieces of a product in stock."""


@st.composite
def lives(draw: st.DrawFn, kinds: tuple[type[Event], ...] = (), until: int = UNTIL) -> Life:
    """What Ada and Eve did by minute `until`, with the mistake and the split among it.

    No checkouts: a change of a cart moves the one that took it over, which an order of the other may have ended. Each order is
    placed once: told to be of another time it moves what waits at once, or with the split.
    """
    minutes = sorted(draw(st.lists(st.integers(FROM, until), min_size=3, max_size=14, unique=True)))
    united, parted = sorted(draw(st.lists(st.sampled_from(minutes), min_size=2, max_size=2, unique=True)))
    life: Life = []
    placed: set[str] = set()
    for minute in minutes:
        whose = draw(st.sampled_from((ADA, MAIL)))
        if minute == united:
            life.append((minute, ADA, PageViewed(message_id="mistake", timestamp_ms=0, user_id="ada")))
        elif minute == parted:
            life.append((minute, "", SplitProfile(message_id="", timestamp_ms=0, request_id="", identifier=MAIL)))
        elif draw(st.integers(0, 9)) == 0:
            life.append((minute, "", (draw(st.sampled_from("AB")), draw(st.sampled_from((0, 2, 100))))))
        else:
            event = her_own(draw(one_event(minute, f"e{minute}", kinds)).event, whose)
            if isinstance(event, events.CheckoutStarted | events.CheckoutStepCompleted):
                continue
            if isinstance(event, events.OrderStateEvent):
                if event.order_id in placed:
                    continue
                placed.add(event.order_id)
            life.append((minute, whose, event))
    return life


def her_own(event: Event, whose: str) -> Event:
    """An event that names nobody but her, and orders, carts and the like that are hers alone."""
    kind, _, value = whose.partition(":")
    fields: dict[str, Any] = {"user_id": None, "email": None, kind: value}
    for name in HERS:
        if getattr(event, name, None):
            fields[name] = f"{value[0]}-{getattr(event, name)}"
    return replace(event, **fields)


def played(life: Life, *, parted: bool, astray: Collection[int] = ()) -> Town:
    """The town where all this happened; `parted`: with the mistake, and its end. What went `astray` once it had come to that, by
    its place in the life, comes by way of Ada.
    """
    town = Town(BOOK)
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="any"),))
    town.until(FROM * MINUTE_MS / DAY_MS)
    split = False
    for place, (minute, whose, what) in enumerate(life):
        at_ms = START_MS + minute * MINUTE_MS
        if isinstance(what, tuple):
            town.stock(what[0], minute * MINUTE_MS / DAY_MS, what[1])
        elif isinstance(what, SplitProfile):
            split = parted
            if split:
                town.split(ADA, MAIL, day=minute * MINUTE_MS / DAY_MS)
        else:
            event = replace(what, timestamp_ms=at_ms)
            if parted and event.message_id == "mistake":
                event = replace(event, email=MAIL.partition(":")[2])
            arrival = Arrival(event, at_ms, at_ms, whose, whose.partition(":")[2], others_of(event, whose))
            if split and whose == MAIL and place in astray:
                arrival = replace(arrival, customer=ADA, home="ada", came_with=MAIL)
            town.deliver(arrival, at_ms)
    return town


def waits(town: Town, whose: str, since_ms: int) -> dict[str, tuple[int, int]]:
    """What she waits for that is due after a moment: since when, and until when. How a try to win her back counts is learned
    anew with a split, and when to look at a visit or at where she stands.
    """
    profile = town.profile(whose)
    found = {place: (episode.opened_ms, episode.due_ms) for place, episode in profile.episodes.items()}
    for wake, due_ms in profile.wakes.items():
        if wake not in (VISIT, LOOK):
            found["winback|" + wake.split("|", 4)[4] if wake.startswith("winback|") else wake] = (0, due_ms)
    return {what: times for what, times in found.items() if times[1] > since_ms}


def end_of(life: Life) -> int:
    return START_MS + life[-1][0] * MINUTE_MS


def withdrew(life: Life, who: str) -> bool:
    return any(isinstance(what, WITHDRAWN) for _, whose, what in life if whose == who)


def differences(life: Life, astray: Collection[int]) -> list[tuple[str, str, Any, Any]]:
    """What each waits for after the split, and what she would wait for alone, where that differs."""
    split, alone = played(life, parted=True, astray=astray), played(life, parted=False)
    found = []
    for whose in (ADA, MAIL):
        has, had = (waits(town, whose, end_of(life)) for town in (split, alone))
        differ = [what for what in sorted({*has, *had}) if has.get(what) != had.get(what)]
        if withdrew(life, whose):
            differ = [what for what in differ if what not in has]
        elif withdrew(life, MAIL if whose == ADA else ADA):
            # What was due by then would have been sent, so that it stays ended, and she waits for the same since later.
            differ = [what for what in differ if what not in has or what not in had or has[what][1] != had[what][1]]
        found += [(whose, what, has.get(what), had.get(what)) for what in differ]
    return found


@given(life=lives(), astray=ASTRAY)
@settings(max_examples=150, deadline=None)
def test_each_of_two_who_were_split_waits_for_what_she_would_wait_for_alone(life: Life, astray: set[int]) -> None:
    assert differences(life, astray) == []


@given(life=lives(OF_CARTS, until=60), astray=ASTRAY)
@settings(max_examples=200, deadline=None)
def test_also_for_the_reminder_of_a_cart_where_either_withdraws_her_consent(life: Life, astray: set[int]) -> None:
    assert differences(life, astray) == []
