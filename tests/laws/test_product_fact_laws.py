"""Laws of product facts: for each fact the newest word holds, whatever came first and however often it came; they are bounded."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.product_facts
from profiles.catalogue import Catalogue, Facts
from profiles.engine import Engine
from profiles.product_facts import OWN_FACTS, SHARED_FACTS, lookup, with_word
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
    story = []
    for number in range(count):
        says = draw(st.fixed_dictionaries({}, optional=of))
        unset = tuple(name for name in draw(st.sets(st.sampled_from(NAMES), max_size=3)) if name not in says)
        story.append(Word(draw(st.integers(1, 4)), f"m{number}", **says, unset=tuple(sorted(unset))))
    return story


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
        said = next((of for word in newest_first if (of := says(word, name)) is not None), None)
        kept = [of for word in told if (of := says(word, name)) is not None]

        assert kept == ([] if said is None else [said])  # and nothing that no longer holds is kept


def says(word: Word, name: str) -> object:
    """What a word says of a fact: its value, that it was taken back, or None for nothing."""
    value: object = getattr(word, name)
    return "taken back" if name in word.unset else None if value in (None, ()) else value


CATALOGUE = Catalogue(products={"tent": Facts(category="camping", supply_days=30.0, cost_minor=500)})


@given(story=words())
def test_what_was_taken_back_is_not_known_though_the_file_says_it(story: list[Word]) -> None:
    told, found = fold(story), lookup(CATALOGUE, {"tent": fold(story)}, "tent")
    for name in NAMES:
        said = next((of for word in told if (of := says(word, name)) is not None), None)
        empty = () if name in NAMES[-2:] else None
        expected = (
            getattr(CATALOGUE.products["tent"], name) if said is None else empty if said == "taken back" else said
        )

        assert getattr(found, name) == expected


def test_every_fact_that_is_kept_can_be_taken_back() -> None:
    assert set(get_args(events.Fact)) == {*SHARED_FACTS, *OWN_FACTS}


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
