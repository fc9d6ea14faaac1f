"""Records of a batch that no profile here takes in: sent on to where they belong, set aside, or answers to requests."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Final

from profiles.receipts import Case, of_shop, take
from schemas.decode import Problem
from schemas.events import Arrival, CommandAnswered, EraseShop
from schemas.outputs import Outgoing, Rejected
from streams.changes import Changes
from streams.forwards import (
    FORWARDS,
    HOPS_MAX,
    UNMARKED,
    Origin,
    is_said_again,
    is_uncertain,
    origin_of,
    row_of_forward,
    rows_of_fanout,
)
from streams.merge import Foreign, Item
from streams.notes import Changed, Notes
from streams.record import Record
from streams.rows import reject, row_of_receipt
from streams.terms import Terms

EVERYWHERE: Final = -1
"""Stands in the place of a home partition where a record is about the shop."""
FIRST: Final = "/first"
"""After a source, among origins: the first offset that was taken from it."""
AGAIN: Final = "/again"
"""After a source: the highest offset of those below the first one that were taken since."""


class Onwards:
    """What of a batch goes elsewhere. `known_origins` are the highest offsets taken from each foreign source before it,
    `origins` those it takes; `rejected` gets what is set aside.
    """

    def __init__(self, terms: Terms, known_origins: Mapping[str, int], notes: Notes, rejected: list[Rejected]) -> None:
        self._terms, self._known_origins, self._notes, self._rejected = terms, known_origins, notes, rejected
        self.origins: dict[str, int] = {}
        self.sent = self.repeated = 0
        self.repeats: set[int] = set()
        """Places of forwarded records that were taken in before."""
        self.doubts: set[int] = set()
        """Places of forwarded records that may have been taken in before: whose profile knows them has."""
        self.leaving: list[tuple[str, str]] = []
        """Shops that asked to be erased, each with the number of its request."""
        self._rows: list[tuple[int, Outgoing]] = []
        self._cases: dict[str, Case] = {}

    def settle(self, items: list[Item], places: list[int], end: int, clock_ms: int) -> None:
        """Send on or set aside the records at these places, as far as `end`; mark repeats of forwarded ones."""
        partition, partitions = self._terms.partition, self._terms.partitions
        for place in places:
            if place >= end:
                break
            item = items[place]
            topic, what, record = item.topic, item.what, item.record
            origin = origin_of(record.headers) if topic == FORWARDS else None
            repeated = origin is not None and self._is_repeated(origin)
            if repeated and (type(what) is Foreign or not is_uncertain(record.headers)):
                self.repeated += 1
                self.repeats.add(place)
                continue
            if repeated or (origin is not None and is_said_again(record.headers)):
                self.doubts.add(place)
            if type(what) is Foreign:
                if what.home == EVERYWHERE:
                    rows = rows_of_fanout(
                        topic,
                        partition,
                        record,
                        subject=what.customer,
                        partitions=partitions,
                        product=what.product,
                        variant=what.variant,
                    )
                    self._rows += [(place, row) for row in rows]
                else:
                    self.send(place, item, what, origin)
            elif type(what) is Arrival and type(what.event) is CommandAnswered:
                self._take_answer(topic, record, what.event, clock_ms)
            elif type(what) is Arrival and type(what.event) is EraseShop:
                self._answer_shop(what.event, clock_ms)
            elif isinstance(what, Problem):
                self._rejected.append(reject(record, topic, partition, what.reason, what.detail))
            if origin is not None and not repeated:
                self._note(origin)

    def send(
        self,
        place: int,
        item: Item,
        foreign: Foreign,
        origin: Origin | None,
        *,
        hops: int = 1,
        redirected: bool = False,
        shared: bool = False,
    ) -> None:
        """Send a record to where it belongs; `hops` redirects led there, `shared` ones among them where one had led elsewhere
        before. One that wandered too far is set aside.
        """
        hops += 0 if origin is None else origin.hops
        topic, record, partition = item.topic, item.record, self._terms.partition
        if hops > HOPS_MAX:
            detail = f"sent on {HOPS_MAX} times and still not at home"
            self._rejected.append(reject(record, topic, partition, "too_many_hops", detail))
            return
        row = row_of_forward(
            topic,
            partition,
            record,
            customer=foreign.customer,
            home=foreign.home,
            hops=hops,
            redirected=redirected,
            shared=shared,
            again=place in self.doubts,
            mark=self._terms.marks.get(topic, UNMARKED),
        )
        self._rows.append((place, row))
        self.sent += 1

    def add_to(self, changes: Changes) -> None:
        """Add the rows of what goes on."""
        # Their home takes them for repeated unless those of one topic come in the order in which they were read.
        for _, row in sorted(self._rows, key=itemgetter(0)):
            changes.add(row)

    def add_receipts(self, changes: Changes, noted: Changed, clock_ms: int) -> Changed:
        """Add the receipts of requests that were answered; gives what is to be noted, with their cases."""
        for request_id, case in self._cases.items():
            noted |= self._notes.keep_case(request_id, case)
            changes.add(row_of_receipt(request_id, case, self._terms.partition, max(0, clock_ms)))
        return noted

    def _is_repeated(self, origin: Origin) -> bool:
        """Whether a forwarded record was taken in before: it lies between the first and the highest one of its source.

        After a rebuild the first may be a late one, where older ones have expired on their way; what was before it is sent on
        anew by its own partition, in order again.
        """
        source, offset = origin.source, origin.offset
        known = self._origin(source)
        if known is None:
            known = self._origin(_unmarked(source))
            return known is not None and offset <= known
        if offset > known:
            return False
        first = self._origin(source + FIRST)
        if first is None or offset >= first:
            return True
        again = self._origin(source + AGAIN)
        return again is not None and offset <= again

    def _note(self, origin: Origin) -> None:
        source, offset = origin.source, origin.offset
        known = self._origin(source)
        if known is None:
            older = _unmarked(source)
            if self._origin(older) is None:
                self.origins[source + FIRST] = offset
            elif older != source:
                # All that earlier releases sent on was taken in. From here on offsets are those of the topic as marked.
                self.origins[older] = -1
        if known is None or offset > known:
            self.origins[source] = offset
        else:
            self.origins[source + AGAIN] = offset

    def _origin(self, source: str) -> int | None:
        known = self.origins.get(source)
        return self._known_origins.get(source) if known is None else known

    def _take_answer(self, topic: str, record: Record, answer: CommandAnswered, clock_ms: int) -> None:
        """A home has carried a privacy command out: its request is here, and gets a new receipt."""
        if topic != FORWARDS:
            detail = "answers to commands are written by Regulars alone"
            self._rejected.append(reject(record, topic, self._terms.partition, "not_allowed", detail))
            return
        known = self._cases.get(answer.request_id) or self._notes.case(answer.request_id)
        case = take(known, answer, max(0, clock_ms))
        if case is not None:
            self._cases[answer.request_id] = case

    def _answer_shop(self, event: EraseShop, clock_ms: int) -> None:
        """A whole shop is to be erased: its request gets a receipt that says by whom."""
        if event.request_id not in self._cases and self._notes.case(event.request_id) is None:
            self._cases[event.request_id] = of_shop(max(0, clock_ms))
            self.leaving.append((event.shop_id, event.request_id))


def _unmarked(source: str) -> str:
    """The source as releases before marks of topics called it: "topic/partition"."""
    return "/".join(source.split("/")[:2])
