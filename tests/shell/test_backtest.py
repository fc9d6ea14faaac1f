"""Rules tried on the past: what they would have sent week by week, how often to whom, and what other rules would have done."""

import json
import re
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from profiles.triggers import CART_ABANDONED
from streams import cli
from streams.backtest.course import DAY_MS, Course, busiest_week, week_of
from streams.backtest.document import BacktestDocument, all_weeks, figures
from streams.backtest.page import write_page

HOUR_MS = 3_600_000
START_MS = 1_767_600_000_000  # Monday 2026-01-05T08:00Z
GENERAL = (
    "soft_opt_in = true\n[quiet_hours]\nenabled = false\n[caps]\nmax_in_24h = 100\nmax_in_7d = 100\nmax_in_day = 100\n"
    "[second_order_welcome]\nenabled = false\n"
)

Backtest = Callable[..., dict[str, Any]]


def added(user: str, at_ms: int, cart: str) -> dict[str, Any]:
    product = {"product_id": "tea", "price_minor": 500}
    return {
        "event": "Product Added",
        "message_id": f"{cart}-{at_ms}",
        "timestamp_ms": START_MS + at_ms,
        "user_id": user,
        "cart_id": cart,
        "product": product,
    }


def ordered(user: str, at_ms: int, order: str, cart: str) -> dict[str, Any]:
    product = {"product_id": "tea", "price_minor": 500}
    return {
        "event": "Order Completed",
        "message_id": order,
        "timestamp_ms": START_MS + at_ms,
        "user_id": user,
        "order_id": order,
        "cart_id": cart,
        "products": [product],
    }


def identified(user: str, at_ms: int, email: str) -> dict[str, Any]:
    return {
        "event": "Identified",
        "message_id": f"login-{user}",
        "timestamp_ms": START_MS + at_ms,
        "user_id": user,
        "email": email,
    }


def looked(device: str, at_ms: int, **fields: Any) -> dict[str, Any]:
    return {
        "event": "Product Viewed",
        "message_id": f"{device}-{at_ms}",
        "timestamp_ms": START_MS + at_ms,
        "anonymous_id": device,
        "product": {"product_id": "tea", "price_minor": 500},
        **fields,
    }


HISTORY = (
    # Ada leaves a cart for good, Bob buys his after 45 minutes, Cy a day later; eight days on Ada leaves another one.
    added("ada", 0, "a1"),
    added("bob", 0, "b1"),
    added("cy", 0, "c1"),
    ordered("bob", 45 * 60_000, "o-b", "b1"),
    ordered("cy", DAY_MS, "o-c", "c1"),
    added("ada", 8 * DAY_MS, "a2"),
)


@pytest.fixture
def backtest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Backtest:
    """Run the history under rules given as text, against others if given; the document that comes of it."""

    def run(
        rules: str,
        against: str | None = None,
        *,
        history: Iterable[Any] = HISTORY,
        until: str = "2026-02-01",
        options: Iterable[str] = (),
    ) -> dict[str, Any]:
        export = tmp_path / "export.jsonl"
        export.write_text("".join(json.dumps(one) + "\n" for one in history))
        arguments = ["replay", str(export), "--out", str(tmp_path / "out"), "--until", until, *options]
        for flag, text in (("--rules", rules), ("--against", against)):
            if text is not None:
                path = tmp_path / f"{flag[2:]}.toml"
                path.write_text(text)
                arguments += [flag, str(path)]
        assert cli.run(arguments) == 0, capsys.readouterr().err
        document: dict[str, Any] = json.loads((tmp_path / "out" / "backtest.json").read_text())
        return document

    return run


def rules(version: str, cart: str, *, cooldown: str = '"1h"') -> str:
    return f'version = "{version}"\n{GENERAL}[cart_abandoned]\ndelay = "{cart}"\ncooldown = {cooldown}\n'


def of(run: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in run["triggers"] if one["name"] == name)


