"""What a customer said, kept the same in whatever order it comes, and what is open of it at a moment."""

from itertools import permutations
from typing import Any

import msgspec
import pytest

from profiles import complaints, feedback
from profiles.book import Book
from profiles.engine import Engine
from profiles.feedback_state import REVIEWS_MAX, SURVEYS_MAX, TICKETS_MAX
from profiles.insight.nps import contribution
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.state import Moment
from schemas import events
from schemas.events import Arrival, Event

DAY_MS = 86_400_000
START_MS = 1_772_409_600_000  # 2026-03-02
BOOK = Book(shop_timezone="America/New_York")


def told(kind: type[Event], at_ms: int, message_id: str, **fields: Any) -> Arrival:
    event = kind(message_id=message_id, timestamp_ms=START_MS + at_ms, user_id="ada", **fields)
    return Arrival(event, START_MS + at_ms, START_MS + at_ms, "user_id:ada", "ada")


def after(*story: Arrival) -> Profile:
    profile, engine = Profile("user_id:ada"), Engine(BOOK, ())
    for arrival in story:
        engine.step(profile, arrival, Moment(START_MS - 1), Ledger(complete=True), [])
    return profile


def state(profile: Profile, key: str, day: float) -> str | None:
    case = complaints.case_of(profile, key, BOOK, START_MS + round(day * DAY_MS))
    return None if case is None else case.state


def test_an_answer_about_an_order_is_transactional_and_belongs_to_the_day_it_was_asked_for_in_the_shops_zone() -> None:
    profile = after(
        told(events.NpsSubmitted, 0, "m1", score=9, survey_id="s", order_id="o1", asked_at_ms=START_MS - DAY_MS),
        told(events.NpsSubmitted, 0, "m2", score=4),
    )
    about_order, about_shop = profile.feedback.surveys["s|o1"], profile.feedback.surveys["m2"]

    # 2026-03-02 00:00 UTC is still the first of March in New York, day 20,513.
    assert (about_order.kind, about_order.sent_day) == ("transactional", 20_512)
    assert (about_shop.kind, about_shop.sent_day) == ("relational", 20_513)
    assert contribution(about_shop) == {"relational.20513.detractors.all": 1}


def test_the_states_of_a_case_follow_the_steps_and_time() -> None:
    low = told(events.NpsSubmitted, 0, "m1", score=2, survey_id="s")
    steps = [
        told(events.CaseUpdated, day * DAY_MS, f"c{day}", case_id="s", state=step)
        for day, step in ((1, "assigned"), (2, "contacted"), (3, "resolved"), (4, "verified"))
    ]

    assert [state(after(low, *steps[:number]), "s", 5) for number in range(5)] == [
        "opened",
        "assigned",
        "contacted",
        "resolved",
        "verified",
    ]
    assert state(after(low, *steps[:2]), "s", 30) == "expired"
    assert state(after(low, *steps[:3]), "s", 400) == "resolved"


def test_a_good_score_after_a_resolved_case_verifies_it_and_one_before_does_not() -> None:
    story = [
        told(events.NpsSubmitted, 0, "m1", score=2, survey_id="s"),
        told(events.NpsSubmitted, DAY_MS, "m2", score=9, survey_id="before"),
        told(events.CaseUpdated, 2 * DAY_MS, "m3", case_id="s", state="resolved"),
    ]

    assert state(after(*story), "s", 9) == "resolved"
    assert (
        state(after(*story, told(events.NpsSubmitted, 3 * DAY_MS, "m4", score=7, survey_id="x")), "s", 9) == "verified"
    )


def test_a_corrected_score_has_no_case_and_a_step_without_a_score_neither() -> None:
    low = told(events.NpsSubmitted, 0, "m1", score=2, survey_id="s")

    assert state(after(low, told(events.NpsSubmitted, 1, "m2", score=7, survey_id="s")), "s", 1) is None
    assert state(after(told(events.CaseUpdated, 0, "m3", case_id="s", state="contacted")), "s", 1) is None


