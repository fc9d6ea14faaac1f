"""Homes of customers who tell each other what they have to: logins, splits and what is on its way, without a table."""

from typing import Any

from msgspec.structs import replace

from profiles.book import Book
from profiles.catalogue import Catalogue
from profiles.engine import Engine
from profiles.goods import change_of
from profiles.goods_state import UNKNOWN, Good
from profiles.links import NOBODY
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.rules import DAY_MS, Caps, QuietHours, Rules, TriggerRule
from profiles.state import Moment
from profiles.turn import Mail, Output
from schemas.decode import others_of
from schemas.events import (
    ID_TYPES,
    SHOP,
    Arrival,
    CommandAnswered,
    CommandEvent,
    ConsentChange,
    ConsentChanged,
    Event,
    Identified,
    NpsSubmitted,
    OrderCompleted,
    PageViewed,
    Product,
    ProductStockChanged,
    SplitProfile,
)
from schemas.moves import Move
from schemas.outputs import IdentityChange, Trigger

START_MS = 1_772_409_600_000
ADA, BOB = "user_id:ada", "user_id:bob"
MAIL, PHONE = "email:eve@example.org", "anonymous_id:phone"


def strongest_of(event: Event) -> str:
    """The home identifier of an event."""
    return next(f"{kind}:{value}" for kind in ID_TYPES if (value := getattr(event, kind)) is not None)


