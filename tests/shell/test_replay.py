"""A shop's export through the engine: every output file and field, totals by hand, and no surprise from bad lines."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams import cli

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
START_MS = 1_767_225_600_000  # 2026-01-01T00:00Z

SUMMARY_KEYS = [
    *(
        "events",
        "rejected",
        "customers",
        "orders",
        "unconverted_orders",
        "unconverted_refunds",
        "gross_minor",
        "discount_minor",
        "refund_minor",
    ),
    *("net_minor", "margin_minor", "aov_minor", "orders_per_customer", "repurchase_rate", "triggers", "events_per_s"),
]

Replay = Callable[..., Path]


def event(name: str, at_ms: int, user: str | None = "ann", **fields: Any) -> dict[str, Any]:
    made = {"event": name, "message_id": f"{name}-{user}-{at_ms}", "timestamp_ms": START_MS + at_ms, **fields}
    return made if user is None else made | {"user_id": user}


def agreed(at_ms: int, user: str = "ann") -> dict[str, Any]:
    return event("Identified", at_ms, user, consent=[{"state": "GRANT", "channel": "email"}])


def added(at_ms: int, user: str = "ann", product: str = "tea", price: int = 500) -> dict[str, Any]:
    product_ = {"product_id": product, "price_minor": price, "name": product.title()}
    return event("Product Added", at_ms, user, cart_id=f"cart-{user}", product=product_)


def ordered(order_id: str, at_ms: int, user: str | None = "ann", price: int = 500, **fields: Any) -> dict[str, Any]:
    product = {"product_id": "tea", "price_minor": price, "quantity": 2, "discount_minor": 100}
    return event("Order Completed", at_ms, user, order_id=order_id, products=[product], **fields)


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    """Write events to a file, replay it, and give the folder of results."""

    def run(*events: dict[str, Any] | str, arguments: tuple[str, ...] = (), name: str = "export.jsonl") -> Path:
        path = tmp_path / name
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in events)
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        code = cli.run(["replay", str(path), "--out", str(tmp_path / "out"), *arguments])
        assert code == 0, capsys.readouterr().err
        return tmp_path / "out"

    return run


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


FAR_MS = 253_402_300_700_000  # in the year 9999


@pytest.mark.parametrize("received", [{}, {"received_at_ms": FAR_MS}])
def test_an_event_of_the_future_is_set_aside_and_moves_nothing(replay: Replay, received: dict[str, Any]) -> None:
    mistyped = event("Product Viewed", FAR_MS - START_MS, product={"product_id": "tea"}, **received)
    out = replay(agreed(0), added(HOUR_MS), mistyped, ordered("o1", HOUR_MS + 1000))

    assert [(row["reason"], row["detail"].partition(" (")[0]) for row in rows(out, "rejected")] == [
        ("number_out_of_range", f"event time {FAR_MS} lies in the future")
    ]
    assert [row["state"] for row in rows(out, "decisions") if row["name"] == "cart.abandoned"] == ["armed", "cancelled"]


def test_a_story_may_go_on_into_the_future_up_to_where_it_is_said_to_end(replay: Replay) -> None:
    out = replay(agreed(0), ordered("o1", 60 * 365 * DAY_MS), arguments=("--until", "2090-12-31"))

    assert (rows(out, "rejected"), summary(out)["orders"]) == ([], 1)


def test_orders_without_an_exchange_rate_are_counted_and_named(
    replay: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = summary(replay(ordered("o1", 0, currency="EUR"), ordered("o2", DAY_MS), ordered("o3", DAY_MS, "bob")))
    assert (found["orders"], found["unconverted_orders"], found["net_minor"], found["aov_minor"]) == (3, 1, 1800, 900)
    said = "Orders in a currency without an exchange rate to USD: 1."
    assert said in capsys.readouterr().err

    page = tmp_path / "report.html"
    assert cli.run(["report", str(tmp_path / "out"), "--page", str(page)]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in page.read_text()


def test_refunds_without_an_exchange_rate_are_taken_off_nothing_and_named(
    replay: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refund = event("Order Refunded", DAY_MS, order_id="o1", refund_id="r1", amount_minor=250, currency="EUR")
    found = summary(replay(ordered("o1", 0), refund))
    assert (found["unconverted_refunds"], found["refund_minor"], found["net_minor"]) == (1, 0, 900)
    said = "Refunds in another currency than their order's, without an exchange rate: 1."
    assert said in capsys.readouterr().err

    page = tmp_path / "report.html"
    assert cli.run(["report", str(tmp_path / "out"), "--page", str(page)]) == 0
    assert said in " ".join(capsys.readouterr().out.split())
    assert "Refunds in another currency" in page.read_text()


def test_a_small_shop_leaves_every_file_with_figures_reckoned_by_hand(
    replay: Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    out = replay(
        agreed(0),
        ordered("o1", HOUR_MS),
        ordered("o2", DAY_MS, price=1000, currency="USD"),
        event("Order Refunded", 2 * DAY_MS, order_id="o2", refund_id="r1", amount_minor=250),
        ordered("b1", 2 * DAY_MS, "bob"),
        ordered("till-1", 2 * DAY_MS, None, price=2000),
        ordered("gone", 2 * DAY_MS, "eve"),
        event("Order Cancelled", 3 * DAY_MS, "eve", order_id="gone"),
        event("Page Viewed", 3 * DAY_MS, "visitor"),
        "no json",
    )

    found = summary(out)
    assert list(found) == SUMMARY_KEYS
    assert found.pop("events_per_s") > 0
    # o1 2x500, o2 2x1000, b1 2x500, till-1 2x2000; 100 off each; the cancelled one counts nowhere.
    assert found == {
        "events": 10,
        "rejected": 1,
        "customers": 4,
        "orders": 4,
        "unconverted_orders": 0,
        "unconverted_refunds": 0,
        "gross_minor": 8000,
        "discount_minor": 400,
        "refund_minor": 250,
        "net_minor": 7350,
        "margin_minor": 7350,
        "aov_minor": 1838,  # 1837.5, half to even
        "orders_per_customer": 1.5,
        "repurchase_rate": 0.5,
        "triggers": {"second.order.welcome": 1, "welcome": 1, "trigger.converted": 1},
    }
    profiles = rows(out, "profiles")
    assert [profile["id"] for profile in profiles] == ["user_id:ann", "user_id:bob", "user_id:eve", "user_id:visitor"]
    ann = profiles[0]
    assert ann["orders"]["count"] == 2
    assert ann["orders"]["first_ms"] == START_MS + HOUR_MS
    assert ann["ltv"]["net_minor"] == 900 + 1900 - 250
    assert ann["ltv"]["currency"] == "USD"
    (rejected,) = rows(out, "rejected")
    assert (rejected["reason"], rejected["original"]) == ("not_json", "no json")
    said = "1: The value is not JSON: cut off, a byte order mark, NaN, a lone surrogate, text after the end (not_json)"
    printed = capsys.readouterr().out
    assert f"rejected               {said}\n" in printed
    (files,) = (line.split()[2:] for line in printed.splitlines() if line.startswith("files   "))
    assert sorted([*files, "backtest.json", "backtest.html"]) == sorted(path.name for path in out.iterdir())
    assert {row["state"] for row in rows(out, "decisions")} >= {"armed", "emitted"}


def payload(name: str) -> str:
    """A payload of tests/golden/adapters on one line."""
    path = Path(__file__).parents[1] / "golden" / "adapters" / f"{name}.json"
    return json.dumps(json.loads(path.read_bytes()))


def test_what_trackers_and_shop_systems_send_adds_up_as_reckoned_by_hand(replay: Replay, tmp_path: Path) -> None:
    settings = tmp_path / "shop.toml"
    settings.write_text('[shop]\ncurrency = "EUR"\n')
    out = replay(
        payload("shopify/order_with_tax_on_top"),
        # Again, with a refund of 4.00 for the goods: two events in one line.
        payload("shopify/order_updated_after_its_refund"),
        payload("shopify/order_updated_after_its_refund"),
        payload("shopify/refund_of_a_line_and_shipping"),
        payload("snowplow/transaction_of_a_known_user"),
        # Five events, of which one is unknown.
        payload("ga4/several_events_in_one_body"),
        payload("shopify/redact_the_shop"),
        payload("shopify_pixel/keystroke"),
        arguments=("--settings", str(settings)),
    )

    profiles = {profile["id"]: profile for profile in rows(out, "profiles")}
    shopify, snowplow = profiles["user_id:7358"]["ltv"], profiles["user_id:cust-81"]["ltv"]
    # 2 x 5.00 + 20.00, off 4.00, back 4.00; and 2 x 5.00 + 191.00, off 1.00.
    assert (shopify["gross_minor"], shopify["discount_minor"], shopify["refund_minor"], shopify["net_minor"]) == (
        3000, 400, 400, 2200,
    )  # fmt: skip
    assert (snowplow["gross_minor"], snowplow["discount_minor"], snowplow["net_minor"]) == (20100, 100, 20000)
    assert [row["product_id"] for row in profiles["user_id:cust-81"]["carts"][0]["items"]] == ["tea-green", "pot-1l"]
    (several,) = rows(out, "rejected")
    assert several["reason"] == "several_events"
    assert "no event 'teapot_boiled' is known" in several["detail"]


def test_a_cart_left_behind_is_reminded_and_its_order_recovers_it(replay: Replay) -> None:
    morning_ms = DAY_MS + 10 * HOUR_MS
    out = replay(
        agreed(0),
        added(morning_ms),
        ordered("o1", morning_ms + 90 * MINUTE_MS),
        event("Page Viewed", 3 * DAY_MS, "bob"),
    )

    triggers = [row for row in rows(out, "triggers") if "welcome" not in row.get("of_name", row["name"])]
    assert [row["name"] for row in triggers] == ["cart.abandoned", "trigger.converted", "cart.recovered"]
    abandoned, _, recovered = triggers
    assert abandoned["due_at_ms"] == abandoned["emitted_at_ms"] == START_MS + morning_ms + HOUR_MS
    assert [item["product_id"] for item in abandoned["items"]] == ["tea"]
    assert recovered["of_trigger_id"] == abandoned["trigger_id"]
    assert recovered["order_id"] == "o1"
    assert summary(out)["triggers"]["cart.recovered"] == 1


def test_triggers_that_are_published_apart_are_results_like_the_others(replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[cart_abandoned]\ntopic = "triggers-carts"\n')
    out = replay(agreed(0), added(DAY_MS), arguments=("--until", "2026-01-03", "--rules", str(tmp_path / "rules.toml")))

    assert [row["name"] for row in rows(out, "triggers")] == ["welcome", "cart.abandoned"]
    assert summary(out)["triggers"]["cart.abandoned"] == 1


def test_triggers_wait_at_the_end_unless_until_moves_the_clock_on(replay: Replay) -> None:
    history = (agreed(0), added(DAY_MS))

    out = replay(*history)
    assert "cart.abandoned" not in summary(out)["triggers"]
    assert [row["state"] for row in rows(out, "decisions") if row["name"] == "cart.abandoned"] == ["armed"]

    out = replay(*history, arguments=("--until", "2026-01-03"))
    assert summary(out)["triggers"]["cart.abandoned"] == 1


def test_an_end_before_the_last_event_is_said_to_cut_nothing_off(
    replay: Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    out = replay(added(DAY_MS), added(5 * DAY_MS), arguments=("--until", "2026-01-03"))

    assert summary(out)["events"] == 2
    assert "--until 2026-01-03 lies before the last event (2026-01-06) and changes nothing" in capsys.readouterr().err
    replay(added(DAY_MS), arguments=("--until", "2026-01-03"))
    assert "lies before" not in capsys.readouterr().err


def test_a_sparse_history_expires_nothing(replay: Replay) -> None:
    morning_ms = DAY_MS + 10 * HOUR_MS
    out = replay(agreed(0), added(morning_ms), event("Page Viewed", 200 * DAY_MS, "bob"))

    (abandoned,) = [row for row in rows(out, "triggers") if row["name"] == "cart.abandoned"]
    assert abandoned["emitted_at_ms"] == START_MS + morning_ms + HOUR_MS


def test_segments_shape_and_ours_give_the_same_profile(replay: Replay) -> None:
    canonical = ordered("o1", HOUR_MS)
    segment = {
        "type": "track",
        "event": "Order Completed",
        "messageId": canonical["message_id"],
        "userId": "ann",
        "timestamp": "2026-01-01T01:00:00.000Z",
        "properties": {
            "order_id": "o1",
            "products": [{"product_id": "tea", "price": "5.00", "quantity": "2", "discount_minor": 100}],
            "discount": 1,
            "revenue": 9,
        },
    }

    one = rows(replay(canonical), "profiles")[0]
    two = rows(replay(segment, name="segment.jsonl.gz"), "profiles")[0]
    assert one["ltv"]["net_minor"] == two["ltv"]["net_minor"] == 900
    assert one["orders"] == two["orders"]


def test_a_files_order_is_arrival_order_and_sort_makes_it_event_order(replay: Replay) -> None:
    # The order of the cart stands first in the file, a day before the reminder would have been due.
    late = added(DAY_MS) | {"received_at_ms": START_MS + DAY_MS}
    history = (agreed(0), event("Page Viewed", 5 * DAY_MS, "bob"), late)

    out = replay(*history)
    names = [row["name"] for row in rows(out, "triggers")]
    assert names.count("cart.abandoned") == 0, "five days late by arrival: expired"

    out = replay(*history, arguments=("--sort",))
    names = [row["name"] for row in rows(out, "triggers")]
    assert names.count("cart.abandoned") == 1


def test_the_same_event_twice_changes_nothing(replay: Replay) -> None:
    once = replay(agreed(0), added(DAY_MS), ordered("o1", 2 * DAY_MS))
    files = {name: (once / f"{name}.jsonl").read_bytes() for name in ("profiles", "triggers", "decisions")}

    twice = replay(
        agreed(0), agreed(0), added(DAY_MS), added(DAY_MS), ordered("o1", 2 * DAY_MS), ordered("o1", 2 * DAY_MS)
    )

    assert {name: (twice / f"{name}.jsonl").read_bytes() for name in files} == files


def test_costs_categories_and_rates_come_from_the_shops_documents(replay: Replay, tmp_path: Path) -> None:
    (tmp_path / "catalogue.csv").write_text("product_id,cost,category,supply_days\ntea,2.00,drinks,30\n")
    (tmp_path / "rates.csv").write_text("currency,date,rate\nEUR,2025-12-01,1.10\n")
    (tmp_path / "rules.toml").write_text("[cart_abandoned]\nenabled = false\n")
    out = replay(
        agreed(0),
        added(HOUR_MS),
        ordered("o1", DAY_MS, currency="EUR"),
        event("Page Viewed", 90 * DAY_MS, "bob"),
        arguments=(
            *("--catalogue", str(tmp_path / "catalogue.csv")),
            *("--rates", str(tmp_path / "rates.csv")),
            *("--rules", str(tmp_path / "rules.toml")),
        ),
    )

    found = summary(out)
    assert (found["gross_minor"], found["discount_minor"], found["net_minor"]) == (1100, 110, 990)
    assert found["margin_minor"] == 990 - 400
    assert found["triggers"] == {
        "replenishment.due": 1,
        "replenishment.late": 1,
        "second.order.welcome": 1,
        "trigger.converted": 1,
        "welcome": 1,
    }
    due = next(row for row in rows(out, "triggers") if row["name"] == "replenishment.due")
    # Two units of 30 days run out on day 61; the reminder is 6 days (10 %) earlier.
    assert START_MS + 55 * DAY_MS <= due["due_at_ms"] < START_MS + 56 * DAY_MS


def test_several_files_are_read_in_the_order_given(tmp_path: Path) -> None:
    first, second = tmp_path / "z.jsonl", tmp_path / "a.jsonl"
    first.write_text(json.dumps(ordered("o1", HOUR_MS)) + "\n")
    second.write_text(json.dumps(ordered("o2", DAY_MS)) + "\n")

    assert cli.run(["replay", str(first), str(second), "--out", str(tmp_path / "out")]) == 0

    assert summary(tmp_path / "out")["orders"] == 2


def test_an_empty_file_is_a_shop_without_customers(replay: Replay) -> None:
    out = replay()

    found = summary(out)
    assert (found["events"], found["customers"], found["aov_minor"], found["repurchase_rate"]) == (0, 0, None, 0.0)
    assert (out / "profiles.jsonl").read_bytes() == b""
    assert json.loads((out / "population.json").read_text())["now_ms"] == 0, "a report on it is of no day"
    page = (out / "backtest.html").read_text()
    assert "Nothing was sent, and nothing was due." in page
    assert "<table>" not in page


def test_where_nobody_bought_there_is_no_rate_of_coming_back(
    replay: Replay, capsys: pytest.CaptureFixture[str]
) -> None:
    """Guests without a name bought, and the shop was told that its customers order 0.0 times."""
    replay(ordered("till-1", 0, None))

    printed = " ".join(capsys.readouterr().out.split())
    assert "purchase frequency - repurchase rate - " in printed


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("missing.jsonl", "--out", "o"), "missing.jsonl can't be read"),
        (("missing.jsonl",), "Missing option '--out'"),
        (("missing.jsonl", "--out", "o", "--until", "soon"), "--until 'soon' is no time"),
        (("missing.jsonl", "--out", "o", "--until", "9999-12-31"), "'9999-12-31' is more than 100 years from now"),
        (("missing.jsonl", "--out", "o", "--rules", "none.toml"), "none.toml can't be read"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    assert cli.run(["replay", *arguments]) == 2
    assert told in capsys.readouterr().err
