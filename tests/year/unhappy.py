"""Half a year of customers who answer surveys, correct themselves, and are called back, or are not; some of it is heard of late.

Everything is drawn from one seed.
"""

from typing import Any, Final

from tests.year.shop import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Event
from tests.year.talker import Talker, as_heard

DAYS: Final = 200
OWNERS: Final = ("bob", "eve", None)


def half_year(seed: int, customers: int) -> list[Event]:
    """All events in their order of arrival."""
    return as_heard(Customer(seed, number).live() for number in range(customers))


class Customer(Talker):
    """One customer and what she says."""

    def __init__(self, seed: int, number: int) -> None:
        super().__init__("unhappy", seed, number)

    def live(self) -> list[Event]:
        random = self._random
        self._tell("Identified", START_MS, traits={"email": f"{self._name}@example.org"})
        for number in range(random.choice((0, 1, 3, 6))):
            self._answer(START_MS + int(random.uniform(1, DAYS) * DAY_MS), number)
        return self._heard_before(START_MS + DAYS * DAY_MS)

    def _late(self) -> int:
        random = self._random
        return (
            int(random.random() * random.choice((MINUTE_MS * 10, HOUR_MS, 20 * HOUR_MS)))
            if random.random() < 0.15
            else 0
        )

    def _answer(self, at_ms: int, number: int) -> None:
        random = self._random
        named: dict[str, Any] = {}
        if random.random() < 0.8:
            named["survey_id"] = f"s{number}"
        if random.random() < 0.4:
            named["order_id"] = f"{self._name}-o{number}"
        if random.random() < 0.5:
            named["asked_at_ms"] = at_ms - int(random.random() * 3 * DAY_MS)
        if "survey_id" in named and random.random() < 0.1:
            self._tell("Case Updated", at_ms - HOUR_MS, case_id=_case(named, ""), state=self._step())
        score = random.choice((0, 2, 4, 6, 6, 7, 9, 10))
        late_ms = int(random.uniform(1.1, 9) * DAY_MS) if random.random() < 0.05 else self._late()
        at_ms = self._tell("NPS Submitted", at_ms, late_ms, score=score, **named)
        case = _case(named, self._events[-1]["message_id"])
        if late_ms < DAY_MS and "survey_id" in named:
            self._think_again(at_ms, named)
        while random.random() < 0.6:
            at_ms += int(random.expovariate(1) * random.choice((MINUTE_MS, 10 * HOUR_MS, DAY_MS, 10 * DAY_MS))) + 1
            told = {"owner": owner} if (owner := random.choice(OWNERS)) is not None else {}
            self._tell("Case Updated", at_ms, self._late(), case_id=case, state=self._step(), **told)

    def _step(self) -> str:
        return self._random.choice(("assigned", "assigned", "contacted", "contacted", "resolved", "verified"))

    def _think_again(self, at_ms: int, named: dict[str, Any]) -> None:
        random = self._random
        while random.random() < 0.4:
            at_ms += int(random.random() * random.choice((4 * MINUTE_MS, 8 * MINUTE_MS, 5 * HOUR_MS, 3 * DAY_MS))) + 1
            self._tell("NPS Submitted", at_ms, self._late(), score=random.choice((1, 3, 6, 7, 9, 10)), **named)


def _case(named: dict[str, Any], message_id: str) -> str:
    """The case that a low answer opens: that of its survey, and of its order if it is about one."""
    return "|".join(named[one] for one in ("survey_id", "order_id") if one in named) or message_id
