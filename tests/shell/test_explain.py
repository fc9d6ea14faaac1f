"""Why she got this and why he did not, told from the decisions of real stories."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from profiles.cart_rules import CartAbandonedRule
from profiles.life_rules import BirthdayRule
from profiles.rules import Holdout, QuietHours
from profiles.state import EPISODES_MAX, encode
from schemas import events
from schemas.outputs import Decision, RulesChanged, TriggerOutcome
from streams import cli
from streams.commands.explain import about
from streams.explanations import Clock, Kept, decided, kept_of, life, meaning, sent, shops_clock, standing, waiting
from streams.trigger_registry import all_triggers
from tests.stories.timeline import DAY, HOUR, START_MS, Timeline, ms, shop

UTC = ZoneInfo("UTC")
SHOPS = shops_clock("UTC")


def lives(
    ada: Timeline, name: str, clock: Clock = SHOPS, *, tried: bool = False, kept: Kept | None = None
) -> list[str]:
    """The sentences about the first trigger of a name."""
    decisions = [output for output in ada.out if isinstance(output, Decision)]
    first = next(decision.trigger_id for decision in decisions if decision.name == name)
    return life(about([encode(decision) for decision in decisions], first), clock, tried=tried, kept=kept)


def test_the_life_of_a_reminder_that_was_sent_and_bought_from() -> None:
    ada = Timeline().add("A", 0, message_id="add-1").add("B", 10, message_id="add-2").until(70)
    ada.order("o1", 90, "A", cart_id="c1")

    told = lives(ada, "cart.abandoned")
    assert told[0] == "cart.abandoned, about c1, for user_id:ada. Times are of the shop's zone, UTC."
    assert told[1] == "2026-03-02 00:00:00 UTC: it was planned for 2026-03-02 01:00:00 UTC, because of add-1."
    assert told[2].startswith(
        "2026-03-02 01:10:00 UTC: it, by then due at 2026-03-02 01:10:00 UTC, was sent by the rules 'reference'; it had passed"
    )
    assert told[2].endswith("it rests on add-1, add-2.")
    assert told[3] == "2026-03-02 01:30:00 UTC: it was followed by an order, order o1."
    assert told[-1] == "She got it."


def test_why_one_was_not_sent() -> None:
    told = lives(Timeline(consent=False).add("A", 0).until(DAY), "cart.abandoned")

    assert told[-1] == "She did not get it. The customer's consent allows marketing on no channel (no_consent)."
    assert "before that it had passed reachable." in told[-2]


def test_a_reason_of_a_triggers_own_is_told_in_words() -> None:
    ada = Timeline().order("o1", 0, "lamp").tell(events.OrderDelivered, DAY, order_id="o1")
    ada.tell(events.ProductReviewed, 2 * DAY, product_id="lamp")

    assert lives(ada, "review.request")[-1] == "She did not get it. She reviewed it already (reviewed)."


def test_one_that_waits_for_the_morning() -> None:
    ada = (
        Timeline(shop(quiet_hours=QuietHours(start_at="00:30", end_at="08:00", jitter_ms=0)))
        .add("A", 0)
        .until(2 * HOUR)
    )

    told = lives(ada, "cart.abandoned")
    assert (
        "it was put off: It was due in the customer's quiet hours and is put off to their end (quiet_hours)" in told[2]
    )
    assert ", until 2026-03-02 08:00:00 UTC" in told[2]
    assert told[-1] == "It is still waiting, unless she was erased.", "nobody has looked"


def decisions_of(ada: Timeline, name: str) -> list[Decision]:
    return [one for one in ada.out if isinstance(one, Decision) and one.name == name]


def test_what_her_profile_still_has_is_waiting() -> None:
    ada = Timeline().add("A", 0)
    (armed,) = decisions_of(ada, "cart.abandoned")

    assert life([armed], SHOPS, kept=kept_of(ada.profile, armed))[-1] == "It is still waiting."


def test_what_waited_for_a_customer_who_was_erased_is_not_said_to_wait() -> None:
    eve = Timeline().add("A", 0).tell(events.EraseCustomer, 10, request_id="r")

    told = lives(eve, "cart.abandoned", kept=kept_of(None, decisions_of(eve, "cart.abandoned")[0]))
    assert told[-1] == "It waits no more: nothing of it is kept, as when she was erased."
    assert lives(eve, "cart.abandoned")[-1] == "It is still waiting, unless she was erased."


def test_what_goes_on_under_another_id_is_told_under_both() -> None:
    """Once she logs in, a cart without a name is hers; and what opened another one is heard of late."""
    visitor = Timeline(customer="anonymous_id:d1", consent=False).add("A", 0, cart=None, message_id="visitor's")
    ada = Timeline().until(30).becomes_one_with(visitor).until(2 * HOUR)
    bob = Timeline().add("A", 10, message_id="later").add("B", 5, arrives=30, message_id="earlier").until(2 * HOUR)

    for decisions, began in (
        (decisions_of(visitor, "cart.abandoned") + decisions_of(ada, "cart.abandoned"), "visitor's"),
        (decisions_of(bob, "cart.abandoned"), "earlier"),
    ):
        first, *_, last = decisions
        told = life([one for one in decisions if one.trigger_id == first.trigger_id], SHOPS)
        assert "00:30:00 UTC: it was dropped: It goes on under another id: whose it is, or what began it," in told[-2]
        assert told[-1] == f"What came of it stands under {last.trigger_id}."
        told = life([one for one in decisions if one.trigger_id == last.trigger_id], SHOPS)
        assert told[1].startswith("2026-03-02 00:30:00 UTC: it was planned for ")
        assert told[1].endswith(f", because of {began}.")
        assert told[-1] == "She got it."


def test_what_began_a_message_is_told_where_no_more_is_retained_than_that_it_was_sent() -> None:
    (*_, emitted) = decisions_of(Timeline().add("A", 0, message_id="add").until(70), "cart.abandoned")

    assert life([emitted], SHOPS)[1].endswith("; it rests on add.")


def test_what_the_messaging_system_could_not_send_is_not_said_to_have_reached_her() -> None:
    ada = Timeline().add("A", 0).until(70)
    ada.tell(events.MessageFailed, 75, trigger_id=ada.triggers[0].trigger_id)
    decisions = decisions_of(ada, "cart.abandoned")

    told = life(decisions, SHOPS, kept=kept_of(ada.profile, decisions[-1]))
    assert told[-1] == "She did not get it: it went out, and the messaging system could not send it."


def test_of_several_reminders_the_last_one_has_the_success() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 1, checkout_id="k1", cart_id="c1").until(26 * HOUR)
    ada.order("o1", 27 * HOUR, "A", cart_id="c1", checkout_id="k1")

    said = [line.partition("; ")[2].partition(" (")[0] for line in sent(ada.profile, UTC)]
    assert said == ["an order followed", "an order followed, which counts as its success"]
    assert [one.state for one in decisions_of(ada, "checkout.abandoned") if one.occurrence == 1] == ["armed", "emitted"]


def test_who_is_held_out_is_said_to_be() -> None:
    told = lives(Timeline(shop(holdout=Holdout(share=1.0))).add("A", 0).until(DAY), "cart.abandoned")

    assert told[-1] == "She did not get it, on purpose: she is among those held out."


def test_one_that_was_taken_back() -> None:
    ada = Timeline().tell(events.NpsSubmitted, 0, score=2, survey_id="s").until(1)
    ada.tell(events.NpsSubmitted, 2, score=9, survey_id="s")

    told = lives(ada, "nps.detractor")
    assert "it was taken back after it was sent: The customer corrected her score (score_corrected)." in told[-2]
    assert told[-1] == "She got it, or would have, had it not been taken back."


def test_who_could_not_be_reached_in_time_is_not_said_to_be_waited_for() -> None:
    told = lives(Timeline(customer="anonymous_id:d1").add("A", 0).until(2 * DAY), "cart.abandoned")

    assert "it is kept until she can be reached" in told[-3]
    assert told[-2].endswith(
        "it came too late and was dropped: The customer could not be reached until it was too late (unreachable)."
    )
    assert told[-1] == "She did not get it. The customer could not be reached until it was too late (unreachable)."


def test_what_found_no_place_is_not_said_to_be_late() -> None:
    ada = Timeline()
    for number in range(EPISODES_MAX + 1):
        ada.wish(f"p{number}", number / 100)
    refused = next(one for one in ada.out if isinstance(one, Decision) and one.reason == "too_many")

    assert (
        "it was not planned: The customer has as many open episodes as a profile holds (too_many)"
        in life([refused], SHOPS)[1]
    )


def test_what_had_a_place_until_two_became_one_is_said_to_have_been_dropped() -> None:
    guest = Timeline(customer="email:ada@example.org")
    ada = Timeline()
    for number in range(EPISODES_MAX // 2 + 1):
        ada.wish(f"hers {number}", number)
        guest.wish(f"its {number}", number)
    ada.becomes_one_with(guest)
    crowded = next(one for one in ada.out if isinstance(one, Decision) and one.reason == "too_many")

    assert (
        "it was dropped: The customer has as many open episodes as a profile holds (too_many)"
        in life([crowded], SHOPS)[1]
    )


def test_reminders_are_numbered_as_they_are_where_they_are_sent() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 1, checkout_id="k1", cart_id="c1").until(3 * DAY)
    second = next(
        one for one in ada.out if isinstance(one, Decision) and one.name == "checkout.abandoned" and one.occurrence == 2
    )

    assert life([second], SHOPS)[0].startswith("checkout.abandoned, message 2, about k1, for user_id:ada.")


def test_reminders_about_the_same_are_told_apart_in_a_profile() -> None:
    ada = Timeline().add("A", 0).tell(events.CheckoutStarted, 1, checkout_id="k1", cart_id="c1").until(26 * HOUR)

    told = [*sent(ada.profile, UTC), *waiting(ada.profile, shop(), UTC)]
    assert [line.partition(" at ")[0] for line in told] == [
        "checkout.abandoned about k1 was sent",
        "checkout.abandoned about k1, message 2, was sent",
        "checkout.abandoned about k1, message 3, is due",
    ]


def test_what_is_planned_only_in_its_time_is_told_to_wait_too() -> None:
    ada = Timeline().order("o1", 0, "lamp").tell(events.Identified, 1, traits={"birthday": "1990-05-05"})

    assert list(waiting(ada.profile, shop(), UTC, "birthday")) == [
        "birthday is looked at again at 2026-05-03 09:00:00 UTC, and comes then or later if there is ground for it."
    ]
    told = [line.partition(" ")[0] for line in waiting(ada.profile, shop(), UTC)]
    assert told == ["second.order.welcome", "cross.sell", "birthday", "winback", "anniversary"]


def test_what_the_rules_switched_off_is_not_said_to_come() -> None:
    ada = Timeline().add("A", 0).tell(events.Identified, 1, traits={"birthday": "1990-05-05"})

    off = shop(CartAbandonedRule(enabled=False), BirthdayRule(enabled=False))
    (told,) = waiting(ada.profile, off, UTC)
    assert told.startswith("cart.abandoned about c1 is due at 2026-03-02 01:00:00 UTC, and is dropped then: ")
    assert told.endswith(": The rules switched the trigger off (disabled).")


def test_decisions_are_told_in_the_order_in_which_they_were_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Her word of the tenth second comes after her cart of the twentieth, as it may within a minute."""
    at_ms = START_MS + 10_000
    cart = {
        "event": "Product Added",
        "message_id": "add",
        "timestamp_ms": at_ms + 10_000,
        "user_id": "ada",
        "cart_id": "c1",
    }
    gone = {"event": "Unsubscribed", "message_id": "bye", "timestamp_ms": at_ms, "user_id": "ada"}
    lines = (cart | {"product": {"product_id": "lamp", "price_minor": 100}}, gone)
    export, out = tmp_path / "export.jsonl", tmp_path / "out"
    export.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert cli.run(["replay", str(export), "--out", str(out)]) == 0
    capsys.readouterr()
    decisions = [json.loads(line) for line in (out / "decisions.jsonl").read_text().splitlines()]
    known = next(one["trigger_id"] for one in decisions if one["name"] == "cart.abandoned")

    assert cli.run(["explain", known, "--decisions", str(out / "decisions.jsonl")]) == 0

    told = capsys.readouterr().out.splitlines()
    assert "it was planned" in told[1]
    assert "it was dropped" in told[2]
    assert told[-1] == "She would not have got it. The customer took her consent back (unsubscribed)."


