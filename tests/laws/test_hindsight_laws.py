"""What was foretold, held against what came: the short way for one purchase more counts as the long way does."""

from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import hindsight
from profiles.book import Book
from profiles.insight.tallies import difference
from profiles.state import Purchase

DAY_MS = 86_400_000
few = settings(max_examples=200, deadline=None)
BOOK = Book()
told = st.none() | st.tuples(st.integers(1, 20), st.integers(20, 60), st.none() | st.integers(0, 100))
bought = st.lists(st.tuples(st.integers(0, 400 * DAY_MS), told), min_size=1, max_size=8)


@few
@given(bought)
def test_one_purchase_more_changes_the_counters_by_what_it_adds_to_all_of_them(
    facts: list[tuple[int, tuple[int, int, int | None] | None]],
) -> None:
    after = [Purchase(at_ms, f"o{place}", 1.0, told=said) for place, (at_ms, said) in enumerate(sorted(facts, key=str))]
    after.sort(key=hindsight.place_of)
    before, newest = deepcopy(after[:-1]), after[-1]
    counted = hindsight.change_by_next(before[-1] if before else None, newest, BOOK)

    assert counted == difference(hindsight.contribution(after, BOOK), hindsight.contribution(before, BOOK))
    assert counted == hindsight.change(before, after, hindsight.place_of(newest), BOOK)
