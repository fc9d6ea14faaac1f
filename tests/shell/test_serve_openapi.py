"""The OpenAPI document says what is served: same routes, same schemas, and answers that keep to it under random requests."""

import json
from pathlib import Path
from typing import Any

import hypothesis
import jsonschema
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from profiles.profile import Profile
from streams.serve.app import asgi
from streams.serve.openapi import document
from streams.serve.routes import ROUTES
from tests.shell.serve_kit import BACK_KEY, DESK_TOKEN, TOKEN, Site, basic, site, told

ROOT = Path(__file__).parents[2]


def app() -> Site:
    shop = site(tokens={"fast": {"sha256": "0" * 64, "scopes": ["next"]}})
    shop.store(Profile("user_id:1"))
    return shop


def test_the_document_names_exactly_the_routes_there_are() -> None:
    named = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}

    assert named == {(route.method, route.path) for route in ROUTES}


def test_every_route_has_a_handler() -> None:
    shop = site()

    for route in ROUTES:
        source = "myshop" if route.body == "shopify" else "partner"
        path = route.path.replace("{id}", "user_id:1").replace("{source}", source)
        assert shop.ask(route.method, path).status not in {404, 405, 500}, route.path


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for methods in document()["paths"].values() for operation in methods.values()]

    assert len(names) == len(set(names))


def test_the_served_and_the_written_document_are_the_same() -> None:
    served = told(site().ask("GET", "/openapi.json"))

    assert served == document() == json.loads((ROOT / "docs/reference/openapi.json").read_text())


def test_a_real_profile_keeps_to_the_schema_of_the_document() -> None:
    shop = app()
    schemas = document()["components"]["schemas"]

    def check(name: str, path: str) -> None:
        answer = shop.get(f"/v1/profiles/user_id:1{path}")
        jsonschema.validate(told(answer), {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})

    for name, path in (("ProfileDocument", ""), ("Segments", "/segments"), ("Cart", "/cart"), ("Next", "/next")):
        check(name, path)


# --- random requests ------------------------------------------------------------------------------------------------

_whole = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig())
_whole.app = asgi(app().served.app)  # in this process, without a server
# One path of each handler and kind of guard; the short names go the same way.
schema = _whole.exclude(path_regex=r"^/v1/(.|identify|page|screen|group|alias|merge|import)$")


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
@schema.parametrize()
@hypothesis.settings(
    max_examples=8, deadline=None, suppress_health_check=list(hypothesis.HealthCheck), derandomize=True
)
def test_answers_keep_to_the_document(case: Any) -> None:
    headers = basic(BACK_KEY)
    if "/profiles/" in case.path or "/privacy/" in case.path:
        headers = {"Authorization": f"Bearer {TOKEN if '/profiles/' in case.path else DESK_TOKEN}"}

    # Messages that break the schema are set aside with a reason, on purpose: they are no refusal of the request.
    case.call_and_validate(headers=headers, excluded_checks=[negative_data_rejection])
