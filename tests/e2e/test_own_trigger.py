"""A trigger of a package that fails, in a worker on a real Kafka and a real Redis: everything but it goes on."""

import os
from pathlib import Path

from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS
from tests.e2e.test_worker_basic import told

PACKAGE = """
from typing import ClassVar

from profiles.definition import TriggerDefinition
from profiles.episodes import plan
from profiles.rules import TriggerRule


class ThanksRule(TriggerRule, frozen=True, kw_only=True):
    trigger: ClassVar[str] = "shop.thanks"


class Thanks(TriggerDefinition[ThanksRule]):
    name = "shop.thanks"
    rule_type = ThanksRule

    def on_order(self, turn, told):
        turn.profile.wakes["shop.thanks|half"] = turn.time_ms + 0.5
        raise ZeroDivisionError(turn.profile.id)

    def on_cart(self, turn, cart):
        plan(turn, self, cart.cart_id, turn.cause, turn.time_ms, turn.time_ms + 60_000, data={"of": 1})

    def check(self, turn, episode, now_ms):
        raise KeyError(turn.profile.id)


THANKS = Thanks()
"""


def install(folder: Path) -> str:
    """Where a package lies that offers the trigger, as pip would leave it."""
    (folder / "our_shop.py").write_text(PACKAGE)
    about = folder / "our_shop-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: our-shop\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[regulars.triggers]\nshop.thanks = our_shop:THANKS\n")
    return str(folder)


def test_orders_count_and_reminders_go_out_while_a_trigger_of_a_package_fails(
    shop: Shop, now_ms: int, tmp_path: Path
) -> None:
    package = tmp_path / "site"
    package.mkdir()
    shop.settings["PYTHONPATH"] = os.pathsep.join(filter(None, [install(package), os.environ.get("PYTHONPATH")]))
    began_ms = now_ms - 180 * MINUTE_MS
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    consent = [{"state": "GRANT"}]
    shop.produce(
        [
            told("ann", "orders", "Order Completed", began_ms, order_id="o1", products=[product]),
            told("ann", "orders", "Order Completed", began_ms, order_id="o1", products=[product]),
            told("bob", "identities", "Identified", began_ms, imported=True, consent=consent),
            told("bob", "carts", "Product Added", began_ms + 2 * MINUTE_MS, cart_id="c1", product=product),
        ]
    )
    worker = shop.start()
    shop.wait_caught_up()
    shop.expect(lambda: bool(shop.read("triggers")), "a reminder")
    shop.expect(lambda: worker.metric("regulars_triggers_failed_total") >= 3, "what failed is counted")

    assert shop.profiles()["user_id:ann"]["ltv"]["net"] == 2500
    assert [trigger["name"] for _, trigger in shop.read("triggers")] == ["cart.abandoned"]
    assert shop.read("rejected") == []
    failed = {
        (one["customer_id"], one["episode_key"], one["reason"])
        for _, one in shop.read("decisions")
        if one.get("state") == "failed"
    }
    assert failed == {
        ("user_id:ann", f"ann-Order Completed-{began_ms}", "ZeroDivisionError in shop.thanks.on_order"),
        ("user_id:bob", "c1", "KeyError in shop.thanks.check"),
    }
    assert "ZeroDivisionError in shop.thanks.on_order, by an event; shop.thanks is left out of it; at " in worker.log()
    explained = shop.command("profile", "explain", "user_id:bob")
    assert "shop.thanks about c1 failed and was left out: KeyError in shop.thanks.check." in explained

    # Whoever goes on after a kill finds nothing left to try again.
    worker.kill()
    second = shop.start()
    shop.produce([told("ann", "orders", "Order Completed", began_ms + MINUTE_MS, order_id="o2", products=[product])])
    shop.expect(lambda: shop.profiles()["user_id:ann"]["ltv"]["net"] == 5000, "the next order counts")
    assert second.running
