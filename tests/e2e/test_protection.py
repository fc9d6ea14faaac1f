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


def test_a_copy_of_redis_holds_no_address_and_the_trigger_does(shop: Shop, now_ms: int, tmp_path: Path) -> None:
    keys = [base64.b64encode(bytes([number]) * 32).decode() for number in range(2)]
    path = tmp_path / "keys.toml"
    path.write_text(f'identifiers = "{keys[0]}"\ncontacts = ["{keys[1]}"]\n', encoding="utf-8")
    shop.settings["REGULARS_PROTECTION_KEY_FILE"] = str(path)
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
