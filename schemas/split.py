"""One record for each event: what stands before a topic makes of whatever trackers and shop systems send.

A record in Kafka is one event, since its place in the log, its key and its fate are one event's. A request of a tracker may
be many. `split` is the step in between: pure, for `regulars feed`, `regulars replay`, or anything else that writes to the
topics.
"""

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from schemas.decode import NOT_ONE, Decoder
from schemas.events import Arrival
from schemas.reasons import Problem
from schemas.routing import topic_of


class Keyed(Struct, frozen=True):
    """An event as a record: the logical name of its topic, its key, and the event in canonical JSON.

    The key is the value of the home identifier; its murmur2 hash gives the partition.
    """

    topic: str
    key: str
    value: bytes
    arrival: Arrival


def split(value: bytes, decoder: Decoder, record_ms: int) -> list[Keyed | Problem]:
    """The records of a message (JSON of any source), in its own order, each with a reason where it can't be taken.

    `record_ms` is when it was received, epoch ms; 0 where nobody knows. An empty list is a message of which nothing is of
    use. Splitting a message again gives the same records with the same message ids, as long as it states its times.

    >>> message = b'{"client_id":"c1","timestamp_micros":1714564800000000,"events":[{"name":"login"},{"name":"scroll"}]}'
    >>> [(record.topic, record.key) for record in split(message, Decoder("EUR"), 0)]
    [('identities', 'c1')]
    """
    return [
        what
        if isinstance(what, Problem)
        else Keyed(topic_of(what.event), what.home, msgspec.json.encode(what.event), what)
        for what in decoder.decode_all(value, record_ms)
    ]


def unfold(value: bytes, decoder: Decoder) -> Iterator[tuple[Arrival | Problem, bytes]]:
    """A line of a file as records: each event with its bytes, and the line itself, with the reason, where it can't be taken.

    A line that is one event stays as it is. One that holds several becomes one record for each, and comes itself as well
    where some of them can't be taken, so that it is set aside with the reason. One of no use gives nothing.
    """
    found = decoder.decode(value, 0)
    if isinstance(found, Arrival) or found.reason not in NOT_ONE:
        yield found, value
        return
    wrong: Problem | None = None
    for record in split(value, decoder, 0):
        if isinstance(record, Problem):
            wrong = wrong or record
        else:
            yield record.arrival, record.value
    if wrong is not None:
        yield wrong, value
