"""Contact data protected from the door to the topic: what a copy of the table and of the internal topics gives away, and who
gets clear text.
"""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typing_extensions import override

from profiles.engine import Engine
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, Event, Identified
from schemas.outputs import Outgoing
from streams.home import home_partition
from streams.identifier_forms import IdentifierForms
from streams.inbox import Inbox
from streams.memory_table import MemoryTable
from streams.merge import Merge
from streams.outbox import Publisher
from streams.privacy_request import request
from streams.profile_lookup import find
from streams.protection import OpeningPublisher, Protection, key_mark, load_protection
from streams.record import Chunk, Record
from streams.settings import SettingsError, build_settings
from streams.table import Commit, WrongInstall
from tests.shell.serve_kit import BACK_KEY, NOW_MS, WEB_KEY, site, told
from tests.shell.world import EAGER, MINUTE_MS, START_MS, World, run

PARTITIONS = 4
KEYS = Protection(bytes(range(32)), [bytes(range(64))])
MAIL, PHONE, OTHER_MAIL = "ada.lovelace@example.org", "+41446681800", "bea@example.org"
CLEAR = ("ada.lovelace", "lovelace@", "446681800", "bea@")
UNKEYED = tuple(hashlib.sha256(text.encode()).hexdigest()[:32] for text in (MAIL, PHONE, OTHER_MAIL, f"email:{MAIL}"))
INTERNAL = ("forwards", "moves", "fanout")


