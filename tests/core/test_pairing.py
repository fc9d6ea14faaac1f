"""Orders as baskets: each once, as it stands, and gone when cancelled; a state that survives its file; recommendations."""

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.json import encode
from msgspec.structs import replace

from profiles.book import Book
from profiles.document import document
from profiles.insight.pairs import PairCounter
from profiles.models import Models, decode_models, encode_models
from profiles.profile import Profile
from profiles.state import Cart, CartLine
from schemas.events import OrderCancelled, OrderCompleted, OrderStateEvent, OrderUpdated, Product
from streams.cli import run
from streams.pairing.baskets import Baskets
from streams.pairing.learn import strongest, with_pairs
from streams.pairing.state import PairState, PairStateError, load, save
from streams.simulation.catalogue import BUNDLES
from streams.simulation.world import World

DAY_MS = 86_400_000


def event(kind: type[OrderStateEvent], order_id: str, day: int, *items: str, test: bool = False) -> OrderStateEvent:
    return kind(
        message_id=f"{kind.__name__}{order_id}{day}{items}",
        timestamp_ms=day * DAY_MS,
        order_id=order_id,
        products=tuple(Product(product_id=item) for item in items),
        test=test,
    )


def counted(*told: OrderStateEvent) -> Baskets:
    baskets = Baskets(PairCounter(gate=0))
    for one in told:
        baskets.take(one, one.timestamp_ms)
    return baskets


def test_a_changed_order_counts_as_it_stands_and_a_cancelled_one_not_at_all_whatever_comes_first() -> None:
    told = [
        event(OrderCompleted, "o1", 1, "tea", "jam"),
        event(OrderUpdated, "o1", 2, "tea", "bread"),
        event(OrderCompleted, "o2", 1, "tea", "jam"),
        event(OrderCancelled, "o2", 3),
        event(OrderCompleted, "o3", 1, "tea", "jam", test=True),
    ]
    for order in permutations(told):
        table = counted(*order, *order[:2]).counter.table()

        assert (table.baskets, table.items, table.pairs) == (1, {"bread": 1, "tea": 1}, {("bread", "tea"): 1})


baskets_told = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sets(st.sampled_from(("tea", "jam", "oil")), min_size=1), st.booleans()),
    max_size=12,
)


@given(told=baskets_told)
def test_counts_are_those_of_the_orders_left(told: list[tuple[str, set[str], bool]]) -> None:
    last: dict[str, set[str]] = {}
    gone: set[str] = set()
    baskets = Baskets(PairCounter(gate=0))
    for day, (order_id, items, cancels) in enumerate(told):
        kind = OrderCancelled if cancels else OrderUpdated
        one = event(kind, order_id, day, *sorted(items))
        baskets.take(one, one.timestamp_ms)
        gone |= {order_id} if cancels else set()
        last[order_id] = items
    left = [items for order_id, items in last.items() if order_id not in gone]

    table = baskets.counter.table()
    assert table.baskets == len(left)
    assert table.items == {name: n for name in ("jam", "oil", "tea") if (n := sum(name in items for items in left))}


def test_the_state_goes_on_where_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "state" / "pairs.bin"
    state = load(path, "shop")
    state.baskets.take(event(OrderCompleted, "o1", 1, "tea", "jam"), DAY_MS)
    state.offsets["orders:0"] = 7
    save(state, path)
    again = load(path, "shop")
    again.baskets.take(event(OrderCancelled, "o1", 2), 2 * DAY_MS)

    assert again.offsets == {"orders:0": 7}
    assert again.baskets.counter.table().items == {}
    assert [file.name for file in path.parent.iterdir()] == ["pairs.bin"]


def test_a_state_of_another_shop_or_no_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pairs.bin"
    save(PairState("one"), path)
    with pytest.raises(PairStateError, match="the pairs of one, not of other"):
        load(path, "other")
    path.write_bytes(b"?")
    with pytest.raises(PairStateError, match="delete it"):
        load(path, "one")


