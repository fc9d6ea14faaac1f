"""Profiles over HTTP: who may read what, the document and its parts, unchanged ones cheaply, and a store that is away."""

from typing import Any

import msgspec
import pytest

from profiles.book import Book
from profiles.engine import Engine
from profiles.goods_state import Good
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import Rules
from profiles.state import Moment
from profiles.triggers import CART_ABANDONED
from schemas.decode import Decoder
from schemas.events import Arrival
from streams.serve.keys import Bucket
from streams.serve.read import FIELDS
from streams.table import Unavailable
from tests.shell.serve_kit import NOW_MS, PAGE, TOKEN, Site, refused, site, told, viewed

BOOK = Book(shop_currency="EUR", rules=Rules(soft_opt_in=True))
CART: dict[str, Any] = {
    "event": "Product Added",
    "message_id": "m1",
    "timestamp_ms": NOW_MS - 600_000,
    "user_id": "u/1 ä",
    "cart_id": "c1",
    "currency": "EUR",
    "product": {"product_id": "p1", "price_minor": 990, "quantity": 2},
}


def with_a_cart(book: Book = BOOK) -> Site:
    """A shop whose customer "u/1 ä" left a cart ten minutes ago."""
    arrival = Decoder("EUR").decode(msgspec.json.encode(CART), NOW_MS)
    assert isinstance(arrival, Arrival)
    profile = Profile(arrival.customer)
    Engine(book).step(profile, arrival, Moment(arrival.time_ms, arrival.time_ms), Ledger(complete=True), [])
    shop = site(book)
    shop.store(profile)
    return shop


ME = "/v1/profiles/user_id:u%2F1%20%C3%A4"


def test_the_document_is_that_of_the_reference() -> None:
    answer = with_a_cart().get(ME)

    assert answer.status == 200
    assert list(told(answer)) == list(FIELDS)
    assert told(answer)["id"] == "user_id:u/1 ä"
    assert told(answer)["carts"][0]["value_minor"] == 1980


def test_only_the_fields_asked_for_are_given_and_the_id() -> None:
    shop = with_a_cart()

    assert list(told(shop.get(f"{ME}?fields=orders,ltv"))) == ["id", "orders", "ltv"]
    assert list(told(shop.get(f"{ME}?fields=ltv&fields=orders"))) == ["id", "orders", "ltv"]
    assert list(told(shop.get(f"{ME}?fields="))) == list(FIELDS)
    assert refused(shop.get(f"{ME}?fields=orders,password")) == (400, "unknown_field")


def test_the_parts_have_paths_of_their_own() -> None:
    shop = with_a_cart()

    assert told(shop.get(f"{ME}/segments")) == {"id": "user_id:u/1 ä", "segments": []}
    assert told(shop.get(f"{ME}/cart"))["cart"]["cart_id"] == "c1"
    shop.store(Profile("user_id:empty"))
    assert told(shop.get("/v1/profiles/user_id:empty/cart")) == {"id": "user_id:empty", "cart": None}


def test_next_is_the_best_trigger_that_would_pass_now_and_asking_changes_nothing() -> None:
    shop = with_a_cart()

    first, second = told(shop.get(f"{ME}/next")), told(shop.get(f"{ME}/next"))

    assert first == second
    trigger = first["trigger"]
    assert (trigger["name"], trigger["state"], trigger["due_at_ms"]) == ("cart.abandoned", "armed", NOW_MS + 3_000_000)
    assert [item["product_id"] for item in trigger["items"]] == ["p1"]
    assert (trigger["value_minor"], trigger["currency"], trigger["exponent"]) == (1980, "EUR", 2)

    shop.now_ms += 3_600_000
    assert told(shop.get(f"{ME}/next"))["trigger"]["state"] == "due"


def test_a_trigger_that_fails_when_it_is_asked_is_not_next_and_no_error_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: object, *_: object) -> str | None:
        raise KeyError("tier")

    shop = with_a_cart()
    monkeypatch.setattr(type(CART_ABANDONED), "check", check)
    answer = shop.get(f"{ME}/next")

    assert (answer.status, told(answer)["trigger"]) == (200, None)


def test_what_is_sold_out_by_now_is_not_next() -> None:
    shop = with_a_cart()
    shop.know("p1", Good(stock=0, stock_ms=NOW_MS))
    assert told(shop.get(f"{ME}/next"))["trigger"] is None

    shop.know("p1", Good(stock=3, stock_ms=NOW_MS))
    assert told(shop.get(f"{ME}/next"))["trigger"]["items"][0]["in_stock"] is True


def test_without_consent_there_is_nothing_next() -> None:
    shop = with_a_cart(Book(shop_currency="EUR"))

    assert told(shop.get(f"{ME}/next")) == {"id": "user_id:u/1 ä", "trigger": None}


# --- unchanged ------------------------------------------------------------------------------------------------------


