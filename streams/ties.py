"""Who may become one customer within a batch: found before it runs, so that their records are applied together.

A batch applies one customer after the other, which is right while they know nothing of each other. Where an event names a
further identifier that is at home in the same partition and not known yet, where an identifier is a redirect, or where a
move is addressed to one, their records have to be taken in the order of the log. `Ties` finds such groups, rather too many
than too few. Most batches have none.
"""

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from profiles.links import ALIAS, NOBODY
from profiles.profile import Profile
from schemas.events import Arrival, SplitProfile
from schemas.moves import Link, Move
from streams.home import home_partition

Identifiers = tuple[tuple[str, str], ...]


class Member(Protocol):
    """What a cluster needs of a customer's part in the batch."""

    customer: str
    places: list[int]


M = TypeVar("M", bound=Member)


class Cluster(Generic[M]):
    """Customers whose records are applied together: each place of the batch with whose it is, in order.

    `next` is the one at hand; `begun` says that it was applied and that what follows from it (`moves`) was not yet.
    `customer` is whom the last attempt was about.
    """

    def __init__(self, groups: list[M]) -> None:
        self.groups = groups
        self.members = {group.customer for group in groups}
        self.places = sorted(((place, group) for group in groups for place in group.places), key=lambda at: at[0])
        self.moves: list[Move] = []
        self.next = 0
        self.begun = False
        self.customer = ""


class Ties:
    """Collects ties while a batch is planned, then works out what follows from them."""

    def __init__(self, partition: int, partitions: int) -> None:
        self._partition, self._partitions = partition, partitions
        self._asked: list[tuple[str, Identifiers]] = []
        self._parent: dict[str, str] = {}
        self._todo: list[str] = []

    def ask(self, customer: str, others: Identifiers) -> None:
        """An event of this customer names these too; whether they are known is seen once the profile is loaded."""
        self._asked.append((customer, others))

    def tie(self, customer: str) -> None:
        """Whatever concerns this one is to be applied in order."""
        if customer not in self._parent:
            self._parent[customer] = customer
            self._todo.append(customer)

    def settle(
        self, profile_of: Callable[[str], Profile | None], whats: Callable[[str], Iterable[Arrival | Move]]
    ) -> list[str]:
        """Follow all ties; gives the profiles that have to be loaded before it can be called again, none when done."""
        asked, self._asked = self._asked, []
        for customer, others in asked:
            profile = profile_of(customer)
            if profile is not None and not profile.redirect and self._all_known(profile, others):
                continue
            self.tie(customer)
        missing = []
        while self._todo:
            customer = self._todo.pop()
            profile = profile_of(customer)
            if profile is None:
                missing.append(customer)
                continue
            for _, holder in profile.redirect:
                if holder != NOBODY:
                    self._unite(customer, holder)
            for what in whats(customer):
                if isinstance(what, Arrival):
                    if isinstance(what.event, SplitProfile):
                        self._unite(customer, what.event.identifier)
                    for identifier in _named(what.others):
                        self._unite(customer, identifier)
                elif isinstance(what, Link):
                    self._unite(customer, what.claimer)
        self._todo = missing
        return missing

    def clusters(self, group_of: Callable[[str], M]) -> list[Cluster[M]]:
        """The groups that were found."""
        found: dict[str, list[M]] = {}
        for customer in self._parent:
            found.setdefault(self._root(customer), []).append(group_of(customer))
        return [Cluster(groups) for groups in found.values()]

    def _all_known(self, profile: Profile, others: Identifiers) -> bool:
        """Whether none of these that live here is new to the profile."""
        return all(value in profile.ids.get(kind, ()) or not self._is_here(value) for kind, value in others)

    def _is_here(self, value: str) -> bool:
        return self._partitions == 1 or home_partition(value, self._partitions) == self._partition

    def _unite(self, one: str, other: str) -> None:
        if self._is_here(other.partition(":")[2]):
            self.tie(other)
            self._parent[self._root(other)] = self._root(one)

    def _root(self, customer: str) -> str:
        while (parent := self._parent[customer]) != customer:
            self._parent[customer] = customer = self._parent[parent]
        return customer


def _named(others: Identifiers) -> Iterable[str]:
    """Profile ids an event names besides its own; the earlier id of an alias may be a device or a user."""
    for kind, value in others:
        if kind == ALIAS:
            yield f"anonymous_id:{value}"
            yield f"user_id:{value}"
        else:
            yield f"{kind}:{value}"
