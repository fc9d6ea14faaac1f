"""Pairs counted and taken out again: any history leaves what the remaining baskets alone would have left."""

from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.insight.pairs import PairCounter

few = settings(max_examples=80, deadline=None)
histories = st.lists(st.tuples(st.frozensets(st.sampled_from("abcdef"), max_size=5), st.booleans()), max_size=25)


@few
@given(history=histories, gate=st.integers(0, 3))
def test_counts_never_exceed_those_of_the_baskets_that_stay(
    history: list[tuple[frozenset[str], bool]], gate: int
) -> None:
    counter, exact = PairCounter(gate=gate), PairCounter(gate=0)
    receipts = [(counter.add(basket, 0), stays) for basket, stays in history]
    for receipt, stays in receipts:
        if not stays:
            counter.remove(receipt)
    for basket, stays in history:
        if stays:
            exact.add(basket, 0)
    found, wanted = counter.table(), exact.table()

    assert found.baskets == wanted.baskets
    assert found.items == wanted.items
    assert all(0 < count <= wanted.pairs[pair] for pair, count in found.pairs.items())
    if gate == 0:
        assert found.pairs == wanted.pairs


@few
@given(history=histories)
def test_the_gate_hides_no_more_than_its_own_baskets(history: list[tuple[frozenset[str], bool]]) -> None:
    counter, exact = PairCounter(gate=2), PairCounter(gate=0)
    for basket, _ in history:
        counter.add(basket, 0)
        exact.add(basket, 0)
    found = counter.table().pairs

    # A pair can meet before the gate at most twice for each of its two products.
    assert all(count - found.get(pair, 0) <= 4 for pair, count in exact.table().pairs.items())
