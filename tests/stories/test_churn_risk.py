"""churn.risk: she is silent for longer than her own pace explains. By CDNOW's published parameters."""

import pytest
from msgspec.structs import replace

from profiles.book import Book
from profiles.document import document
from profiles.engine import Engine
from profiles.models import named
from profiles.rules import DAY_MS, OpenFeedback
from profiles.standing_rules import ChurnRiskRule
from profiles.value.alive import p_order_within
from profiles.value.model import named as named_value
from profiles.value.timing import Buyer
from schemas import events
from tests.stories.customers import CDNOW, buys, learned, shop_that_learned
from tests.stories.timeline import DAY, START_MS, Timeline, ms, shop


def regular(book: object = None) -> Timeline:
    """Orders every ten days for three months, and then nothing."""
    ada = Timeline(book or shop_that_learned())  # type: ignore[arg-type]  # a book
    for day in range(0, 100, 10):
        buys(ada, day)
    return ada


def band(ada: Timeline) -> str | None:
    return ada.profile.standing.band


def p_order_at(day: int) -> float:
    """The probability of an order within 90 days, for her, worked out for a day of silence."""
    return p_order_within(CDNOW, Buyer(9, 90 / 7, day / 7), 90 / 7)


def test_it_fires_on_the_very_day_on_which_an_order_within_90_days_becomes_unlikely() -> None:
    ada = regular().until(700 * DAY)

    (minute,) = ada.emitted("churn.risk")
    day = minute / DAY
    assert day == int(day)  # the beginning of a day of the shop
    assert p_order_at(int(day)) <= 1 - 0.66 - 0.05 < p_order_at(int(day) - 1)
    (trigger,) = [trigger for trigger in ada.triggers if trigger.name == "churn.risk"]
    assert trigger.details["models"] == learned().id
    assert trigger.details["p_order_90d"] == pytest.approx(p_order_at(int(day)), abs=1e-4)
    assert trigger.profile.churn_band == "high"


def test_it_tells_the_probability_by_the_part_of_the_shop_she_is_in() -> None:
    """Customers without a source order twice as often as the shop; so she worries earlier, and her chance is theirs."""
    quick = replace(CDNOW, alpha=CDNOW.alpha / 2)
    models = learned()
    assert models.value is not None
    assert models.value.timing is not None
    segments = {"direct": replace(models.value.timing, parameters=quick)}
    value = named_value(replace(models.value, segmented_by="channel", segments=segments))
    ada = regular(shop_that_learned(models=named(replace(models, value=value)))).until(700 * DAY)

    (trigger,) = [trigger for trigger in ada.triggers if trigger.name == "churn.risk"]
    day = round(ada.emitted("churn.risk")[0] / DAY)
    wanted = p_order_within(quick, Buyer(9, 90 / 7, day / 7), 90 / 7)
    assert trigger.details["p_order_90d"] == pytest.approx(wanted, abs=1e-4)


def test_the_timer_waits_for_her_and_an_order_moves_it() -> None:
    ada = regular()
    (silent,) = regular().until(700 * DAY).emitted("churn.risk")
    ada.until(silent - DAY)
    assert ada.emitted("churn.risk") == []

    buys(ada, silent / DAY - 0.5)
    ada.until(silent + 20 * DAY)

    assert ada.emitted("churn.risk") == []


def test_an_order_before_it_is_sent_cancels_it() -> None:
    ada = regular()
    (silent,) = regular().until(700 * DAY).emitted("churn.risk")
    ada.until(silent - 1)
    ada.profile.ids.clear()  # nobody can be reached: it waits
    ada.until(silent + 1)
    assert ada.decisions("churn.risk") == [("armed", None), ("unreachable", "unreachable")]

    buys(ada, silent / DAY + 0.2)

    assert ada.decisions("churn.risk")[-1] == ("cancelled", "came_back")
    assert band(ada) != "high"


def test_who_came_back_and_falls_silent_again_is_told_again_but_not_within_sixty_days() -> None:
    ada = regular().until(700 * DAY)
    (first,) = ada.emitted("churn.risk")
    buys(ada, 700)
    buys(ada, 710)
    ada.until(2_000 * DAY)

    first_again, second = ada.emitted("churn.risk")
    assert first_again == first
    assert second > 710 * DAY + 60 * DAY
    assert len({trigger.trigger_id for trigger in ada.triggers if trigger.name == "churn.risk"}) == 2


def test_an_entry_within_a_week_of_the_last_one_is_none() -> None:
    ada = regular(shop_that_learned(ChurnRiskRule(cooldown_ms=0))).until(700 * DAY)
    (first,) = ada.emitted("churn.risk")
    buys(ada, 700, order_id="back")
    ada.tell(events.OrderCancelled, 701 * DAY, order_id="back")
    ada.until(706 * DAY)

    assert band(ada) == "high"
    assert ada.emitted("churn.risk") == [first]


def test_an_unhappy_answer_brings_it_forward() -> None:
    (calm,) = regular().until(700 * DAY).emitted("churn.risk")
    ada = regular()
    ada.tell(events.NpsSubmitted, 95 * DAY, score=2).until(700 * DAY)

    assert ada.emitted("churn.risk")[0] < calm
    assert band(ada) == "high"


def test_an_unhappy_answer_is_forgotten_after_its_time() -> None:
    (calm,) = regular().until(700 * DAY).emitted("churn.risk")
    ada = regular(shop_that_learned(ChurnRiskRule(concern_for_ms=DAY * 60_000)))
    ada.tell(events.NpsSubmitted, 95 * DAY, score=2).until(700 * DAY)

    assert ada.emitted("churn.risk") == [calm]


