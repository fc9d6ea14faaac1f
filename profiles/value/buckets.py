"""Logarithmic buckets, 1 % wide: how amounts are counted so that counts can be taken back.

A histogram of integer counts stays exact under every change of a customer (subtract the old bucket, add the new one), in any
order and over any number of partitions; sums of floats and sketches do not. The price: an amount is known to half a per cent.
"""

from math import ceil, exp, floor, log
from typing import Final

_WIDTH: Final = log(1.01)
_OFFSET: Final = 100_000
"""Keeps the bucket numbers of tiny amounts above zero, so that the sign of a number is free for the sign of the amount."""


def bucket_of(amount: float) -> int:
    """The bucket of an amount; 0 for zero, negative for negative amounts. Larger amounts have larger numbers.

    >>> bucket_of(0.0), bucket_of(1.0), bucket_of(-1.0), bucket_of(1.02) - bucket_of(1.0)
    (0, 100000, -100000, 1)
    """
    if amount == 0.0:
        return 0
    number = max(1, _OFFSET + floor(log(abs(amount)) / _WIDTH))
    return number if amount > 0.0 else -number


def amount_of(bucket: int) -> float:
    """The geometric middle of a bucket: within 0.5 % of every amount in it.

    >>> round(amount_of(bucket_of(1234.0)), 1)
    1235.8
    """
    if bucket == 0:
        return 0.0
    amount = exp((abs(bucket) - _OFFSET + 0.5) * _WIDTH)
    return amount if bucket > 0 else -amount


def largest_of(bucket: int) -> int:
    """The largest whole amount in a bucket, so that none of those counted in it is above; for buckets of whole amounts.

    >>> largest_of(bucket_of(4900)), bucket_of(4902) - bucket_of(4900), bucket_of(4903) - bucket_of(4900)
    (4902, 0, 1)
    """
    if bucket == 0:
        return 0
    size = abs(bucket) - _OFFSET
    largest = ceil(exp((size + 1) * _WIDTH)) if bucket > 0 else -floor(exp(size * _WIDTH))
    # The edge itself is known to a rounding error only.
    while bucket_of(largest) > bucket:
        largest -= 1
    return largest
