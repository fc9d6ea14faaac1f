"""Who computes now: one partition of the worker at a time, and only for some milliseconds in a row.

Partitions share one thread. Were all that have work to compute in the same round of the event loop, everything else
(fetching, replies of Redis, publishing, health) would wait for all of them, and fetching takes several rounds: with eight
busy partitions, records came once in two seconds and most partitions stood idle. Through the turnstile each round holds
one slice of one partition's work, in the order in which they asked.
"""

import asyncio
from typing import Final

SLICE_RECORDS: Final = 500
"""Records worked on before others get their turn: about 10 ms."""


class Turnstile(asyncio.Lock):
    """`async with turnstile:` around work that holds the thread."""
