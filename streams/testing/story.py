"""Stories in near-English for a shop's own rules: what customers do at which time of day, and what they are sent for it.

    story = Story(rules="rules.toml")
    story.at("10:00").ana.adds("tent", to="cart")
    story.at("12:00")
    assert story.ana.got == [Sent("11:00", "cart.abandoned")]

Everything goes through the real engine under a simulated clock: nothing waits, and the same story gives the same ids. Times
are those of the shop's zone. A story begins on Monday, 2 March 2026, at midnight; "day 3 10:00" is the Wednesday of that week.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.goods_state import Good
from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import Ledger, Moment
from profiles.told import Told
from profiles.turn import Output
from profiles.zones import instant
from schemas import events
from schemas.events import Arrival, ConsentChange, Event, Product
from schemas.money import exponent
from schemas.outputs import Decision, Trigger, TriggerOutcome
from streams.book_files import read_rules_file
from streams.trigger_registry import all_triggers

FIRST_DAY: Final = datetime(2026, 3, 2)  # noqa: DTZ001 -- it gets the shop's zone in each story
_TIME: Final = re.compile(r"^(?:day (\d+) +)?([01]?\d|2[0-3]):([0-5]\d)$")

Goods = str | Product


class StoryError(AssertionError):
    """The story itself is wrong: a time that can't be read, or that lies before what was told already."""


class Sent(NamedTuple):
    """A trigger that went out: when ("11:00", "day 2 08:07"), and which."""

    at: str
    name: str


class Story:
    """A shop and its customers, who come to be when they are named: `story.ana`.

    `rules` are Rules or the path of a rules file (the built-in defaults where left out), `triggers` those that take part
    (all that are installed), `book` whatever else the shop has decided; it brings its own rules. Raises BookError for a rules
    file that can't be used.
    """

    def __init__(
        self,
        rules: Rules | Path | str | None = None,
        *,
        book: Book | None = None,
        triggers: Iterable[TriggerDefinition[Any]] | None = None,
    ) -> None:
        self.triggers = all_triggers() if triggers is None else tuple(triggers)
        book = book or Book()
        if rules is not None:
            if isinstance(rules, Rules):
                book = replace(book, rules=rules)
            else:
                read = read_rules_file(Path(rules))
                book = replace(
                    book, rules=read.rules, costs=read.costs, conditions=read.conditions, segments=read.segments
                )
        self.book = book
        self.goods: dict[str, Good] = {}
        """What is known of prices and stock, by product id."""
        self.facts: dict[str, Told] = {}
        """What events told of products besides."""
        self._zone = ZoneInfo(book.shop_timezone)
        self._engine = Engine(book, self.triggers)
        self._people: dict[str, Person] = {}
        self._day = 0
        self.now_ms = instant(FIRST_DAY.replace(tzinfo=self._zone))
        self.messages = 0

    def at(self, time: str) -> "Story":
        """Time goes on until then: "10:00" of the same day, or "day 2 10:00". What is due by then is decided.

        Raises StoryError for a time that can't be read, or that has passed.
        """
        match = _TIME.match(time)
        if match is None:
            raise StoryError(f'{time!r} is no time; write "10:00", or "day 2 10:00"')
        day = int(match[1]) - 1 if match[1] else self._day
        local = (FIRST_DAY + timedelta(days=day)).replace(hour=int(match[2]), minute=int(match[3]), tzinfo=self._zone)
        at_ms = instant(local)
        if at_ms < self.now_ms:
            raise StoryError(f"{time} is past: the story stands at {self.shown(self.now_ms)}")
        self._day, self.now_ms = day, at_ms
        for person in self._people.values():
            person.fire()
        return self

    def customer(self, name: str) -> "Person":
        """A customer by her user id; the same as `story.<name>` where that is a word."""
        if name not in self._people:
            self._people[name] = Person(self, name)
        return self._people[name]

    def __getattr__(self, name: str) -> "Person":
        if name.startswith("_"):
            raise AttributeError(name)
        return self.customer(name)

    def shown(self, at_ms: int) -> str:
        """An instant as stories write it."""
        local = datetime.fromtimestamp(at_ms / 1000, self._zone)
        day = (local.replace(tzinfo=None) - FIRST_DAY).days
        return f"{local:%H:%M}" if day == 0 else f"day {day + 1} {local:%H:%M}"

    def moment(self) -> Moment:
        """The clock as the engine reads it: what is due at this minute is decided too."""
        return Moment(self.now_ms + 1, goods=self.goods, facts=self.facts)

    @property
    def engine(self) -> Engine:
        """The engine everything goes through."""
        return self._engine