class Watched(MemoryTable):
    """A table that remembers, as text, everything that was ever in it: an outbox is empty again soon."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    @override
    async def commit(self, partition: int, commit: Commit) -> None:
        self.seen.append(repr(msgspec.to_builtins(commit)))
        await super().commit(partition, commit)
        self.seen.append(repr(self.snapshot()))


class Town:
    """Some partitions, each with an owner, with contact data protected or not."""

    def __init__(self, protection: Protection | None) -> None:
        self.table = Watched()
        self.world = World(partitions=PARTITIONS, engine=Engine(EAGER), table=self.table)
        self.protection = protection
        if protection is not None:
            self.world.publisher = OpeningPublisher(self.world.publisher, protection)

    def live(self, *sent: Event) -> "Town":
        """Each event through, to whatever it moves, before the next: who is first does not hang on where somebody lives."""
        for event in sent:
            home = event.user_id or event.email or event.phone or event.anonymous_id or ""
            self.world.send(event, partition=home_partition(home, PARTITIONS))
            run(self._settle())
        return self

    def until(self, minute: float) -> "Town":
        """Let time pass."""
        run(self._settle(minute))
        return self

    async def _settle(self, minute: float | None = None) -> None:
        decoder = Decoder("USD", protector=self.protection)
        owners = [self.world.tenure(number, decoder=decoder) for number in range(PARTITIONS)]
        for owner in owners:
            await owner.open()
        before: list[int] = []
        while before != (
            now := [len(self.world.log.records(topic, p)) for topic in INTERNAL for p in range(PARTITIONS)]
        ):
            before = now
            for owner in owners:
                if minute is not None:
                    owner.advance_to(START_MS + int(minute * MINUTE_MS))
                await self.world.work(owner)

    def kept(self) -> str:
        """Everything that was ever in the table or on an internal topic."""
        records = [self.world.log.records(topic, p) for topic in INTERNAL for p in range(PARTITIONS)]
        return "\n".join((*self.table.seen, repr(records)))

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [value for p in range(PARTITIONS) for value in self.world.values(topic, p)]

    def triggers(self) -> list[dict[str, Any]]:
        """The triggers, without ids and what hangs on them."""
        kept = [
            {"name": one["name"], "at": one["emitted_at_ms"], "items": one.get("items"), "who": one["customer"].get("email"),
             "phone": one["customer"].get("phone"), "user": one["customer"].get("user_id")}
            for one in self.values("triggers")
        ]  # fmt: skip
        return sorted(kept, key=repr)

    def found(self, text: str) -> str | None:
        found = run(find(self.table, text, PARTITIONS, IdentifierForms("", self.protection)))
        return None if found is None else found.profile.id


def at(minute: float) -> int:
    return START_MS + int(minute * MINUTE_MS)


def cart(minute: float, message_id: str, cart_id: str, **who: str) -> Event:
    product = events.Product(product_id=f"p{minute}", price_minor=500)
    return events.ProductAdded(message_id=message_id, timestamp_ms=at(minute), cart_id=cart_id, product=product, **who)  # type: ignore[arg-type] # identifiers are texts


def life() -> list[Event]:
    """A visitor, known by her address, then by a number, then as a user; another user who gives her address; a stranger known
    by an address alone. Each leaves a cart.
    """
    return [
        cart(0, "m1", "c1", anonymous_id="laptop"),
        Identified(message_id="m2", timestamp_ms=at(1), email=" Ada.Lovelace@Example.org", anonymous_id="laptop",
                   traits={"email": MAIL, "first_name": "Ada", "other": MAIL}),
        Identified(message_id="m3", timestamp_ms=at(2), phone="+41 44 668 18 00", email=MAIL),
        events.OrderCompleted(message_id="m4", timestamp_ms=at(3), order_id="o1", revenue_minor=900, phone=PHONE),
        Identified(message_id="m5", timestamp_ms=at(4), user_id="ada", email=MAIL, phone=PHONE),
        Identified(message_id="m6", timestamp_ms=at(5), user_id="charles", email=MAIL),
        cart(6, "m7", "c2", user_id="ada"),
        cart(7, "m8", "c3", user_id="charles"),
        cart(8, "m9", "c4", email=OTHER_MAIL),
    ]  # fmt: skip


def test_neither_table_nor_internal_topics_ever_hold_an_address_or_its_plain_hash() -> None:
    town = Town(KEYS).live(*life()).until(600)

    kept = town.kept()
    assert [word for word in (*CLEAR, *UNKEYED) if word.lower() in kept.lower()] == []
    assert KEYS.token("email", MAIL) in kept
    assert KEYS.seal(PHONE) in kept
    assert len(town.triggers()) >= 3


def test_the_same_story_without_protection_keeps_it_all_which_shows_that_the_search_finds_it() -> None:
    town = Town(None).live(*life()).until(600)

    kept = town.kept()
    assert [word for word in CLEAR if word not in kept] == []
    assert "k1." not in kept


def test_the_triggers_are_the_same_and_carry_the_contact_details_in_clear_text() -> None:
    plain = Town(None).live(*life()).until(600).triggers()
    protected = Town(KEYS).live(*life()).until(600).triggers()

    assert plain == protected
    assert {one["user"]: (one["who"], one["phone"]) for one in protected if one["name"] == "cart.abandoned"} == {
        "ada": (MAIL, PHONE),
        "charles": (MAIL, None),
        None: (OTHER_MAIL, None),
    }


@pytest.mark.parametrize("at_sign", ["@", "%40", "\\u0040"])
def test_a_record_that_is_sent_on_or_set_aside_holds_no_address_however_it_is_spelled(at_sign: str) -> None:
    event = events.PageViewed(message_id="m1", timestamp_ms=at(0), user_id="7", url=f"https://shop.example/?to={MAIL}")
    value = msgspec.json.encode(event).replace(b"@", at_sign.encode())
    inbox = Inbox("clickstream")
    inbox.open(1, 0, 1)
    inbox.append(Chunk("clickstream", 0, 1, [Record(0, at(0), MAIL.encode(), value)]), 1, 1)
    (item,) = Merge([inbox], Decoder("USD", protector=KEYS)).take(1)

    assert (item.record.key, b"lovelace" in value, b"lovelace" in (item.record.value or b"")) == (b"7", True, False)


# --- a shop that names its customers by their addresses --------------------------------------------------------------

HIDDEN = ("lovelace", "668 18 00", "bea@", "charles@")


def names() -> list[Event]:
    """Customers whose user ids, device ids and loyalty ids are addresses; they log in, are aliased, share a device, order, and
    leave carts with addresses in ids, links and searches.
    """
    ada, bea, charles = " Ada.Lovelace@example.org", "+41 44 668 18 00", "charles@example.org"
    return [
        cart(0, f"cart-{ada}", f"cart-{ada.strip()}", anonymous_id=ada),
        Identified(message_id="m2", timestamp_ms=at(1), user_id=ada, anonymous_id="tablet", loyalty_id=bea,
                   traits={"nick": "ada.lovelace@example.org!", "line": bea, "first_name": "Ada"}),
        events.OrderCompleted(message_id="m3", timestamp_ms=at(2), order_id="o1", revenue_minor=900, user_id=ada),
        Identified(message_id="m4", timestamp_ms=at(3), user_id=bea, anonymous_id="tablet", email=MAIL),
        events.Aliased(message_id="m5", timestamp_ms=at(4), user_id=charles, previous_id=bea),
        events.ProductsSearched(message_id="m6", timestamp_ms=at(5), user_id=charles, query="is bea@example.org in"),
        events.CheckoutStarted(message_id="m7", timestamp_ms=at(6), user_id=ada, checkout_id="k1",
                               url="https://shop.example/?email=ada.lovelace%40example.org"),
        cart(7, "m8", "c3", user_id=charles),
        cart(8, "m9", "c4", anonymous_id="tablet"),
        cart(9, "m10", "c5", cart_token="bea@example.org"),
    ]  # fmt: skip


def test_customers_named_by_their_addresses_are_kept_under_tokens_alone() -> None:
    town = Town(KEYS).live(*names()).until(600)

    kept = town.kept()
    assert [word for word in HIDDEN if word.lower() in kept.lower()] == []
    assert KEYS.token("id", "Ada.Lovelace@example.org") in kept
    assert KEYS.seal("charles@example.org") in kept
    bare = Town(None).live(*names()).until(600).kept().lower()
    assert [word for word in HIDDEN if word.lower() not in bare] == [], "the search would find them"


def test_it_makes_no_difference_to_what_is_known_and_sent() -> None:
    protected, plain = (Town(keys).live(*names()).until(600) for keys in (KEYS, None))

    def worth(town: Town, *texts: str) -> list[Any]:
        found = [run(find(town.table, text, PARTITIONS, IdentifierForms("", town.protection))) for text in texts]
        return [None if one is None else (one.profile.ltv.net, len(one.profile.carts)) for one in found]

    asked = (
        "Ada.Lovelace@example.org",
        "charles@example.org",
        "+41 44 668 18 00",
        "tablet",
        "cart_token:bea@example.org",
    )
    assert worth(plain, *asked) == worth(protected, *asked)
    assert None not in worth(plain, *asked)
    assert {one["user"] for one in plain.triggers()} == {one["user"] for one in protected.triggers()}
    assert "+41 44 668 18 00" in {one["user"] for one in protected.triggers()}


def test_an_export_shows_the_ids_she_is_named_by_and_an_erasure_leaves_none() -> None:
    town = Town(KEYS).live(*names())
    forms = IdentifierForms("", KEYS)
    asked = {"user_id": "Ada.Lovelace@example.org"}
    town.live(request("export", asked, request_id="r3", now_ms=at(20), forms=forms).event)

    (part,) = [one for one in town.values("exports") if one["part"] == 0]
    assert part["document"]["ids"]["user_id"] == ["Ada.Lovelace@example.org"]

    asked["anonymous_id"] = asked["user_id"]  # her device went by that name too
    town.live(request("erase", asked, request_id="r4", now_ms=at(21), forms=forms).event)
    held = repr(town.world.stored())
    marks = (KEYS.token("id", "Ada.Lovelace@example.org"), KEYS.seal("Ada.Lovelace@example.org"))
    assert [mark for mark in marks if mark in held] == []


def test_where_all_ids_are_protected_none_is_readable_and_each_is_found() -> None:
    every = Protection(bytes(range(32)), [bytes(range(64))], all_ids=True)
    town = Town(every).live(*life()).until(600)

    kept = town.kept()
    assert [word for word in (*CLEAR, "charles", "laptop", '["ada"]', ":ada") if word in kept.lower()] == []
    assert town.found("ada") == f"user_id:{every.token('id', 'ada')}"
    assert {one["user"] for one in town.triggers()} == {"ada", "charles", None}
    assert every.mark != KEYS.mark


def test_the_same_events_give_the_same_bytes() -> None:
    one, other = (Town(Protection(bytes(range(32)), [bytes(range(64))])).live(*life()) for _ in range(2))

    assert one.world.stored() == other.world.stored()


def test_a_customer_is_found_by_her_address_as_people_type_it() -> None:
    town = Town(KEYS).live(*life())

    for text in ("email:Ada.Lovelace@example.org", MAIL, "0041 44 668 18 00", PHONE, KEYS.token("email", MAIL)):
        assert town.found(text) == "user_id:ada", text
    assert town.found(OTHER_MAIL) == f"email:{KEYS.token('email', OTHER_MAIL)}"
    assert town.found("nobody@example.org") is None


def test_an_erasure_asked_for_by_the_address_leaves_neither_token_nor_sealed_text() -> None:
    town = Town(KEYS).live(*life())
    forms = IdentifierForms("", KEYS)
    asked = request("erase", {"email": "Ada.Lovelace@Example.org"}, request_id="r1", now_ms=at(20), forms=forms)

    town.live(asked.event)

    held = repr(town.table.snapshot())
    assert town.found("user_id:ada") is None
    assert [word for word in (KEYS.seal(PHONE), KEYS.token("phone", PHONE)) if word in held] == []
    # Charles gave her address as one to write to: that is his own word, and stays.
    assert KEYS.seal(MAIL) in held
    assert [one["final"] for one in town.values("receipts")][-1]


def test_an_export_is_in_clear_text() -> None:
    town = Town(KEYS).live(*life())
    asked = request("export", {"phone": PHONE}, request_id="r2", now_ms=at(20), forms=IdentifierForms("", KEYS))

    town.live(asked.event)

    (part,) = [one for one in town.values("exports") if one["part"] == 0]
    assert part["document"]["ids"]["email"] == [MAIL]
    assert part["document"]["ids"]["phone"] == [PHONE]
    assert not any(word in town.kept() for word in CLEAR)


def test_a_sealed_text_that_somebody_found_and_sends_as_her_own_words_is_not_opened() -> None:
    found = KEYS.seal(OTHER_MAIL)
    town = Town(KEYS).live(
        Identified(message_id="m1", timestamp_ms=at(0), user_id="eve", email=MAIL, anonymous_id=found, locale=found,
                   traits={"nickname": found, "ids": {"email": found}, found: "a name"}),
        events.ProductAdded(message_id="m2", timestamp_ms=at(1), user_id="eve", cart_id=found,
                            product=events.Product(product_id=found, name=found, category=found, price_minor=500)),
    ).until(120)  # fmt: skip
    asked = request("export", {"user_id": "eve"}, request_id="r3", now_ms=at(200), forms=IdentifierForms("", KEYS))

    town.live(asked.event)

    (part,) = [one for one in town.values("exports") if one["part"] == 0]
    assert part["document"]["ids"] == {"anonymous_id": [found], "email": [MAIL], "user_id": ["eve"]}
    assert part["document"]["traits"]["nickname"] == found
    assert [one["who"] for one in town.triggers()] == [MAIL]
    assert "bea@" not in repr([town.values("exports"), town.values("triggers")])


def test_sealed_texts_of_older_keys_open_and_new_ones_are_sealed_under_the_first() -> None:
    new = Protection(bytes(range(32)), [bytes(64), bytes(range(64))])

    assert new.token("email", MAIL) == KEYS.token("email", MAIL)
    assert new.open(KEYS.seal(MAIL)) == MAIL
    assert new.open(new.seal(MAIL)) == MAIL
    assert KEYS.open(new.seal(MAIL)) is None
    town = Town(KEYS).live(*life())
    town.protection = new
    town.live(Identified(message_id="m20", timestamp_ms=at(20), user_id="ada", email=MAIL))

    found = run(find(town.table, MAIL, PARTITIONS, IdentifierForms("", new)))
    assert found is not None
    assert found.profile.contacts[f"email:{new.token('email', MAIL)}"] == new.seal(MAIL)


def test_what_no_key_opens_is_left_out_of_a_trigger_and_stays_sealed_in_a_document() -> None:
    lost = Protection(bytes(range(32)), [bytes(64)])
    text = msgspec.json.encode({"customer": {"email": KEYS.seal(MAIL), "phone": lost.seal(PHONE)}})

    assert json.loads(lost.open_all(text)) == {"customer": {"email": KEYS.seal(MAIL), "phone": PHONE}}
    assert json.loads(lost.open_all(text, leave_out=True)) == {"customer": {"email": None, "phone": PHONE}}


def test_rows_on_their_way_to_other_homes_stay_sealed() -> None:
    class Kept:
        rows: tuple[Outgoing, ...] = ()

        async def publish(self, rows: Any) -> list[str | None]:
            self.rows = tuple(rows)
            return [None for _ in rows]

        async def ends(self, topic: str, partition: int) -> int:
            return 7

        async def tail(self, topic: str, partition: int, since: int) -> tuple[set[str], int]:
            return {topic}, since

        def broker_name(self, topic: str) -> str:
            return topic

    kept, value = Kept(), msgspec.Raw(msgspec.json.encode({"customer": {"email": KEYS.seal(MAIL)}}))
    publisher: Publisher = OpeningPublisher(kept, KEYS)
    run(publisher.publish([Outgoing(topic, "1", "k", 0, value) for topic in ("moves", "forwards", "triggers")]))

    assert [MAIL in bytes(row.value).decode() for row in kept.rows] == [False, False, True]
    assert (run(publisher.ends("triggers", 0)), run(publisher.tail("triggers", 0, 3))) == (7, ({"triggers"}, 3))


def test_a_token_is_hmac_sha_256_cut_to_128_bits() -> None:
    expected = hmac.digest(bytes(range(32)), f"email:{MAIL}".encode(), "sha256").hex()[:32]

    assert KEYS.token("email", MAIL) == f"k1.{expected}"


# --- over HTTP ----------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return written(tmp_path / "keys.toml", bytes(range(32)), bytes(32))


def written(path: Path, identifiers: bytes, *contacts: bytes) -> Path:
    texts = ", ".join(f'"{base64.b64encode(key).decode()}"' for key in contacts)
    path.write_text(
        f'identifiers = "{base64.b64encode(identifiers).decode()}"\ncontacts = [{texts}]\n', encoding="utf-8"
    )
    return path


def test_the_collector_writes_no_address_and_readers_with_the_scope_see_it(key_file: Path) -> None:
    shop = site(protection={"key_file": str(key_file)})

    shop.post(
        "/v1/identify", {"type": "identify", "messageId": "m1", "userId": "u1", "traits": {"email": MAIL}}, key=BACK_KEY
    )

    (event,) = shop.events
    token = KEYS.token("email", MAIL)
    assert event["email"] == token
    assert MAIL not in repr(shop.log.rows)
    # The worker takes it as it is.
    decoder = Decoder("EUR", protector=KEYS)
    arrival = decoder.decode(msgspec.json.encode(event), NOW_MS)
    assert isinstance(arrival, Arrival)
    assert (arrival.event.email, arrival.event.sealed_email) == (token, event["sealed_email"])
    shop.store(profile_of(arrival))
    document = told(shop.get(f"/v1/profiles/email:{token}"))
    assert document["ids"] == {"email": [MAIL], "user_id": ["u1"]}
    assert told(shop.get("/v1/profiles/email:Ada.Lovelace%40example.org"))["ids"] == document["ids"]


def profile_of(arrival: Arrival) -> Any:
    from profiles.profile import Profile

    token = arrival.event.email or ""
    profile = Profile(f"email:{token}", ids={"email": [token], "user_id": ["u1"]})
    profile.contacts = {f"email:{token}": arrival.event.sealed_email or ""}
    return profile


def test_nobody_comes_in_with_a_token(key_file: Path) -> None:
    shop = site(protection={"key_file": str(key_file)})
    traits = {"email": KEYS.token("email", MAIL)}

    shop.post("/v1/identify", {"type": "identify", "messageId": "m1", "userId": "u1", "traits": traits}, key=WEB_KEY)

    assert "email" not in shop.events[0]


# --- keys ---------------------------------------------------------------------------------------------------------


def settings_with(path: Path) -> Any:
    return build_settings({"protection": {"key_file": str(path)}})


def test_keys_come_from_the_file_and_none_is_no_protection(key_file: Path, tmp_path: Path) -> None:
    protection = load_protection(settings_with(key_file))

    assert load_protection(build_settings()) is None
    assert key_mark(build_settings()) == ""
    assert protection is not None
    assert protection.token("email", MAIL) == KEYS.token("email", MAIL)
    assert key_mark(settings_with(key_file)) == protection.mark == KEYS.mark
    assert key_mark(settings_with(written(tmp_path / "other.toml", bytes(32), bytes(range(32))))) != KEYS.mark


@pytest.mark.parametrize(
    "content, message",
    [
        ("identifiers = 'c2hvcnQ='\ncontacts = ['c2hvcnQx']", "base64 of 32 random bytes"),
        ("identifiers = '!'\ncontacts = ['?']", "base64 of 32 random bytes"),
        ("identifiers = 'secret", "no TOML with"),
        ("identifiers = 'secret'", "no TOML with"),
        ("identifiers = 'secret'\ncontacts = []", "1 to 16 keys"),
        ("identifiers = 'secret'\ncontacts = ['secret']", "two keys are the same"),
    ],
)
def test_a_file_of_no_keys_is_refused_without_being_quoted(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError, match=message) as refusal:
        load_protection(settings_with(path))
    assert "secret" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        load_protection(settings_with(tmp_path / "none.toml"))


def test_an_installation_refuses_other_keys() -> None:
    table = MemoryTable()
    run(table.ensure_install(4, KEYS.mark))
    run(table.ensure_install(4, KEYS.mark))

    with pytest.raises(WrongInstall, match="under another key, or not at all"):
        run(table.ensure_install(4))
