"""Who claims what, and what the other side answers."""

from typing import Any

import pytest

from profiles import links
from profiles.book import Book
from profiles.engine import Engine
from profiles.identity import contact
from profiles.needs import NeedLedger
from profiles.order_state import Ledger
from profiles.profile import Profile
from profiles.rules import DAY_MS, IdentityRules, Rules
from profiles.state import Moment, Privacy
from profiles.turn import Output
from schemas.decode import others_of
from schemas.events import Aliased, Arrival, CartUpdated, Event, Identified, OrderCompleted, PageViewed, Product
from schemas.moves import Absorb, Link, LinkRefused
from schemas.outputs import IdentityChange

START_MS = 1_772_409_600_000
BOOK = Book()
ENGINE = Engine(BOOK)


class Home:
    """A profile at its home, and what it said."""

    def __init__(self, name: str) -> None:
        self.profile, self.ledger = Profile(name), Ledger(complete=True)
        self.out: list[Output] = []
        self._count = 0

    def told(self, kind: type[Event] = PageViewed, day: float = 0, book: Book = BOOK, **fields: Any) -> "Home":
        self._count += 1
        at_ms = START_MS + round(day * DAY_MS)
        own, _, value = self.profile.id.partition(":")
        said = {"message_id": f"{value}-{self._count}", "timestamp_ms": at_ms, own: value, **fields}
        event = kind(**said)
        arrival = Arrival(event, at_ms, at_ms, self.profile.id, value, others_of(event, self.profile.id))
        Engine(book).step(self.profile, arrival, Moment(at_ms - 1), self.ledger, self.out)
        return self

    def takes(self, move: Link | Absorb | LinkRefused) -> list[Any]:
        """What it answers."""
        before = len(self.out)
        if ENGINE.move(self.profile, move, Moment(START_MS), self.ledger, self.out):
            self.ledger = Ledger(complete=True)
        return self.out[before:]

    @property
    def links(self) -> list[Link]:
        return [output for output in self.out if isinstance(output, Link)]

    @property
    def changes(self) -> list[tuple[str, str, str | None]]:
        found = [output for output in self.out if isinstance(output, IdentityChange)]
        return [(change.name, change.other, change.reason) for change in found]


def link(identifier: str, claimer: str, day: float = 0, *, alias: bool = False, hops: int = 0) -> Link:
    at_ms = START_MS + round(day * DAY_MS)
    return Link(identifier=identifier, claimer=claimer, at_ms=at_ms, cause="m", alias=alias, hops=hops)


def rules(**identity: Any) -> Book:
    return Book(rules=Rules(identity=IdentityRules(**identity)))


# --- claiming -----------------------------------------------------------------------------------------------------


def test_an_event_that_names_two_claims_the_weaker_one_once() -> None:
    ada = Home("user_id:ada").told(anonymous_id="phone").told(anonymous_id="phone")

    assert [(claim.identifier, claim.claimer) for claim in ada.links] == [("anonymous_id:phone", "user_id:ada")]
    assert ada.profile.merging == ["anonymous_id:phone"]
    assert ada.profile.ids == {"user_id": ["ada"], "anonymous_id": ["phone"]}


@pytest.mark.parametrize("kind, limit", [("email", 5), ("phone", 5), ("loyalty_id", 5)])
def test_one_more_contact_than_a_customer_may_have_is_not_believed(kind: str, limit: int) -> None:
    ada = Home("user_id:ada")
    for number in range(limit + 2):
        named: dict[str, Any] = {kind: f"value{number}"}
        ada.told(**named)
        ada.told(**named)

    assert len(ada.links) == limit == len(ada.profile.ids[kind])
    assert ada.changes == [("link.refused", f"{kind}:value{n}", "limit") for n in (limit, limit + 1)]


def test_devices_are_counted_within_a_window_and_older_ones_make_room() -> None:
    book = rules(devices_max=2)
    ada = Home("user_id:ada").told(anonymous_id="d1", book=book).told(anonymous_id="d2", day=60, book=book)
    ada.told(anonymous_id="d3", day=80, book=book)
    within = list(ada.profile.ids["anonymous_id"])
    ada.told(anonymous_id="d4", day=90, book=book)

    assert within == ["d1", "d2"]
    assert ada.profile.ids["anonymous_id"] == ["d2", "d4"]
    assert ada.changes == [("link.refused", "anonymous_id:d3", "limit")]


