"""Whether what the table holds fits the log. If not, nothing is read: state is never made up, and never thrown away, silently."""

from collections.abc import Iterable
from operator import itemgetter

from streams.log import Bounds, LogError
from streams.table import Meta


class LostState(Exception):
    """What the table holds does not fit the log: state was lost, or it belongs to another log.

    Nothing is read and nothing is written. The message says what is missing. Operator action: `regulars offsets accept-gap`
    to go on without the missing records, or `regulars rebuild` to make the state anew from the log.
    """


def refuse_forgotten(partition: int, group: dict[str, int | None]) -> None:
    """For a partition that the table has never heard of: raises LostState when the consumer group has read it before."""
    read = {topic: offset for topic, offset in group.items() if offset}
    if read:
        topic, offset = max(read.items(), key=itemgetter(1))
        raise LostState(
            f"partition {partition}: the table knows nothing of it, but {len(read)} topics were read before "
            f"({topic} up to offset {offset:,}): the state is lost, or redis.url or redis.prefix name another place. Correct "
            f"them, restore the table from its backup, or run `regulars rebuild --partition {partition}` to make it anew from "
            "the log"
        )


def refuse_others(partition: int, before: dict[str, str], now: dict[str, str]) -> None:
    """Raises LostState where topics are others than those that were read before. Their ids begin with the cluster's."""
    others = [topic for topic, known in before.items() if topic in now and known != now[topic]]
    if not others:
        return
    if all(before[topic].partition("/")[0] != now[topic].partition("/")[0] for topic in others):
        found = "this is another Kafka cluster than the one read before: correct kafka.bootstrap, or see docs/how-to/grow.md"
    else:
        are = "is another topic than the one" if len(others) == 1 else "are other topics than those"
        found = (
            f"{', '.join(others)} {are} read before (deleted and made again; or kafka.topic_prefix or redis.prefix is another "
            "installation's: then correct it first)"
        )
    raise LostState(f"partition {partition}: {found}. {_ways_out(partition)}")


def starting_offsets(partition: int, topics: Iterable[str], meta: Meta, bounds: dict[str, Bounds]) -> dict[str, int]:
    """Where to read on: at the stored offset, or at the start of a log that was never read.

    Raises LostState where a log lacks what comes next, LogError where one is not to be had.
    """
    start: dict[str, int] = {}
    gaps = []
    for topic in topics:
        bound = bounds.get(topic)
        if bound is None:
            raise LogError(f"partition {partition} of {topic} is not to be had")
        stored = meta.offsets.get(topic)
        if stored is not None and stored < bound.start:
            gaps.append(f"{topic}: records {stored:,} to {bound.start - 1:,} are gone from the log unread")
        elif stored is not None and stored > bound.end:
            gaps.append(f"{topic}: read up to {stored:,}, but the log ends at {bound.end:,}")
        start[topic] = bound.start if stored is None else stored
    if gaps:
        raise LostState(f"partition {partition}: {'; '.join(gaps)}. {_ways_out(partition)}")
    return start


def _ways_out(partition: int) -> str:
    return (
        "Run `regulars offsets accept-gap` to go on without what is missing, or "
        f"`regulars rebuild --partition {partition}` to make the state anew from the log"
    )
