"""Sets of products that are bought with one another, found among the strongest partners of each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.insight.bundles import CLOSEST, Bundles, learned_bundles, name_of
from profiles.insight.pair_table import Partner, Recommendations


def table(**pairs: float) -> Recommendations:
    """Partners from pairs such as tea_jam=30.0 (G2), best first."""
    found: Recommendations = {}
    for names, g2 in pairs.items():
        a, b = names.split("_")
        found.setdefault(a, []).append(Partner(b, 30, 2.0, 0.5, 0.4, g2))
        found.setdefault(b, []).append(Partner(a, 30, 2.0, 0.5, 0.4, g2))
    return {item: sorted(partners, key=lambda one: (-one.g2, one.item)) for item, partners in found.items()}


def sets(bundles: Bundles) -> list[tuple[str, ...]]:
    return sorted(set(bundles.values()))


def test_two_that_name_each_other_are_a_set_and_three_are_one_of_three() -> None:
    bundles = learned_bundles(table(tea_jam=50, pot_cup=40, pot_tray=30, cup_tray=20), {})

    assert sets(bundles) == [("cup", "pot", "tray"), ("jam", "tea")]
    assert bundles["pot"] == bundles["cup"] == ("cup", "pot", "tray")
    assert name_of(bundles["tea"]) == "jam + tea"


def test_what_sells_with_everything_is_in_no_set_of_those_it_does_not_name_itself() -> None:
    bundles = learned_bundles(table(bag_a=90, bag_b=80, bag_c=70, bag_d=60, bag_e=50), {})

    assert sets(bundles) == [("a", "bag")]
    assert not {"d", "e"} & bundles.keys()


def test_a_product_is_in_one_set_the_one_whose_weakest_pair_is_the_strongest() -> None:
    assert sets(learned_bundles(table(tea_jam=50, tea_honey=60), {})) == [("honey", "tea")]


def test_a_set_stays_while_its_products_are_still_close() -> None:
    before = learned_bundles(table(tea_jam=50), {})
    newcomers = {f"tea_n{number}": 60.0 + number for number in range(4)}

    assert sets(learned_bundles(table(tea_jam=50, **newcomers), {})) == [("n3", "tea")]
    assert sets(learned_bundles(table(tea_jam=50, **newcomers), before)) == [("jam", "tea")]
    more = newcomers | {"tea_n4": 70.0, "tea_n5": 71.0}
    assert sets(learned_bundles(table(tea_jam=50, **more), before)) == [("n5", "tea")]


def test_a_set_grows_by_what_all_of_it_are_bought_with() -> None:
    before = learned_bundles(table(tea_jam=50), {})

    assert sets(learned_bundles(table(tea_jam=50, tea_pot=40, jam_pot=45), before)) == [("jam", "pot", "tea")]


def test_nothing_learned_is_nothing() -> None:
    assert learned_bundles({}, {"tea": ("jam", "tea"), "jam": ("jam", "tea")}) == {}


PRODUCTS = "abcdefgh"
PAIRS = st.dictionaries(
    st.tuples(st.sampled_from(PRODUCTS), st.sampled_from(PRODUCTS)).filter(lambda pair: pair[0] < pair[1]),
    st.integers(1, 9),
    max_size=20,
)


@given(PAIRS, PAIRS)
def test_every_product_of_a_set_names_each_other_one(
    first: dict[tuple[str, str], int], second: dict[tuple[str, str], int]
) -> None:
    before = learned_bundles(table(**{"_".join(pair): g2 for pair, g2 in first.items()}), {})
    partners = table(**{"_".join(pair): g2 for pair, g2 in second.items()})
    fresh, bundles = learned_bundles(partners, {}), learned_bundles(partners, before)

    for members in set(fresh.values()):
        for member in members:
            closest = {other.item for other in partners[member][:CLOSEST]}
            assert set(members) - {member} <= closest
    for product, members in bundles.items():
        assert product in members
        assert all(bundles[member] is members for member in members)
        assert 2 <= len(members) <= CLOSEST + 1


@pytest.mark.parametrize("again", range(3))
def test_learned_again_of_the_same_pairs_nothing_changes(again: int) -> None:
    partners = table(a_b=9, b_c=9, a_c=9, c_d=9, d_e=8, a_e=7, b_f=6)
    bundles = learned_bundles(partners, {})
    for _ in range(again):
        bundles = learned_bundles(partners, bundles)

    assert bundles == learned_bundles(partners, {})