def test_a_device_that_there_was_no_room_for_is_hers_once_there_is() -> None:
    book = rules(devices_max=2)
    ada = Home("user_id:ada").told(anonymous_id="d1", book=book).told(anonymous_id="d2", day=60, book=book)
    for day in (80, 89, 90, 91):
        ada.told(anonymous_id="d3", day=day, book=book)

    assert ada.profile.ids["anonymous_id"] == ["d2", "d3"]
    assert [(claim.identifier, claim.at_ms) for claim in ada.links[2:]] == [("anonymous_id:d3", START_MS + 90 * DAY_MS)]
    assert ada.changes == [("link.refused", "anonymous_id:d3", "limit")]


def test_a_device_alone_makes_no_room_for_another_where_one_is_all_there_may_be() -> None:
    visitor = Home("anonymous_id:d1").told(Aliased, previous_id="d2", book=rules(devices_max=1))

    assert visitor.profile.ids == {"anonymous_id": ["d1"]}
    assert visitor.changes == [("link.refused", "anonymous_id:d2", "limit")]


def test_a_profile_remembers_a_few_cart_tokens_and_claims_any_number() -> None:
    ada = Home("user_id:ada")
    for number in range(40):
        ada.told(cart_token=f"t{number:02}", day=number)

    assert len(ada.links) == 40
    assert len(ada.profile.ids["cart_token"]) == links.CART_TOKENS_KEPT


# --- at the home of what is claimed -------------------------------------------------------------------------------


def test_a_device_nobody_met_becomes_a_redirect_and_has_nothing_to_tell() -> None:
    phone = Home("anonymous_id:phone")
    (answer,) = phone.takes(link("anonymous_id:phone", "user_id:ada"))

    assert phone.profile.redirect == [(START_MS, "user_id:ada")]
    assert (answer.into, answer.closing, bytes(answer.profile)) == ("user_id:ada", True, b"null")


def test_what_a_device_knew_leaves_whole_and_its_orders_with_it() -> None:
    phone = Home("anonymous_id:phone").told().told(OrderCompleted, order_id="o1", revenue_minor=500)
    (answer,) = phone.takes(link("anonymous_id:phone", "user_id:ada"))
    ada = Home("user_id:ada").told()
    ada.takes(answer)

    assert phone.profile == Profile("anonymous_id:phone", redirect=[(START_MS, "user_id:ada")])
    assert ada.profile.ltv.net == 500
    assert ada.profile.activity.events == 3
    assert ada.changes == [("profile.merged", "anonymous_id:phone", None)]


def test_who_takes_in_a_device_before_any_event_of_her_own_is_known_by_her_own_id_too() -> None:
    phone = Home("anonymous_id:phone").told()
    (answer,) = phone.takes(link("anonymous_id:phone", "user_id:ada"))
    ada = Home("user_id:ada")
    ada.takes(answer)

    assert ada.profile.ids == {"user_id": ["ada"], "anonymous_id": ["phone"]}


def test_orders_that_are_not_loaded_are_asked_for_before_anything_is_changed() -> None:
    phone = Home("anonymous_id:phone").told(OrderCompleted, order_id="o1", revenue_minor=500)
    phone.ledger = Ledger()
    before = phone.profile.pack()
    with pytest.raises(NeedLedger):
        phone.takes(link("anonymous_id:phone", "user_id:ada"))

    assert phone.profile.pack() == before


def test_a_large_profile_leaves_in_parts_each_small_and_the_closing_one_last() -> None:
    phone = Home("anonymous_id:phone")
    for number in range(700):
        phone.told(OrderCompleted, day=number / 10, order_id=f"o{number}", revenue_minor=100, products=(
            Product(product_id="p" * 200, price_minor=1), Product(product_id="q" * 200, price_minor=1),
        ))  # fmt: skip
    for cart in range(8):
        lines = tuple(Product(product_id=f"{n}-" + "x" * 250, name="n" * 300, price_minor=1) for n in range(80))
        phone.told(CartUpdated, day=70, cart_id=f"c{cart}", products=lines)
    phone.ledger.pack()
    sent = phone.takes(link("anonymous_id:phone", "user_id:ada"))
    ada = Home("user_id:ada").told(day=70)
    for part in sent:
        ada.takes(part)

    assert len(sent) > 5
    assert [part.closing for part in sent] == [False] * (len(sent) - 1) + [True]
    sizes = [len(bytes(part.profile)) + sum(len(bytes(entry)) for entry in part.entries) for part in sent]
    assert max(sizes) <= links.PART_BYTES
    assert (ada.profile.orders.count, len(ada.profile.carts)) == (700, 8)
    assert ada.profile.merging == []