def test_what_was_bought_from_was_sent_though_its_emission_is_not_retained_any_more() -> None:
    ada = Timeline().add("A", 0).until(70).order("o1", 90, "A", cart_id="c1")
    followed = [one for one in ada.out if isinstance(one, Decision) and one.state == "converted"]

    assert life(followed, SHOPS)[-1] == "She got it."


def test_a_change_of_the_rules_among_the_decisions_is_about_no_trigger() -> None:
    changed = RulesChanged(
        decision_id="d",
        partition=0,
        old_version="t-1",
        old_digest="a",
        new_version="t-2",
        new_digest="b",
        at_ms=0,
    )

    assert about([encode(changed)], "t-1") == []


def test_what_only_systems_are_told_of_is_not_said_to_have_reached_her() -> None:
    ada = Timeline(shop(segments={"buyers": {"when": "profile.orders.count >= 1"}})).order("o1", 0, "lamp").until(1)

    assert lives(ada, "segment.entered")[-1] == "It went out, to systems alone: it says nothing to her."


def test_what_stands_in_the_way_now_is_told_of_now() -> None:
    book = shop(holdout=Holdout(share=1.0), quiet_hours=QuietHours(start_at="00:30", end_at="08:00", jitter_ms=0))

    assert list(standing(Timeline(book).profile, book, ms(60))) == [
        "These are her quiet hours (quiet_hours).",
        "She is held out of all marketing, to measure what it is worth (holdout).",
    ]
    stranger = Timeline(customer="anonymous_id:d1").profile
    assert list(standing(stranger, shop(), ms(60))) == [
        "She can't be reached: no e-mail, phone, push token or user id is known (unreachable)."
    ]


