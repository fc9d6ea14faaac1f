"""The pages on conditions name all there is, and what they recommend is accepted."""

import re
from pathlib import Path

import pytest

from profiles.expressions.expression import compile_expression
from profiles.expressions.functions import FUNCTIONS
from profiles.expressions.messages import STANDARD_FUNCTIONS
from profiles.expressions.shapes import EPISODE, PROFILE, every_shape
from schemas import events
from streams.conditions_reference import conditions_page
from tests.core.test_segments import happens, ordered, shop_with

ROOT = Path(__file__).parents[2]
PAGE = conditions_page()
RECIPES = re.findall(r"^\| [^|]+ \| `(.+)` \|$", (ROOT / "docs/how-to/write-a-segment.md").read_text(), re.MULTILINE)


def test_the_reference_names_every_field() -> None:
    for shape in every_shape(PROFILE, EPISODE):
        for field in shape.fields.values():
            assert f"| `{field.name}` | {field.told} |" in PAGE


def test_the_reference_names_every_function() -> None:
    for name in (*STANDARD_FUNCTIONS, *(function.name for function in FUNCTIONS)):
        assert re.search(rf"\b{name}\b", PAGE), name


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_can_be_a_segment(recipe: str) -> None:
    assert compile_expression(recipe, exact=True).reads or "(" in recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_no_recipe_fails_on_a_customer_of_whom_little_is_known(recipe: str) -> None:
    """Who copied them was told by the alert on failing conditions to ask `has()` first."""
    shop = shop_with(recipe=recipe)
    happens(shop, events.PageViewed, 0)
    happens(shop, events.Identified, 1)
    ordered(shop, 10, "o1", 5000)

    assert shop.segments.failures.take() == ()


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 10


def test_the_examples_in_the_notes_of_functions_are_accepted() -> None:
    for function in FUNCTIONS:
        for example in re.findall(r"`([^`]+)`", function.note):
            if "(" in example and not example.startswith("category"):
                text = example if re.search(r"[<>]|exists", example) else f"{example} > 0"
                assert compile_expression(text, exact=True).text == text