def test_what_a_profile_keeps_apart_does_not_make_it_too_large_to_leave() -> None:
    mail = Home("email:a@example.com").told(anonymous_id="phone")
    phone = Home("anonymous_id:phone").told()
    for part in phone.takes(link("anonymous_id:phone", "email:a@example.com")):
        mail.takes(part)
    mail.profile.sides["anonymous_id:phone"].kept.traits["t"] = (0, "x" * links.PART_BYTES)
    sent = mail.takes(link("email:a@example.com", "user_id:ada"))

    assert max(len(bytes(part.profile)) for part in sent) <= links.PART_BYTES


def test_a_shared_device_follows_the_login_of_its_time_and_tells_who_lost_it() -> None:
    kiosk = Home("anonymous_id:kiosk").told()
    kiosk.takes(link("anonymous_id:kiosk", "user_id:ada", 1))
    answers = kiosk.takes(link("anonymous_id:kiosk", "user_id:bob", 2))
    kiosk.takes(link("anonymous_id:kiosk", "user_id:ada", 3))
    days = {day: ENGINE.holder_at(kiosk.profile, START_MS + round(day * DAY_MS)) for day in (0, 1, 2, 9)}

    assert days == {0: "user_id:ada", 1: "user_id:ada", 2: "user_id:bob", 9: "user_id:ada"}
    lost = answers[0]
    assert (lost.claimer, lost.reason, lost.holder) == ("user_id:ada", "moved", "user_id:bob")
    assert bytes(answers[1].profile) == b"null"


def test_who_lost_a_device_claims_it_again_when_she_is_seen_on_it_again() -> None:
    ada = Home("user_id:ada").told(anonymous_id="kiosk")
    ada.takes(LinkRefused(
        claimer="user_id:ada", identifier="anonymous_id:kiosk", reason="moved", holder="user_id:bob",
        at_ms=START_MS, cause="m",
    ))  # fmt: skip
    lost = dict(ada.profile.ids)
    ada.told(anonymous_id="kiosk", day=1)

    assert lost == {"user_id": ["ada"]}
    assert len(ada.links) == 2
    assert ada.changes == []


def test_a_device_that_went_to_another_identifier_of_hers_is_hers_still() -> None:
    ada = Home("user_id:ada").told(anonymous_id="phone", email="ada@example.org")
    ada.takes(LinkRefused(
        claimer="user_id:ada", identifier="anonymous_id:phone", reason="moved", holder="email:ada@example.org",
        at_ms=START_MS, cause="m",
    ))  # fmt: skip

    assert ada.profile.ids["anonymous_id"] == ["phone"]
    assert "anonymous_id:phone" not in ada.profile.merging


def test_logins_in_turns_keep_the_list_of_holders_bounded_and_the_first_one_on_it() -> None:
    kiosk = Home("anonymous_id:kiosk")
    for number in range(200):
        kiosk.takes(link("anonymous_id:kiosk", f"user_id:u{number}", number))

    assert len(kiosk.profile.redirect) == 16
    assert kiosk.profile.redirect[0][1] == "user_id:u0"
    assert kiosk.profile.redirect[-1][1] == "user_id:u199"


def test_an_address_belongs_to_one_user_and_another_keeps_it_as_a_contact_only() -> None:
    address = Home("email:family@example.org").told()
    address.takes(link("email:family@example.org", "user_id:ada"))
    (refused,) = address.takes(link("email:family@example.org", "user_id:bob", 5))
    bob = Home("user_id:bob").told(Identified, email="family@example.org")
    bob.takes(refused)
    bob.told(Identified, day=6, email="family@example.org")

    assert (refused.reason, refused.holder) == ("held", "user_id:ada")
    assert bob.profile.ids == {"user_id": ["bob"]}
    assert contact(bob.profile, "email") == "family@example.org"
    assert len(bob.links) == 1
    assert bob.changes == [("link.refused", "email:family@example.org", "held")]


def test_a_device_of_an_address_brings_the_address_to_the_user_who_logs_in_on_it() -> None:
    phone = Home("anonymous_id:phone").told()
    phone.takes(link("anonymous_id:phone", "email:ada@example.org"))
    answers = phone.takes(link("anonymous_id:phone", "user_id:ada", 1))
    onwards = [answer for answer in answers if isinstance(answer, Link)]

    assert [(one.identifier, one.claimer, one.hops) for one in onwards] == [("email:ada@example.org", "user_id:ada", 1)]


