"""A profile's part in the counters of its partition."""

from profiles import population
from profiles.order_state import Totals
from profiles.profile import Profile
from profiles.state import OrderStats
from schemas.events import ANONYMOUS


def test_a_change_is_told_once_and_only_where_something_changed() -> None:
    ada = Profile("user_id:ada")

    assert population.delta(ada) == {"customers": 1}
    assert population.delta(ada) == {}

    ada.orders = OrderStats(count=3, valued=2, refunded=1, cancelled=1)
    ada.ltv = Totals(gross=500, discount=100, refund=50, net=350, margin=120, estimated_gross=500)

    assert population.delta(ada) == {
        "buyers": 1,
        "valued_buyers": 1,
        "repeat_buyers": 1,
        "orders": 3,
        "valued_orders": 2,
        "refunded_orders": 1,
        "cancelled_orders": 1,
        "gross": 500,
        "discount": 100,
        "refund": 50,
        "net": 350,
        "margin": 120,
        "estimated_gross": 500,
    }

    ada.orders.count, ada.orders.valued, ada.ltv.net = 2, 1, 300

    assert population.delta(ada) == {"repeat_buyers": -1, "orders": -1, "valued_orders": -1, "net": -50}


def test_refunds_without_a_rate_are_counted_for_customers_and_for_nobody() -> None:
    for profile_id in ("user_id:ada", ANONYMOUS):
        profile = Profile(profile_id)
        population.delta(profile)

        profile.orders = OrderStats(unconverted_refunds=2)
        assert population.delta(profile) == {"unconverted_refunds": 2}

        profile.orders.unconverted_refunds = 0
        assert population.delta(profile) == {"unconverted_refunds": -2}


def test_orders_of_nobody_are_in_the_totals_but_make_no_customer() -> None:
    nobody = Profile(ANONYMOUS)
    nobody.orders, nobody.ltv = OrderStats(count=2, valued=2), Totals(gross=10, net=10, margin=4)

    assert population.delta(nobody) == {
        "orders": 2,
        "valued_orders": 2,
        "gross": 10,
        "net": 10,
        "margin": 4,
        "anonymous_orders": 2,
        "anonymous_gross": 10,
        "anonymous_net": 10,
        "anonymous_margin": 4,
    }


def test_a_forgotten_profile_takes_back_exactly_what_it_added() -> None:
    ada = Profile("user_id:ada")
    ada.orders, ada.ltv = OrderStats(count=1, valued=1), Totals(gross=10, net=10)
    added = population.delta(ada)
    ada.ltv.net = 99

    assert population.forget(ada) == {name: -value for name, value in added.items()}
    assert population.forget(ada) == {}


def test_a_stored_contribution_of_an_older_release_is_shorter_and_still_right() -> None:
    ada = Profile("user_id:ada", population=[1])
    ada.orders = OrderStats(count=1)

    assert population.delta(ada) == {"buyers": 1, "orders": 1}