def test_what_is_sent_is_counted_by_week_and_by_customer(backtest: Backtest) -> None:
    found = backtest(rules("now", "1h"))

    run = found["run"]
    assert (found["events"], run["rules"], run["weeks"]) == (6, "now", ["2026-01-05", "2026-01-12"])
    cart = of(run, "cart.abandoned")
    # Bob bought before the hour was over. Cy bought after his reminder.
    assert (cart["sent"], cart["weeks"], cart["converted"], cart["converted_minor"]) == (3, [2, 1], 1, 500)
    pressure = run["pressure"]
    assert (pressure["customers"], pressure["messages"], pressure["most"], pressure["median"]) == (3, 3, 2, 1)
    assert (pressure["bands"]["0"], pressure["bands"]["1"], pressure["bands"]["2"]) == (1, 1, 1)
    # Ada's two are eight days apart.
    assert (pressure["busiest_bands"]["1"], pressure["busiest_bands"]["2"]) == (2, 0)
    assert "against" not in found or found["against"] is None


def test_who_was_erased_since_is_still_one_of_the_customers(backtest: Backtest) -> None:
    """Bob got nothing, Ada and Cy had a message each."""
    gone = {
        "event": "Erase Customer",
        "message_id": "erase",
        "timestamp_ms": START_MS + 2 * DAY_MS,
        "user_id": "bob",
        "request_id": "r",
    }
    pressure = backtest(rules("now", "1h"), history=(*HISTORY[:-1], gone))["run"]["pressure"]

    assert (pressure["customers"], pressure["messages"], pressure["mean"]) == (3, 2, 0.6667)
    assert (pressure["bands"]["0"], pressure["bands"]["1"]) == (1, 2)


def test_what_was_due_and_not_sent_is_counted_by_its_reason(backtest: Backtest) -> None:
    cart = of(backtest(rules("now", "1h", cooldown='"30d"'))["run"], "cart.abandoned")

    assert (cart["sent"], cart["kept_back"]) == (2, {"cooldown": 1})