def test_of_two_addresses_of_one_device_the_smaller_stays() -> None:
    phone = Home("anonymous_id:phone").told()
    phone.takes(link("anonymous_id:phone", "email:b@example.org"))
    answers = phone.takes(link("anonymous_id:phone", "email:a@example.org", 1))
    onwards = [answer for answer in answers if isinstance(answer, Link)]
    larger = Home("email:b@example.org").told()
    larger.takes(onwards[0])

    assert larger.profile.redirect == [(START_MS + DAY_MS, "email:a@example.org")]


def test_a_link_that_was_passed_on_too_often_is_refused() -> None:
    phone = Home("anonymous_id:phone").told()
    phone.takes(link("anonymous_id:phone", "email:b@example.org"))
    answers = phone.takes(link("anonymous_id:phone", "email:a@example.org", hops=4))

    assert "too_many_hops" in {answer.reason for answer in answers if isinstance(answer, LinkRefused)}


def test_a_cart_token_leads_to_nobody_after_its_time() -> None:
    token = Home("cart_token:t").told()
    token.takes(link("cart_token:t", "user_id:ada"))

    assert ENGINE.holder_at(token.profile, START_MS + 30 * DAY_MS) == "user_id:ada"
    assert ENGINE.holder_at(token.profile, START_MS + 31 * DAY_MS) is None


# --- two user ids -------------------------------------------------------------------------------------------------


def test_two_user_ids_never_become_one_by_events() -> None:
    answers = Home("user_id:bob").told().takes(link("user_id:bob", "user_id:ada"))

    assert [(answer.reason, answer.holder) for answer in answers] == [("conflict", "user_id:bob")]


def test_an_alias_of_two_users_keeps_the_smaller_id_whichever_was_named_first() -> None:
    bob = Home("user_id:bob").told().told(Aliased, previous_id="ada")
    (_, claim) = bob.links
    (back,) = Home("user_id:ada").told().takes(claim)
    bob.takes(back)

    assert (claim.identifier, claim.alias) == ("user_id:ada", True)
    assert (back.identifier, back.claimer) == ("user_id:bob", "user_id:ada")
    assert [target for _, target in bob.profile.redirect] == ["user_id:ada"]


def test_an_alias_of_an_id_no_user_ever_had_names_a_device() -> None:
    bob = Home("user_id:bob").told(Aliased, previous_id="3f2a")
    device, user = bob.links
    nobody = Home("user_id:3f2a")

    assert (device.identifier, user.identifier) == ("anonymous_id:3f2a", "user_id:3f2a")
    assert nobody.takes(user) == []
    assert nobody.profile.redirect == []


def test_an_alias_that_contradicts_an_earlier_one_is_a_conflict_and_joins_nobody() -> None:
    dee = Home("user_id:dee").told()
    dee.takes(link("user_id:dee", "user_id:ada", alias=True))
    (refused,) = dee.takes(link("user_id:dee", "user_id:bob", alias=True))
    bob = Home("user_id:bob").told()
    bob.takes(refused)
    bob.told(Aliased, previous_id="dee")

    assert bob.changes == [("identity.conflict", "user_id:dee", "conflict")]
    assert [claim for claim in bob.links if claim.alias] == []


# --- what is taken in ---------------------------------------------------------------------------------------------


def test_what_arrives_after_its_receiver_moved_on_follows_her() -> None:
    phone = Home("anonymous_id:phone").told(OrderCompleted, order_id="o1", revenue_minor=500)
    (answer,) = phone.takes(link("anonymous_id:phone", "email:ada@example.org"))
    address = Home("email:ada@example.org").told()
    address.takes(link("email:ada@example.org", "user_id:ada"))
    (onwards,) = address.takes(answer)
    ada = Home("user_id:ada").told()
    ada.takes(onwards)

    assert (onwards.into, onwards.absorbed) == ("user_id:ada", "anonymous_id:phone")
    assert ada.profile.ltv.net == 500


def test_an_alias_call_of_a_suppressed_customer_of_whom_nothing_is_known_links_as_any_other() -> None:
    ada, known = Home("user_id:ada"), Home("user_id:ada").told()
    ada.profile.privacy = Privacy(suppressed_ms=0)
    for home in (ada, known):
        home.told(Aliased, previous_id="phone").told(Aliased, previous_id="ada")

    assert {claim.identifier for claim in ada.links} == {claim.identifier for claim in known.links}
    assert "user_id:ada" not in {claim.identifier for claim in ada.links}


def test_a_suppressed_customer_stays_so_whoever_absorbs_her() -> None:
    phone = Home("anonymous_id:phone").told()
    phone.profile.privacy = Privacy(suppressed_ms=0)
    ada = Home("user_id:ada").told()
    ada.takes(phone.takes(link("anonymous_id:phone", "user_id:ada"))[0])

    assert ada.profile.suppressed
