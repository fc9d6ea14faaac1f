"""The catalogue: facts by product, then by category."""

from typing import Any

import pytest
from typing_extensions import override

from profiles.catalogue import COLUMNS, NOTHING, Catalogue, CatalogueError, Facts, build_catalogue, supply_key


def test_a_product_has_its_own_facts_and_fills_gaps_from_its_category() -> None:
    catalogue = Catalogue.from_rows(
        [
            {"product_id": "beans", "category": "coffee/whole", "cost": "4.25", "brand": "acme"},
            {
                "product_id": "",
                "category": "coffee",
                "supply_days": "30",
                "group": "coffee",
                "occasions": "breakfast; gift",
            },
            {"product_id": "pods", "category": "coffee", "supply_days": 10},
        ]
    )

    assert catalogue.lookup("beans", "ignored") == Facts(
        425, "coffee/whole", "acme", 30.0, "coffee", ("breakfast", "gift"), 3.0
    )
    assert catalogue.lookup("pods").share == 1.0
    assert catalogue.lookup("unknown", "coffee/instant").supply_days == 30.0
    assert catalogue.lookup("unknown", "lamps") is NOTHING
    assert catalogue.lookup("unknown") is NOTHING


def test_columns_that_count_as_known_are_those_that_rows_are_read_for() -> None:
    """What is almost one of them is warned of as misspelt: one that is missing there is never missed."""
    read: set[str] = set()

    class Row(dict[str, Any]):
        @override
        def get(self, column: str, default: Any = None, /) -> Any:
            read.add(column)
            return super().get(column, default)

    build_catalogue([Row(product_id="tea")])

    assert read == set(COLUMNS)


def test_substitutes_share_a_supply_and_never_with_a_product_of_the_same_name() -> None:
    assert supply_key("7", Facts()) == "7"
    assert supply_key("8", Facts(group="7")) == "~7"


def test_numbers_may_be_numbers_or_text_and_unknown_columns_are_left_alone() -> None:
    catalogue = build_catalogue([{"product_id": 17, "cost_minor": 300, "shelf": "Tea", "supply_days": None}])

    assert catalogue.lookup("17") == Facts(cost_minor=300)


def test_costs_are_read_in_the_shops_currency() -> None:
    assert build_catalogue([{"product_id": "p", "cost": "300"}], exponent=0).lookup("p").cost_minor == 300


@pytest.mark.parametrize(
    "row, named",
    [
        ({"product_id": "p", "cost": "cheap"}, "row 2, column cost: 'cheap'"),
        ({"product_id": "p", "cost": "nan"}, "row 2, column cost"),
        ({"product_id": "p", "cost": "-1"}, "row 2, column cost"),
        ({"product_id": "p", "cost": "1.005"}, "row 2, column cost"),
        ({"product_id": "p", "cost_minor": "1.5"}, "row 2, column cost_minor"),
        ({"product_id": "p", "supply_days": "0"}, "row 2, column supply_days"),
        ({"product_id": "p", "supply_days": "99999"}, "row 2, column supply_days"),
        ({"product_id": "p", "occasions": 3}, "row 2, column occasions"),
        ({"category": "tea", "cost": "1"}, "row 2, column cost"),
        ({"brand": "acme"}, "row 2, column product_id"),
    ],
)
def test_a_bad_row_is_refused_by_row_and_column(row: dict[str, Any], named: str) -> None:
    with pytest.raises(CatalogueError, match=named):
        build_catalogue([{"product_id": "ok"}, row])
