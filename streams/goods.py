"""The goods of a partition within one batch: catalogue events taken in, and the customers who watch a product told of it.

A partition keeps price and stock of the products that somebody in it watches, and an index from each of these products to
its watchers; both change in the commits of the profiles. Catalogue events reach every partition (topic `fanout`); one about
a product that nobody watches costs its decoding and one look into a table in memory.

What comes out may not depend on where the log is cut into batches. So

- each customer sees the goods as they were at her record's place (`at`), though customers are worked through one by one;
- a change that wakes watchers comes first in its batch, on profiles and an index that hold everything before it;
- a product that something earlier in the batch may have begun to watch ends the batch before its event.

At most WAKES_MAX watchers hear of a change in one commit. The rest are put into a queue by that commit, and no further record
is taken until the queue is empty: a transition is told to each watcher once, whoever dies in between.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from profiles.goods import key_of
from profiles.goods_state import UNKNOWN, Good, GoodChange, Goods
from profiles.profile import Profile
from profiles.told import Told
from profiles.watches import index_changes, mentioned
from schemas.events import Arrival, CatalogueEvent
from streams.as_of import AsOf
from streams.product_facts import FACTS_SIGN, BatchFacts, decode_told
from streams.product_names import NAME_SIGN, BatchNames, Named, decode_named
from streams.wake import Wake

# Not Final, since compiled code would then keep this number where a law makes it small.
WAKES_MAX = 200
"""Watchers who hear of a change in one commit."""
GOODS_MAX: Final = 50_000
"""Products watched in one partition, some 250 bytes each. Above it those give way of which nothing was ever told."""
GIVE_WAY: Final = 1000
PLAIN: Final = 2**53 - 1
"""Score of a watcher without a stock alert: behind all those with one, whose score is the time they asked at."""


class Shop(Protocol):
    """What is asked of the engine about goods."""

    def change(self, good: Good, arrival: Arrival) -> GoodChange | None: ...

    def wakes(self, change: GoodChange) -> bool: ...


class BatchGoods:
    """The goods in one batch. `base` is what the partition knows, and is not changed here; `wake` what it is busy with;
    `names` are what products are called besides, `facts` what was told of them besides price and stock.

    `news` is the change that watchers hear of in this batch, if any. `asks` is the product whose watchers are to be loaded
    for it; where it is None they stand in the queue.
    """

    def __init__(
        self,
        shop: Shop,
        base: dict[str, Good],
        names: BatchNames,
        facts: BatchFacts,
        wake: Wake | None,
        partitions: int,
    ) -> None:
        self._shop, self._base, self._partitions = shop, base, partitions
        self.names, self.facts = names, facts
        self._before = wake
        self._told: dict[str, list[tuple[int, Good | None]]] = {}
        self._mentioned: set[str] = set()
        self._looked = 0
        self._index: dict[tuple[str, str], int | None] = {}
        self.news: GoodChange | None = None if wake is None else wake.change
        self.asks: str | None = None
        self.wake = wake
        self.queue: tuple[str, int] | None = None
        self.unqueue = 0

    # --- catalogue events -----------------------------------------------------------------------------------------

    def take(self, place: int, arrival: Arrival, earlier: list[Arrival]) -> bool:
        """Take in a catalogue event that names its product; false where the batch has to end before it.

        `earlier` are the customers' events before.
        """
        taken = self._take(place, arrival, earlier)
        if taken:
            self.names.learn(place, arrival)
            self.facts.learn(place, arrival)
        return taken

    def _take(self, place: int, arrival: Arrival, earlier: list[Arrival]) -> bool:
        event = arrival.event
        assert isinstance(event, CatalogueEvent)
        key = key_of(event)
        good = self.at(place).get(key)
        if good is None:
            return not self._may_be_watched(key, earlier)
        change = self._shop.change(good, arrival)
        if change is None:
            return True
        if self._shop.wakes(change):
            if place > 0:
                return False
            self.news, self.asks = change, key
        self._told.setdefault(key, []).append((place, change.after))
        return True

    def _may_be_watched(self, key: str, earlier: list[Arrival]) -> bool:
        for arrival in earlier[self._looked :]:
            self._mentioned.update(mentioned(arrival.event))
        self._looked = len(earlier)
        return key in self._mentioned

    @property
    def vary(self) -> bool:
        """Whether records of this batch may find other goods than those before them."""
        return bool(self._told)

    def at(self, place: int) -> Goods:
        """The goods as a record at this place finds them, and the timers before it."""
        return AsOf(self._base, self._told, place) if self._told else self._base

    # --- telling the watchers -------------------------------------------------------------------------------------

    def put_off(self) -> None:
        """Nobody hears of anything in this batch: other timers come first. Of the change nothing is kept."""
        self.news, self.asks = None, None
        self._told.clear()
        self.names.forget()
        self.facts.forget()

    def call(self, watchers: list[tuple[str, int]]) -> dict[str, int]:
        """Who hears of the news, of those that were loaded in their order (one more than WAKES_MAX where there are more): by
        profile id how many stock alerts of the shop are older. Each partition counts its own and takes the others to have as
        many.
        """
        assert self.news is not None
        woken = 0 if self._before is None else self._before.woken
        called = watchers[:WAKES_MAX]
        rest = len(watchers) > WAKES_MAX
        if self._before is not None:
            self.unqueue = len(called)
        elif rest:
            self.queue = (self.news.key, len(called))
        elif not watchers:
            # Nobody watches it any more: it is no good of this partition.
            self._told[self.news.key] = [(0, None)]
        self.wake = Wake(change=self.news, woken=woken + len(called)) if rest else None
        return {
            profile_id: (woken + number) * self._partitions if score != PLAIN else 0
            for number, (profile_id, score) in enumerate(called)
        }

    @property
    def ends_batch(self) -> bool:
        """Whether no further record may be taken after the news: not all have heard, or the product is forgotten."""
        return self.news is not None and (self.wake is not None or self._told.get(self.news.key) == [(0, None)])

    # --- what it changed ------------------------------------------------------------------------------------------

    def note(self, profile: Profile) -> None:
        """Bring the index up to date with what a customer watches now. Of a profile that is about to be written."""
        for key, alert in index_changes(profile).items():
            if alert is False:
                self._index[key, profile.id] = None
            else:
                self._index[key, profile.id] = alert[0] if isinstance(alert, tuple) else PLAIN

    def index(self) -> dict[tuple[str, str], int | None]:
        """Changes of the index: score by product and profile id, None where she watches it no more."""
        return self._index

    def changed(self, end: int) -> dict[str, Good | None]:
        """Goods that are new or not what they were after the records before `end`; None for one that goes."""
        changed = {key: good for key, told in self._told.items() for place, good in told if place < end}
        for (key, _), score in self._index.items():
            # A watch that ends in the batch it began in leaves what it would have left had the batch been cut between.
            known = changed.get(key) if key in changed and score is not None else self._base.get(key)
            if known is None and (score is not None or key not in changed):
                changed[key] = UNKNOWN
        room = GOODS_MAX - len(self._base) - sum(1 for key in changed if key not in self._base)
        if room < 0:
            untold = [key for key, good in self._base.items() if good == UNKNOWN and key not in changed]
            changed.update(dict.fromkeys(untold[: max(GIVE_WAY, -room)]))
        return changed


class Stored(NamedTuple):
    """What a partition's table holds of products, one beside the other: goods, names and facts."""

    goods: dict[str, Good]
    names: dict[str, Named]
    facts: dict[str, Told]


def split_stored(stored: Mapping[str, bytes]) -> Stored:
    """The goods, the names and the facts of a partition as its table holds them."""
    found = Stored({}, {}, {})
    for key, value in stored.items():
        if key.startswith(NAME_SIGN):
            found.names[key] = decode_named(value)
        elif key.startswith(FACTS_SIGN):
            found.facts[key.removeprefix(FACTS_SIGN)] = decode_told(value)
        else:
            found.goods[key] = decode_good(value)
    return found


encode_good = msgspec.json.Encoder().encode
decode_good = msgspec.json.Decoder(Good).decode
