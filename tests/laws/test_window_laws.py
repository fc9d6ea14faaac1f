"""Counts over a time that ends now are what a recount of everything gives, in any order of arrival, at every instant."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from profiles import ledger, moments
from profiles.activity import SESSION_PAUSE_MS
from profiles.book import Book
from profiles.catalogue import build_catalogue
from profiles.expressions.counting import SIGNS, Count, Spend, count_of
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.view import ProfileView
from profiles.windows import COUNT_MAX, SESSIONS, Windows, upwards
from schemas import events
from schemas.events import Arrival, Product
from tests.laws.histories import MINUTE_MS, START_MS, arrival

BOOK = Book(catalogue=build_catalogue([{"product_id": "C", "category": "tea/black", "brand": "acme"}]))
SPANS = (10 * MINUTE_MS, 30 * MINUTE_MS, 300 * MINUTE_MS)
CLICKS = (
    ("views", "", ""),
    ("views", "category", "tea"),
    ("views", "brand", "acme"),
    ("views", "product", "A"),
    ("adds", "", ""),
    ("searches", "", ""),
    ("sessions", "", ""),
    ("events", "", "Page Viewed"),
)
ORDERS = (("orders", "", ""), ("orders", "category", "tea"), ("orders", "product", "A"), ("orders", "brand", "acme"))


def counts(kinds: Iterable[tuple[str, str, str]]) -> list[Count | Spend]:
    return [count_of(name, span, dimension, value) for name, dimension, value in kinds for span in SPANS]


def windows_for(asked: list[Count | Spend]) -> Windows:
    windows = Windows((count.counter, count.span_ms) for count in asked)
    for count in asked:
        count.bind(windows)
    return windows


def view(profile: Profile, at_ms: int) -> ProfileView:
    return ProfileView(profile, BOOK, at_ms)


PRODUCTS = {
    "A": Product(product_id="A", category="tea/green", brand="acme"),
    "B": Product(product_id="B", category="coffee"),
    "C": Product(product_id="C"),
}


CLICK_KINDS: tuple[type[events.Event], ...] = (
    events.ProductViewed,
    events.ProductAdded,
    events.ProductsSearched,
    events.PageViewed,
)
ORDER_KINDS: tuple[type[events.Event], ...] = (
    events.OrderCompleted,
    events.OrderUpdated,
    events.OrderCancelled,
    events.OrderRefunded,
)


@st.composite
def clicks(draw: st.DrawFn, *, most: int = 40) -> list[Arrival]:
    """Clicks of one customer over some hours, in the order of their message ids, not of time."""
    found = []
    for number, minute in enumerate(draw(st.lists(st.integers(0, 400), max_size=most))):
        kind: type[events.Event] = draw(st.sampled_from(CLICK_KINDS))
        fields: dict[str, Any] = {"channel": "browser"}
        if issubclass(kind, events.ProductEvent):
            fields["product"] = PRODUCTS[draw(st.sampled_from("ABC"))]
        if kind is events.ProductsSearched:
            fields["query"] = "tea"
        found.append(arrival(kind, minute, f"m{number}", **fields))
    return found


def passes(count: Count | Spend, told: Arrival) -> bool:
    """Whether an event is counted, told from the event alone."""
    counter, event = count.counter, told.event
    kinds: dict[str, tuple[type[events.Event], ...]] = {
        "views": (events.ProductViewed,),
        "adds": (events.ProductAdded,),
        "searches": (events.ProductsSearched,),
        "events": (events.PageViewed,),
    }
    if not isinstance(event, kinds[counter.family]):
        return False
    if counter.family == "events" or not counter.dimension:
        return True
    assert isinstance(event, events.ProductEvent)
    facts = BOOK.catalogue.lookup(event.product.product_id, event.product.category)
    match counter.dimension:
        case "product":
            return event.product.product_id == counter.value
        case "brand":
            return (event.product.brand or facts.brand) == counter.value
    return counter.value in upwards(event.product.category or facts.category)


def sessions_begun(told: Iterable[Arrival]) -> list[int]:
    starts: list[int] = []
    last_ms: int | None = None
    for at_ms in sorted(one.time_ms for one in told):
        if last_ms is None or at_ms >= last_ms + SESSION_PAUSE_MS:
            starts.append(at_ms)
        last_ms = at_ms
    return starts


def recounted(count: Count | Spend, told: list[Arrival], at_ms: int) -> int:
    times = (
        sessions_begun(told)
        if count.counter.family == SESSIONS
        else [one.time_ms for one in told if passes(count, one)]
    )
    return sum(at_ms - count.span_ms < time_ms <= at_ms for time_ms in times)


def noted(windows: Windows, told: Iterable[Arrival]) -> Profile:
    profile = Profile("user_id:ada")
    for one in told:
        windows.note(profile, one, BOOK)
    return profile


NEWEST_MS = START_MS + 400 * MINUTE_MS


@given(clicks(), st.integers(0, 400 * MINUTE_MS))
def test_a_count_is_what_a_recount_gives_at_every_instant(told: list[Arrival], later_ms: int) -> None:
    asked = counts(CLICKS)
    profile = noted(windows_for(asked), told)
    at_ms = max((one.time_ms for one in told), default=START_MS) + later_ms

    for count in asked:
        assert count.read(view(profile, at_ms)) == recounted(count, told, at_ms), (count.counter, count.span_ms)


@given(clicks(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(told: list[Arrival], random: Any) -> None:
    asked = counts(CLICKS)
    windows = windows_for(asked)
    shuffled = list(told)
    random.shuffle(shuffled)
    one, other = noted(windows, told), noted(windows, shuffled)

    assert one.windows.counts == other.windows.counts
    for count in asked:
        assert count.read(view(one, NEWEST_MS)) == count.read(view(other, NEWEST_MS))


@given(clicks(most=20), clicks(most=20))
def test_two_profiles_joined_count_what_one_would_have_counted(ours: list[Arrival], theirs: list[Arrival]) -> None:
    asked = counts(CLICKS)
    windows = windows_for(asked)
    into = noted(windows, ours)
    windows.unite(into, noted(windows, theirs))
    whole = noted(windows, [*ours, *theirs])

    assert into.windows.counts == whole.windows.counts
    for count in asked:
        assert count.read(view(into, NEWEST_MS)) == recounted(count, [*ours, *theirs], NEWEST_MS)


@given(clicks())
def test_what_is_kept_goes_through_bytes_and_is_nothing_where_nothing_is_asked(told: list[Arrival]) -> None:
    asked = counts(CLICKS)
    profile = noted(windows_for(asked), told)
    kept = msgspec.to_builtins(profile.windows)

    assert msgspec.to_builtins(decode_profile(profile.pack()).windows) == kept
    assert noted(Windows(), told).pack() == Profile("user_id:ada").pack()


@given(clicks(), st.integers(0, 400 * MINUTE_MS))
def test_a_count_holds_until_the_millisecond_at_which_its_oldest_moment_leaves(
    told: list[Arrival], later_ms: int
) -> None:
    asked = counts(CLICKS)
    profile = noted(windows_for(asked), told)
    at_ms = max((one.time_ms for one in told), default=START_MS) + later_ms
    for count in asked:
        seen = view(profile, at_ms)
        before = count.read(seen)
        turns_ms = seen.holds_until_ms
        if before == 0:
            assert turns_ms is None
        else:
            assert turns_ms is not None
            assert count.read(view(profile, turns_ms - 1)) == before
            assert count.read(view(profile, turns_ms)) < before


def holds_as_told(ask: Callable[[ProfileView], bool], profile: Profile, at_ms: int, known_turns: Iterable[int]) -> None:
    """An answer is the same until the instant it names, and the other one there; one that names none never turns."""
    seen = view(profile, at_ms)
    answer, until_ms = ask(seen), seen.holds_until_ms
    for turn_ms in known_turns:
        for instant_ms in (turn_ms - 1, turn_ms):
            if at_ms <= instant_ms and (until_ms is None or instant_ms < until_ms):
                assert ask(view(profile, instant_ms)) is answer
    if until_ms is not None:
        assert until_ms > at_ms
        assert ask(view(profile, until_ms - 1)) is answer


@given(clicks(), st.sampled_from(sorted(SIGNS)), st.integers(-1, 6), st.integers(0, 60 * MINUTE_MS))
def test_a_question_about_a_count_is_answered_by_the_count_and_holds_as_long_as_it_says(
    told: list[Arrival], sign: str, number: int, later_ms: int
) -> None:
    asked = counts(CLICKS)
    profile = noted(windows_for(asked), told)
    at_ms = max((one.time_ms for one in told), default=START_MS) + later_ms
    by_hand: dict[str, Callable[[int], bool]] = {
        "_<_": lambda count: count < number,
        "_<=_": lambda count: count <= number,
        "_>_": lambda count: count > number,
        "_>=_": lambda count: count >= number,
        "_==_": lambda count: count == number,
        "_!=_": lambda count: count != number,
    }
    for count in asked:
        assert count.compare(view(profile, at_ms), sign, number) is by_hand[sign](recounted(count, told, at_ms))
        turns = [one.time_ms + count.span_ms for one in told]
        holds_as_told(lambda seen, count=count: count.compare(seen, sign, number), profile, at_ms, turns)  # type: ignore[misc]


def test_a_count_stops_at_its_bound_and_is_right_below_it() -> None:
    (count,) = asked = [count_of("views", 300 * MINUTE_MS, "", "")]
    windows = windows_for(asked)
    told = [
        Arrival(events.ProductViewed(message_id=str(n), timestamp_ms=0, product=PRODUCTS["A"]), START_MS + n, 0, "", "")
        for n in range(COUNT_MAX + 50)
    ]
    profile = noted(windows, told)

    assert count.read(view(profile, START_MS + 500)) == COUNT_MAX
    assert len(profile.windows.counts["views"]) == COUNT_MAX
    # All but the newest 100 have left: what is kept suffices.
    assert count.read(view(profile, START_MS + count.span_ms + COUNT_MAX + 50 - 100 - 1)) == 100


@given(
    st.lists(st.integers(0, 30), max_size=30),
    st.integers(1, 30),
    st.integers(1, 10),
    st.randoms(use_true_random=False),
)
@example([5, 5, 5], 1, 2, None)
@example([0, 5], 5, 2, None)
def test_a_list_of_moments_keeps_the_newest_of_its_span_whatever_their_order(
    times: list[int], span: int, most: int, random: Any
) -> None:
    gaps: list[int] = []
    shuffled = list(times)
    if random is not None:
        random.shuffle(shuffled)
    for at in shuffled:
        moments.add(gaps, at, span, most)
    newest = max(times, default=0)
    expected = sorted((at for at in times if at > newest - span), reverse=True)[:most]

    assert moments.spelled_out(gaps) == expected


# --- orders ---------------------------------------------------------------------------------------------------------


@st.composite
def order_events(draw: st.DrawFn) -> list[Arrival]:
    found = []
    for number, minute in enumerate(draw(st.lists(st.integers(0, 400), max_size=12))):
        kind: type[events.Event] = draw(st.sampled_from(ORDER_KINDS))
        fields: dict[str, Any] = {"order_id": draw(st.sampled_from(("o1", "o2", "o3", "o4")))}
        if kind is events.OrderRefunded:
            fields["refund_id"] = draw(st.sampled_from(("r1", "r2")))
            fields["amount_minor"] = draw(st.none() | st.integers(0, 3000))
            fields["products"] = tuple(PRODUCTS[name] for name in draw(st.sampled_from(("", "A", "B"))))
        else:
            fields["products"] = tuple(PRODUCTS[name] for name in draw(st.sampled_from(("", "A", "AB", "C", "BC"))))
            fields["revenue_minor"] = draw(st.none() | st.integers(-100, 5000))
            fields["test"] = draw(st.booleans()) and draw(st.booleans())
        found.append(arrival(kind, minute, f"m{number}", **fields))
    return found


def ordered(windows: Windows, told: Iterable[Arrival]) -> tuple[Profile, Ledger]:
    profile, entries = Profile("user_id:ada"), Ledger(complete=True)
    for one in told:
        change = ledger.apply_order(profile, one, entries, BOOK)
        windows.exchange(profile, change.before, change.entry, BOOK)
    return profile, entries


def by_the_ledger(count: Count | Spend, entries: Ledger, at_ms: int) -> int:
    """A recount from the ledger's entries."""
    found = 0
    for entry in entries.all():
        contribution = entry.contribution
        if contribution is None or not contribution.counted or entry.placed_ms is None:
            continue
        if not at_ms - count.span_ms < entry.placed_ms <= at_ms:
            continue
        if isinstance(count, Spend):
            found += contribution.shop.net
            continue
        left = {line.product_id: 0.0 for line in entry.lines}
        for line in entry.lines:
            left[line.product_id] += line.quantity
        for refund in entry.refunds.values():
            for product_id in left:
                rest_of_all = refund.amount is None and not refund.units
                left[product_id] -= 1e9 if rest_of_all else refund.units.get(product_id, 0.0)
        products = [PRODUCTS[product_id] for product_id, units in left.items() if units > 0]
        facts = [BOOK.catalogue.lookup(product.product_id, product.category) for product in products]
        match count.counter.dimension:
            case "":
                found += 1
            case "product":
                found += any(product.product_id == count.counter.value for product in products)
            case "brand":
                # A line of an order does not say its brand; the catalogue does.
                found += any(fact.brand == count.counter.value for fact in facts)
            case _:
                found += any(
                    count.counter.value in upwards(product.category or fact.category)
                    for product, fact in zip(products, facts, strict=True)
                )
    return found


