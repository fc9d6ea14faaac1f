"""Named points on the way of an event at which a test may end the process. In production nothing happens there."""

from typing import Final, Literal, Protocol

Point = Literal[
    "after_fetch",
    "after_decode",
    "after_compute",
    "before_send",
    "after_send",
    "after_reply",
    "before_produce",
    "after_produce",
    "after_ack",
    "before_kafka_commit",
    "after_kafka_commit",
    "in_claim",
    "in_seek",
]
"""`send` is the commit on its way to the table, `reply` its answer; `produce` and `ack` are the outbox's; `kafka_commit`
tells the log what the table holds, for lag tools.
"""


class Faults(Protocol):
    """What is told that a point was reached. It may raise or kill the process."""

    def at(self, point: Point) -> None:
        """The partition reached this point."""


class NoFaults:
    """Does nothing."""

    def at(self, point: Point) -> None:
        """Go on."""


NO_FAULTS: Final = NoFaults()
