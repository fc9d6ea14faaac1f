"""An order that would have ended a trigger, had it been known in time, takes it back when it becomes known."""

from collections.abc import Callable

import pytest

from schemas import events
from tests.stories.timeline import DAY, Timeline, product

Story = Callable[[Timeline], Timeline]


def checkout(ada: Timeline) -> Timeline:
    return ada.tell(events.CheckoutStarted, 0, checkout_id="k1", products=(product("A"),))


def visit(ada: Timeline) -> Timeline:
    return ada.view("A", 0).view("B", 1)


def search(ada: Timeline) -> Timeline:
    return ada.search("tent", 0, results=0)


def refusal(ada: Timeline) -> Timeline:
    return ada.tell(events.PaymentFailed, 0, checkout_id="k1")


def silence(ada: Timeline) -> Timeline:
    return ada.order("o0", 30 - 90 * DAY, "A")


EPISODES = pytest.mark.parametrize(
    "name, begun, due",
    [
        ("checkout.abandoned", checkout, 60),
        ("browse.abandoned", visit, 61),
        ("search.abandoned", search, 120),
        ("payment.failed", refusal, 30),
        ("winback", silence, 30),
    ],
)


@EPISODES
def test_it_ends_what_waits(name: str, begun: Story, due: int) -> None:
    assert begun(Timeline()).order("o1", 20, "Z").until(DAY).emitted(name) == []


@EPISODES
def test_known_after_the_emission_it_takes_it_back(name: str, begun: Story, due: int) -> None:
    ada = begun(Timeline()).until(due)
    assert ada.emitted(name) == [due]

    ada.order("o1", 20, "Z", arrives=due + 10)

    assert ada.outcomes == [("trigger.cancelled", "late_conversion")]


@EPISODES
def test_placed_after_the_emission_it_does_not(name: str, begun: Story, due: int) -> None:
    ada = begun(Timeline()).until(due).order("o1", due + 1, "Z")

    assert ("trigger.cancelled", "late_conversion") not in ada.outcomes


def test_a_service_message_is_taken_back_and_never_a_sale() -> None:
    assert refusal(Timeline()).until(30).order("o1", 31, "A").outcomes == []
