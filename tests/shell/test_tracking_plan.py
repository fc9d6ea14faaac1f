"""A shop's tracking plan: what breaks it is set aside with place and rule, in a worker and in the collector alike."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas.decode import Decoder
from schemas.events import Arrival, Event, OrderCompleted, Product, ProductViewed
from schemas.reasons import Problem
from streams.merge import Merge
from streams.tracking_plan import PlanDocument, PlanError, TrackingPlan, load_plan
from tests.shell.serve_kit import site, viewed
from tests.shell.world import START_MS, World, added, ordered, run

EUROS = {
    "required": ["email"],
    "properties": {"currency": {"const": "EUR"}, "products": {"items": {"required": ["sku"]}}},
}


def plan(events: dict[str, Any], **more: Any) -> TrackingPlan:
    return TrackingPlan(msgspec.convert({"events": events, **more}, PlanDocument))


def order(**fields: Any) -> Event:
    return OrderCompleted(message_id="m", timestamp_ms=START_MS, user_id="ada", order_id="o", **fields)


def test_an_event_that_keeps_to_the_plan_passes() -> None:
    kept = order(email="ada@x.org", currency="EUR", products=(Product(product_id="tea", sku="T1"),))

    assert plan({"Order Completed": EUROS}).check(kept) is None


def test_what_breaks_it_is_named_by_place_and_rule_and_without_values() -> None:
    problem = plan({"Order Completed": EUROS}).check(
        order(currency="XXX", products=(Product(product_id="Secret tea"),))
    )

    assert problem is not None
    assert problem.reason == "plan_violation"
    assert problem.detail.startswith("Order Completed: ")
    for said in ('"email" is a required property', "$.currency", '$.products[0]: "sku" is a required property'):
        assert said in problem.detail
    assert "XXX" not in problem.detail
    assert "Secret tea" not in problem.detail


def test_events_that_are_not_planned_pass_unless_the_plan_says_otherwise() -> None:
    seen = ProductViewed(message_id="m", timestamp_ms=1, user_id="ada", product=Product(product_id="tea"))
    strict = plan({"Order Completed": EUROS}, unplanned="reject")

    assert plan({"Order Completed": EUROS}).check(seen) is None
    assert strict.check(seen) == Problem("plan_violation", "Product Viewed is not in the plan")


def test_a_plan_never_stands_in_the_way_of_a_privacy_request() -> None:
    from schemas.events import CommandAnswered, EraseCustomer

    strict = plan({}, unplanned="reject")
    answer = CommandAnswered(message_id="m", timestamp_ms=1, request_id="r", command="erase", home="h")

    assert strict.check(EraseCustomer(message_id="m", timestamp_ms=1, user_id="ada", request_id="r")) is None
    assert strict.check(answer) is None


@pytest.mark.parametrize(
    "events, said",
    [
        ({"Order Complete": {}}, "there is no event 'Order Complete'; did you mean 'Order Completed'?"),
        ({"Order Completed": {"required": ["e_mail"]}}, "no field 'e_mail'; did you mean 'email'?"),
        ({"Order Completed": {"properties": {"revenue": {}}}}, "no field 'revenue'"),
        ({"Order Completed": {"type": "objekt"}}, "is no JSON Schema"),
        ({"Order Completed": {"requird": ["email"]}}, r"the schema of Order Completed, \$: 'requird' is no keyword"),
        (
            {"Order Completed": {"properties": {"products": {"items": {"x-owner": "us", "requires": ["sku"]}}}}},
            r"Order Completed, \$\.properties\.products\.items: 'requires' is no keyword .* begin with x-",
        ),
        ({"Order Completed": {"$ref": "https://example.org/order.json"}}, "a plan stands in one file"),
    ],
)
def test_a_plan_that_could_not_work_is_refused_with_its_remedy(events: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said.replace("?", r"\?")):
        plan(events)


def test_a_plan_may_say_all_that_the_dialect_knows_and_words_of_its_own() -> None:
    schema: dict[str, Any] = {
        "title": "An order",
        "$comment": "of the shop",
        "x-owner": {"team": "us"},
        "$defs": {"code": {"type": "string", "minLength": 3, "examples": [{"anything": 1}]}},
        "properties": {"currency": {"allOf": [{"$ref": "#/$defs/code"}, {"not": {"const": "USD"}}]}},
        "dependentSchemas": {"email": {"required": ["user_id"]}},
        "if": {"required": ["user_id"]},
        "then": {"properties": {"email": {"type": ["string", "null"], "default": {"any": "thing"}}}},
    }

    assert plan({"Order Completed": schema}).check(order()) is None


def test_a_field_of_the_document_that_there_is_not_is_named_with_what_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"events": {}, "unplaned": "reject"}')

    with pytest.raises(PlanError, match=r"plan\.json: unknown field \$\.unplaned; did you mean 'unplanned'\?"):
        load_plan(str(path))


def test_a_file_that_is_no_plan_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    for text in ("{", '{"event": {}}', '{"events": {}, "unplanned": "ignore"}'):
        path.write_text(text)
        with pytest.raises(PlanError, match=r"plan\.json"):
            load_plan(str(path))
    path.write_text("{")
    with pytest.raises(PlanError, match="is no JSON"):
        load_plan(str(path))
    with pytest.raises(PlanError, match="can't be read"):
        load_plan(str(tmp_path / "missing.json"))
    assert load_plan("") is None


def test_without_a_plan_the_worker_decodes_as_ever_and_loads_nothing_for_it() -> None:
    plain = Decoder("EUR")
    planned = Decoder("EUR", plan=plan({}).check)

    assert Merge([], plain)._decode == plain.decode
    assert Merge([], planned)._decode == planned.decode_planned


def test_a_worker_sets_aside_what_breaks_the_plan_with_the_original_whole() -> None:
    world = World()
    world.send(
        added("ada", 0, "a1"), ordered("ada", 1, "o1"), ordered("bea", 2, "o2", email="bea@x.org", currency="EUR")
    )

    async def work() -> None:
        tenure = world.tenure(decoder=Decoder("USD", plan=plan({"Order Completed": EUROS}).check))
        await tenure.open()
        await world.work(tenure)

    run(work())
    (rejected,) = world.values("rejected")
    assert (rejected["reason"], rejected["topic"]) == ("plan_violation", "orders")
    assert json.loads(rejected["original"])["order_id"] == "o1"
    ada, bea = world.profile("user_id:ada"), world.profile("user_id:bea")
    assert ada is not None
    assert bea is not None
    assert (ada.orders.count, bea.orders.count) == (0, 1)


def test_the_collector_sets_it_aside_too_and_answers_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"events": {"Product Viewed": {"required": ["email"]}}}))
    shop = site(files={"tracking_plan": str(path)})

    assert shop.post("/v1/track", viewed()).status == 200
    assert [one["reason"] for one in shop.rejected] == ["plan_violation"]
    assert shop.events == []


def test_the_plan_sees_the_event_as_every_source_becomes_it() -> None:
    """Segment's camel case and amounts as texts are the adapter's matter: the plan is one for all sources."""
    decoder = Decoder(
        "EUR",
        plan=plan(
            {"Product Viewed": {"properties": {"product": {"properties": {"price_minor": {"maximum": 989}}}}}}
        ).check,
    )
    call = {**viewed(), "timestamp": "2026-03-01T00:00:00Z"}
    dearer = decoder.decode_planned(json.dumps(call).encode(), START_MS)
    call["properties"]["price"] = "9.89"

    assert isinstance(dearer, Problem)
    assert "$.product.price_minor" in dearer.detail
    assert isinstance(decoder.decode_planned(json.dumps(call).encode(), START_MS), Arrival)


def test_the_plan_of_the_documentation_is_one() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "repair-what-was-set-aside.md"
    text = page.read_text().partition("```json plan\n")[2].partition("```")[0]
    shown = TrackingPlan(msgspec.json.decode(text, type=PlanDocument))

    assert shown.check(order(email="a@x.org", currency="EUR")) is None
    assert shown.check(order(currency="EUR")) is not None
