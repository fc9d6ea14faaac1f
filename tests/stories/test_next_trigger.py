"""What is most worth saying to a customer who is in the shop right now."""

import msgspec
import pytest

from profiles.book import Book
from profiles.next_trigger import next_trigger
from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import Cart, CartLine, Checkout, Emitted, Episode, encode
from profiles.triggers import BY_NAME

NOW_MS = 1_772_409_600_000
HOUR_MS = 3_600_000
BOOK = Book(shop_currency="EUR", rules=Rules(soft_opt_in=True))


def visitor(*episodes: Episode) -> Profile:
    """An anonymous visitor with a cart and a checkout, and these episodes waiting."""
    profile = Profile("anonymous_id:a1", ids={"anonymous_id": ["a1"]})
    line = CartLine("p1", None, 1, NOW_MS - HOUR_MS, price_minor=500)
    profile.carts["c1"] = Cart("c1", currency="EUR", lines={"p1": line}, mutated_ms=NOW_MS - HOUR_MS, opened_ms=1)
    profile.checkouts["k1"] = Checkout("k1", started_ms=NOW_MS - HOUR_MS, lines=[line], currency="EUR")
    for episode in episodes:
        profile.episodes[f"{episode.name}|{episode.key}"] = episode
    return profile


def cart(due_ms: int = NOW_MS + HOUR_MS) -> Episode:
    return Episode("cart.abandoned", "c1", "m1", 0, due_ms)


def welcome(due_ms: int = NOW_MS) -> Episode:
    return Episode("welcome", "anonymous_id:a1", "m2", 0, due_ms)


def checkout(due_ms: int = NOW_MS) -> Episode:
    return Episode("checkout.abandoned", "k1", "m3", 0, due_ms)


def name_of(profile: Profile, book: Book = BOOK, now_ms: int = NOW_MS) -> str | None:
    found = next_trigger(profile, book, BY_NAME, now_ms)
    return found.name if found else None


def test_nobody_waits_for_anything() -> None:
    assert name_of(visitor()) is None


def test_the_best_priority_wins_though_another_is_due_earlier() -> None:
    assert name_of(visitor(welcome(), cart())) == "cart.abandoned"
    assert name_of(visitor(welcome(), cart(), checkout())) == "checkout.abandoned"


@pytest.mark.parametrize("due_ms,state", [(NOW_MS + 1, "armed"), (NOW_MS, "due"), (NOW_MS - HOUR_MS, "due")])
def test_it_says_whether_it_is_due_yet(due_ms: int, state: str) -> None:
    found = next_trigger(visitor(cart(due_ms)), BOOK, BY_NAME, NOW_MS)

    assert found is not None
    assert (found.state, found.value_minor, found.currency, found.exponent) == (state, 500, "EUR", 2)


def test_whom_no_message_reaches_is_reached_by_the_page_she_looks_at() -> None:
    """An anonymous visitor has neither e-mail nor user id, and yet there is something to say."""
    assert name_of(visitor(cart())) == "cart.abandoned"


def test_without_consent_nothing_is_said() -> None:
    assert name_of(visitor(cart()), Book(shop_currency="EUR")) is None


def test_a_cart_that_is_empty_by_now_is_passed_over() -> None:
    profile = visitor(cart(), welcome())
    profile.carts["c1"].lines.clear()

    assert name_of(profile) == "welcome"


def test_one_in_its_cooldown_is_passed_over() -> None:
    profile = visitor(cart(), welcome())
    profile.emitted.append(Emitted("t1", "cart.abandoned", "c0", 0, NOW_MS - HOUR_MS))

    assert name_of(profile) == "welcome"


def test_a_pending_checkout_supersedes_the_cart() -> None:
    profile = visitor(cart(), checkout())
    profile.checkouts["k1"].done = "o1"

    assert name_of(profile) is None


def test_one_that_is_too_late_is_passed_over() -> None:
    assert name_of(visitor(cart(NOW_MS - 25 * HOUR_MS))) is None


def test_a_trigger_of_another_release_is_passed_over() -> None:
    assert name_of(visitor(Episode("horoscope.due", "k", "m", 0, NOW_MS), cart())) == "cart.abandoned"


def contents(profile: Profile) -> object:
    """All that is stored of her. Parts that were looked at are written also where they are empty."""
    stored = msgspec.json.decode(encode(profile))
    return {name: part for name, part in stored.items() if part not in ({}, [])}


def test_asking_changes_nothing() -> None:
    profile = visitor(cart(), welcome(), checkout())
    before = contents(profile)

    next_trigger(profile, BOOK, BY_NAME, NOW_MS)

    assert contents(profile) == before