def bought() -> Models:
    """Thirty baskets of tea and jam, thirty of tea with oil in ten of them, forty of soap."""
    baskets = Baskets(PairCounter(gate=0))
    for number in range(100):
        items = ("tea", "jam") if number < 30 else ("tea", "honey") if number < 60 else ("soap",)
        baskets.take(event(OrderCompleted, f"o{number}", number, *items), number * DAY_MS)
    return with_pairs(Models(), baskets.counter)


def test_recommendations_survive_the_document_and_rank_by_evidence() -> None:
    models = decode_models(encode_models(bought()))

    assert models.together is not None
    assert set(models.together) == {"tea", "jam", "honey"}
    assert [(pair.a, pair.b, pair.count) for pair in strongest(models.together, 5)] == [
        ("honey", "tea", 30),
        ("jam", "tea", 30),
    ]


def test_sets_are_learned_with_the_pairs_and_the_last_ones_are_gone_by() -> None:
    first = bought()
    before = {"soap": ("soap", "towel"), "towel": ("soap", "towel")}
    learned = decode_models(encode_models(first))

    assert learned.bundles == {"honey": ("honey", "tea"), "tea": ("honey", "tea")}
    assert learned.v == 2
    counter = PairCounter(gate=0)
    for number in range(90):
        counter.add(("tea", "jam") if number < 30 else ("tea", "honey") if number < 60 else ("soap",), number)
    held = replace(first, bundles={"jam": ("jam", "tea"), "tea": ("jam", "tea")} | before)
    assert with_pairs(held, counter).bundles == {"jam": ("jam", "tea"), "tea": ("jam", "tea")}


def test_a_document_from_before_there_were_sets_is_read_as_it_is() -> None:
    document = (
        b'{"v":1,"id":"87c40e652d2dc6f8","as_of_day":0,"value":null,"repurchase":null,'
        b'"together":{"tea":[["jam",30,2.0,0.5,0.4,100.0]]},"refused":{}}'
    )
    models = decode_models(document)

    assert models.bundles is UNSET
    assert encode_models(models) == document


def test_a_profile_is_recommended_what_goes_with_her_cart_and_is_not_in_it() -> None:
    profile = Profile("user_id:7")
    line = CartLine("tea", None, 1, 0)
    profile.carts["c"] = Cart("c", lines={"tea": line, "jam": CartLine("jam", None, 1, 0)})

    assert document(profile, Book(models=bought()), 0).recommended == ("honey",)
    assert document(profile, Book(), 0).recommended == ()


def test_the_command_finds_what_the_simulated_shop_sells_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World(1, 400, 200)
    events_file, document_file = tmp_path / "events.jsonl", tmp_path / "models.json"
    events_file.write_bytes(b"\n".join(line.value for day in range(200) for line in world.lines_of(day)))

    assert run(["pairs", str(events_file), "--out", str(document_file)]) == 0
    assert "cat-food + cat-litter" in capsys.readouterr().out
    together = decode_models(document_file.read_bytes()).together
    assert together is not None
    best = [{pair.a, pair.b} for pair in strongest(together, 4)]
    assert all(pair in [{a, b} for a, b in BUNDLES.items()] for pair in best)


def test_an_order_of_the_year_9999_is_no_reason_to_forget_all_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pairs are forgotten with time, and the time is that of the newest order."""
    events_file = tmp_path / "events.jsonl"
    orders = [event(OrderCompleted, f"o{day}", day, "tea", "honey") for day in range(20_000, 20_040)]
    late = replace(event(OrderCompleted, "late", 1, "tea"), timestamp_ms=253_402_300_799_000)
    events_file.write_bytes(b"\n".join(encode(one) for one in [*orders, late]))
    out = tmp_path / "models.json"

    assert run(["pairs", str(events_file), "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("40 baskets")
    assert "1 events could not be used" in told.err


def test_the_command_says_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pairs"]) == 2
    assert "--state FILE" in capsys.readouterr().err