def test_decisions_that_were_written_twice_are_told_once() -> None:
    decisions = [output for output in Timeline().add("A", 0).until(DAY).out if isinstance(output, Decision)]

    assert life(decisions + decisions, SHOPS) == life(decisions, SHOPS)


def test_times_are_told_on_the_clock_of_the_shop_and_the_hour_that_comes_twice_is_told_apart() -> None:
    # Clocks in Berlin go back at 2026-10-25T01:00Z: half past two comes at 00:30Z and again at 01:30Z.
    night = 237 * DAY + 30
    told = lives(Timeline().add("A", night).until(night + 2 * HOUR), "cart.abandoned", shops_clock("Europe/Berlin"))

    assert told[0].endswith("Times are of the shop's zone, Europe/Berlin.")
    assert told[1].startswith("2026-10-25 02:30:00 CEST: it was planned for 2026-10-25 02:30:00 CET,")


def test_what_was_only_tried_is_told_as_what_would_have_been() -> None:
    ada = Timeline().add("A", 0).until(70).order("o1", 90, "A", cart_id="c1")
    told = lives(ada, "cart.abandoned", tried=True)

    assert "it would have been sent by the rules 'reference'" in told[2]
    assert told[-1] == "She would have got it."
    no = lives(Timeline(consent=False).add("A", 0).until(DAY), "cart.abandoned", tried=True)
    assert "it would not have been sent: " in no[2]
    assert no[-1] == "She would not have got it. The customer's consent allows marketing on no channel (no_consent)."
    (line,) = sent(ada.profile, UTC, tried=True)
    assert " would have been sent at 2026-03-02 01:00:00 UTC; an order followed, which would count as its" in line
    assert not [line for line in decided(ada.profile, UTC, tried=True) if "was sent" in line]


