"""Our evaluation of an expression is the library's, on random conditions and customers; and it reads what it says it reads."""

from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import example, given, settings
from hypothesis import strategies as st

from profiles.book import Book
from profiles.document import document
from profiles.engine import Engine
from profiles.expressions.errors import Failed, Problem
from profiles.expressions.expression import compile_expression
from profiles.expressions.scope import Scope
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import Moment
from profiles.view import ProfileView
from schemas import events
from schemas.events import Arrival, ConsentChange, Product
from tests.laws import oracle
from tests.laws.expressions import bools
from tests.laws.histories import MINUTE_MS, START_MS, histories

BOOK = Book()
TRAITS: dict[str, Any] = {
    "tier": "gold",
    "age": 33.0,
    "none": None,
    "tags": ["tea", 1.0, True],
    "address": {"city": "Ulm"},
    "vip": True,
}


def customer(story: list[Arrival], traits: dict[str, Any]) -> Profile:
    """Ada after a history, with traits and a consent."""
    profile, ledger, engine = Profile("user_id:ada"), Ledger(complete=True), Engine(BOOK)
    consent = (ConsentChange(state="GRANT", channel="email"),)
    said = events.Identified(message_id="t", timestamp_ms=START_MS, user_id="ada", traits=traits, consent=consent)
    for told in [Arrival(said, START_MS, START_MS, "user_id:ada", "ada"), *story]:
        engine.step(profile, told, Moment(told.time_ms), ledger, [])
    return profile


def ours(text: str, profile: Profile, now_ms: int, *, exact: bool = False) -> object:
    try:
        return compile_expression(text, exact=exact).met(Scope(ProfileView(profile, BOOK, now_ms)))
    except Failed:
        return "failed"


RICH = [
    Arrival(
        events.OrderCompleted(
            message_id=f"o{number}",
            timestamp_ms=START_MS + number * 40 * 1440 * MINUTE_MS,
            user_id="ada",
            order_id=f"o{number}",
            revenue_minor=5000 * (number + 1),
            currency=currency,
            products=(Product(product_id="A", category="tea", price_minor=5000),),
        ),
        START_MS + number * 40 * 1440 * MINUTE_MS,
        START_MS + number * 40 * 1440 * MINUTE_MS,
        "user_id:ada",
        "ada",
    )
    for number, currency in enumerate(("USD", "EUR"))
]


@settings(max_examples=150)
@given(
    bools(3), histories(), st.sampled_from((TRAITS, {}, {"vip": 3.0, "tier": 1.0, "age": "33", "tags": {"tea": 1.0}}))
)
@example("profile.orders.per_year > 1.0 && 'tea' in profile.interests.categories", RICH, TRAITS)
@example('profile.ltv.by_currency["EUR"].net_minor == 10000 || has(profile.orders.days_between)', RICH, TRAITS)
@example("profile.orders.aov_minor / 0 == 1 || true", RICH, TRAITS)
@example("[1, 0].exists(x, 1 / x > 5) || [0, 1].all(x, 1 / x > 5)", [], {})
def test_an_expression_gives_what_the_library_gives(text: str, story: list[Arrival], traits: dict[str, Any]) -> None:
    profile = customer(story, traits)
    now_ms = START_MS + 90 * 1440 * MINUTE_MS
    try:
        expected = oracle.outcome(text, document(profile, BOOK, now_ms), now_ms)
    except RuntimeError:  # the library's type check refuses it, and so do we
        with pytest.raises(Problem):
            compile_expression(text)
        return
    if not isinstance(expected, bool):
        expected = "failed"

    assert ours(text, profile, now_ms) == expected
    try:
        exact = ours(text, profile, now_ms, exact=True)
    except Problem:  # it does with time what a segment must not
        return
    assert exact == expected


WORDS = (
    "profile",
    ".",
    "orders",
    "count",
    "has",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "?",
    "&&",
    "||",
    "!",
    "-",
    "+",
)
MORE_WORDS = (
    "==",
    "<",
    "in",
    "1",
    "2.5",
    "1u",
    "'a'",
    '"7d"',
    "null",
    "true",
    "views",
    "ago",
    "category",
    "now",
    "now_ms",
)
STILL_MORE = (
    "carts",
    "exists",
    "map",
    "c",
    "interests",
    "categories",
    "ltv",
    "traits",
    "x",
    "dyn",
    "int",
    "timestamp",
    "\n",
)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from((*WORDS, *MORE_WORDS, *STILL_MORE)), max_size=14).map("".join) | st.text(max_size=20),
    st.booleans(),
)
@example("[profile.orders][0].per_year > 2.0", True)
@example('[profile.interests][0].categories["a"] > 2.0 && profile.interests.categories == {}', True)
@example("views(ago)", True)
@example("profile.orders{count: 1}", False)
@example("type(profile.ltv) == profile.ltv", False)
def test_any_text_is_an_expression_or_is_refused_with_a_place(text: str, exact: bool) -> None:
    refused: Problem | None = None
    try:
        compile_expression(text, exact=exact)
    except Problem as problem:
        refused = problem

    if refused is not None:
        assert refused.message
        assert 0 <= refused.span.start <= len(text)


PLAIN = cel.NewEnv()


