"""Merging the topics of one partition into one sequence that depends on the logs alone, not on how fetches were cut.

Always next is the record with the smallest (running maximum of corrected event time in its topic, topic rank, offset). It
waits only while a topic that is known to hold more has nothing here. Records are decoded as their chunk is taken.

A restart begins the running maxima anew, which changes nothing: whatever is left in any topic has a key at or above the
last one handed out, so an event below its topic's maximum comes next either way.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

import msgspec
from msgspec import Struct

from schemas.decode import Decoder, Problem
from schemas.events import Aliased, Arrival, Identified, SplitProfile
from schemas.moves import MOVES, Move, decode_move
from schemas.reasons import DETAIL_MAX
from schemas.times import FUTURE_TOLERANCE_MS
from streams.forwards import ELSEWHERE, arrival_ms, redirected
from streams.inbox import Inbox
from streams.record import Record


class Foreign(NamedTuple):
    """A record whose customer lives in another partition. `product` and `variant` are what one about the shop is about,
    where it says so by another name.
    """

    home: int
    customer: str
    product: str | None = None
    variant: str | None = None


class Item(Struct, gc=False):
    """One record in its place: `merge_ms` orders it among topics, `next_offset` is where its topic goes on after it.

    `what` is looked up anew where a record turns out to belong elsewhere, or has to be set aside.
    """

    merge_ms: int
    topic: str
    next_offset: int
    what: Arrival | Problem | Foreign | Move
    record: Record


class _Lane:
    """One topic: its inbox, the decoded chunk being taken, and the running maximum."""

    __slots__ = ("at", "inbox", "items", "max_ms", "rank")

    def __init__(self, rank: int, inbox: Inbox) -> None:
        self.rank, self.inbox = rank, inbox
        self.items: list[Item] = []
        self.at = 0
        self.max_ms = 0


class Merge:
    """The merge of one partition. `inboxes` in rank order.

    `wall_ms` is the wall clock, None in replay. An event can't carry the merge beyond it by more than a sender's clock may
    be wrong, whatever time of receipt it claims.
    """

    def __init__(self, inboxes: list[Inbox], decoder: Decoder, wall_ms: Callable[[], int] | None = None) -> None:
        self._lanes = [_Lane(rank, inbox) for rank, inbox in enumerate(inboxes)]
        self._by_topic = {lane.inbox.topic: lane for lane in self._lanes}
        self._decode = decoder.decode if decoder.plan is None else decoder.decode_planned
        self._protects = decoder.protects
        self._wall_ms = wall_ms
        self.blocked = False

    def restart(self) -> None:
        """Forget what was taken and not handed out; the inboxes are opened anew."""
        for lane in self._lanes:
            lane.items, lane.at, lane.max_ms = [], 0, 0

    def take(self, limit: int) -> list[Item]:
        """The next records in merge order, at most `limit`; fewer while a topic has to be waited for (`blocked`)."""
        taken: list[Item] = []
        self.blocked = False
        while len(taken) < limit:
            best: _Lane | None = None
            best_key, second_key = _LAST, _LAST
            for lane in self._lanes:
                if lane.at >= len(lane.items) and not self._refill(lane):
                    if lane.inbox.behind:
                        self.blocked = True
                        return taken
                    continue
                key = (lane.items[lane.at].merge_ms, lane.rank)
                if key < best_key:
                    best, best_key, second_key = lane, key, best_key
                elif key < second_key:
                    second_key = key
            if best is None:
                return taken
            # Gallop: this topic stays next while its keys are below the second best topic's.
            find = bisect_right if best.rank < second_key[1] else bisect_left
            stop = min(find(best.items, second_key[0], best.at, key=_merge_ms), best.at + limit - len(taken))
            taken += best.items[best.at : stop]
            best.at = stop
        return taken

    def nothing_left(self, topic: str) -> bool:
        """Whether everything that was delivered of a topic has been handed out."""
        lane = self._by_topic[topic]
        return lane.at >= len(lane.items) and lane.inbox.empty

    def _refill(self, lane: _Lane) -> bool:
        """Make sure there is a next item, if anything was delivered."""
        records = lane.inbox.pop()
        if records is None:
            return False
        if lane.inbox.topic == MOVES:
            self._refill_moves(lane, records)
            return True
        topic, max_ms, decode = lane.inbox.topic, lane.max_ms, self._decode
        cap_ms = _FOREVER if self._wall_ms is None else self._wall_ms() + FUTURE_TOLERANCE_MS
        forwarded = topic in ELSEWHERE
        protects = self._protects and not forwarded
        items: list[Item] = []
        add = items.append
        for record in records:
            at_ms = record.timestamp_ms
            what = decode(record.value, arrival_ms(record.headers, at_ms) if forwarded else at_ms)
            if type(what) is Arrival:
                if forwarded:
                    what = redirected(what, record.headers)
                if what.time_ms > max_ms:
                    max_ms = what.time_ms if what.time_ms <= cap_ms else max(cap_ms, max_ms)
                if protects:
                    record = _protected(record, what)  # noqa: PLW2901 -- what is kept of it
            add(Item(max_ms, topic, record.offset + 1, what, record))
        lane.items, lane.at, lane.max_ms = items, 0, max_ms
        return True

    def _refill_moves(self, lane: _Lane, records: list[Record]) -> None:
        cap_ms = _FOREVER if self._wall_ms is None else self._wall_ms() + FUTURE_TOLERANCE_MS
        lane.items, lane.at = [], 0
        for record in records:
            what: Move | Problem
            try:
                what = decode_move(record.value or b"")
                lane.max_ms = max(lane.max_ms, min(what.at_ms, cap_ms))
            except msgspec.DecodeError as error:
                what = Problem("not_a_move", str(error)[:DETAIL_MAX])
            lane.items.append(Item(lane.max_ms, MOVES, record.offset + 1, what, record))


def _protected(record: Record, arrival: Arrival) -> Record:
    """A record as it may be sent on or set aside where contact data is protected: its event as it was decoded. One that names
    no address is left as it came.
    """
    event, value = arrival.event, record.value or b""
    plain = event.email is None and event.phone is None and event.sealed_ids is None
    if plain and type(event) not in _MAY_TELL and b"@" not in value and b"%40" not in value and b"\\" not in value:
        return record
    key = None if record.key is None else arrival.home.encode()
    return Record(record.offset, record.timestamp_ms, key, msgspec.json.encode(event), record.headers)


_MAY_TELL = frozenset({Identified, Aliased, SplitProfile})
_merge_ms = attrgetter("merge_ms")
_FOREVER = 1 << 62
_LAST = (_FOREVER, -1)
