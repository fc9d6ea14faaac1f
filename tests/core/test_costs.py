"""Cost settings."""

from typing import Any

import pytest

from profiles.costs import Costs, CostsError, build_costs


def test_the_longest_category_path_wins_and_the_shop_is_the_last_resort() -> None:
    costs = build_costs({"cost_rate": "0.5", "cost_rates": {"tea": "0.3", "tea/green": "0.25"}})

    assert costs.rate_for("tea/green/sencha") == (1, 4)
    assert costs.rate_for("tea/black") == (3, 10)
    assert costs.rate_for("teapots") == (1, 2)
    assert costs.rate_for(None) == (1, 2)


def test_nothing_set_is_nothing_known() -> None:
    assert build_costs({}) == Costs()
    assert Costs().rate_for("tea") is None


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"shiping_cost_minor": 1}, "shiping_cost_minor"),
        ({"shipping_cost_minor": "490"}, "shipping_cost_minor"),
        ({"shipping_cost_minor": -1}, "shipping_cost_minor"),
        ({"payment_fixed_minor": True}, "payment_fixed_minor"),
        ({"payment_rate": "1.4 %"}, "payment_rate"),
        ({"cost_rate": "-0.1"}, "cost_rate"),
        ({"cost_rate": 40}, "cost_rate"),
        ({"cost_rates": "0.3"}, "cost_rates"),
        ({"cost_rates": {"tea": "a third"}}, "cost_rates.tea"),
    ],
)
def test_a_bad_setting_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    with pytest.raises(CostsError, match=named):
        build_costs(settings)
