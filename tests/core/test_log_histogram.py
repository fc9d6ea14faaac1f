"""Integer histograms: what goes in comes out, and quantiles are within half a percent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.insight.log_histogram import RELATIVE_ERROR_MAX, VALUE_MAX, bucket, middle, quantile, quantiles
from profiles.insight.tallies import Tally, add, difference, merged

amounts = st.one_of(st.integers(-(10**6), 10**6), st.integers(-VALUE_MAX, VALUE_MAX))


def counts_of(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    return counts


@given(value=amounts)
def test_the_middle_of_a_bucket_is_within_half_a_percent_of_all_in_it(value: int) -> None:
    assert abs(middle(bucket(value)) - value) <= RELATIVE_ERROR_MAX * abs(value)


@given(low=amounts, high=amounts)
def test_larger_numbers_have_larger_buckets(low: int, high: int) -> None:
    assert (bucket(low) <= bucket(high)) == (low <= high or bucket(low) == bucket(high))


def test_small_numbers_are_exact() -> None:
    assert all(middle(bucket(value)) == value for value in range(-199, 200))


def test_numbers_beyond_the_last_bucket_count_as_the_largest() -> None:
    assert bucket(10**18) == bucket(VALUE_MAX)


@given(values=st.lists(amounts, min_size=1, max_size=60), share=st.floats(0, 1))
def test_a_quantile_is_the_value_of_that_rank(values: list[int], share: float) -> None:
    exact = float(np.quantile(np.array(values, dtype=object), share, method="inverted_cdf"))
    found = quantile(counts_of(values), share)

    assert found is not None
    assert abs(found - exact) <= RELATIVE_ERROR_MAX * abs(exact)


def test_there_is_no_quantile_of_nothing() -> None:
    assert quantile({}, 0.5) is None
    assert quantiles({bucket(5): 0}, (0.1, 0.9)) == []


def test_a_share_beyond_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile({bucket(1): 1}, 1.5)


tallies = st.dictionaries(st.sampled_from("abcdef"), st.integers(-5, 5).filter(bool))


@given(old=tallies, new=tallies)
def test_the_difference_leads_from_one_tally_to_the_other(old: Tally, new: Tally) -> None:
    moved = dict(old)
    add(moved, difference(new, old))

    assert moved == new


@given(parts=st.permutations(["a", "b", "a", "c"]))
def test_tallies_add_up_in_any_order(parts: list[str]) -> None:
    assert merged({part: 1} for part in parts) == {"a": 2, "b": 1, "c": 1}
    assert merged([{"a": 1}, {"a": -1}]) == {}