WORRIED = shop_that_learned(ChurnRiskRule(ticket_concern=0.2))
"""A shop where a ticket weighs more than the margin by which a band is left later than entered."""


def becomes_high(book: Book) -> int:
    """The day on which a regular customer with a ticket that stays open passes into the highest band."""
    ada = regular(book)
    for day in range(95, 300, 10):
        ada.tell(events.TicketUpdated, day * DAY, ticket_id="t")
        if band(ada.until((day + 9) * DAY)) == "high":
            break
    since_ms = ada.profile.standing.band_since_ms
    assert since_ms is not None
    return (since_ms - START_MS) // 86_400_000


def test_an_open_ticket_brings_it_forward_and_its_answer_takes_it_back() -> None:
    (calm,) = regular().until(700 * DAY).emitted("churn.risk")
    day = becomes_high(WORRIED)
    assert 1 - p_order_at(day) >= 0.66 + 0.05 - 0.2 > 1 - p_order_at(day - 1)
    ada = regular(WORRIED).until(day * DAY)
    assert band(ada) == "medium"

    ada.tell(events.TicketOpened, day * DAY + 1, ticket_id="t", topic="damage")
    assert band(ada) == "high"
    ada.tell(events.TicketResolved, (day + 1) * DAY, ticket_id="t")
    assert band(ada) == "medium"
    assert ada.emitted("churn.risk") == [day * DAY + 1]
    assert day * DAY < calm


def test_an_open_ticket_counts_as_much_as_a_low_score_and_both_no_more_than_one() -> None:
    days = set()
    for low, tickets in ((True, ""), (False, "t"), (False, "tu"), (True, "t")):
        ada = regular(shop_that_learned(open_feedback=OpenFeedback(ticket_ms=300 * DAY_MS)))
        if low:
            ada.tell(events.NpsSubmitted, 95 * DAY, score=2)
        for ticket_id in tickets:
            ada.tell(events.TicketOpened, 95 * DAY, ticket_id=ticket_id)
        ada.until(200 * DAY)
        assert band(ada) == "high"
        days.add(ada.profile.standing.band_since_ms)

    assert len(days) == 1


def test_tickets_count_nothing_where_the_rules_say_so() -> None:
    (calm,) = regular().until(700 * DAY).emitted("churn.risk")
    ada = regular(shop_that_learned(ChurnRiskRule(ticket_concern=0.0))).until(calm - 7 * DAY)
    ada.tell(events.TicketOpened, calm - 6 * DAY, ticket_id="t").until(700 * DAY)

    assert ada.emitted("churn.risk") == [calm]


def test_a_ticket_that_was_forgotten_ends_its_concern_on_the_day_after() -> None:
    """And so it ends for who is in the highest band by it alone: she is looked at on that very day."""
    book = shop_that_learned(ChurnRiskRule(ticket_concern=0.5), open_feedback=OpenFeedback(ticket_ms=20 * DAY_MS))
    day = next(day for day in range(95, 200) if 1 - p_order_at(day) >= 0.66 + 0.05 - 0.5)
    assert 1 - p_order_at(day + 21) < 0.66 - 0.05
    ada = regular(book).until(day * DAY)
    ada.tell(events.TicketOpened, day * DAY, ticket_id="t")
    assert band(ada) == "high"
    ends_ms = ms((day + 21) * DAY)

    assert ada.profile.wakes["standing|look"] == ends_ms
    ada.until((day + 21) * DAY + 1)
    assert (band(ada), ada.profile.standing.left_high_ms) == ("medium", ends_ms)


def test_the_document_shows_what_was_added_and_when_the_band_worsens_with_it() -> None:
    ada = regular()
    ada.tell(events.TicketOpened, 95 * DAY, ticket_id="t")
    shown = document(ada.profile, ada.engine.book, ms(95 * DAY)).predicted
    assert shown is not None

    assert shown.churn.concern == 0.1
    assert shown.churn.risk == pytest.approx(1 - p_order_at(95) + 0.1, abs=1e-9)
    calm = document(regular().profile, ada.engine.book, ms(95 * DAY)).predicted
    assert calm is not None
    assert (shown.churn.worsens_ms or 0) < (calm.churn.worsens_ms or 0)


def test_who_is_unlikely_to_come_back_right_after_her_only_order_was_not_silent() -> None:
    ada = buys(Timeline(shop_that_learned()), 0).until(80 * DAY)

    assert band(ada) == "high"
    assert ada.emitted("churn.risk") == []


def test_without_models_nothing_is_foretold_and_the_first_models_reach_the_silent_within_a_month() -> None:
    ada = regular(shop()).until(200 * DAY)
    assert band(ada) is None

    ada.engine = Engine(shop_that_learned())
    ada.until(231 * DAY)

    assert band(ada) is not None
    assert ada.until(700 * DAY).emitted("churn.risk") != []


def test_after_two_silent_years_without_models_nobody_is_looked_at_any_more() -> None:
    ada = regular(shop()).until(3_000 * DAY)

    assert "standing|look" not in ada.profile.wakes


def test_a_cancelled_only_order_leaves_no_band() -> None:
    ada = Timeline(shop_that_learned())
    buys(ada, 0, order_id="o1")
    assert band(ada) is not None

    ada.tell(events.OrderCancelled, DAY, order_id="o1").until(900 * DAY)

    assert band(ada) is None
    assert ada.emitted("churn.risk") == []
    assert ada.profile.wakes == {}
