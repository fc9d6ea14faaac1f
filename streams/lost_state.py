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


def starting_offsets(
    partition: int, topics: Iterable[str], meta: Meta, bounds: dict[str, Bounds], topic_ids: dict[str, str]
) -> dict[str, int]:
    """Where to read on: at the stored offset, or at the start of a log that was never read.

    Raises LostState where a log lacks what comes next or is another one than before, LogError where one is not to be had.
    """
    start: dict[str, int] = {}
    gaps: list[str] = []
    others: list[str] = []
    for topic in topics:
        bound = bounds.get(topic)
        if bound is None:
            raise LogError(f"partition {partition} of {topic} is not to be had")
        stored, known = meta.offsets.get(topic), meta.topic_ids.get(topic)
        if known is not None and topic in topic_ids and known != topic_ids[topic]:
            others.append(topic)
        elif stored is not None and stored < bound.start:
            gaps.append(f"{topic}: records {stored:,} to {bound.start - 1:,} are gone from the log unread")
        elif stored is not None and stored > bound.end:
            gaps.append(f"{topic}: read up to {stored:,}, but the log ends at {bound.end:,}")
        start[topic] = bound.start if stored is None else stored
    if others:
        gaps.insert(0, _not_the_same(others, meta.topic_ids, topic_ids))
    if gaps:
        raise LostState(
            f"partition {partition}: {'; '.join(gaps)}. Run `regulars offsets accept-gap` to go on without what is "
            f"missing, or `regulars rebuild --partition {partition}` to make the state anew from the log"
        )
    return start


def _not_the_same(topics: list[str], before: dict[str, str], now: dict[str, str]) -> str:
    """What became of topics that are others than before; their ids begin with the cluster's."""
    if all(before[topic].partition("/")[0] != now[topic].partition("/")[0] for topic in topics):
        return "this is another Kafka cluster than the one read before (kafka.bootstrap)"
    are = "is another topic than the one" if len(topics) == 1 else "are other topics than those"
    return f"{', '.join(topics)} {are} read before (deleted and made again)"
