"""Stories in near-English for a shop's own rules: what customers do at which time of day, and what they are sent for it.

    story = Story(rules="rules.toml")
    story.at("10:00").ana.adds("tent", to="cart")
    story.at("12:00")
    assert story.ana.got == [Sent("11:00", "cart.abandoned")]

Everything goes through the real engine under a simulated clock: nothing waits, and the same story gives the same ids. Times
are those of the shop's zone. A story begins on Monday, 2 March 2026, at midnight; "day 3 10:00" is the Wednesday of that week.
What the shop does itself (prices, stock, other rules) is told by `story.shop`.

A trigger that raises an error, or leaves what can't be stored or published, is a TriggerFault that names it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Raw

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.goods_state import Good, GoodChange
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import Moment, encode
from profiles.told import Told
from profiles.turn import Output
from profiles.zones import instant
from schemas import events
from schemas.events import Arrival, ConsentChange, Event, Product
from schemas.moves import Absorb
from schemas.nearest import near
from schemas.outputs import Decision, Trigger, TriggerOutcome
from streams.careful import look
from streams.testing.faults import LEFT_OUT, LOST, told
from streams.testing.shop import Shop, StoryError, made, with_rules
from streams.trigger_registry import all_triggers, well_written

FIRST_DAY: Final = datetime(2026, 3, 2)  # noqa: DTZ001 -- it gets the shop's zone in each story
_TIME: Final = re.compile(r"^(?:day (\d+) +)?([01]?\d|2[0-3]):([0-5]\d)$")

Goods = str | Product


class Sent(NamedTuple):
    """A trigger that went out: when ("11:00", "day 2 08:07"), and which."""

    at: str
    name: str


class Story:
    """A shop and its customers, who come to be when they are named: `story.ana`.

    `rules` are Rules or the path of a rules file (the built-in defaults where left out), `triggers` those that take part
    (all that are installed), `book` whatever else the shop has decided; it brings its own rules. Raises BookError for a rules
    file that can't be used, TriggerLoadError for a trigger that is not written as triggers are.
    """

    def __init__(
        self,
        rules: Rules | Path | str | None = None,
        *,
        book: Book | None = None,
        triggers: Iterable[TriggerDefinition[Any]] | None = None,
    ) -> None:
        self.triggers = all_triggers() if triggers is None else tuple(map(well_written, triggers))
        book = book or Book()
        self.book = book if rules is None else with_rules(book, rules)
        self.shop = Shop(self)
        self.goods: dict[str, Good] = {}
        """What is known of prices and stock, by product id."""
        self.facts: dict[str, Told] = {}
        """What events told of products besides."""
        self._zone = ZoneInfo(book.shop_timezone)
        self._engine = Engine(self.book, self.triggers)
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
        return self._person(name, "user_id")

    def visitor(self, name: str) -> "Person":
        """Somebody whom nobody knows yet, by the name of her device; see `Person.logs_in`."""
        return self._person(name, "anonymous_id")

    def _person(self, name: str, kind: str) -> "Person":
        if name not in self._people:
            self._people[name] = Person(self, name, kind)
        elif self._people[name].kind != kind:
            raise StoryError(f"{name} is a {'visitor' if kind == 'user_id' else 'customer'} of this story already")
        return self._people[name]

    @property
    def people(self) -> "list[Person]":
        """Everybody of the story, in the order in which they came up."""
        return list(self._people.values())

    def known(self, name: str) -> str:
        """The name of a trigger. Raises StoryError where there is none of this name."""
        if name not in self._engine.triggers:
            raise StoryError(f"{name!r} is no trigger of this story; {near(name, self._engine.triggers)}")
        return name

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

    def use(self, book: Book) -> None:
        """From now on the shop has decided this; what waits is planned anew."""
        self.book, self._engine = book, Engine(book, self.triggers)
        for person in self.people:
            person.replan()


class Person:
    """A customer in a story: what she does (each answers herself, to go on), and what she got.

    Prices are in major units (49.90) of the shop's currency.
    """

    def __init__(self, story: Story, name: str, kind: str = "user_id") -> None:
        self.story, self.name, self.kind = story, name, kind
        self.profile = Profile(f"{kind}:{name}")
        self.ledger = Ledger(complete=True)
        self.out: list[Output] = []
        self._did = False
        self._is: Person | None = None
        """Who she turned out to be."""

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

    # --- what she says ---

    def declines(self, channel: str = "email") -> "Person":
        """She does not agree to hear from the shop."""
        return self.does(events.ConsentChanged, consent=(ConsentChange(state="DENY", channel=channel),))

    def lives_in(self, zone: str) -> "Person":
        """Her clock is that of another time zone: `lives_in("Asia/Tokyo")`."""
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise StoryError(f'{zone!r} is no time zone; write one such as "Europe/Berlin"') from None
        return self.does(events.Identified, timezone=zone)

    def answers(self, score: int, **more: Any) -> "Person":
        """She says from 0 to 10 whether she would recommend the shop."""
        return self.does(events.NpsSubmitted, score=score, **more)

    def reviews(self, what: str, rating: int | None = None, **more: Any) -> "Person":
        """She writes a review of a product, with 1 to 5 stars."""
        return self.does(events.ProductReviewed, product_id=what, rating=rating, **more)

    def complains(self, ticket: str = "ticket") -> "Person":
        """She opens a ticket at the shop's service."""
        return self.does(events.TicketOpened, ticket_id=f"{self.name}-{ticket}")

    def is_helped(self, ticket: str = "ticket") -> "Person":
        """Her ticket is resolved."""
        return self.does(events.TicketResolved, ticket_id=f"{self.name}-{ticket}")

    # --- what becomes of her orders: the last one, unless a number is said ---

    def receives(self, number: str | None = None) -> "Person":
        """A parcel arrives."""
        return self.does(events.OrderDelivered, order_id=self._order(number))

    def cancels(self, number: str | None = None) -> "Person":
        """She cancels an order."""
        return self.does(events.OrderCancelled, order_id=self._order(number))

    def is_refunded(self, amount: float | Decimal | None = None, number: str | None = None) -> "Person":
        """She gets money back for an order: this much, or all of it."""
        minor = None if amount is None else self.story.shop.minor(amount)
        return self.does(events.OrderRefunded, order_id=self._order(number), amount_minor=minor)

    def _order(self, number: str | None) -> str:
        placed = [entry for entry in self.ledger.all() if entry.placed_ms is not None]
        if number is None and not placed:
            raise StoryError(f"{self.name} has not ordered anything yet")
        return number or max(placed, key=lambda entry: (entry.placed_ms or 0, entry.order_id)).order_id

    # --- what she turns out to be ---

    def logs_in(self, on: str) -> "Person":
        """She logs in on a device that was a visitor's so far (`story.visitor("phone")`): the two are one from now on."""
        visitor = self.story.visitor(on)
        if visitor._is is not None:
            raise StoryError(f"{on} turned out to be {visitor._is.name} already")
        self.catch_up()
        visitor.catch_up()
        if visitor._did:
            absorb = Absorb(
                cause="login",
                at_ms=self.story.now_ms,
                into=self.profile.id,
                absorbed=visitor.profile.id,
                closing=True,
                profile=Raw(visitor.profile.pack()),
                entries=tuple(Raw(encode(entry)) for entry in visitor.ledger.all()),
            )
            with self._told(f"what was known of the visitor {on}", LEFT_OUT):
                self.story.engine.move(self.profile, absorb, self._before(), self.ledger, self.out)
        visitor.profile, visitor.ledger, visitor.out, visitor._is = self.profile, self.ledger, self.out, self
        return self.does(events.Identified, anonymous_id=on)

    # --- anything else ---

    def does(self, kind: type[Event], **fields: Any) -> "Person":
        """Any event of the wire that is about a customer, now, with these fields. Raises StoryError for a field that it has not,
        and for a value that no event may have.
        """
        story = self.story
        if issubclass(kind, events.ShopEvent):
            raise StoryError(f"{kind.__name__} is about no customer; the shop tells it: story.shop.does(...)")
        story.messages += 1
        fields = {
            "message_id": f"{self.name}-{story.messages}",
            "timestamp_ms": story.now_ms,
            self.kind: self.name,
            **fields,
        }
        event = made(kind, **fields)
        self._did = True
        self._apply(Arrival(event, story.now_ms, story.now_ms, self.profile.id, self.profile.id.partition(":")[2]))
        return self

    def fire(self) -> None:
        """Let what is due by now be decided."""
        self._fire(self.story.moment())

    def catch_up(self) -> None:
        """Let what was due before this very minute be decided."""
        self._fire(self._before())

    def replan(self) -> None:
        """The rules have changed: what waits is planned anew, and she is looked at by segments that are new."""
        if self._is is None:
            with self._told("new rules", LEFT_OUT):
                self.story.engine.replan(self.profile, self._before())
                self.story.engine.take_up(self.profile, self._before(), self.ledger, self.out)

    def hear(self, change: GoodChange, alerts: Iterable[tuple[int, str]]) -> None:
        """A product changed, which she may watch. `alerts` are the open stock alerts for it."""
        if self._is is not None or change.key not in self.profile.watches:
            return
        hers = self.alert_for(change.key)
        older = 0 if hers is None else sum(alert < hers for alert in alerts)
        with self._told(f"news of {change.key}", LEFT_OUT):
            self.story.engine.hear(self.profile, change, older, self._before(), self.out)

    def alert_for(self, key: str) -> tuple[int, str] | None:
        """Her open stock alert for a product: when, and its id."""
        watch = None if self._is is not None else self.profile.watches.get(key)
        return watch.alert if watch is not None and watch.waits else None

    def _apply(self, arrival: Arrival) -> None:
        # What is due at this very minute is decided after what happens in it, as in a running partition.
        self.catch_up()
        kind = arrival.event.__struct_config__.tag
        with self._told(f"{kind} ({arrival.event.message_id})", LEFT_OUT):
            self.story.engine.step(self.profile, arrival, self._before(), self.ledger, self.out)

    def _fire(self, at: Moment) -> None:
        if self._is is None:
            with self._told("a timer", LOST):
                self.story.engine.fire(self.profile, at, self.ledger, self.out)

    def _before(self) -> Moment:
        return Moment(self.story.now_ms, goods=self.story.goods, facts=self.story.facts)

    @contextmanager
    def _told(self, what: str, then: str) -> Iterator[None]:
        before = len(self.out)
        with told(f"{what} of {self.name}, at {self.story.shown(self.story.now_ms)}", then):
            yield
            look(self.profile, self.out[before:])

    def _product(self, what: Goods, **more: Any) -> Product:
        if isinstance(what, Product):
            return what
        price = more.pop("price", None)
        if price is not None:
            more["price_minor"] = self.story.shop.minor(price)
        return made(Product, ("price",), product_id=what, **more)

    def _cart(self, name: str | None) -> str | None:
        """Each customer has carts of her own, though two call theirs "cart"."""
        return None if name is None else f"{self.name}-{name}"

    # --- what she got ---

    @property
    def triggers(self) -> list[Trigger]:
        """Triggers that went out to her, whole, in order; those of held-out customers are not among them."""
        return [output for output in self._told_of() if isinstance(output, Trigger) and not output.shadow]

    @property
    def got(self) -> list[Sent]:
        """When she was sent what."""
        return [Sent(self.story.shown(trigger.emitted_at_ms), trigger.name) for trigger in self.triggers]

    @property
    def outcomes(self) -> list[str]:
        """What became of it: "trigger.converted", "cart.recovered", "trigger.cancelled"."""
        return [output.name for output in self._told_of() if isinstance(output, TriggerOutcome)]

    def waits_for(self, name: str) -> list[str]:
        """When triggers of this name will be due, as things stand."""
        self._told_of()
        name = self.story.known(name)
        due = sorted(episode.due_ms for episode in self.profile.episodes.values() if episode.name == name)
        return [self.story.shown(due_ms) for due_ms in due]

    def why_not(self, name: str) -> str | None:
        """Why the last of this name did not go out ("no_consent", "ordered"); None if it did, or if there was none."""
        decided = [one for one in self._decisions() if one.name == self.story.known(name)]
        return decided[-1].reason if decided else None

    def happened(self, name: str | None = None) -> list[str]:
        """All that was decided about her, or about one trigger, in order: "12:00 cart.abandoned armed, due 13:00",
        "13:00 cart.abandoned suppressed: no_consent". Where a story does not end as you thought, this says what happened instead.
        """
        wanted = None if name is None else self.story.known(name)
        return [self._line(one) for one in self._decisions() if wanted in (None, one.name)]

    def _line(self, one: Decision) -> str:
        shown = self.story.shown
        line = f"{shown(one.at_ms)} {one.name} {one.state}"
        if one.reason:
            line += f": {one.reason}"
        if one.state == "armed" and one.due_at_ms is not None:
            line += f", due {shown(one.due_at_ms)}"
        return line if one.until_ms is None else f"{line}, until {shown(one.until_ms)}"

    def _decisions(self) -> list[Decision]:
        return [output for output in self._told_of() if isinstance(output, Decision)]

    def _told_of(self) -> list[Output]:
        if not self._did:
            others = [person.name for person in self.story.people if person._did]
            raise StoryError(f"nothing was told of {self.name} in this story; {near(self.name, others)}")
        return self.out
