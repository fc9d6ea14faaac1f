"""What the simulated customers say when they are asked, and what the shop does about those who are not content.

Who is asked answers with the probability ANSWERING, mostly on the same day. A low score becomes a case that somebody calls
about, mostly within a day, and mostly settles. Some cases are left: a report is to show them.
"""

from random import Random
from typing import Any, Final

from msgspec import Struct

from profiles.rules import DAY_MS, HOUR_MS
from schemas.events import CaseUpdated, Event, NpsSubmitted

ANSWERING: Final = 0.35
CALLED: Final = 0.9
SETTLED: Final = 0.8
SURVEY, UNHAPPY = "nps.survey", "nps.detractor"


class Message(Struct, frozen=True, kw_only=True):
    """What is read of a message that was sent."""

    trigger_id: str
    name: str
    customer_id: str
    emitted_ms: int
    products: tuple[str, ...] = ()
    details: dict[str, Any] = {}


def reply(message: Message, content: float, draw: Random, head: dict[str, Any]) -> list[Event]:
    """Events that follow a message to the customer or to the shop's service; none for messages of other kinds.

    `content` is the score she would give on average, `head` what her events have in common.
    """
    if message.name == SURVEY:
        return _answer(message, content, draw, head)
    return _calls(message, draw, head) if message.name == UNHAPPY else []


def _answer(message: Message, content: float, draw: Random, head: dict[str, Any]) -> list[Event]:
    if draw.random() >= ANSWERING:
        return []
    at_ms = message.emitted_ms + round(draw.expovariate(1 / 14) * HOUR_MS)
    return [
        NpsSubmitted(
            **head | {"message_id": f"{message.trigger_id}-answer", "timestamp_ms": at_ms},
            score=max(0, min(10, round(draw.gauss(content, 1.6)))),
            survey_id=message.trigger_id,
            order_id=message.details.get("order_id"),
            asked_at_ms=message.emitted_ms,
        )
    ]


def _calls(message: Message, draw: Random, head: dict[str, Any]) -> list[Event]:
    steps: list[Event] = []
    if draw.random() >= CALLED:
        return steps
    called_ms = message.emitted_ms + round(draw.expovariate(1 / 12) * HOUR_MS)
    settled_ms = called_ms + round((0.5 + 4 * draw.random()) * DAY_MS)
    case = {"case_id": message.details["case_id"], "owner": "service"}
    told = {"message_id": f"{message.trigger_id}-contacted", "timestamp_ms": called_ms}
    steps.append(CaseUpdated(**head | told, **case, state="contacted"))
    if draw.random() < SETTLED:
        told = {"message_id": f"{message.trigger_id}-resolved", "timestamp_ms": settled_ms}
        steps.append(CaseUpdated(**head | told, **case, state="resolved"))
    return steps