def test_who_has_the_case_is_the_one_last_named() -> None:
    story = [
        told(events.NpsSubmitted, 0, "m1", score=2, survey_id="s"),
        told(events.CaseUpdated, 1, "m2", case_id="s", state="assigned", owner="bob"),
        told(events.CaseUpdated, 2, "m3", case_id="s", state="assigned", owner="eve"),
        told(events.CaseUpdated, 3, "m4", case_id="s", state="contacted"),
    ]
    kept = after(*story).feedback.cases["s"]

    assert kept.owner is not None
    assert kept.owner[2] == "eve"
    assert (kept.assigned_ms, kept.contacted_ms) == (START_MS + 1, START_MS + 3)


TICKET = (
    told(events.TicketOpened, 0, "m1", ticket_id="t", topic="delivery"),
    told(events.TicketResolved, 1, "m2", ticket_id="t", satisfaction=2.0),
    told(events.TicketUpdated, 2, "m3", ticket_id="t", topic="damage"),
    told(events.TicketResolved, 3, "m4", ticket_id="t"),
)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_ticket_is_the_same_in_whatever_order_its_events_come(order: tuple[int, ...]) -> None:
    ticket = after(*(TICKET[place] for place in order)).feedback.tickets["t"]

    assert (ticket.resolved, ticket.opened_ms) == (True, START_MS)
    assert ticket.topic == (START_MS + 2, "m3", "damage")
    assert ticket.satisfaction == (START_MS + 1, "m2", 2.0)


def test_a_resolved_ticket_that_is_updated_is_open_again_until_it_is_forgotten() -> None:
    profile = after(*TICKET[:3])

    assert complaints.complains(profile, BOOK, START_MS + DAY_MS)
    assert not complaints.complains(profile, BOOK, START_MS + 31 * DAY_MS)
    assert not complaints.complains(after(*TICKET), BOOK, START_MS + DAY_MS)


def test_who_never_said_anything_is_not_asked_about_it() -> None:
    profile = after(told(events.PageViewed, 0, "m1"))

    assert not profile.has_feedback
    assert not complaints.complains(profile, BOOK, START_MS)
    assert not complaints.holds_marketing(profile, BOOK, START_MS)
    assert not complaints.low_score_since(profile, 0)


def test_the_newest_version_of_a_review_counts() -> None:
    first = told(events.ProductReviewed, 0, "m1", product_id="A", review_id="r", rating=1.0)
    mended = told(events.ProductReviewed, 1, "m2", product_id="A", review_id="r", rating=5.0)

    for story in ((first, mended), (mended, first)):
        assert msgspec.to_builtins(after(*story).feedback.reviews) == {"r": [START_MS + 1, "m2", "A", 5.0]}


def test_it_is_bounded_and_reviews_let_go_of_are_still_counted() -> None:
    many = 40
    story = [told(events.NpsSubmitted, n, f"n{n}", score=n % 11) for n in range(many)]
    story += [told(events.ProductReviewed, 100 + n, f"r{n}", product_id=f"p{n}", rating=2.0) for n in range(many)]
    story += [told(events.TicketOpened, 200 + n, f"t{n}", ticket_id=f"t{n}") for n in range(many)]
    story += [told(events.CaseUpdated, 300 + n, f"c{n}", case_id=f"n{n}", state="assigned") for n in range(many)]
    said = after(*story).feedback

    assert (len(said.surveys), len(said.tickets), len(said.reviews)) == (SURVEYS_MAX, TICKETS_MAX, REVIEWS_MAX)
    assert len(said.cases) <= SURVEYS_MAX
    assert msgspec.to_builtins(said.older_reviews) == {"count": 8, "rated": 8, "rating_sum": 16.0}
    assert min(said.surveys.values(), key=lambda one: one.answered_ms).answered_ms == START_MS + 8


def test_reviews_let_go_of_are_added_once_when_profiles_become_one() -> None:
    story = [told(events.ProductReviewed, n, f"r{n}", product_id=f"p{n}", rating=4.0) for n in range(REVIEWS_MAX + 3)]
    ours, theirs = Profile("user_id:bea"), after(*story)
    feedback.unite(ours, theirs, again=False)
    feedback.unite(ours, theirs, again=True)

    assert len(ours.feedback.reviews) == REVIEWS_MAX
    assert msgspec.to_builtins(ours.feedback.older_reviews) == {"count": 3, "rated": 3, "rating_sum": 12.0}
