"""Contact data protected, on a real Kafka and a real Redis: what a copy of Redis and of the internal topics gives away."""

import base64
import json
from pathlib import Path

from tests.e2e.kit import Shop
from tests.e2e.scenario import MINUTE_MS, Record
from tests.e2e.test_privacy import everything_in_redis, settle, told

MAIL, PHONE = "ada.lovelace@example.org", "+41446681800"
CLEAR = ("lovelace", "446681800")


def life(at_ms: int) -> list[Record]:
    """She writes from an address, gives a number, logs in from a phone and leaves a cart."""
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    return [
        told(MAIL, "identities", "Identified", at_ms, message_id="m1", email=MAIL, traits={"email": MAIL}),
        told(PHONE, "clickstream", "Page Viewed", at_ms + 1, message_id="m2", phone=PHONE),
        told(
            "ada", "identities", "Identified", at_ms + 2, message_id="m3", user_id="ada", email="Ada.Lovelace@Example.org",
            phone="+41 44 668 18 00", consent=[{"state": "GRANT"}],
        ),
        told("ada", "carts", "Product Added", at_ms + 3, user_id="ada", cart_id="cart-a", product=product),
    ]  # fmt: skip


def internal(shop: Shop) -> str:
    return repr([record for topic in ("forwards", "moves", "fanout") for record in shop.records(topic)])


def protect(shop: Shop, folder: Path) -> None:
    keys = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]
    path = folder / "keys.toml"
    path.write_text(f'identifiers = "{keys[0]}"\ncontacts = ["{keys[1]}"]\n', encoding="utf-8")
    shop.settings["REGULARS_PROTECTION_KEY_FILE"] = str(path)


def test_a_copy_of_redis_holds_no_address_and_the_trigger_does(shop: Shop, now_ms: int, tmp_path: Path) -> None:
    protect(shop, tmp_path)
    shop.start()
    shop.produce(life(now_ms - 90 * MINUTE_MS))
    settle(shop)
    shop.expect(lambda: len(shop.read("triggers")) > 0, "the reminder of her cart is out")

    kept = everything_in_redis(shop) + internal(shop)
    assert [word for word in CLEAR if word in kept.lower()] == []
    assert "k1." in kept
    assert "s1." in kept
    (trigger, *_) = [value for _, value in shop.read("triggers")]
    assert (trigger["customer"]["email"], trigger["customer"]["phone"]) == (MAIL, PHONE)
    shown = json.loads(shop.command("profile", "show", "Ada.Lovelace@example.org", "--json"))
    assert (shown["id"], shown["ids"]["email"], shown["ids"]["phone"]) == ("user_id:ada", [MAIL], [PHONE])

    shop.command("privacy", "erase", f"email:{MAIL}", "--request-id", "r1", "--wait")
    assert shop.profiles() == {}


def named_by_addresses(at_ms: int) -> list[Record]:
    """A shop whose user ids are e-mail addresses and whose tills know customers by their numbers: two share a tablet, one is
    aliased, both leave carts.
    """
    product = {"product_id": "tea", "price_minor": 1250, "quantity": 2}
    ada, bea = "Ada.Lovelace@Example.org", "+41 44 668 18 00"
    granted = [{"state": "GRANT"}]
    return [
        told(MAIL, "clickstream", "Page Viewed", at_ms, anonymous_id=MAIL),
        told(ada, "identities", "Identified", at_ms + 1, user_id=ada, anonymous_id="tablet", loyalty_id=PHONE, consent=granted),
        told(ada, "orders", "Order Completed", at_ms + 2, user_id=ada, order_id=f"order-{ada}", products=[product]),
        told(bea, "identities", "Identified", at_ms + 3, user_id=bea, anonymous_id="tablet", consent=granted),
        told(bea, "identities", "Aliased", at_ms + 4, user_id=bea, previous_id=MAIL),
        told(ada, "carts", "Product Added", at_ms + 5, user_id=ada, cart_id=f"cart-{ada}", product=product),
        told("tablet", "carts", "Product Added", at_ms + 6, anonymous_id="tablet", cart_id="cart-b", product=product),
        told(
            ada, "carts", "Checkout Started", at_ms + 7, user_id=ada, checkout_id="k1", products=[product],
            url="https://shop.example/checkout?email=ada.lovelace%40example.org&key=1",
        ),
    ]  # fmt: skip


def test_nor_does_it_where_customers_are_named_by_their_addresses(shop: Shop, now_ms: int, tmp_path: Path) -> None:
    protect(shop, tmp_path)
    shop.start()
    shop.produce(named_by_addresses(now_ms - 90 * MINUTE_MS))
    settle(shop)
    shop.expect(lambda: len(shop.read("triggers")) > 1, "the reminders of both are out")

    kept = everything_in_redis(shop) + internal(shop)
    assert [word for word in ("lovelace", "668 18", "6681800", "example.org") if word in kept.lower()] == []
    assert {trigger["customer"]["user_id"] for _, trigger in shop.read("triggers")} == {
        "Ada.Lovelace@Example.org", "+41 44 668 18 00",
    }  # fmt: skip
    shown = json.loads(shop.command("profile", "show", "Ada.Lovelace@Example.org", "--json"))
    assert (shown["ids"]["user_id"], shown["ids"]["loyalty_id"]) == (["Ada.Lovelace@Example.org"], [PHONE])
    assert (shown["orders"]["count"], shown["ltv"]["net_minor"]) == (1, 2500)

    shop.command("privacy", "erase", "user_id:Ada.Lovelace@Example.org", "--request-id", "r1", "--wait")
    assert len(shop.profiles()) == 1
    # The command itself names her on its way to her other homes, until it has left the outbox.
    shop.expect(lambda: shown["id"] not in everything_in_redis(shop), "nothing of her is left")