def test_every_reason_of_every_trigger_has_a_meaning() -> None:
    for trigger in all_triggers():
        for reason in trigger.reasons:
            assert meaning(reason, trigger.name) != reason
    assert meaning("of-another-release", "cart.abandoned") == "of-another-release"


def test_a_replays_decisions_are_explained_from_their_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decisions = [output for output in Timeline().add("A", 0).until(DAY).out if isinstance(output, Decision)]
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"".join(encode(decision) + b"\n" for decision in decisions))

    zone = ["--shop-timezone", "America/New_York"]
    assert cli.run(["explain", decisions[0].trigger_id, "--decisions", str(file), *zone]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].endswith("Times are of the shop's zone, America/New_York.")
    assert told[1].startswith("2026-03-01 19:00:00 EST: it was planned")
    assert told[-1] == "She would have got it.", "a replay sends nobody anything"

    assert cli.run(["explain", "nobody", "--decisions", str(file)]) != 0
    assert "holds no decision about nobody" in capsys.readouterr().err


def test_the_id_of_what_became_of_a_trigger_leads_to_the_trigger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tail` shows these ids, and a messaging system has them from its topics."""
    bought = Timeline().add("A", 0).until(70).order("o1", 90, "A", cart_id="c1")
    late = (
        Timeline(customer="user_id:bea").add("A", 0, cart="c2").until(70).order("o2", 30, "A", cart_id="c2", arrives=90)
    )
    out = [*bought.out, *late.out]
    file = tmp_path / "decisions.jsonl"
    file.write_bytes(b"".join(encode(one) + b"\n" for one in out if isinstance(one, Decision)))
    notices = [one for one in out if isinstance(one, TriggerOutcome)]
    assert {one.name for one in notices} == {"trigger.converted", "cart.recovered", "trigger.cancelled"}

    for notice in notices:
        assert cli.run(["explain", notice.trigger_id, "--decisions", str(file)]) == 0
        first, *told = capsys.readouterr().out.splitlines()
        said = f"{notice.trigger_id} is {notice.name}: it tells what became of the trigger {notice.of_trigger_id}."
        assert first == said
        assert cli.run(["explain", notice.of_trigger_id, "--decisions", str(file)]) == 0
        assert told == capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("line", ['{"trigger_id":"t-1","na', '{"trigger_id":"t-1"}'])
def test_a_file_that_holds_no_decisions_is_said_to(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "decisions.jsonl"
    file.write_text(line)

    assert cli.run(["explain", "t-1", "--decisions", str(file)]) == 2
    assert "decisions.jsonl: a line about it is no decision" in capsys.readouterr().err
