"""What comes to the simulation: Poisson arrivals, spread over partitions as customers by a Zipf law spread over them."""

from collections.abc import Iterator
from math import exp, log, sqrt
from random import Random
from typing import Final, NamedTuple

from streams.home import murmur2

PLACED: Final = 20_000
"""Customers who are placed one by one; the rest is spread evenly."""
_MULTIPLIED_UP_TO: Final = 30.0


class Arrival(NamedTuple):
    """So many events came to a partition at a moment."""

    at_s: float
    partition: int
    events: int


def arrivals(per_s: float, shares: list[float], *, seconds: float, seed: int, tick_s: float) -> Iterator[Arrival]:
    """Arrivals to partitions by their shares, told once for each tick and partition: one record batch of the senders."""
    rng = Random(seed)
    means = [per_s * share * tick_s for share in shares]
    for tick in range(round(seconds / tick_s)):
        for partition, mean in enumerate(means):
            count = poisson(rng, mean)
            if count:
                yield Arrival(tick * tick_s, partition, count)


def poisson(rng: Random, mean: float) -> int:
    """A Poisson number: by multiplying uniform ones (Knuth, TAOCP vol. 2, 3.4.1 Q), for large means by the normal law."""
    if mean > _MULTIPLIED_UP_TO:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    limit, count, product = exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def shares_of_partitions(partitions: int, customers: int, *, most: float = 1.0) -> list[float]:
    """The share of events that each partition gets; customers are Zipf (s = 1) and at home by murmur2 of their id.

    No customer has more than `most` of all events; what is cut off goes to everybody.
    """
    placed = min(PLACED, customers)
    total = harmonic(customers)
    shares = [0.0] * partitions
    for rank in range(1, placed + 1):
        shares[(murmur2(b"user-%d" % rank) & 0x7FFFFFFF) % partitions] += min(1.0 / rank / total, most)
    evenly = (1.0 - sum(shares)) / partitions
    return [share + evenly for share in shares]


def harmonic(number: int) -> float:
    """1 + 1/2 + ... + 1/number, by Euler's expansion to the term 1 / 120 n^4 (below a millionth off from 4 on).

    >>> harmonic(10)  # 7381 / 2520
    2.928968...
    """
    if number < 4:
        return sum(1.0 / rank for rank in range(1, number + 1))
    euler = 0.577_215_664_901_532_9
    return log(number) + euler + 1 / (2 * number) - 1 / (12 * number**2) + 1 / (120 * number**4)
