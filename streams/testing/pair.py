"""Two names that turn out to be one customer, and two again: how the laws look at a trigger where profiles are merged and split.

Every other event of a history comes under an e-mail address. After a third of them an event names both; after two thirds the
address is taken out again.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.goods import key_of
from profiles.goods_state import UNKNOWN, Good
from profiles.ids import renamed
from profiles.order_state import Ledger
from profiles.profile import Profile, decode_profile
from profiles.state import Moment
from profiles.turn import Output
from schemas.decode import others_of
from schemas.events import Arrival, CatalogueEvent, Event, Identified, SplitProfile
from schemas.moves import Move
from schemas.outputs import Trigger
from streams.testing.faults import LEFT_OUT, LOST, told

ADA: Final = "user_id:ada"
MAIL: Final = "email:ada@example.org"
_HERE: Final = {ADA: {"user_id": "ada", "email": None}, MAIL: {"user_id": None, "email": "ada@example.org"}}


class Pair:
    """Two profiles, and what came out while a history was played to them. `united_ms` and `parted_ms` say when they were one."""

    def __init__(self, book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> None:
        self._engine = Engine(book, triggers)
        self._homes = {name: (Profile(name), Ledger(complete=True)) for name in _HERE}
        self._goods: dict[str, Good] = {}
        self.out: list[Output] = []
        self.united_ms = self.parted_ms = 0

    def play(self, story: list[Arrival]) -> "Pair":
        for number, one in enumerate(story):
            if number == len(story) // 3:
                self.united_ms = one.time_ms
                self._tell(Identified(message_id="united", timestamp_ms=one.time_ms), ADA, email="ada@example.org")
            if number == 2 * len(story) // 3:
                self.parted_ms = one.time_ms
                request = SplitProfile(message_id="", timestamp_ms=one.time_ms, request_id="split", identifier=MAIL)
                self._tell(request, ADA)
            if isinstance(one.event, CatalogueEvent):
                self._hear(one, one.event)
            else:
                self._tell(one.event, (ADA, MAIL)[number % 2])
        return self

    def end(self, clock_ms: int) -> "Pair":
        for profile, ledger in self._homes.values():
            with told("a timer", LOST):
                self._engine.fire(profile, Moment(clock_ms, goods=self._goods), ledger, self.out)
        return self

    @property
    def profiles(self) -> list[Profile]:
        return [profile for profile, _ in self._homes.values()]

    def twice(self, name: str, story: list[Arrival]) -> list[str]:
        """What was told of more than once: the first time as one customer or before, and then as one, or as two again. What each
        of two is told of in her own right, such as a birthday, is anchored in no message.
        """
        told_of: dict[tuple[str, str, int], int] = {}
        messages = {one.event.message_id for one in story}
        found = []
        for output in self.out:
            if isinstance(output, Trigger) and output.name == name:
                key, anchor = renamed(output.episode_key, MAIL, ADA), output.evidence[0]
                before_ms = told_of.setdefault((key, anchor, output.occurrence), output.emitted_at_ms)
                as_one = self.united_ms <= output.emitted_at_ms < self.parted_ms
                again = before_ms < output.emitted_at_ms and self.united_ms <= output.emitted_at_ms
                if again and (as_one or anchor in messages):
                    found.append(key)
        return found

    def _tell(self, event: Event, name: str, **names: str) -> None:
        event = replace(event, **(_HERE[name] | names))
        at_ms = event.timestamp_ms
        self.end(at_ms)
        arrival = Arrival(event, at_ms, at_ms, name, name.partition(":")[2], others_of(event, name))
        waiting: list[Arrival | Move] = [arrival]
        with told(f"{event.__struct_config__.tag} of a customer known under two names", LEFT_OUT):
            while waiting:
                waiting += self._take(waiting.pop(0), Moment(at_ms, goods=self._goods))

    def _take(self, what: Arrival | Move, at: Moment) -> list[Move]:
        out: list[Output] = []
        profile, ledger = self._homes[what.customer]
        if isinstance(what, Move):
            if self._engine.move(profile, what, at, ledger, out):
                ledger = Ledger(complete=True)
        else:
            holder = self._engine.holder_at(profile, what.time_ms)
            if holder is not None:
                what = replace(what, customer=holder, came_with=what.customer)
                profile, ledger = self._homes[holder]
            self._engine.step(profile, what, at, ledger, out)
        ledger.replaced = False
        self._homes[profile.id] = decode_profile(profile.pack()), ledger
        self.out += out
        return [output for output in out if isinstance(output, Move)]

    def _hear(self, one: Arrival, event: CatalogueEvent) -> None:
        """The shop tells of a product."""
        change = self._engine.change(self._goods.get(key_of(event), UNKNOWN), one)
        if change is not None:
            self._goods[change.key] = change.after
            with told(f"{event.__struct_config__.tag} to a customer known under two names", LEFT_OUT):
                for profile in self.profiles if self._engine.wakes(change) else ():
                    self._engine.hear(profile, change, 0, Moment(one.time_ms, goods=self._goods), self.out)
