"""Remembered messages: known for a day, bounded in number."""

from profiles.dedupe import GENERATION_MAX, already_seen, reaches_back_to, remembered, remembers, unite
from profiles.profile import Profile, decode_profile
from profiles.state import SEEN_MAX

HOUR_MS = 3_600_000


def test_a_message_is_new_once() -> None:
    ada = Profile("user_id:ada")

    assert [already_seen(ada, "web", "m1", 0) for _ in range(3)] == [False, True, True]


def test_two_sources_may_use_the_same_id() -> None:
    ada = Profile("user_id:ada")

    assert not already_seen(ada, "web", "m1", 0)
    assert not already_seen(ada, "app", "m1", 0)


def test_any_text_can_be_an_id() -> None:
    ada = Profile("user_id:ada")
    for message_id in ("", "\ud800", "\n", "é" * 1000):
        assert not already_seen(ada, "web", message_id, 0)
        assert already_seen(ada, "web", message_id, 0)


def test_a_message_is_known_for_a_day_at_least_through_storage_too() -> None:
    ada = Profile("user_id:ada")
    for hour in range(100):
        assert not already_seen(ada, "web", f"m{hour}", hour * HOUR_MS)
        ada = decode_profile(ada.pack())
        assert all(
            already_seen(ada, "web", f"m{before}", hour * HOUR_MS) for before in range(max(0, hour - 24), hour + 1)
        )

    assert not already_seen(ada, "web", "m0", 100 * HOUR_MS)


def test_no_more_than_the_bound_is_kept_and_the_newest_half_always() -> None:
    ada = Profile("user_id:ada")
    for number in range(1000):
        assert not already_seen(ada, "web", f"m{number}", number)
        assert remembered(ada) <= SEEN_MAX
    assert all(already_seen(ada, "web", f"m{number}", 1000) for number in range(1000 - GENERATION_MAX, 1000))


def test_two_customers_in_one_remember_what_both_had() -> None:
    ada, bob = Profile("user_id:ada"), Profile("user_id:bob")
    for number in range(40):
        already_seen(ada, "web", f"a{number}", number)
        already_seen(bob, "web", f"b{number}", number)
    unite(ada, bob)
    unite(ada, bob)

    assert remembered(ada) == 80
    assert all(already_seen(ada, "web", f"{who}{number}", 50) for who in "ab" for number in range(40))


def test_a_memory_united_beyond_the_bound_keeps_the_newer_half_of_both() -> None:
    ada, bob = Profile("user_id:ada"), Profile("user_id:bob")
    for number in range(100):
        already_seen(ada, "web", f"a{number}", number)
        already_seen(bob, "web", f"b{number}", number)
    unite(ada, bob)

    assert remembered(ada) <= SEEN_MAX
    assert already_seen(ada, "web", "a99", 100)
    assert already_seen(ada, "web", "b99", 100)


def test_asking_whether_a_message_is_known_changes_nothing() -> None:
    ada = Profile("user_id:ada")

    assert not remembers(ada, "web", "m1")
    assert not already_seen(ada, "web", "m1", 0)
    assert remembers(ada, "web", "m1")
    assert not remembers(ada, "app", "m1")


def test_what_is_not_remembered_never_came_as_far_back_as_nothing_was_forgotten() -> None:
    ada = Profile("user_id:ada")

    assert reaches_back_to(ada, 0)
    for number in range(3 * GENERATION_MAX):
        already_seen(ada, "web", f"m{number}", 1000 + number)
        ada.activity.events += 1
    assert ada.seen_since_ms == 1000 + 2 * GENERATION_MAX
    assert not reaches_back_to(ada, 1000)
    assert not reaches_back_to(ada, ada.seen_since_ms - 1)
    assert reaches_back_to(ada, ada.seen_since_ms)
