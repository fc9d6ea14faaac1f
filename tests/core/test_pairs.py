"""Counting pairs: a real grocer's year in bounded memory, and the bounds themselves."""

from itertools import combinations

import msgspec
import numpy as np
import pytest
from typing_extensions import override

from profiles.insight import pairs
from profiles.insight.pair_table import measure
from profiles.insight.pairs import PairCounter, Receipt
from tests.core.shop_data import journey_lines

TOP = 1_000


@pytest.mark.long
def test_a_years_strongest_pairs_are_found_with_half_a_percent_of_them_kept() -> None:
    lines = journey_lines()
    lines = lines[lines.category.notna() & (lines.category != "COUPON/MISC ITEMS")]
    lines = lines.drop_duplicates(["basket_id", "product_id"]).sort_values(["stamp", "basket_id"], kind="stable")
    baskets = np.split(lines.product_id.to_numpy(), np.flatnonzero(np.diff(lines.basket_id)) + 1)
    days = lines.groupby("basket_id", sort=False).day.first().tolist()

    # The exact counts a second way: numpy over all 17.8 million pairs at once.
    numbers, names = np.unique(lines.product_id, return_inverse=True)[::-1]
    coded = np.split(numbers.astype(np.int64), np.flatnonzero(np.diff(lines.basket_id)) + 1)
    keys = []
    for basket in coded:
        low, high = np.triu_indices(len(basket), 1)
        ordered = np.sort(basket)
        keys.append(ordered[low] * len(names) + ordered[high])
    everything, exact = np.unique(np.concatenate(keys), return_counts=True)
    del keys

    kept_after_drop: list[int] = []

    class Watched(PairCounter):
        @override
        def _keep_pairs(self, least: int) -> None:
            super()._keep_pairs(least)
            kept_after_drop.append(len(self))

    counter = Watched()
    for basket, day in zip(baskets, days, strict=True):
        counter.add(map(str, basket.tolist()), day)
    table = counter.table()

    assert (len(everything), int(exact.sum()), int((exact >= 20).sum())) == (11_833_023, 17_778_678, 28_846)
    assert counter.peak_pairs <= 1_000_000
    assert kept_after_drop[-1] <= 81_179

    found = {(int(a), int(b)): count for (a, b), count in table.pairs.items()}

    def named(key: int) -> tuple[int, int]:
        a, b = str(names[key // len(names)]), str(names[key % len(names)])
        return (int(a), int(b)) if a < b else (int(b), int(a))

    by_count = [named(key) for key in everything[np.lexsort((everything, -exact))[:TOP]].tolist()]
    mine = set(sorted(found, key=lambda pair: (-found[pair], pair))[:TOP])
    assert len(mine & set(by_count)) / TOP >= 0.984
    assert sum(pair in found for pair in by_count) == TOP

    often = exact >= 8
    sizes = np.bincount(numbers)
    total, both = len(coded), exact[often].astype(float)
    n_a, n_b = (sizes[part].astype(float) for part in divmod(everything[often], len(names)))
    g2 = np.zeros(len(both))
    for observed, expected in (
        (both, n_a * n_b),
        (n_a - both, n_a * (total - n_b)),
        (n_b - both, (total - n_a) * n_b),
        (total - n_a - n_b + both, (total - n_a) * (total - n_b)),
    ):
        with np.errstate(divide="ignore", invalid="ignore"):
            g2 += 2 * np.where(observed > 0, observed * np.log(observed * total / expected), 0.0)
    by_evidence = [named(key) for key in everything[often][np.argsort(-g2, kind="stable")[:TOP]].tolist()]
    assert sum(pair in found for pair in by_evidence) / TOP >= 0.984

    assert PairCounter.decode(counter.encode()).encode() == counter.encode()


def test_a_pair_counts_from_the_time_on_when_both_products_are_known() -> None:
    counter = PairCounter(gate=2)
    for basket in (["a"], ["a"], ["b"], ["a", "b"], ["b", "a"], ["a", "b", "b"]):
        counter.add(basket, 0)
    table = counter.table()

    assert table.baskets == 6
    assert table.items == {"a": 5, "b": 4}
    assert table.pairs == {("a", "b"): 2}  # not in the fourth basket: b had been in one before


def test_a_cancelled_order_is_taken_out_whole() -> None:
    counter, without = PairCounter(gate=0), PairCounter(gate=0)
    receipts = [counter.add(basket, 0) for basket in (["a", "b", "c"], ["a", "b"], ["c", "d"])]
    for basket in (["a", "b", "c"], ["c", "d"]):
        without.add(basket, 0)
    counter.remove(receipts[1])

    assert counter.table() == without.table()

    counter.remove(receipts[0])
    counter.remove(receipts[2])

    assert counter.table().items == {}
    assert counter.table().pairs == {}
    assert counter.baskets == 0


def test_what_was_not_counted_is_not_taken_out() -> None:
    counter = PairCounter(gate=1)
    before_the_gate = counter.add(["a", "b"], 0)
    counter.add(["a", "b"], 0)
    counter.remove(before_the_gate)

    assert before_the_gate.paired == ()
    assert counter.table().pairs == {("a", "b"): 1}


def test_a_pair_that_was_dropped_and_counted_anew_does_not_pay_for_an_old_basket() -> None:
    counter = PairCounter(gate=0)
    old = counter.add(["a", "b"], 0)
    counter.add(["z"], 31)  # a month later: pairs seen once are dropped
    assert counter.table().pairs == {}
    counter.add(["a", "b"], 32)
    counter.remove(old)

    assert counter.table().pairs == {("a", "b"): 1}
    assert counter.table().items == {"a": 1, "b": 1, "z": 1}


def test_each_month_asks_for_more() -> None:
    counter = PairCounter(gate=0)
    for _ in range(2):
        counter.add(["a", "b"], 0)
    counter.add(["z"], 2 * 30)
    assert len(counter) == 1
    counter.add(["z"], 3 * 30)
    assert len(counter) == 0


def test_memory_is_bounded_whatever_comes() -> None:
    counter = PairCounter(gate=0, pairs_max=50, items_max=30)
    for number in range(200):
        counter.add([f"p{number}", f"p{number + 1}", "often", "always"], 0)

        assert len(counter) <= 50
        assert len(counter.table().items) <= 30

    assert counter.table().pairs["always", "often"] == 200


def test_a_huge_basket_pairs_its_best_known_products_only() -> None:
    counter = PairCounter(gate=0)
    known = [f"k{number:03}" for number in range(pairs.ITEMS_PER_BASKET_MAX)]
    counter.add(known, 0)
    receipt = counter.add([*known, *(f"n{number:04}" for number in range(1_000))], 0)

    assert set(receipt.paired) == set(known)
    assert len(receipt.items) == len(known) + 1_000
    assert counter.table().pairs["k000", "k199"] == 2


def test_a_counter_goes_on_after_storage_as_if_nothing_had_been() -> None:
    baskets = [[f"p{(number * step) % 7}" for step in (1, 2, 3)] for number in range(60)]
    straight, stored = PairCounter(gate=3), PairCounter(gate=3)
    receipts: list[Receipt] = []
    for day, basket in enumerate(baskets):
        straight.add(basket, day)
        receipts.append(stored.add(basket, day))
        stored = PairCounter.decode(stored.encode())
    last = straight.add(["p1", "p2"], 60)
    assert stored.add(["p1", "p2"], 60) == last
    straight.remove(receipts[20])
    stored.remove(receipts[20])

    assert stored.encode() == straight.encode()


def test_counts_are_those_of_the_definition() -> None:
    baskets = [{"a", "b"}, {"a", "b", "c"}, {"b", "c"}, {"a"}, set[str]()]
    counter = PairCounter(gate=0)
    for basket in baskets:
        counter.add(basket, 0)
    table = counter.table()

    assert table.baskets == 4
    for a, b in combinations("abc", 2):
        assert measure(table, a, b).count == sum({a, b} <= basket for basket in baskets)


def test_foreign_bytes_are_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="count the orders anew"):
        PairCounter.decode(b"nonsense")
    newer = msgspec.msgpack.decode(PairCounter().encode())
    newer["version"] = 9
    with pytest.raises(ValueError, match="version 9"):
        PairCounter.decode(msgspec.msgpack.encode(newer))
    with pytest.raises(ValueError, match="bounds >= 2"):
        PairCounter(pairs_max=0)
