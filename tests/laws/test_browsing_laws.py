"""What is remembered of views: put down as it comes, made sense of when somebody asks. When that is must not matter."""

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from profiles.activity import SESSION_PAUSE_MS
from profiles.book import Book
from profiles.browsing import KEEP_MS, fold, looks, newest_offer
from profiles.carts import keep_description
from profiles.engine import Engine
from profiles.merge import merge
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import VIEWS_MAX, Description, Moment, Priced
from profiles.triggers.browse_abandoned import BROWSE_ABANDONED
from schemas import events
from schemas.events import Arrival, Product
from tests.laws.histories import DAY_MS, MINUTE_MS, START_MS, arrival

ENGINE = Engine(Book(), (BROWSE_ABANDONED,))
SOMETIMES = st.sampled_from((None, "one", "other"))
PRODUCTS = st.builds(
    Product,
    product_id=st.sampled_from("ABC"),
    name=SOMETIMES,
    category=SOMETIMES,
    url=SOMETIMES,
    price_minor=st.sampled_from((None, 100, 200)),
    variant_id=st.sampled_from((None, "v")),
)
PLACES = st.sets(st.integers(0, 2 * VIEWS_MAX))


@st.composite
def looking_around(draw: st.DrawFn, size: int = 2 * VIEWS_MAX, days: int = 12) -> list[Arrival]:
    """Views and pages of one customer in any order, by default more than are kept and longer ago."""
    near, far = st.integers(0, 120), st.integers(0, days * DAY_MS // MINUTE_MS)
    return [
        arrival(
            events.ProductViewed,
            minute,
            f"m{number}",
            channel="browser",
            product=draw(PRODUCTS),
            currency=draw(st.sampled_from((None, "EUR"))),
        )
        if draw(st.integers(0, 4))
        else arrival(events.PageViewed, minute, f"m{number}", channel="browser")
        for number, minute in enumerate(draw(st.lists(st.one_of(near, far), min_size=1, max_size=size)))
    ]


def seen_by(story: list[Arrival], folds: set[int] | None = None, cuts: set[int] | None = None) -> Profile:
    """The profile after this history, without timers; folded, and cut into bytes, after some of its events."""
    profile, ledger = Profile("user_id:ada"), Ledger(complete=True)
    for number, told in enumerate(story):
        ENGINE.step(profile, told, Moment(START_MS - 1), ledger, [])
        if folds and number in folds:
            fold(profile.browsing)
        if cuts and number in cuts:
            profile = decode_profile(profile.pack())
    return profile


def products(profile: Profile) -> dict[str, Any]:
    """What is known of views and of the products viewed."""
    seen = fold(profile.browsing)
    return {
        "views": [(view.at_ms, view.message_id, view.product_id) for view in seen.views],
        "described": seen.described,
        "offered": seen.offered,
    }


@given(looking_around(), PLACES, PLACES)
def test_what_views_say_may_be_put_together_at_any_moment(
    story: list[Arrival], folds: set[int], cuts: set[int]
) -> None:
    once, often = seen_by(story), seen_by(story, folds, cuts)

    assert [lasted_ms for _, lasted_ms in looks(once.browsing.views)] == [
        lasted_ms for _, lasted_ms in looks(often.browsing.views)
    ]
    assert once.browsing.visits == often.browsing.visits
    assert products(once) == products(often)


@given(looking_around())
def test_a_product_is_shown_by_the_fullest_word_and_the_newest_offer_while_any_view_of_it_is_kept(
    story: list[Arrival],
) -> None:
    views: list[tuple[int, str, str]] = []
    described: dict[str, Description] = {}
    offered: dict[str, Priced] = {}
    for told in story:
        if not isinstance(event := told.event, events.ProductViewed):
            continue
        one, at_ms = event.product, told.time_ms
        said = Description(at_ms, one.sku, one.name, one.category, one.brand, one.url, one.image_url)
        keep_description(described, one.product_id, said)
        offer = Priced(at_ms, one.price_minor, one.variant_id, event.currency)
        offered[one.product_id] = newest_offer(offered.get(one.product_id, offer), offer)
        views = sorted([*views, (at_ms, event.message_id, one.product_id)])
        views = [view for view in views if view[0] >= views[-1][0] - KEEP_MS][-VIEWS_MAX:]
        kept = {product_id for _, _, product_id in views}
        described = {key: known for key, known in described.items() if key in kept}
        offered = {key: known for key, known in offered.items() if key in kept}

    assert products(seen_by(story)) == {"views": views, "described": described, "offered": offered}


@given(looking_around(size=VIEWS_MAX, days=6), st.randoms(use_true_random=False))
def test_no_order_of_arrival_changes_what_was_looked_at(story: list[Arrival], random: Any) -> None:
    shuffled = story.copy()
    random.shuffle(shuffled)

    assert products(seen_by(story)) == products(seen_by(shuffled))


@given(looking_around(size=VIEWS_MAX, days=6), st.sets(st.integers(0, VIEWS_MAX)), PLACES)
def test_two_profiles_united_know_what_one_would_that_saw_it_all(
    story: list[Arrival], here: set[int], folds: set[int]
) -> None:
    ours = [told for number, told in enumerate(story) if number in here]
    theirs = [told for number, told in enumerate(story) if number not in here]
    into, other = seen_by(ours, folds), seen_by(theirs)
    merge(into, Ledger(complete=True), other, [], Book())

    assert products(seen_by(story)) == products(into)


@given(looking_around())
def test_a_look_lasts_until_the_next_event_of_the_visit(story: list[Arrival]) -> None:
    in_order = list({told.time_ms: told for told in sorted(story, key=lambda told: told.time_ms)}.values())
    after = {told.time_ms: later.time_ms - told.time_ms for told, later in pairwise(in_order)}

    assert [lasted_ms for _, lasted_ms in looks(seen_by(in_order).browsing.views)] == [
        after[view.at_ms] if after.get(view.at_ms, SESSION_PAUSE_MS) < SESSION_PAUSE_MS else -1
        for view in seen_by(in_order).browsing.views
    ]