def order_counts() -> list[Count | Spend]:
    return [*counts(ORDERS), *(Spend(span) for span in SPANS)]


@given(order_events(), st.integers(0, 400 * MINUTE_MS))
def test_windows_over_orders_follow_the_ledger_through_cancellations_and_refunds(
    told: list[Arrival], later_ms: int
) -> None:
    asked = order_counts()
    profile, entries = ordered(windows_for(asked), told)
    at_ms = NEWEST_MS + later_ms

    for count in asked:
        assert count.read(view(profile, at_ms)) == by_the_ledger(count, entries, at_ms), (count.counter, count.span_ms)


@given(order_events(), st.randoms(use_true_random=False))
def test_orders_in_any_order_and_rebuilt_from_the_ledger_answer_alike(told: list[Arrival], random: Any) -> None:
    asked = order_counts()
    windows = windows_for(asked)
    shuffled = [*told, *told[::2]]
    random.shuffle(shuffled)
    (one, entries), (other, _) = ordered(windows, told), ordered(windows, shuffled)
    rebuilt = Profile("user_id:ada")
    windows.rebuild(rebuilt, entries.all(), BOOK)

    # What is kept may differ by an order that has left every window: the newest one is cancelled after it was dropped.
    for count in asked:
        answer = count.read(view(one, NEWEST_MS))
        assert count.read(view(other, NEWEST_MS)) == answer
        assert count.read(view(rebuilt, NEWEST_MS)) == answer


@given(order_events(), st.sampled_from(sorted(SIGNS)), st.integers(-200, 6000), st.integers(0, 60 * MINUTE_MS))
def test_a_question_about_spend_holds_as_long_as_it_says(
    told: list[Arrival], sign: str, number: int, later_ms: int
) -> None:
    asked = [Spend(span) for span in SPANS]
    profile, entries = ordered(windows_for([*asked]), told)
    at_ms = NEWEST_MS + later_ms
    for spend in asked:
        turns = [entry.placed_ms + spend.span_ms for entry in entries.all() if entry.placed_ms is not None]
        holds_as_told(lambda seen, spend=spend: spend.compare(seen, sign, number), profile, at_ms, turns)  # type: ignore[misc]
        seen = view(profile, at_ms)
        answer = spend.compare(seen, sign, number)
        if seen.holds_until_ms is not None:
            assert spend.compare(view(profile, seen.holds_until_ms), sign, number) is not answer
