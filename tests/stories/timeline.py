"""One customer's story, told in minutes: events go through the real engine under a simulated clock.

`Timeline` plays one profile as a partition would: before each event all timers due strictly before the clock fire, and the
clock is the newest event time seen (no disorder allowance, so that a story's minutes are exact).
"""

from typing import Any

from msgspec import Raw

from profiles.book import Book
from profiles.catalogue import Catalogue
from profiles.conditions import compile_conditions
from profiles.engine import Engine
from profiles.goods import change_of
from profiles.goods_state import UNKNOWN, Good
from profiles.order_state import Ledger
from profiles.product_facts import with_word
from profiles.profile import Profile
from profiles.rules import Caps, QuietHours, Rules, TriggerRule
from profiles.state import Moment, encode
from profiles.told import Told
from profiles.turn import Output
from schemas import events
from schemas.decode import others_of
from schemas.events import SHOP, Arrival, CatalogueEvent, ConsentChange, Event, Product
from schemas.moves import Absorb
from schemas.outputs import Decision, Trigger, TriggerOutcome

MINUTE_MS = 60_000
HOUR = 60
DAY = 24 * HOUR
START_MS = 1_772_409_600_000
"""2026-03-02 00:00 UTC, a Monday: minute 0 of every story."""


def shop(
    *triggers: TriggerRule, catalogue: Catalogue | None = None, segments: dict[str, Any] | None = None, **general: Any
) -> Book:
    """A shop with these rules of triggers; unless said, it has no quiet hours and caps that nobody reaches.

    So each story tells of one thing; what caps and quiet hours do has stories of its own. `segments` are tables of the rules.
    """
    many = Caps(max_in_24h=1000, max_in_7d=1000, max_in_day=1000)
    rules = Rules.of(*triggers, **{"caps": many, "quiet_hours": QuietHours(enabled=False), **general})
    conditions, kept = compile_conditions(rules, segments)
    return Book(rules=rules, catalogue=catalogue or Catalogue(), conditions=conditions, segments=kept)


def ms(minutes: float) -> int:
    """The instant of a story's minute."""
    return START_MS + round(minutes * MINUTE_MS)


def product(product_id: str, price_minor: int | None = 1000, quantity: float = 1, **more: Any) -> Product:
    """A product with a price; quantity 1 unless said."""
    return Product(product_id=product_id, price_minor=price_minor, quantity=quantity, **more)


