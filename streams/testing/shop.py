"""What the shop does in a story, and how things of the wire are made for one."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from profiles.book import Book
from profiles.goods import key_of
from profiles.goods_state import UNKNOWN
from profiles.product_facts import with_word
from profiles.rules import Rules
from schemas import events
from schemas.events import SHOP, Arrival, CatalogueEvent
from schemas.money import exponent
from schemas.nearest import near
from streams.book_files import read_rules_file
from streams.testing.faults import LEFT_OUT, told

if TYPE_CHECKING:
    from streams.testing.story import Story

S = TypeVar("S", bound=msgspec.Struct)


class StoryError(AssertionError):
    """The story itself is wrong: a time that can't be read or has passed, a word that there is not, a question about somebody
    of whom nothing was told.
    """


def made(kind: type[S], also: tuple[str, ...] = (), **fields: Any) -> S:
    """One of the wire's things. Raises StoryError for a field that it has not, one that lacks, or a value that none can have.

    `also` are words that stand for fields.
    """
    name = kind.__struct_config__.tag or kind.__name__
    for field in fields:
        if field not in kind.__struct_fields__:
            raise StoryError(f"{name} has no field {field!r}; {near(field, (*kind.__struct_fields__, *also))}")
    try:
        thing = kind(**fields)
        msgspec.json.decode(msgspec.json.encode(thing), type=kind)
    except (TypeError, ValueError) as error:
        raise StoryError(f"{name}: {error}") from None
    return thing


def with_rules(book: Book, rules: Rules | Path | str) -> Book:
    """The book with these rules, or those of a file. Raises BookError."""
    if isinstance(rules, Rules):
        return replace(book, rules=rules)
    read = read_rules_file(Path(rules))
    return replace(book, rules=read.rules, costs=read.costs, conditions=read.conditions, segments=read.segments)


class Shop:
    """What the shop does in a story. Prices are in major units (49.90) of its currency."""

    def __init__(self, story: "Story") -> None:
        self.story = story

    def prices(self, what: str, price: float | Decimal, **more: Any) -> "Shop":
        """A product costs this from now on."""
        return self.does(events.ProductPriceChanged, product_id=what, price_minor=self.minor(price), **more)

    def has(self, what: str, pieces: int, **more: Any) -> "Shop":
        """So many pieces of a product are in stock."""
        return self.does(events.ProductStockChanged, product_id=what, available=pieces, **more)

    def describes(self, what: str, **facts: Any) -> "Shop":
        """It tells of a product: `describes("tent", category="camping")`."""
        return self.does(events.ProductUpdated, product_id=what, **facts)

    def decides(self, rules: Rules | Path | str) -> "Shop":
        """Other rules hold from now on, as when a rules file is changed under running workers: what waits is planned anew.

        Raises BookError for a rules file that can't be used.
        """
        self.story.use(with_rules(self.story.book, rules))
        return self

    def does(self, kind: type[CatalogueEvent], **fields: Any) -> "Shop":
        """Any event of the catalogue, now, with these fields. Everybody who watches the product hears of it."""
        story = self.story
        if not issubclass(kind, CatalogueEvent):
            raise StoryError(
                f"{kind.__name__} is nothing that a shop tells of products; say who does it: story.ana.does(...)"
            )
        story.messages += 1
        event = made(kind, **{"message_id": f"shop-{story.messages}", "timestamp_ms": story.now_ms, **fields})
        arrival = Arrival(event, story.now_ms, story.now_ms, SHOP, event.subject or "")
        for person in story.people:  # what was due before finds the goods as they were
            person.catch_up()
        for key, word in story.engine.words(arrival):
            story.facts[key] = with_word(story.facts.get(key, ()), word)
        change = story.engine.change(story.goods.get(key_of(event), UNKNOWN), arrival)
        if change is not None:
            story.goods[change.key] = change.after
            with told(f"{event.__struct_config__.tag} ({event.message_id}), at {story.shown(story.now_ms)}", LEFT_OUT):
                concerns = story.engine.wakes(change)
            alerts = [alert for person in story.people if (alert := person.alert_for(change.key)) is not None]
            for person in story.people if concerns else ():
                person.hear(change, alerts)
        return self

    def minor(self, price: float | Decimal) -> int:
        """A price in minor units. Raises StoryError for what is none."""
        try:
            return int(Decimal(str(price)).scaleb(exponent(self.story.book.shop_currency)))
        except (ArithmeticError, ValueError):
            raise StoryError(f"{price!r} is no price; write a number such as 49.90") from None