def test_why_something_was_not_sent_is_told_in_words_and_in_the_document_by_its_code(
    backtest: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = backtest(rules("strict", "1h", cooldown='"30d"'), rules("soon", "1h"))

    why = "The same trigger went to this customer too short a time ago (cooldown)"
    printed, page = capsys.readouterr().out, (tmp_path / "out" / "backtest.html").read_text()
    assert f"due and not sent\n        1  {why}\n" in printed
    assert f"<span>1: {why}</span>" in page
    for shown in (printed, page.replace("&gt;", ">")):
        assert f"user_id:ada, a2: sent 2026-01-13 09:00 UTC -> not sent 2026-01-13 09:00 UTC: {why}" in shown
    assert of(found["run"], "cart.abandoned")["kept_back"] == {"cooldown": 1}
    (cart,) = found["difference"]["triggers"]
    assert [one["these_end"] for one in cart["examples"]] == [
        {"state": "suppressed", "reason": "cooldown", "at_ms": START_MS + 8 * DAY_MS + HOUR_MS}
    ]


def test_a_reminder_that_was_sent_and_is_planned_once_more_is_not_kept_back_too(
    backtest: Backtest, tmp_path: Path
) -> None:
    """Coffee for three weeks, bought twice. After both reminders she sends the second one back: what she has is the first."""
    (tmp_path / "catalogue.csv").write_text("product_id,supply_days\ntea,21\n")
    back = {
        "event": "Order Refunded",
        "message_id": "back",
        "timestamp_ms": START_MS + 60 * DAY_MS,
        "user_id": "ada",
        "order_id": "o2",
        "refund_id": "r",
        "products": [{"product_id": "tea", "price_minor": 500}],
    }
    history = (ordered("ada", 0, "o1", "c1"), ordered("ada", 25 * DAY_MS, "o2", "c2"), back)
    options = ("--catalogue", str(tmp_path / "catalogue.csv"))
    found = backtest(rules("now", "1h"), history=history, until="2026-06-01", options=options)

    decisions = (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()
    about = [json.loads(line) for line in decisions if '"episode_key":"user_id:ada|tea|o1"' in line]
    states = [one["state"] for one in about if one["name"] == "replenishment.due"]
    assert states == ["armed", "emitted", "converted", "armed", "expired"]
    due = of(found["run"], "replenishment.due")
    assert (due["sent"], due["kept_back"]) == (2, {})


def test_what_is_kept_back_again_and_again_is_one_message(backtest: Backtest, tmp_path: Path) -> None:
    # She is in the middle of the checkout: each of its steps plans the reminder anew, under the id that it had.
    steps = [
        {
            "event": "Checkout Step Viewed",
            "message_id": f"step-{hour}",
            "timestamp_ms": START_MS + hour * HOUR_MS,
            "user_id": "ada",
            "checkout_id": "k1",
            "cart_id": "a1",
        }
        for hour in (1, 5, 9)
    ]
    strict = rules("strict", "1h").replace("soft_opt_in = true\n", "")
    checkout = of(backtest(strict, history=(added("ada", 0, "a1"), *steps))["run"], "checkout.abandoned")

    lines = (tmp_path / "out" / "decisions.jsonl").read_text().splitlines()
    kept = [one for line in lines if (one := json.loads(line))["state"] == "suppressed"]
    ids = [one["trigger_id"] for one in kept if one["name"] == "checkout.abandoned"]
    assert (len(ids), len(set(ids))) == (3, 1)
    assert checkout["kept_back"] == {"no_consent": 1}


def test_weeks_and_times_are_those_of_the_shops_zone(
    backtest: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Half past eleven in the evening of Sunday 2026-03-29 in London; in Auckland it is Monday, and summer time still.
    sunday_ms = 83 * DAY_MS + 14 * HOUR_MS + 30 * 60_000
    options = ("--shop-timezone", "Pacific/Auckland")
    history = (added("ada", sunday_ms - HOUR_MS, "a1"), added("ada", sunday_ms + 7 * DAY_MS - HOUR_MS, "a2"))
    found = backtest(rules("now", "1h"), rules("soon", "30min"), history=history, until="2026-05-01", options=options)

    assert found["timezone"] == "Pacific/Auckland"
    assert found["run"]["weeks"] == ["2026-03-30", "2026-04-06"]
    printed, page = capsys.readouterr().out, (tmp_path / "out" / "backtest.html").read_text()
    # Between the two the clocks there go back.
    assert "user_id:ada, a1: sent 2026-03-30 11:00 NZDT -> sent 2026-03-30 11:30 NZDT" in printed
    assert "user_id:ada, a2: sent 2026-04-06 10:00 NZST -> sent 2026-04-06 10:30 NZST" in printed
    assert "Weeks begin on Monday, in the time of Pacific/Auckland." in page
    (cart,) = found["difference"]["triggers"]
    assert {one["these"] for one in cart["examples"]} == {"sent 2026-03-29 22:30", "sent 2026-04-05 22:30"}


def test_orders_are_no_success_of_what_is_sent_as_a_service(
    backtest: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = backtest(rules("now", "1h") + 'trigger_class = "service"\n')

    cart = of(found["run"], "cart.abandoned")
    assert (cart["sent"], cart["converted"], cart["credited"]) == (3, 0, False)
    assert re.search(r"cart\.abandoned +3 +- +- +0 ", capsys.readouterr().out)
    assert "0.0 %" not in (tmp_path / "out" / "backtest.html").read_text()


def test_what_a_condition_keeps_back_is_counted_with_what_the_gates_do(backtest: Backtest) -> None:
    cart = of(backtest(rules("now", "1h") + "condition = 'profile.traits.tier == \"gold\"'\n")["run"], "cart.abandoned")

    # Bob bought before anything was due.
    assert (cart["sent"], cart["kept_back"]) == (0, {"condition": 3})


def test_a_trigger_that_fails_is_left_out_and_the_report_says_how_often_and_why(
    backtest: Backtest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(self: object, *_: object) -> str | None:
        raise KeyError("tier")

    monkeypatch.setattr(type(CART_ABANDONED), "check", check)
    cart = of(backtest(rules("now", "1h"))["run"], "cart.abandoned")
    said = "cart.abandoned failed 3 times and was left out: KeyError in cart.abandoned.check."

    assert (cart["sent"], cart["kept_back"], cart["failed"]) == (0, {}, {"KeyError in cart.abandoned.check": 3})
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "out" / "backtest.html").read_text()


def test_what_tells_systems_who_is_in_a_segment_is_no_contact_with_her(backtest: Backtest, tmp_path: Path) -> None:
    run = backtest(rules("now", "1h") + "[segments.buyers]\nwhen = 'profile.orders.count >= 1'\n")["run"]

    assert of(run, "segment.entered")["sent"] == 2
    assert (run["pressure"]["messages"], run["pressure"]["most"]) == (3, 2)
    page = (tmp_path / "out" / "backtest.html").read_text()
    assert "What only tells systems about her is no message: segment.entered." in page


def test_the_figures_at_the_top_are_of_messages_and_set_beside_those_of_the_other_rules(
    backtest: Backtest, tmp_path: Path
) -> None:
    """Two who enter a segment are none; of the others' rules two went to Ada and Cy, and Bob's came too before he bought."""
    backtest(rules("now", "1h") + "[segments.buyers]\nwhen = 'profile.orders.count >= 1'\n", rules("soon", "30min"))

    page = (tmp_path / "out" / "backtest.html").read_text()
    tiles = re.findall(r"<b>([^<]*)</b><span>([^<]*)</span>", page)
    assert tiles == [
        ("3", "messages sent; 4 under the others"),
        ("1", "followed by an order; 2 under the others"),
        ("1.00", "messages per customer; 1.33 under the others"),
        ("2", "messages at most to 99 of 100 customers; 2 under the others"),
    ]


def test_that_nobody_spoke_with_her_is_told_to_the_service_and_not_to_her(backtest: Backtest) -> None:
    score = {
        "event": "NPS Submitted",
        "message_id": "s",
        "timestamp_ms": START_MS,
        "user_id": "ada",
        "score": 2,
        "survey_id": "s",
    }
    run = backtest(rules("now", "1h"), history=(score,))["run"]

    assert (of(run, "feedback.overdue")["sent"], of(run, "nps.detractor")["sent"]) == (1, 1)
    assert run["pressure"]["messages"] == 1


def test_a_trigger_that_only_the_others_send_is_shown_as_sent_by_nobody_here(
    backtest: Backtest, capsys: pytest.CaptureFixture[str]
) -> None:
    found = backtest(rules("now", "1h") + "enabled = false\n", rules("before", "1h"))

    assert (of(found["run"], "cart.abandoned")["sent"], of(found["against"], "cart.abandoned")["sent"]) == (0, 3)
    assert re.search(r"cart\.abandoned +0 +3 ", capsys.readouterr().out)


def test_two_rule_sets_are_set_against_each_other_message_by_message(backtest: Backtest, tmp_path: Path) -> None:
    found = backtest(rules("soon", "30min"), rules("strict", "1h", cooldown='"30d"'))

    difference = found["difference"]
    (cart,) = (one for one in difference["triggers"] if one["name"] == "cart.abandoned")
    # Bob's and Ada's second only under the new rules; Ada's first and Cy's half an hour earlier.
    assert (cart["same"], cart["added"], cart["removed"], cart["moved"]) == (0, 2, 0, 2)
    assert difference["customers"] == 3
    told = {(one["customer_id"], one["kind"], one["others"], one["these"]) for one in cart["examples"]}
    assert told == {
        ("user_id:bob", "added", "cancelled (ordered) 2026-01-05 08:45", "sent 2026-01-05 08:30"),
        ("user_id:ada", "added", "suppressed (cooldown) 2026-01-13 09:00", "sent 2026-01-13 08:30"),
        ("user_id:ada", "moved", "sent 2026-01-05 09:00", "sent 2026-01-05 08:30"),
        ("user_id:cy", "moved", "sent 2026-01-05 09:00", "sent 2026-01-05 08:30"),
    }
    assert (tmp_path / "out" / "against" / "triggers.jsonl").exists()


def test_a_message_that_was_taken_back_is_among_those_that_are_set_against_each_other(backtest: Backtest) -> None:
    # Her order was placed after 59 minutes and became known after 65: the reminder of the hour was out by then.
    order = ordered("dee", 59 * 60_000, "o-d", "d1") | {"received_at_ms": START_MS + 65 * 60_000}
    history = (added("dee", 0, "d1"), added("eve", 64 * 60_000, "e1"), order)
    found = backtest(rules("now", "1h"), rules("late", "2h"), history=history)

    run, against = of(found["run"], "cart.abandoned"), of(found["against"], "cart.abandoned")
    (cart,) = (one for one in found["difference"]["triggers"] if one["name"] == "cart.abandoned")
    assert (run["sent"], against["sent"]) == (2, 1)
    assert cart["same"] + cart["moved"] + cart["added"] == run["sent"]
    assert cart["same"] + cart["moved"] + cart["removed"] == against["sent"]
    told = {one["customer_id"]: one["these"] for one in cart["examples"]}
    assert told["user_id:dee"] == "sent 2026-01-05 09:00"


def test_who_is_found_to_be_one_customer_was_written_to_as_one(backtest: Backtest) -> None:
    # Ada leaves a cart under her address, logs in, and leaves another one under her number.
    first = {name: value for name, value in added("ada", 0, "a1").items() if name != "user_id"}
    history = (
        first | {"email": "ada@example.org"},
        identified("ada", DAY_MS, "ada@example.org"),
        added("ada", 2 * DAY_MS, "a2"),
        added("bob", 2 * DAY_MS, "b1"),
    )
    found = backtest(rules("now", "1h"), rules("late", "2h"), history=history)

    pressure = found["run"]["pressure"]
    assert (pressure["customers"], pressure["messages"], pressure["most"]) == (2, 3, 2)
    assert (pressure["bands"]["0"], pressure["bands"]["1"], pressure["bands"]["2"]) == (0, 1, 1)
    assert pressure["busiest_bands"]["2"] == 1
    assert found["difference"]["customers"] == 2


def test_a_message_about_her_is_one_whether_it_went_out_before_she_logged_in_or_after(backtest: Backtest) -> None:
    """Her cart has no id of its own: it goes by hers, which is her address until she logs in."""
    unnamed = {name: value for name, value in added("", 0, "a1").items() if name not in ("user_id", "cart_id")}
    history = (unnamed | {"email": "ada@example.org"}, identified("ada", 2 * HOUR_MS, "ada@example.org"))
    found = backtest(rules("now", "1h"), rules("late", "4h"), history=history)

    (cart,) = found["difference"]["triggers"]
    assert [cart[kind] for kind in ("same", "moved", "added", "removed")] == [0, 1, 0, 0]
    assert found["difference"]["customers"] == 1


def test_a_message_that_another_event_gave_rise_to_is_one_at_another_time(backtest: Backtest) -> None:
    """Who may be written to unless she said no is welcomed at her sign-up, and else an hour later when she agrees."""
    login = identified("ada", 0, "ada@example.org")
    signed_up = {"event": "Signed Up", "message_id": "up", "timestamp_ms": START_MS, "user_id": "ada"}
    agrees = {"event": "Consent Changed", "message_id": "yes", "timestamp_ms": START_MS + HOUR_MS, "user_id": "ada"}
    agrees["consent"] = [{"state": "GRANT", "channel": "email"}]
    softly = rules("soft", "1h")
    found = backtest(softly, softly.replace("soft_opt_in = true\n", ""), history=(login, signed_up, agrees))

    (welcome,) = found["difference"]["triggers"]
    assert [welcome[kind] for kind in ("same", "moved", "added", "removed")] == [0, 1, 0, 0]
    told = [(one["others"], one["these"]) for one in welcome["examples"]]
    assert told == [("sent 2026-01-05 09:05", "sent 2026-01-05 08:05")]
    assert found["difference"]["customers"] == 1


def test_messages_that_differ_by_seconds_are_told_to_the_second(
    backtest: Backtest, capsys: pytest.CaptureFixture[str]
) -> None:
    found = backtest(rules("now", "1h"), rules("then", "3601s"), history=(added("cy", 0, "c1"),))

    (cart,) = found["difference"]["triggers"]
    assert [(one["others"], one["these"]) for one in cart["examples"]] == [
        ("sent 2026-01-05 09:00:01", "sent 2026-01-05 09:00:00")
    ]
    assert "sent 2026-01-05 09:00:01 UTC -> sent 2026-01-05 09:00:00 UTC" in capsys.readouterr().out


def test_who_only_enters_a_segment_gets_nothing_else(backtest: Backtest) -> None:
    found = backtest(
        rules("now", "1h") + "[segments.buyers]\nwhen = 'profile.orders.count >= 1'\n", rules("before", "1h")
    )

    (entered,) = (one for one in found["difference"]["triggers"] if one["name"] == "segment.entered")
    assert (entered["added"], found["difference"]["customers"]) == (2, 0)


def test_the_same_rules_differ_in_nothing(backtest: Backtest) -> None:
    found = backtest(rules("one", "1h"), rules("two", "1h"))

    assert found["difference"]["customers"] == 0
    assert found["run"]["triggers"] == found["against"]["triggers"]


def test_rules_of_the_same_version_are_told_apart(
    backtest: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backtest(rules("mine", "30min"), rules("mine", "1h"))

    printed = capsys.readouterr().out
    assert "under 'mine (these)'" in printed
    assert "under the others (mine (the others)) -> under these, times of UTC:" in printed
    assert "mine (the others)" in (tmp_path / "out" / "backtest.html").read_text()


def test_visitors_who_are_forgotten_on_the_way_change_no_message(backtest: Backtest, tmp_path: Path) -> None:
    """Passers-by, one of them with a cart; and a device whose owner logs in before she would be forgotten."""
    passing = [looked(f"bot{n}", n * HOUR_MS) for n in range(30)]
    phone = [looked("phone", DAY_MS), looked("phone", 20 * DAY_MS, user_id="dan"), added("dan", 21 * DAY_MS, "d1")]
    left = {**added("", HOUR_MS, "v1"), "anonymous_id": "bot1"}
    del left["user_id"]
    history = sorted((*HISTORY, *passing, *phone, left), key=lambda one: one["timestamp_ms"])
    said = 'allowed_lateness = "30d"\n' + rules("short", "1h") + 'forget = "30d"\n[visitors]\nforget_after = '

    found = backtest(said + '"30d"\n', said + '"0d"\n', history=history, until="2026-03-31")

    assert found["difference"]["customers"] == 0
    assert found["run"]["triggers"] == found["against"]["triggers"]
    assert of(found["run"], "cart.abandoned")["sent"] == 4
    profiles = (tmp_path / "out" / "profiles.jsonl").read_text().splitlines()
    customers = [json.loads(line)["id"] for line in profiles]
    assert customers == ["user_id:ada", "user_id:bob", "user_id:cy", "user_id:dan"]
    assert [found[one]["pressure"]["customers"] for one in ("run", "against")] == [4, 34]


def test_the_page_stands_alone_and_shows_the_figures(backtest: Backtest, tmp_path: Path) -> None:
    backtest(rules("soon", "30min"), rules("<b>old</b>", "1h"))

    page = (tmp_path / "out" / "backtest.html").read_text()
    assert "cart.abandoned" in page
    bought = "dropped 2026-01-05 08:45 UTC: An order bought it, or ended the checkout (ordered)"
    assert f"user_id:bob, b1: {bought} -&gt; sent 2026-01-05 08:30 UTC" in page
    assert "<b>old" not in page.replace("\\u003cb\\u003eold", "")
    assert 'src="http' not in page
    assert "<link" not in page


def test_a_run_in_which_nothing_happened_and_one_of_one_customer_are_told_as_they_are(
    backtest: Backtest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backtest(rules("now", "1h"), history=())
    page = (tmp_path / "out" / "backtest.html").read_text()
    assert "0 events of 0 customers, under rules" in page
    assert "There are no customers." in page
    assert "messages in her busiest" not in page
    assert "messages in all                 none" in capsys.readouterr().out

    backtest(rules("now", "1h"), history=(added("ada", 0, "a1"),))
    page = (tmp_path / "out" / "backtest.html").read_text()
    assert "1 event of 1 customer, week of 2026-01-05, under rules" in page
    assert "Triggers, week of 2026-01-05\n" in capsys.readouterr().out


def test_many_weeks_are_named_by_their_mondays_as_few_are(backtest: Backtest, tmp_path: Path) -> None:
    backtest(rules("now", "1h"), history=[added("ada", week * 7 * DAY_MS, f"a{week}") for week in range(20)])

    page = (tmp_path / "out" / "backtest.html").read_text()
    every_third_monday = f'"xaxis":{{"dtick":{3 * 7 * DAY_MS},"tick0":"2026-01-05","type":"date"}}'
    assert every_third_monday in page


def test_orders_whose_amounts_are_in_no_figure_are_named_on_the_page(backtest: Backtest, tmp_path: Path) -> None:
    abroad = ordered("ada", 2 * HOUR_MS, "o-a", "a1") | {"currency": "EUR"}
    cart = of(backtest(rules("now", "1h"), history=(added("ada", 0, "a1"), abroad))["run"], "cart.abandoned")

    assert (cart["converted"], cart["converted_minor"]) == (1, 0)
    page = (tmp_path / "out" / "backtest.html").read_text()
    assert (
        "Orders in a currency without an exchange rate to USD: 1. They are counted, but their amounts are in none"
        in page
    )


def test_standard_input_cannot_be_read_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.toml").write_text("")

    assert cli.run(["replay", "-", "--out", str(tmp_path), "--against", str(tmp_path / "r.toml")]) == 2
    assert "give a file" in capsys.readouterr().err


def test_wrong_rules_to_set_against_are_told_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(one) + "\n" for one in HISTORY))
    (tmp_path / "r.toml").write_text("[welcom]\n")

    arguments = ["replay", str(tmp_path / "events.jsonl"), "--out", str(tmp_path / "out")]
    assert cli.run([*arguments, "--against", str(tmp_path / "r.toml")]) == 2
    assert "line 1: welcom: unknown key" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weeks_without_messages_are_shown_and_a_run_without_any_has_none() -> None:
    quiet = Course()
    assert all_weeks([quiet]) == ()
    assert figures(quiet, rules="r", customers=0, weeks=()).pressure.mean == 0.0

    quiet.sent["a"] = {week_of(0, ZoneInfo("UTC")): 1, week_of(15 * DAY_MS, ZoneInfo("UTC")): 1}  # type: ignore[assignment]
    assert all_weeks([quiet]) == ("1969-12-29", "1970-01-05", "1970-01-12")


@pytest.mark.parametrize("triggers, wide", [(6, False), (7, True)])
def test_the_names_of_many_triggers_do_not_hide_the_weeks_on_a_phone(triggers: int, wide: bool, tmp_path: Path) -> None:
    course = Course()
    for number in range(triggers):
        course.sent[f"trigger {number}"]["2026-01-05"] = 1
    run = figures(course, rules="r", customers=1, weeks=("2026-01-05",))

    write_page(
        BacktestDocument(
            events=1, unconverted_orders=0, unconverted_refunds=0, currency="USD", timezone="UTC", run=run
        ),
        tmp_path,
    )

    assert ("min-width: 690px" in (tmp_path / "backtest.html").read_text()) is wide


def test_a_busy_week_is_any_seven_days() -> None:
    assert busiest_week(array("q", [12 * DAY_MS, 0, 6 * DAY_MS, 7 * DAY_MS, 8 * DAY_MS])) == 4


def test_percentiles_are_of_all_customers_by_nearest_rank() -> None:
    course = Course()
    for customer, messages in enumerate([1] * 5 + [7] * 4 + [40]):
        course.contacts[f"c{customer}"].extend([0] * messages)

    pressure = figures(course, rules="r", customers=20, weeks=()).pressure

    assert (pressure.median, pressure.p90, pressure.p99, pressure.most) == (0, 7, 40, 40)
    assert pressure.bands == {"0": 10, "1": 5, "2": 0, "3": 0, "5": 4, "10": 0, "20": 1, "50": 0}
