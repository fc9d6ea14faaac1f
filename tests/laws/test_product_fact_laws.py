"""Laws of product facts: for each fact the newest word holds, whatever came first and however often it came; they are bounded."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.product_facts
from profiles.engine import Engine
from profiles.product_facts import with_word
from profiles.told import Told, Word
from schemas import events
from streams.goods import split_stored
from tests.laws.histories import MINUTE_MS, START_MS
from tests.shell.world import EAGER, World, run

NAMES = ("category", "brand", "cost_minor", "supply_days", "group", "name", "url", "complementary", "contents")


@st.composite
def words(draw: st.DrawFn) -> list[Word]:
    count = draw(st.integers(1, 8))
    texts, ids = st.sampled_from(("x", "y", "z")), st.sampled_from((("p",), ("q", "p")))
    made: dict[str, Any] = {"cost_minor": st.integers(0, 3), "supply_days": st.sampled_from((1.0, 2.0))}
    of = {name: made.get(name, ids if name in NAMES[-2:] else texts) for name in NAMES}
    return [
        Word(draw(st.integers(1, 4)), f"m{number}", **draw(st.fixed_dictionaries({}, optional=of)))
        for number in range(count)
    ]


def fold(story: list[Word]) -> Told:
    told: Told = ()
    for word in story:
        told = with_word(told, word)
    return told


@given(story=words(), data=st.data())
def test_facts_come_out_the_same_in_any_order_and_however_often_they_are_told(
    story: list[Word], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*story, *data.draw(st.lists(st.sampled_from(story), max_size=4))]))

    assert fold(story) == fold(again)


@given(story=words())
def test_each_fact_is_what_the_newest_word_that_names_it_says(story: list[Word]) -> None:
    told, newest_first = fold(story), sorted(story, key=lambda word: (word.at_ms, word.by), reverse=True)
    for name in NAMES:
        said = next((value for word in newest_first if (value := getattr(word, name)) not in (None, ())), None)
        kept = [value for word in told if (value := getattr(word, name)) not in (None, ())]

        assert kept == ([] if said is None else [said])  # and nothing that no longer holds is kept


def test_of_more_products_than_a_partition_keeps_those_told_longest_ago_give_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams.product_facts, "FACTS_MAX", 3)
    monkeypatch.setattr(streams.product_facts, "GIVE_WAY", 1)
    made = World(engine=Engine(EAGER))
    for number in range(6):
        at_ms = START_MS + number * MINUTE_MS
        made.send(
            events.ProductUpdated(message_id=f"m{number}", timestamp_ms=at_ms, product_id=f"p{number}", category="tea")
        )
        run(made.all_done())

    assert sorted(split_stored(made.table.snapshot().partitions[0].goods).facts) == ["p3", "p4", "p5"]
