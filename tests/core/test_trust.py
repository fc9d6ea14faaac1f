"""What is left of an event that came in under a client key: facts of the back office refused, rights and costs taken out."""

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import events as e
from schemas.scalars import AdapterError
from schemas.trust import PROTECTED_TRAITS, SERVER_ONLY, plain_trait, protected_names, restrict

PROTECTED = protected_names(PROTECTED_TRAITS)
COMMON: dict[str, Any] = {"message_id": "m1", "timestamp_ms": 1, "user_id": "u1"}


def test_an_ordinary_event_passes_as_it_is() -> None:
    event = e.ProductViewed(**COMMON, product=e.Product(product_id="p1"))

    assert restrict(event, PROTECTED) == (event, 0)
    assert restrict(event, PROTECTED)[0] is event


@pytest.mark.parametrize(
    "name", ["createdAt", "created_at", "Created At", "CREATED-AT", "created.at", "LTV", "isEmployee", "VIP"]
)
def test_no_spelling_of_a_protected_trait_gets_through(name: str) -> None:
    event = e.Identified(**COMMON, traits={name: 1, "name": "Ann"})

    assert restrict(event, PROTECTED) == (e.Identified(**COMMON, traits={"name": "Ann"}), 1)


def test_a_groups_traits_are_protected_too() -> None:
    assert restrict(e.Grouped(**COMMON, group_id="g", traits={"price_list": "b2b"}), PROTECTED) == (
        e.Grouped(**COMMON, group_id="g"),
        1,
    )


def needed_by(kind: type[e.Event]) -> dict[str, Any]:
    """Something for each field that this kind of event must have."""
    own = (field for field in msgspec.structs.fields(kind) if field.required and field.name not in COMMON)
    return {field.name: f"a {field.name}" for field in own}


def test_every_server_only_event_is_refused_by_name() -> None:
    for kind in SERVER_ONLY:
        with pytest.raises(AdapterError) as refused:
            restrict(kind(**COMMON, **needed_by(kind)), PROTECTED)
        assert refused.value.reason == "not_allowed"
        assert str(kind.__struct_config__.tag) in refused.value.detail


def test_what_a_page_can_know_stays_open_to_client_keys() -> None:
    open_to_clients = {
        *(e.Identified, e.ConsentChanged, e.SignedUp, e.PageViewed, e.ProductAdded, e.CheckoutStarted),
        *(e.OrderCompleted, e.NpsSubmitted, e.ProductReviewed),
    }

    assert not open_to_clients & SERVER_ONLY
    assert set(get_args(e.AnyEvent)) > SERVER_ONLY


def test_costs_and_the_mark_of_an_import_are_taken_out_of_an_order_and_its_money_stays() -> None:
    order = e.OrderCompleted(
        **COMMON,
        order_id="o1",
        revenue_minor=100,
        shipping_cost_minor=1,
        payment_fee_minor=2,
        imported=True,
        products=(e.Product(product_id="p1", cost_minor=3), e.Product(product_id="p2")),
    )

    left, taken = restrict(order, PROTECTED)

    assert taken == 4
    assert left == e.OrderCompleted(
        **COMMON, order_id="o1", revenue_minor=100, products=(e.Product(product_id="p1"), e.Product(product_id="p2"))
    )


@given(st.dictionaries(st.text(max_size=12), st.integers(), max_size=6))
def test_restricting_twice_is_restricting_once(traits: dict[str, int]) -> None:
    once, _ = restrict(e.Identified(**COMMON, traits=traits), PROTECTED)

    assert restrict(once, PROTECTED) == (once, 0)
    assert isinstance(once, e.Identified)
    assert not {plain_trait(name) for name in once.traits} & PROTECTED