class Town:
    """Homes of customers, who tell each other what they have to in the order in which it is said."""

    def __init__(self, book: Book | None = None) -> None:
        self.engine = Engine(book or Book())
        self.homes: dict[str, tuple[Profile, Ledger]] = {}
        self.out: list[Output] = []
        self.goods: dict[str, Good] = {}
        self.count = 0

    def profile(self, name: str) -> Profile:
        return self.homes[name][0]

    def tell(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> "Town":
        """An event that names these identifiers, the strongest first."""
        arrival = self._arrival(kind, *names, day=day, **fields)
        return self.deliver(arrival, arrival.time_ms)

    def take_only(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> list[Arrival | Move]:
        """The same, but gives what follows from it, which nobody hears of yet."""
        arrival = self._arrival(kind, *names, day=day, **fields)
        return self._take(arrival, arrival.time_ms)

    def _arrival(self, kind: type[Event], *names: str, day: float = 0, **fields: Any) -> Arrival:
        self.count += 1
        at_ms = START_MS + round(day * DAY_MS)
        said = {name.partition(":")[0]: name.partition(":")[2] for name in names}
        known: dict[str, Any] = {"message_id": f"m{self.count}", "timestamp_ms": at_ms}
        event = kind(**(known | said | fields))
        own = names[0]
        return Arrival(event, at_ms, at_ms, own, own.partition(":")[2], others_of(event, own))

    def deliver(self, what: Arrival | Move, at_ms: int = START_MS) -> "Town":
        """One thing, and all that follows from it."""
        waiting: list[Arrival | Move] = [what]
        while waiting:
            waiting += self._take(waiting.pop(0), at_ms)
        return self

    def until(self, day: float) -> "Town":
        """Nothing more happens until this day; what comes due by then does so in its time."""
        at_ms = START_MS + round(day * DAY_MS)
        for profile, ledger in self.homes.values():
            while (due_ms := profile.next_due_ms()) is not None and due_ms <= at_ms:
                self.engine.fire(profile, Moment(due_ms + 1, due_ms + 1, goods=self.goods), ledger, self.out)
        return self

    def stock(self, product_id: str, day: float, available: int) -> "Town":
        """The shop has so many pieces from now on, and whoever watches the product hears of it."""
        self.count += 1
        at_ms = START_MS + round(day * DAY_MS)
        event = ProductStockChanged(
            message_id=f"m{self.count}", timestamp_ms=at_ms, product_id=product_id, available=available
        )
        change = change_of(self.goods.get(product_id, UNKNOWN), Arrival(event, at_ms, at_ms, SHOP, product_id), "USD")
        if change is not None:
            self.goods[change.key] = change.after
            for profile, _ in self.homes.values() if self.engine.wakes(change) else ():
                self.engine.hear(profile, change, 0, Moment(at_ms, goods=self.goods), self.out)
        return self

    def sent(self, name: str) -> list[tuple[str, int]]:
        """To whom a trigger went, and on which day."""
        found = [output for output in self.out if isinstance(output, Trigger) and output.name == name]
        return sorted(
            ((one.customer.id, round((one.emitted_at_ms - START_MS) / DAY_MS)) for one in found), key=lambda one: one[1]
        )

    def split(self, customer: str, identifier: str, day: float = 1, request_id: str = "T-1") -> "Town":
        return self.tell(SplitProfile, customer, day=day, identifier=identifier, request_id=request_id)

    def _take(self, what: Arrival | Move, at_ms: int) -> list[Arrival | Move]:
        out: list[Output] = []
        profile, ledger = self._home(what.customer)
        at = Moment(at_ms, at_ms)
        if isinstance(what, Arrival):
            while profile.redirect and not isinstance(what.event, CommandEvent):
                holder = self.engine.holder_at(profile, what.time_ms) or NOBODY
                what = replace(what, customer=holder, came_with=what.came_with or what.customer)
                profile, ledger = self._home(holder)
            self.engine.step(profile, what, at, ledger, out)
        elif self.engine.move(profile, what, at, ledger, out):
            self.homes[what.customer] = (profile, Ledger(complete=True))
        ledger.replaced = False
        self.homes[profile.id] = (decode_profile(profile.pack()), self.homes[profile.id][1])
        self.out += out
        passed = [
            Arrival(mail.event, at_ms, at_ms, strongest_of(mail.event), mail.home)
            for mail in out
            if isinstance(mail, Mail) and isinstance(mail.event, CommandEvent)
        ]
        return [*passed, *(output for output in out if isinstance(output, Move))]

    def _home(self, name: str) -> tuple[Profile, Ledger]:
        return self.homes.setdefault(name, (Profile(name), Ledger(complete=True)))

    @property
    def refusals(self) -> list[str]:
        answers = [mail.event for mail in self.out if isinstance(mail, Mail)]
        return [answer.refused for answer in answers if isinstance(answer, CommandAnswered) and answer.refused]

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        found = [output for output in self.out if isinstance(output, IdentityChange)]
        return [(change.name, change.customer_id, change.other) for change in found]


def soap() -> Product:
    return Product(product_id="soap", price_minor=1_000)


def bought(town: Town, *names: str, order_id: str, revenue_minor: int, day: float = 0) -> Town:
    return town.tell(OrderCompleted, *names, day=day, order_id=order_id, revenue_minor=revenue_minor, currency="USD")


def merged(book: Book | None = None) -> Town:
    """Ada, with whom Eve's address was united by one event; each has an order of her own."""
    town = bought(Town(book), ADA, order_id="a1", revenue_minor=1000)
    bought(town, MAIL, order_id="e1", revenue_minor=200)
    return town.tell(PageViewed, ADA, MAIL)


def nets(town: Town) -> dict[str, int]:
    return {name: profile.ltv.net for name, (profile, _) in town.homes.items() if not profile.redirect}


def united(*triggers: TriggerRule, merged: bool = True, catalogue: Catalogue | None = None) -> Town:
    """Ada, and an address that is taken for hers; both want to hear of the shop."""
    many = Caps(max_in_24h=100, max_in_7d=100, max_in_day=100)
    rules = Rules.of(*triggers, quiet_hours=QuietHours(enabled=False), caps=many)
    town = Town(Book(rules=rules, catalogue=catalogue or Catalogue()))
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="email"),))
    return town.tell(Identified, ADA, MAIL) if merged else town


def waits_for(town: Town, request_id: str) -> set[str]:
    """The homes that a request was passed on to and that have not answered."""
    answers = [output.event for output in town.out if isinstance(output, Mail)]
    told = [one for one in answers if isinstance(one, CommandAnswered) and one.request_id == request_id]
    assert any(one.first for one in told)
    return {mark for one in told for mark in one.passed_on} - {one.home for one in told}


def less_content(town: Town, whose: str) -> Town:
    """Who was delighted twice is so no longer."""
    for number, score in enumerate((10, 10, 7)):
        town.tell(NpsSubmitted, whose, day=number / 1000, survey_id=f"s{number}", score=score)
    return town
