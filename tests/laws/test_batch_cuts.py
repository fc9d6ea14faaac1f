"""Law: what comes of a log does not depend on how it was cut, into fetches, into batches, or by the death of its owner."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles import sides
from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.life_rules import WelcomeRule
from profiles.rules import DAY_MS, HOUR_MS, Caps, Holdout, QuietHours
from profiles.triggers import CartAbandonedRule, CheckoutAbandonedRule
from schemas.events import CartUpdated, Event, Identified, OrderRefunded, PageViewed, Product
from streams.partition_limits import PartitionLimits
from tests.laws.histories import MINUTE_MS, START_MS, one_event
from tests.laws.owners import DEATHS, LIMITS, assert_the_same, played
from tests.shell.world import EAGER, World, ordered, run

DAY_MIN = 24 * 60


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """Events of four customers in the order of their arrival, some late by up to hours."""
    count = draw(st.integers(1, 30))
    found = []
    for number in range(count):
        minute = draw(st.integers(0, 2 * DAY_MIN))
        event = draw(one_event(minute, f"m{number}")).event
        user = draw(st.sampled_from(("ada", "bob", "cid", "dee")))
        fields: dict[str, Any] = {"user_id": user}
        if draw(st.booleans()):
            # On a device, sometimes one that others use too; not always logged in.
            fields = {
                "user_id": draw(st.sampled_from((user, None))),
                "anonymous_id": draw(st.sampled_from((f"{user}-phone", "kiosk"))),
            }
        for name in ("cart_id", "checkout_id", "order_id"):
            if getattr(event, name, None):
                fields[name] = f"{user}-{getattr(event, name)}"
        found.append(msgspec.structs.replace(event, **fields))
    lateness = [draw(st.integers(0, 90)) for _ in found]
    order = sorted(range(count), key=lambda n: found[n].timestamp_ms + lateness[n] * MINUTE_MS)
    return [found[n] for n in order]


HOLDING_OUT = replace(
    EAGER,
    rules=replace(
        EAGER.rules,
        holdout=Holdout(share=0.3),
        triggers={
            **EAGER.rules.triggers,
            "cart.abandoned": replace(EAGER.rule(CartAbandonedRule), holdout=0.5, holdout_group="left"),
            "checkout.abandoned": replace(EAGER.rule(CheckoutAbandonedRule), holdout=0.5, holdout_group="left"),
            "welcome": WelcomeRule(holdout=0.5),
        },
    ),
)
SHY = replace(
    EAGER,
    rules=replace(
        EAGER.rules, caps=Caps(max_in_24h=2, max_in_7d=3, max_in_day=1), quiet_hours=QuietHours(jitter_ms=HOUR_MS)
    ),
)
"""A shop that sends little, and nothing at night."""
UNTIL_MS = START_MS + 30 * DAY_MIN * MINUTE_MS


CONDITIONS, SEGMENTS = compile_conditions(
    EAGER.rules,
    {
        "looking": {"when": 'views("90m") >= 1'},
        "spending": {"when": 'spend_minor("2d") > 1000'},
        "lapsing": {"when": 'profile.last_seen_ms < ago("1d")'},
    },
)
BOOK = msgspec.structs.replace(EAGER, conditions=CONDITIONS, segments=SEGMENTS)


def told(log: Sequence[Event], **options: Any) -> World:
    """A world with the log, and segments that change with events and by themselves."""
    world = World(**{"engine": Engine(BOOK), **options})
    world.send(*log)
    return world


@given(log=logs(), limits=LIMITS, chunk=st.integers(1, 9))
@settings(max_examples=150, deadline=None)
def test_cutting_the_log_anywhere_gives_the_same_state_and_the_same_outputs(
    log: list[Event], limits: PartitionLimits, chunk: int
) -> None:
    whole = played(told(log), UNTIL_MS)
    cut = played(told(log, limits=limits), UNTIL_MS, chunk=chunk)

    assert_the_same(whole, cut)


def test_whether_facts_are_too_large_to_be_kept_apart_does_not_depend_on_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "BYTES_MAX", 8_000)
    lines = tuple(Product(product_id=f"p{number}", price_minor=900) for number in range(60))

    def cart(minute: int, user: str | None, *products: Product) -> Event:
        return CartUpdated(
            message_id=f"m{minute}",
            timestamp_ms=START_MS + minute * MINUTE_MS,
            user_id=user,
            anonymous_id="phone",
            cart_id=f"c{minute % 20}",
            products=products,
        )

    for grown in range(1, 20, 3):
        log = [cart(0, None)]
        log += [cart(minute, "ada", *(lines if minute >= 20 - grown else ())) for minute in range(1, 20)]
        log += [cart(minute, "ada") for minute in range(20, 40)]
        whole, cut = told(log), told(log, limits=PartitionLimits(batch_records=1))
        run(whole.all_done())
        run(cut.all_done())

        assert whole.stored() == cut.stored()


def test_what_an_order_came_with_does_not_depend_on_cuts_once_nothing_is_kept_apart_any_more() -> None:
    def at_ms(day: int) -> int:
        return START_MS + day * DAY_MIN * MINUTE_MS

    by_phone = msgspec.structs.replace(ordered("ada", 0, "o1"), user_id=None, anonymous_id="phone")
    login = Identified(message_id="m1", timestamp_ms=at_ms(1), user_id="ada", anonymous_id="phone")
    back = PageViewed(message_id="m2", timestamp_ms=at_ms(40), user_id="ada")
    refund = OrderRefunded(
        message_id="m3", timestamp_ms=at_ms(61), user_id="ada", order_id="o1", refund_id="r1", amount_minor=100
    )
    for log in ([by_phone, login, back, refund], [by_phone, login, refund, back]):
        whole, cut = told(log), told(log, limits=PartitionLimits(batch_records=1))
        run(whole.all_done())
        run(cut.all_done())

        assert whole.stored() == cut.stored()


@given(log=logs(), limits=LIMITS, chunk=st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_comparisons_of_hold_outs_do_not_depend_on_cuts_either(
    log: list[Event], limits: PartitionLimits, chunk: int
) -> None:
    """They need whole ledgers, which a short cache loses and a long one keeps."""
    whole = played(told(log, engine=Engine(HOLDING_OUT)), UNTIL_MS)
    cut = played(told(log, engine=Engine(HOLDING_OUT), limits=limits), UNTIL_MS, chunk=chunk)

    assert_the_same(whole, cut)


def marketing(world: World) -> dict[str, list[int]]:
    """When each customer was sent something that counts towards her caps."""
    sent: dict[str, list[int]] = {}
    for told in world.values("triggers"):
        if "trigger_class" not in told:
            sent.setdefault(told["customer"]["id"], []).append(told["emitted_at_ms"])
    return sent


@given(log=logs(), limits=LIMITS, chunk=st.integers(1, 9), deaths=DEATHS)
@settings(max_examples=60, deadline=None)
def test_caps_and_quiet_hours_hold_and_put_off_the_same_wherever_the_log_is_cut_and_owners_die(
    log: list[Event], limits: PartitionLimits, chunk: int, deaths: list[tuple[Any, int]]
) -> None:
    """Nobody here has a zone of her own, nor becomes one with somebody who was sent something."""
    whole = played(told(log, engine=Engine(SHY)), UNTIL_MS)
    cut = played(told(log, engine=Engine(SHY), limits=limits), UNTIL_MS, chunk=chunk, deaths=deaths)

    assert_the_same(whole, cut)
    for times in marketing(cut).values():
        for at_ms in times:
            assert sum(at_ms - DAY_MS < other_ms <= at_ms for other_ms in times) <= SHY.rules.caps.max_in_24h
            assert sum(at_ms - 7 * DAY_MS < other_ms <= at_ms for other_ms in times) <= SHY.rules.caps.max_in_7d
            assert sum(at_ms // DAY_MS == other_ms // DAY_MS for other_ms in times) <= SHY.rules.caps.max_in_day
            assert 8 <= at_ms // HOUR_MS % 24 < 21


@given(
    log=logs(),
    limits=LIMITS,
    deaths=DEATHS,
)
@settings(max_examples=150, deadline=None)
def test_an_owner_may_die_anywhere_and_the_next_one_ends_up_where_nobody_had_died(
    log: list[Event], limits: PartitionLimits, deaths: list[tuple[Any, int]]
) -> None:
    whole = played(told(log), UNTIL_MS)
    outlived = played(told(log, limits=limits), UNTIL_MS, deaths=deaths)

    # Nothing is lost, and since the tail of each output was read back after each death, nothing is there twice.
    assert_the_same(whole, outlived)
