"""Measures of togetherness: a real grocer's exact values, scipy as the second opinion, and the ends of the scale."""

import numpy as np
import pytest
from scipy.stats import contingency

from profiles.insight.pair_table import (
    PairTable,
    by_npmi,
    for_product,
    for_set,
    measure,
    merged,
    ranked,
    recommendations,
)
from profiles.insight.pairs import PairCounter
from tests.core.shop_data import journey_lines


@pytest.fixture(scope="module")
def types() -> PairTable:
    """Every basket of the year by kind of product, each kind once; vouchers and what has no category left out."""
    lines = journey_lines()
    lines = lines[lines.category.notna() & (lines.category != "COUPON/MISC ITEMS") & lines.type.notna()]
    # Only the kinds named below are counted: a test need not wait for 12 million pairs.
    named = lines[lines.type.isin({name for pair in PUBLISHED for name in pair[:2]})]
    counter = PairCounter(gate=0)
    for names in named.groupby("basket_id").type.agg(list):
        counter.add(names, 0)
    counted = counter.table()
    return PairTable(lines.basket_id.nunique(), counted.items, counted.pairs)


# a, b, baskets with both, with a, with b, lift, NPMI, Jaccard, G2; of 142,298 baskets.
PUBLISHED = [
    ("FROSTING", "LAYER CAKE MIX", 1_189, 1_748, 2_005, 48.275, 0.8103, 0.4637, 8852.1),
    ("BANANAS", "FLUID MILK WHITE ONLY", 8_970, 17_293, 34_756, 2.124, 0.2725, 0.2082, 7014.2),
    ("HAIR CONDITIONERS AND RINSES", "SHAMPOO", 972, 1_445, 2_420, 39.553, 0.7375, 0.3360, 6552.6),
    ("CHARCOAL", "CHARCOAL LIGHTER FLUID/UTILITY", 119, 674, 274, 91.693, 0.6376, 0.1435, 922.3),
]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda row: f"{row[0]} and {row[1]}".lower())
def test_a_real_grocers_pairs_have_their_published_measures(
    types: PairTable, published: tuple[str, str, int, int, int, float, float, float, float]
) -> None:
    a, b, count, n_a, n_b, lift, npmi, jaccard, g2 = published
    pair = measure(types, a, b)

    assert types.baskets == 142_298
    assert (pair.count, types.items[a], types.items[b]) == (count, n_a, n_b)
    assert pair.lift == pytest.approx(lift, abs=5e-4)
    assert (pair.npmi, pair.jaccard) == pytest.approx((npmi, jaccard), abs=5e-5)
    assert pair.g2 == pytest.approx(g2, abs=0.05)


def test_g2_is_scipys_log_likelihood_ratio() -> None:
    for n_ab, n_a, n_b, n in ((5, 10, 20, 100), (0, 10, 20, 100), (10, 10, 20, 100), (3, 50, 60, 1_000)):
        cells = np.array([[n_ab, n_a - n_ab], [n_b - n_ab, n - n_a - n_b + n_ab]])
        by_scipy = contingency.chi2_contingency(cells, correction=False, lambda_="log-likelihood").statistic
        found = measure(PairTable(n, {"a": n_a, "b": n_b}, {("a", "b"): n_ab}), "a", "b")

        assert found.g2 == pytest.approx(by_scipy)


def test_the_ends_of_the_scale() -> None:
    always = measure(PairTable(10, {"a": 10, "b": 10}, {("a", "b"): 10}), "a", "b")
    never = measure(PairTable(10, {"a": 5, "b": 5}, {}), "b", "a")

    assert (always.npmi, always.lift, always.g2) == (1.0, 1.0, 0.0)
    assert (never.npmi, never.lift, never.count) == (-1.0, 0.0, 0)


def shop() -> PairTable:
    items = {"cake": 200, "icing": 100, "milk": 600, "candles": 80, "rare": 1, "odd": 1}
    pairs = {
        ("cake", "icing"): 80,
        ("cake", "candles"): 60,
        ("cake", "milk"): 125,
        ("candles", "icing"): 30,
        ("odd", "rare"): 1,
        ("icing", "milk"): 20,
    }
    return PairTable(1_000, items, {(a, b) if a < b else (b, a): count for (a, b), count in pairs.items()})


def test_what_was_bought_together_once_is_not_ranked_and_what_repels_neither() -> None:
    assert [(pair.a, pair.b) for pair in ranked(shop(), 10)] == [
        ("cake", "icing"),
        ("cake", "candles"),
        ("candles", "icing"),
        ("cake", "milk"),
    ]
    assert [(pair.a, pair.b) for pair in ranked(shop(), 1, by_npmi)] == [("cake", "icing")]


def test_a_product_is_recommended_with_its_strongest_partners_unless_owned() -> None:
    table = recommendations(shop())

    assert [partner.item for partner in for_product(table, "cake", (), 5)] == ["icing", "candles"]
    assert [partner.item for partner in for_product(table, "cake", {"icing"}, 5)] == ["candles"]
    assert for_product(table, "cake", (), 1)[0].confidence == pytest.approx(80 / 200)
    assert for_product(table, "icing", (), 1)[0].confidence == pytest.approx(80 / 100)
    assert for_product(table, "unheard of", (), 5) == []


def test_a_set_is_completed_by_what_goes_with_all_of_it() -> None:
    table = recommendations(shop())

    assert for_set(table, ["cake", "icing"], (), 5) == ["candles"]
    assert for_set(table, ["cake", "icing"], {"candles"}, 5) == []
    assert for_set(table, ["candles"], (), 1) == ["cake"]


def test_counts_of_separate_orders_add_up() -> None:
    both = merged([shop(), shop()])

    assert (both.baskets, both.items["cake"], both.pairs["cake", "icing"]) == (2_000, 400, 160)