@pytest.mark.parametrize(
    "text",
    [
        "-7 / 2 == -3 && -7 % 2 == -1 && 7 / -2 == -3 && 7 % -2 == 1",
        "9223372036854775807 + 1 == 0 || true",
        "1.0 / 0.0 > 1e300 && -1.0 / 0.0 < -1e300 && !(0.0 / 0.0 == 0.0 / 0.0)",
        "1u + 2u == 3u && 5u / 2u == 2u",
        "dyn(1u - 2u) == dyn(0u) || true",
        "dyn(1) == dyn(1u) && dyn(1) == dyn(1.0) && dyn(true) != dyn(1) && dyn(null) != dyn(0)",
        "dyn([1, 2.0]) == dyn([1.0, 2]) && dyn({'a': 1}) == dyn({'a': 1.0})",
        "{1: 'a'}[1] == 'a' && {true: 'b'}[true] == 'b' && (dyn({1: 'a'})[dyn(1.0)]) == 'a'",
        "dyn({true: 'a'})[dyn(1)] == 'a' || true",
        "[1, 2, 3][dyn(1.0)] == 2",
        "size('héé') == 3 && size([1, 2]) == 2 && size({'a': 1}) == 1 && size(b'abc') == 3",
        "'a' < 'b' && b'a' < b'b' && false < true && '\\uffff' < '\\U0001F600'",
        "type(1) == int && type('a') == string && type(dyn(1.5)) == double && type(null) == null_type",
        "type([1]) == list && type({'a': 1}) == map && type(int) == type && type(1u) == uint && type(b'') == bytes",
        "string(1.0) == '1' && string(0.1) == '0.1' && string(true) == 'true' && string(12u) == '12'",
        "int('12') == 12 && int(-1.9) == -1 && double('1e3') == 1000.0 && int(1u) == 1 && uint(3) == 3u",
        "timestamp('2026-02-03T04:05:06.789Z').getFullYear() == 2026",
        "timestamp('2026-02-03T04:05:06.789Z').getMonth() == 1",
        "timestamp('2026-02-03T04:05:06.789Z').getDate() == 3",
        "timestamp('2026-02-03T04:05:06.789Z').getDayOfMonth() == 2",
        "timestamp('2026-02-03T04:05:06.789Z').getDayOfYear() == 33",
        "timestamp('2026-02-01T04:05:06.789Z').getDayOfWeek() == 0",
        "timestamp('2026-02-03T04:05:06.789Z').getHours('Europe/Berlin') == 5",
        "timestamp('2026-02-03T04:05:06.789Z').getHours('-02:30') == 1",
        "timestamp('2026-02-03T04:05:06.789Z').getMinutes('-02:30') == 35",
        "timestamp('2026-02-03T04:05:06.789Z').getSeconds() == 6",
        "timestamp('2026-02-03T04:05:06.789Z').getMilliseconds() == 789",
        "duration('90m').getHours() == 1 && duration('90m') > duration('1h')",
        "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
        "timestamp('2026-01-01T00:00:00Z') + duration('1h') < timestamp('2026-01-01T02:00:00Z')",
        "timestamp('9999-12-31T00:00:00Z') + duration('1000h') > timestamp('2026-01-01T02:00:00Z') || true",
        "'abc'.matches('^a.c$') && !'abc'.matches('^b')",
        "'a' in {'a': null} && {'a': null}.a == null && has({'a': null}.a) && !has({'a': null}.b)",
        "[1, 2, 3].map(x, x > 1, x * 2) == [4, 6] && [[1], [2, 3]].exists(l, l.exists(x, x == 3))",
        "[0, 1].exists_one(x, 1 / x > 0) || true",
        "{'a': 1, 'b': 2}.all(k, k < 'c') && {'a': 1}.map(k, k) == ['a']",
        "(dyn(3) && true) || true",
        "!dyn(3) || true",
        "[1, 2] + [3] == [1, 2, 3] && b'a' + b'b' == b'ab' && 'a' + 'b' == 'ab'",
        "true ? true : (1 / 0 == 1)",
        "[1].exists(c, [2].exists(c, [3].exists(d, c == 2 && d == 3)))",
        "[1].map(c, [2].map(d, [3].map(c, c + d))) == [[[5]]] && [1].exists(c, [5].exists(d, d > 1) && c == 1)",
        "[1u, 2u][0] + 3u == 4u && {'a': 1u}.a < 2u && [1u] == [1u] && 1u in [1u]",
        "bytes('a') + b'b' == b'ab' && size(bytes('é')) == 2 && bytes('a') in [b'a'] && dyn(bytes('a')) == dyn(b'a')",
        "string(bytes(string(b'a'))) == 'a' && type(bytes('a')) == bytes && [bytes('a')].exists(b, b + b == b'aa')",
        "(dyn(bytes(string(1))) in dyn({'a': 1})) || true",
        "dyn({dyn(bytes(string(1))): 1}) == dyn(1) || true",
        "'x'.contains('') && ''.startsWith('') && 'aé'.endsWith('é')",
    ],
)
def test_the_language_s_own_rules_hold(text: str) -> None:
    assert PLAIN.compile(text).eval().plain_value() is True
    assert ours(text, Profile("user_id:ada"), START_MS) is True


PATHS = {
    "orders.count": "profile.orders.count >= 0",
    "carts": "profile.carts.exists(c, c.value_minor > 1)",
    "traits": 'profile.traits.tier == "gold"',
    "interests.categories": 'profile.interests.categories["tea"] > 1.0',
}


@pytest.mark.parametrize("path, text", PATHS.items(), ids=PATHS)
def test_an_expression_names_the_fields_it_reads(path: str, text: str) -> None:
    assert compile_expression(text).reads == {path}
