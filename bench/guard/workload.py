"""What the guard counts instructions of: fixed streams through the core and through the partition loop, kind by kind.

    python -m bench.guard.workload reference=50 core-view=50 core-add=50 ...

Every input is made in full whatever the numbers say; they say only how much of it is worked on. So the difference of two
runs is that work and nothing else. The garbage collector is off: when it runs depends on all else that is in memory.
"""

import gc
import sys
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from bench.engines.regulars import RULES
from bench.generator import Scenario, records
from bench.guard import reference_loop
from profiles.book import Book
from profiles.engine import Engine
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import read_rules
from profiles.state import Moment
from profiles.triggers import RULE_TYPES
from profiles.turn import Output
from schemas.decode import Decoder
from schemas.events import Arrival
from streams.embedded import Embedded

START_MS: Final = 1_704_067_200_000
ARRIVED_MS: Final = START_MS + 400 * 86_400_000
"""When records came to the log: later than every event says it happened."""
DISORDER_MS: Final = 60_000
EVERY_MS: Final = 500
CART_DELAY_MS: Final = 30 * 60_000
CUSTOMERS: Final = 250
STREAM_CUSTOMERS: Final = 500
LOOP_BATCH: Final = 500
"""Records in a batch of the loop, as in a busy worker."""
MOST: Final = 2_000
"""So much input is made of everything."""


class Shop:
    """The core: an engine, and profiles in a dict."""

    def __init__(self) -> None:
        self.engine = Engine(Book(rules=read_rules(tomllib.loads(RULES), RULE_TYPES)))
        self.decoder = Decoder("USD")
        self.profiles: dict[str, tuple[Profile, Ledger]] = {}
        self.out: list[Output] = []

    def take(self, value: bytes) -> None:
        """Decode an event and apply it."""
        arrival = self.decoder.decode(value, ARRIVED_MS)
        assert isinstance(arrival, Arrival), arrival
        subject = self.profiles.get(arrival.customer)
        if subject is None:
            subject = self.profiles[arrival.customer] = (Profile(arrival.customer), Ledger(complete=True))
        self.engine.step(subject[0], arrival, Moment(arrival.time_ms - DISORDER_MS), subject[1], self.out)
        self.out.clear()

    def fire(self, profile: Profile, ledger: Ledger) -> None:
        """Let what is armed come due."""
        due_ms = profile.next_due_ms()
        assert due_ms is not None, "the profile has no timer: the rules of the guard no longer arm one"
        self.engine.fire(profile, Moment(due_ms + 1), ledger, self.out)
        self.out.clear()


def prepared(counts: Mapping[str, int]) -> dict[str, Callable[[], None]]:
    """The work of each part, all inputs made."""
    inputs = {
        "view": [_view(number) for number in range(MOST)],
        "add": [_cart(number, CUSTOMERS) for number in range(MOST)],
        "order": [_order(number) for number in range(MOST)],
        "mix": [record.value for record in records(Scenario(events=MOST, customers=STREAM_CUSTOMERS))],
    }
    left = [_cart(number, MOST) for number in range(MOST)]
    work: dict[str, Callable[[], None]] = {"reference": partial(_reference, counts["reference"])}
    for kind, values in inputs.items():
        work[f"core-{kind}"] = partial(_core, values[: counts[f"core-{kind}"]])
        work[f"loop-{kind}"] = partial(_loop, values[: counts[f"loop-{kind}"]])
    shop = Shop()
    for value in left:
        shop.take(value)
    armed = list(shop.profiles.values())
    work["core-timer"] = partial(_core_timers, shop, armed[: counts["core-timer"]])
    # Every cart is left at its own time; so many are due by then.
    loop = _fed(left)
    work["loop-timer"] = partial(_loop_timers, loop, START_MS + counts["loop-timer"] * EVERY_MS + CART_DELAY_MS)
    return work


def _reference(iterations: int) -> None:
    reference_loop.run(iterations)


def _core(values: list[bytes]) -> None:
    shop = Shop()
    for value in values:
        shop.take(value)


def _core_timers(shop: Shop, armed: list[tuple[Profile, Ledger]]) -> None:
    for profile, ledger in armed:
        shop.fire(profile, ledger)


def _loop(values: list[bytes]) -> None:
    """The whole way of a record but for servers: inbox, merge, decode, load, step, encode, commit, publish, in memory."""
    _fed(values).close()


def _fed(values: list[bytes]) -> Embedded:
    engine = Engine(Book(rules=read_rules(tomllib.loads(RULES), RULE_TYPES)))
    run = Embedded(engine, Decoder("USD"), on_row=lambda _: None, batch_records=LOOP_BATCH)
    run.feed((value, ARRIVED_MS) for value in values)
    return run


def _loop_timers(run: Embedded, until_ms: int) -> None:
    before = run.pace.timers_fired
    run.advance_to(until_ms)
    assert until_ms <= START_MS + CART_DELAY_MS or run.pace.timers_fired > before, "no timer fired in the loop"
    run.close()


# --- events of one kind -------------------------------------------------------------------------------------------


def _head(number: int, kind: str, customers: int) -> str:
    at_ms = START_MS + number * EVERY_MS
    return (
        f'{{"event":"{kind}","message_id":"{number:032x}","timestamp_ms":{at_ms},"received_at_ms":{at_ms + 40},'
        f'"user_id":"user-{number % customers}","channel":"browser",'
    )


def _product(number: int) -> str:
    return (
        f'{{"product_id":"p{number % 311}","name":"garden chair","category":"garden/aisle {number % 17}",'
        f'"brand":"brand {number % 23}","price_minor":{199 + number % 150 * 100},"quantity":1}}'
    )


def _view(number: int) -> bytes:
    return f'{_head(number, "Product Viewed", CUSTOMERS)}"product":{_product(number)}}}'.encode()


def _cart(number: int, customers: int) -> bytes:
    cart = f'"cart_id":"cart-{number % customers}-{number // customers // 4}","currency":"USD"'
    return f'{_head(number, "Product Added", customers)}{cart},"product":{_product(number)}}}'.encode()


def _order(number: int) -> bytes:
    lines = f"{_product(number)},{_product(number + 1)}"
    order = f'"order_id":"order-{number}","cart_id":"cart-{number}","currency":"USD","products":[{lines}]'
    return f"{_head(number, 'Order Completed', CUSTOMERS)}{order}}}".encode()


def main() -> None:
    """Do what the arguments say."""
    counts = {name: int(count) for name, _, count in (argument.partition("=") for argument in sys.argv[1:])}
    gc.disable()
    for work in prepared(counts).values():
        work()


if __name__ == "__main__":
    main()
