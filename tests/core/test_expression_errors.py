"""A wrong condition is refused with file, line and column, the piece marked, and what would be right."""

import re
import tomllib
from pathlib import Path

import pytest

from profiles.expressions.errors import ExpressionError, Problem
from profiles.expressions.expression import LENGTH_MAX, compile_expression
from profiles.expressions.places import places_of
from profiles.expressions.source import Source
from profiles.segments import SEGMENTS_MAX, Segments

GOLDEN = (Path(__file__).parents[1] / "golden" / "conditions" / "errors.txt").read_text(encoding="utf-8")
CASES = [tuple(block.split("=>\n")) for block in GOLDEN.split("----\n")]


@pytest.mark.parametrize("document, message", CASES, ids=range(len(CASES)))
def test_a_mistake_is_told_in_these_words(document: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        Segments.compile(tomllib.loads(document), Source(document, "rules.toml"))

    assert str(refused.value) == message.removesuffix("\n")


def test_without_the_text_of_the_file_the_place_is_that_in_the_condition() -> None:
    with pytest.raises(ExpressionError) as refused:
        Segments.compile({"segments": {"big": {"when": "profile.orders.count > 1\n&& profile.ltv.nett > 3"}}})

    first_line, *marked = str(refused.value).splitlines()
    assert first_line.startswith("rules: segments.big.when:2:16: segments.big.when: there is no field `nett`")
    assert marked == ["    && profile.ltv.nett > 3", "                   ^^^^"]


@pytest.mark.parametrize("text", ["", "   ", "\n", "'", "((((", "profile.", "a.b.c.d", "💶 > 3", "x" * 50])
def test_whatever_is_written_there_is_a_word_on_it(text: str) -> None:
    with pytest.raises(Problem) as refused:
        compile_expression(text)

    assert refused.value.message
    assert 0 <= refused.value.span.start <= max(len(text), 1)


def test_an_expression_and_a_rules_file_have_bounds() -> None:
    with pytest.raises(Problem, match="longer than"):
        compile_expression("true || " * LENGTH_MAX + "true")
    with pytest.raises(ExpressionError, match="at most"):
        Segments.compile({"segments": {f"s{number}": {"when": "true"} for number in range(SEGMENTS_MAX + 1)}})


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1500 + "true" + ")" * 1500,
        "1" + " + 1" * 900 + " > 0",
        "profile.carts.exists(c, " * 30 + "true" + ")" * 30,
        "[1]" + ".map(x, x)" * 300 + ".size() > 0",
    ],
    ids=len,
)
def test_what_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="nested too deeply"):
        compile_expression(text)


@pytest.mark.parametrize(
    "text, told, marked",
    [
        (
            'now.getHours("Europe/Berlim") >= 9',
            'no time zone "Europe/Berlim"; did you mean "Europe/Berlin"',
            '"Europe/Berlim"',
        ),
        (
            'now.getHours("+25:00") >= 9',
            'no time zone "+25:00"; write one such as "Europe/Berlin" or "+02:00"',
            '"+25:00"',
        ),
        ("profile.orders.count => 2", "`=>` is written `>=`", "=>"),
        (
            'now > timestamp("2026-03-01")',
            'an instant is written as in timestamp("2026-03-01T00:00:00Z")',
            '"2026-03-01"',
        ),
        (
            'now - timestamp(profile.traits.since) > duration("7d")',
            'a duration has h, m or s, as in duration("36h"); spans of days are for functions: ago("7d"), orders("7d")',
            '"7d"',
        ),
    ],
)
def test_what_is_written_out_and_wrong_is_refused_and_not_found_out_customer_by_customer(
    text: str, told: str, marked: str
) -> None:
    with pytest.raises(Problem, match=re.escape(told)) as refused:
        compile_expression(text)

    span = refused.value.span
    assert text[span.start : span.start + span.length] == marked


@pytest.mark.parametrize(
    "text, told, marked",
    [
        ('profile.orders("30d") >= 1', "`orders` is written `orders(string)` or `orders(string, filter)`", "orders"),
        ('startsWith(profile.id, "user_id")', "`startsWith` is written `text.startsWith(t)`", "startsWith"),
        ('profile.traits.tier.string() == "gold"', "`string` is written `string(x)`", "string"),
        ("profile.carts.exists(c.value_minor > 5)", "`exists` is written `list.exists(x, test)`", "exists"),
        ("getHours(now) >= 9", "`getHours` is written `now.getHours(zone)`", "getHours"),
    ],
)
def test_a_function_there_is_but_written_otherwise_is_told_how(text: str, told: str, marked: str) -> None:
    with pytest.raises(Problem, match=re.escape(told)) as refused:
        compile_expression(text, "episode")

    assert "did you mean" not in refused.value.message
    span = refused.value.span
    assert text[span.start : span.start + span.length] == marked


def test_the_event_is_there_for_conditions_of_events_and_the_episode_for_those_of_episodes() -> None:
    assert compile_expression('event.product.category == "tea"', "event").reads == {"event"}
    assert compile_expression("episode.value_minor > 500", "episode").reads == {"episode"}
    for text, seen in (
        ("event.product == null", "episode"),
        ("episode.name == 'x'", "event"),
        ("event.x > 1", "event"),
    ):
        with pytest.raises(Problem, match="there is no"):
            compile_expression(text, seen)


DOCUMENTS = [
    'a = "x"',
    "a = 'x' # 'y'",
    'a = """\nx"""',
    "a = '''x'''",
    'a = """x\\\n   y"""',
    'a = "x\\ty\\u00e9\\"z"',
    'b = ["a", { a = "n" }, 1.5, 1979-05-27 07:32:00]\na = "x"',
    'b = { c = "q", d = [1, 2] }\na = "x"',
    'a = """x""quoted"" y"""',
    'b = true # a = "no"\n[c]\na = "z"\n[[d]]\na = "y"',
    '"b.c" = 1\na = "x"',
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_places_are_those_of_the_characters_of_a_text(document: str) -> None:
    value = tomllib.loads(document).get("a") or tomllib.loads(document)["c"]["a"]
    places = places_of(document, ("a",)) or places_of(document, ("c", "a"))

    assert places is not None
    assert len(places) == len(value) + 1
    for place, sign in zip(places, value, strict=False):
        assert document[place] in (sign, "\\")


def test_a_path_that_is_not_there_has_no_place() -> None:
    assert places_of('[a]\nb = "x"', ("a", "c")) is None
    assert places_of("", ("a",)) is None