class Timeline:
    """A customer with marketing consent, and everything that comes out of her story."""

    def __init__(self, book: Book | None = None, *, customer: str = "user_id:ada", consent: bool = True) -> None:
        self.engine = Engine(book or shop())
        self.profile = Profile(customer)
        self.orders = Ledger(complete=True)
        self.out: list[Output] = []
        self.goods: dict[str, Good] = {}
        self.facts: dict[str, Told] = {}
        self.clock_ms = START_MS - 1
        self._count = 0
        self._told_by = (
            "m" if customer == "user_id:ada" else f"{customer} "
        )  # two who become one have said different things
        if consent:
            self.tell(events.ConsentChanged, -DAY, consent=(ConsentChange(state="GRANT", channel="email"),))
            self.profile.milestones.welcomed_ms = START_MS - 1
            self.profile.episodes.clear()
            self.profile.decisions.clear()
            self.out.clear()

    def tell(self, kind: type[Event], minute: float, *, arrives: float | None = None, **fields: Any) -> "Timeline":
        """An event that happened at `minute` and reached us at minute `arrives` (at once, unless said)."""
        self._count += 1
        kind_of_id, _, value = self.profile.id.partition(":")
        fields.setdefault("message_id", f"{self._told_by}{self._count}")
        fields.setdefault(kind_of_id, value)
        event = kind(timestamp_ms=ms(minute), **fields)
        received_ms = ms(minute if arrives is None else arrives)
        self.clock_ms = max(self.clock_ms, ms(minute), received_ms if arrives is not None else 0)
        at = Moment(self.clock_ms, goods=self.goods, facts=self.facts)
        self.engine.fire(self.profile, at, self.orders, self.out)
        arrival = Arrival(event, ms(minute), received_ms, self.profile.id, value, others_of(event, self.profile.id))
        self.engine.step(self.profile, arrival, at, self.orders, self.out)
        return self

    def shop_tells(
        self, kind: type[CatalogueEvent], product_id: str, minute: float, *, place: int = 0, **fields: Any
    ) -> "Timeline":
        """An event of the catalogue; `place` is how many stock alerts of the shop are older than hers."""
        self._count += 1
        fields.setdefault("message_id", f"m{self._count}")
        event = kind(timestamp_ms=ms(minute), product_id=product_id, **fields)
        self.clock_ms = max(self.clock_ms, ms(minute))
        self.engine.fire(self.profile, Moment(self.clock_ms, goods=self.goods, facts=self.facts), self.orders, self.out)
        arrival = Arrival(event, ms(minute), ms(minute), SHOP, product_id)
        for key, word in self.engine.words(arrival):
            self.facts[key] = with_word(self.facts.get(key, ()), word)
        change = change_of(self.goods.get(product_id, UNKNOWN), arrival, "USD")
        if change is not None:
            self.goods[change.key] = change.after
            if self.engine.wakes(change):
                self.engine.hear(
                    self.profile, change, place, Moment(self.clock_ms, goods=self.goods, facts=self.facts), self.out
                )
        return self

    def until(self, minute: float) -> "Timeline":
        """Nothing more happens until this minute; timers due at it fire too."""
        self.clock_ms = max(self.clock_ms, ms(minute) + 1)
        self.engine.fire(self.profile, Moment(self.clock_ms, goods=self.goods, facts=self.facts), self.orders, self.out)
        return self

    def becomes_one_with(self, other: "Timeline") -> "Timeline":
        """Another customer of the shop is found to be her: what is known of both is hers from now on."""
        self.clock_ms = max(self.clock_ms, other.clock_ms)
        at = Moment(self.clock_ms, goods=self.goods, facts=self.facts)
        self.engine.fire(self.profile, at, self.orders, self.out)
        entries = tuple(Raw(encode(entry)) for entry in other.orders.all())
        absorb = Absorb(
            cause="login",
            at_ms=self.clock_ms,
            into=self.profile.id,
            absorbed=other.profile.id,
            closing=True,
            profile=Raw(other.profile.pack()),
            entries=entries,
        )
        self.engine.move(self.profile, absorb, at, self.orders, self.out)
        return self

    def new_rules(self, book: Book) -> "Timeline":
        """The rules change; what waits is planned anew, and she is looked at by their segments."""
        self.engine, at = Engine(book), Moment(self.clock_ms, goods=self.goods, facts=self.facts)
        self.engine.replan(self.profile, at)
        self.engine.take_up(self.profile, at, self.orders, self.out)
        return self

    # --- the words of a shop -------------------------------------------------------------------------------------

    def add(self, what: str | Product, minute: float, *, cart: str | None = "c1", **fields: Any) -> "Timeline":
        item = product(what) if isinstance(what, str) else what
        return self.tell(events.ProductAdded, minute, cart_id=cart, product=item, **fields)

    def remove(self, what: str | Product, minute: float, *, cart: str | None = "c1", **fields: Any) -> "Timeline":
        item = product(what) if isinstance(what, str) else what
        return self.tell(events.ProductRemoved, minute, cart_id=cart, product=item, **fields)

    def price(self, what: str, minute: float, price_minor: int, **fields: Any) -> "Timeline":
        return self.shop_tells(events.ProductPriceChanged, what, minute, price_minor=price_minor, **fields)

    def stock(self, what: str, minute: float, available: int, **fields: Any) -> "Timeline":
        return self.shop_tells(events.ProductStockChanged, what, minute, available=available, **fields)

    def facts_of(self, what: str, minute: float, **fields: Any) -> "Timeline":
        """The shop tells facts of a product."""
        return self.shop_tells(events.ProductUpdated, what, minute, **fields)

    def order(self, order_id: str, minute: float, *what: str | Product, **fields: Any) -> "Timeline":
        items = tuple(product(item) if isinstance(item, str) else item for item in what)
        return self.tell(events.OrderCompleted, minute, order_id=order_id, products=items, **fields)

    def view(self, what: str | Product, minute: float, **fields: Any) -> "Timeline":
        """She looks at a product in the browser."""
        item = product(what) if isinstance(what, str) else what
        return self.tell(events.ProductViewed, minute, product=item, **{"channel": "browser", **fields})

    def search(self, query: str, minute: float, **fields: Any) -> "Timeline":
        """She searches in the browser."""
        return self.tell(events.ProductsSearched, minute, query=query, **{"channel": "browser", **fields})

    def wish(self, what: str | Product, minute: float, **fields: Any) -> "Timeline":
        """She puts a product on her wishlist."""
        item = product(what) if isinstance(what, str) else what
        return self.tell(events.ProductAddedToWishlist, minute, product=item, **{"channel": "browser", **fields})

    # --- what came out -------------------------------------------------------------------------------------------

    @property
    def triggers(self) -> list[Trigger]:
        """Emitted triggers, in order."""
        return [output for output in self.out if isinstance(output, Trigger)]

    def sent(self, name: str) -> list[Trigger]:
        """Emitted triggers of a name, in order."""
        return [trigger for trigger in self.triggers if trigger.name == name]

    def emitted(self, name: str) -> list[float]:
        """At which minutes a trigger was emitted."""
        return [(output.emitted_at_ms - START_MS) / MINUTE_MS for output in self.triggers if output.name == name]

    @property
    def outcomes(self) -> list[tuple[str, str | None]]:
        """What became of emitted triggers: (name, reason)."""
        return [(output.name, output.reason) for output in self.out if isinstance(output, TriggerOutcome)]

    def decisions(self, name: str) -> list[tuple[str, str | None]]:
        """The life of a trigger's episodes: (state, reason)."""
        return [
            (output.state, output.reason) for output in self.out if isinstance(output, Decision) and output.name == name
        ]

    def waiting(self, name: str) -> list[float]:
        """At which minutes armed episodes of a trigger are due."""
        return sorted((e.due_ms - START_MS) / MINUTE_MS for e in self.profile.episodes.values() if e.name == name)