class Person:
    """A customer in a story: what she does (each answers herself, to go on), and what she got.

    Prices are in major units (49.90) of the shop's currency.
    """

    def __init__(self, story: Story, name: str) -> None:
        self.story, self.name = story, name
        self.profile = Profile(f"user_id:{name}")
        self.ledger = Ledger(complete=True)
        self.out: list[Output] = []

    # --- what she does ---

    def agrees(self, channel: str = "email") -> "Person":
        """She agrees to hear from the shop."""
        return self.does(events.ConsentChanged, consent=(ConsentChange(state="GRANT", channel=channel),))

    def unsubscribes(self, channel: str = "email") -> "Person":
        """She does not want to hear from the shop any more."""
        return self.does(events.Unsubscribed, message_channel=channel)

    def signs_up(self) -> "Person":
        """She opens an account."""
        return self.does(events.SignedUp)

    def tells(self, **traits: Any) -> "Person":
        """She tells of herself: `tells(birthday="1990-02-28")`."""
        return self.does(events.Identified, traits=traits)

    def looks_at(self, what: Goods, **more: Any) -> "Person":
        """She looks at a product, in the browser."""
        return self.does(events.ProductViewed, product=self._product(what, **more), channel="browser")

    def searches(self, query: str, hits: int | None = None) -> "Person":
        """She searches in the shop."""
        return self.does(events.ProductsSearched, query=query, results=hits, channel="browser")

    def wishes_for(self, what: Goods, **more: Any) -> "Person":
        """She puts a product on her wishlist."""
        return self.does(events.ProductAddedToWishlist, product=self._product(what, **more), channel="browser")

    def adds(self, what: Goods, to: str | None = None, **more: Any) -> "Person":
        """She puts a product into a cart."""
        return self.does(events.ProductAdded, product=self._product(what, **more), cart_id=self._cart(to))

    def removes(self, what: Goods, from_: str | None = None, **more: Any) -> "Person":
        """She takes a product out of a cart."""
        return self.does(events.ProductRemoved, product=self._product(what, **more), cart_id=self._cart(from_))

    def starts_checkout(self, checkout: str | None = None, *, of: str | None = None) -> "Person":
        """She begins to pay, for a cart."""
        return self.does(events.CheckoutStarted, checkout_id=checkout, cart_id=self._cart(of) if of else None)

    def orders(
        self,
        *what: Goods,
        price: float | Decimal | None = None,
        number: str | None = None,
        cart: str | None = None,
        **fields: Any,
    ) -> "Person":
        """She orders goods of this price each; the number of the order is her name and how many she has placed, unless said."""
        order_id = number or f"{self.name}-{self.profile.orders.count + 1}"
        products = tuple(self._product(one, price=price) for one in what)
        cart_id = self._cart(cart) if cart else None
        return self.does(events.OrderCompleted, order_id=order_id, products=products, cart_id=cart_id, **fields)

    def does(self, kind: type[Event], **fields: Any) -> "Person":
        """Any event of the wire, now, with these fields."""
        story = self.story
        story.messages += 1
        fields = {"message_id": f"{self.name}-{story.messages}", "user_id": self.name, **fields}
        event = kind(timestamp_ms=story.now_ms, **fields)
        self._apply(Arrival(event, story.now_ms, story.now_ms, self.profile.id, self.name))
        return self

    def fire(self) -> None:
        """Let what is due by now be decided."""
        self.story.engine.fire(self.profile, self.story.moment(), self.ledger, self.out)

    def _apply(self, arrival: Arrival) -> None:
        # What is due at this very minute is decided after what happens in it, as in a running partition.
        before = Moment(self.story.now_ms, goods=self.story.goods, facts=self.story.facts)
        self.story.engine.fire(self.profile, before, self.ledger, self.out)
        self.story.engine.step(self.profile, arrival, before, self.ledger, self.out)

    def _product(self, what: Goods, **more: Any) -> Product:
        if isinstance(what, Product):
            return what
        price = more.pop("price", None)
        if price is not None:
            more["price_minor"] = int(Decimal(str(price)).scaleb(exponent(self.story.book.shop_currency)))
        return Product(product_id=what, **more)

    def _cart(self, name: str | None) -> str | None:
        """Each customer has carts of her own, though two call theirs "cart"."""
        return None if name is None else f"{self.name}-{name}"

    # --- what she got ---

    @property
    def triggers(self) -> list[Trigger]:
        """Triggers that went out to her, whole, in order; those of held-out customers are not among them."""
        return [output for output in self.out if isinstance(output, Trigger) and not output.shadow]

    @property
    def got(self) -> list[Sent]:
        """When she was sent what."""
        return [Sent(self.story.shown(trigger.emitted_at_ms), trigger.name) for trigger in self.triggers]

    @property
    def outcomes(self) -> list[str]:
        """What became of it: "trigger.converted", "cart.recovered", "trigger.cancelled"."""
        return [output.name for output in self.out if isinstance(output, TriggerOutcome)]

    def waits_for(self, name: str) -> list[str]:
        """When triggers of this name will be due, as things stand."""
        due = sorted(episode.due_ms for episode in self.profile.episodes.values() if episode.name == name)
        return [self.story.shown(due_ms) for due_ms in due]

    def why_not(self, name: str) -> str | None:
        """Why the last of this name did not go out ("no_consent", "ordered"); None if it did, or if there was none."""
        decided = [output for output in self.out if isinstance(output, Decision) and output.name == name]
        return decided[-1].reason if decided else None