def test_an_unchanged_profile_is_answered_without_a_body() -> None:
    shop = with_a_cart()
    answer = shop.get(ME)
    tag = answer.headers["ETag"]

    again = shop.get(ME, If_None_Match=tag)

    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
    assert shop.get(ME, If_None_Match=f'"other", {tag.removeprefix("W/")}').status == 304
    assert shop.get(ME, If_None_Match="*").status == 304
    assert shop.get(ME, If_None_Match='"other"').status == 200


def test_another_choice_of_fields_a_change_and_a_new_hour_have_another_etag() -> None:
    shop = with_a_cart()
    tags = [shop.get(path).headers["ETag"] for path in (ME, f"{ME}?fields=orders", f"{ME}/cart")]
    shop.now_ms += 3_600_000
    tags.append(shop.get(ME).headers["ETag"])
    shop.store(Profile("user_id:u/1 ä"))
    tags.append(shop.get(ME).headers["ETag"])

    assert len(set(tags)) == 5


# --- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer " + "x" * 9999],
)
def test_without_a_valid_token_nobody_reads(header: str) -> None:
    answer = with_a_cart().ask("GET", ME, headers={"Authorization": header})

    assert refused(answer) == (401, "no_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("tail,status", [("", 403), ("/segments", 403), ("/cart", 403)])
def test_a_token_reads_only_what_its_scopes_say(tail: str, status: int) -> None:
    shop = with_a_cart()

    assert refused(shop.get(ME + tail, token="next-only-token")) == (status, "scope")
    assert shop.get(f"{ME}/next", token="next-only-token").status == 200


def test_a_token_that_asks_too_often_is_told_when_to_come_back() -> None:
    shop = with_a_cart()

    statuses = [shop.get(f"{ME}/next", token="next-only-token").status for _ in range(3)]
    late = shop.get(f"{ME}/next", token="next-only-token")

    assert statuses == [200, 200, 429]
    assert refused(late) == (429, "rate")
    assert int(late.headers["Retry-After"]) == 1
    assert shop.get(f"{ME}/next").status == 200, "another token is not held up"
    shop.mono_s += 1
    assert shop.get(f"{ME}/next", token="next-only-token").status == 200


def test_a_bucket_fills_at_its_rate_and_holds_a_seconds_worth() -> None:
    bucket = Bucket(4)

    assert [bucket.wait_s(10.0) for _ in range(4)] == [0, 0, 0, 0]
    assert bucket.wait_s(10.0) == pytest.approx(0.25)
    assert bucket.wait_s(10.25) == 0
    assert bucket.wait_s(10.25) > 0
    assert [bucket.wait_s(1000.0) for _ in range(5)].count(0) == 4


# --- what is not there ----------------------------------------------------------------------------------------------


def test_nobody_of_that_name_is_not_found() -> None:
    assert refused(with_a_cart().get("/v1/profiles/user_id:nobody")) == (404, "no_profile")


@pytest.mark.parametrize(
    "path",
    ["2375", "user_id:", "shoe_size:42", "user_id", "user_id:%20", "user_id:" + "x" * 300, "user_id:%FF", ":x"],
)
def test_what_is_no_identifier_is_refused(path: str) -> None:
    assert refused(with_a_cart().get(f"/v1/profiles/{path}")) == (400, "bad_id")


@pytest.mark.parametrize(
    "path", ["/v1/profiles/", "/v1/profiles", "/v1/profiles//cart", "/v1/profiles/user_id:1/shoes"]
)
def test_other_paths_are_not_found(path: str) -> None:
    assert refused(with_a_cart().get(path)) == (404, "not_found")


def test_an_email_address_is_found_however_it_is_typed() -> None:
    shop = site()
    shop.store(Profile("email:ann@example.org"))

    assert told(shop.get("/v1/profiles/email:Ann%40Example.org"))["id"] == "email:ann@example.org"


def test_without_the_store_readers_are_told_to_come_back_and_collecting_goes_on() -> None:
    shop = with_a_cart()

    async def away(*_: object) -> None:
        raise Unavailable("Redis is gone")

    shop.table.profile = away  # type: ignore[method-assign, assignment]  # a store that is away

    answer = shop.get(ME)
    assert refused(answer) == (503, "store_away")
    assert int(answer.headers["Retry-After"]) > 0
    assert shop.post("/v1/track", viewed()).status == 200


def test_a_profile_of_a_later_release_is_not_shown_half() -> None:
    shop = site()
    shop.store(Profile("user_id:new", v=99))

    assert refused(shop.get("/v1/profiles/user_id:new")) == (503, "store_away")


def test_a_page_may_read_only_where_the_settings_allow_it() -> None:
    closed, opened = with_a_cart(), site(BOOK, serve={"profile_origins": [PAGE]})
    opened.store(Profile("user_id:1"))

    assert "Access-Control-Allow-Origin" not in closed.get(ME, Origin=PAGE).headers
    assert opened.get("/v1/profiles/user_id:1", Origin=PAGE).headers["Access-Control-Allow-Origin"] == PAGE
