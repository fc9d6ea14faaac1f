"""Privacy commands and events in any order come to the same end, over all homes of a customer.

The homes are played by a small post office: what the engine sends to another home is delivered there at any later time,
as topics and partitions may.
"""

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.book import Book
from profiles.engine import Engine
from profiles.links import NOBODY
from profiles.order_state import Ledger
from profiles.privacy import COMMANDS, is_closed
from profiles.profile import Profile
from profiles.receipts import Case, take
from profiles.state import Moment, encode
from profiles.turn import Anonymised, Mail, Output
from schemas import events
from schemas.decode import Decoder
from schemas.events import Arrival, CommandAnswered, Event, Product
from schemas.moves import Move

START_MS = 1_772_409_600_000
MINUTE_MS = 60_000
ASKED_MINUTE = 500
USERS = ("ada", "bea")
DEVICES = {"ada": "phone", "bea": "laptop"}

KINDS: tuple[type[Event], ...] = (events.ProductAdded, events.OrderCompleted, events.ProductViewed, events.Identified)

Named = tuple[str | None, str | None, str | None]


def named(draw: st.DrawFn) -> Named:
    """Who an event says it is of. Each user has one e-mail address and one device of her own."""
    whose = draw(st.sampled_from(USERS))
    user, mail, device = (
        draw(st.sampled_from((None, name))) for name in (whose, f"{whose}@example.org", DEVICES[whose])
    )
    return (whose, mail, device) if user is mail is device is None else (user, mail, device)


@st.composite
def one_event(draw: st.DrawFn, number: int) -> Event:
    kind: type[Event] = draw(st.sampled_from(KINDS))
    user, mail, device = named(draw)
    fields: dict[str, Any] = {"user_id": user, "email": mail, "anonymous_id": device}
    if kind is events.OrderCompleted:
        fields |= {"order_id": f"o{number}", "revenue_minor": draw(st.integers(1, 9999))}
    elif kind is not events.Identified:
        fields |= {"product": Product(product_id="tea", price_minor=500)}
    # An address seen with an erased device, without a user and only after the erasure, is somebody new's: whether the two
    # were hers before depends on what had come by then.
    stranger = user is None and mail is not None and device is not None
    at_ms = START_MS + draw(st.integers(0, ASKED_MINUTE if stranger else 1000)) * MINUTE_MS
    return kind(message_id=f"m{number}", timestamp_ms=at_ms, received_at_ms=at_ms, **fields)


@st.composite
def stories(draw: st.DrawFn) -> list[Event]:
    return [draw(one_event(number)) for number in range(draw(st.integers(1, 8)))]


def command(kind: type[events.CommandEvent], minute: int = ASKED_MINUTE, name: str = "r1", **who: Any) -> Event:
    at_ms = START_MS + minute * MINUTE_MS
    return kind(
        message_id=name, timestamp_ms=at_ms, received_at_ms=at_ms, request_id=name, **(who or {"user_id": "ada"})
    )


def united(story: list[Event], one: str) -> set[str]:
    """All identifiers that events name together with this one, or with one that is named together with it."""
    found, together = {one}, [identifiers(event) for event in story]
    while grown := [names for names in together if names & found and not names <= found]:
        found = found.union(*grown)
    return found


def identifiers(event: Event) -> set[str]:
    named = {"user_id": event.user_id, "email": event.email, "anonymous_id": event.anonymous_id}
    return {f"{kind}:{value}" for kind, value in named.items() if value is not None}


class PostOffice:
    """All homes, and what is on its way between them."""

    def __init__(self, seed: int) -> None:
        self.engine = Engine(Book())
        self.random = Random(seed)
        self.homes: dict[str, tuple[Profile, Ledger]] = {}
        self.cases: dict[str, Case] = {}
        self.out: list[Output] = []
        self._decoder = Decoder("EUR")

    def deliver(self, sent: list[Event]) -> "PostOffice":
        """Deliver everything, in any order."""
        waiting: list[Event | Move] = list(sent)
        while waiting:
            waiting += self._take(waiting.pop(self.random.randrange(len(waiting))))
        return self

    def _home(self, name: str) -> tuple[Profile, Ledger]:
        return self.homes.setdefault(name, (Profile(name), Ledger(complete=True)))

    def _take(self, event: Event | Move) -> list[Event | Move]:
        out: list[Output] = []
        if isinstance(event, Move):
            profile, ledger = self._home(event.customer)
            if self.engine.move(profile, event, Moment(0), ledger, out):
                self.homes[event.customer] = (profile, Ledger(complete=True))
            return self._sent(out)
        if isinstance(event, CommandAnswered):
            known = self.cases.get(event.request_id)
            self.cases[event.request_id] = take(known, event, START_MS) or known or Case("erase", 0)
            return []
        arrival = self._decoder.arrive(event, 0)
        assert isinstance(arrival, Arrival)
        home = self._home(arrival.customer)
        while home[0].redirect and type(event) not in COMMANDS:
            holder = self.engine.holder_at(home[0], arrival.time_ms)
            if holder is None or holder == NOBODY:
                return []
            came_with = arrival.came_with or arrival.customer
            arrival, home = replace(arrival, customer=holder, came_with=came_with), self._home(holder)
        self.engine.step(home[0], arrival, Moment(0), home[1], out)
        return self._sent(out)

    def _sent(self, out: list[Output]) -> list[Event | Move]:
        self.out += out
        moves: list[Event | Move] = [output for output in out if isinstance(output, Move)]
        return moves + [output.event for output in out if isinstance(output, Mail)]

    def kept(self) -> dict[str, tuple[Any, ...]]:
        """What is known of whom, as far as the order of arrival may not matter: identifiers, money, ledgers without what each
        order came with.
        """
        return {
            name: (
                profile.ids,
                encode(profile.ltv),
                sorted(encode(replace(entry, came_with="")) for entry in ledger.all()),
            )
            for name, (profile, ledger) in sorted(self.homes.items())
            if not profile.is_blank and not profile.redirect
        }

    def erased(self) -> set[str]:
        return {name for name, (profile, _) in self.homes.items() if profile.privacy and profile.privacy.erased_ms}

    def marks(self) -> dict[str, bytes]:
        """What each home keeps of what was asked for."""
        return {name: encode(profile.privacy) for name, (profile, _) in self.homes.items()}

    def suppressed(self) -> set[str]:
        return {name for name, (profile, _) in self.homes.items() if profile.suppressed}


@settings(max_examples=80, deadline=None)
@given(story=stories(), seeds=st.lists(st.integers(0, 10_000), min_size=2, max_size=2), twice=st.booleans())
def test_an_erasure_comes_to_the_same_end_wherever_it_stands_among_the_events(
    story: list[Event], seeds: list[int], twice: bool
) -> None:
    sent = [*story, command(events.EraseCustomer)]
    one, two = PostOffice(seeds[0]).deliver(sent), PostOffice(seeds[1]).deliver(sent * 2 if twice else sent)

    assert one.kept() == two.kept()
    assert one.erased() == two.erased()
    assert "user_id:ada" in one.erased()
    assert not any("ada" in values for profile, _ in one.homes.values() for values in profile.ids.values())


@settings(max_examples=50, deadline=None)
@given(story=stories(), seed=st.integers(0, 10_000))
def test_an_erasure_takes_what_came_with_her_name_and_nothing_of_another_customer(
    story: list[Event], seed: int
) -> None:
    made = PostOffice(seed).deliver([*story, command(events.EraseCustomer)])
    without = PostOffice(0).deliver([event for event in story if event.user_id != "ada"])
    hers = united(story, "user_id:ada")

    assert made.kept() == {name: what for name, what in without.kept().items() if name not in hers}


@st.composite
def shared(draw: st.DrawFn) -> list[Event]:
    """Ada and Bea log in by turns on devices that both use, and on many carts each."""
    made: list[Event] = []
    for number in range(draw(st.integers(1, 12))):
        at_ms = START_MS + draw(st.integers(0, 1000)) * MINUTE_MS
        who: dict[str, Any] = {"user_id": draw(st.sampled_from((*USERS, None)))}
        kind = draw(st.sampled_from(("anonymous_id", "cart_token")))
        who[kind] = draw(st.sampled_from(("tablet", "till")))
        made.append(events.Identified(message_id=f"m{number}", timestamp_ms=at_ms, received_at_ms=at_ms, **who))
    return made


@settings(max_examples=150, deadline=None)
@given(story=shared(), seed=st.integers(0, 10_000), first=st.booleans())
def test_no_home_knows_of_an_erased_customer_also_none_of_a_device_that_others_used(
    story: list[Event], seed: int, first: bool
) -> None:
    asked = command(events.EraseCustomer)
    office = PostOffice(seed).deliver([asked, *story] if first else story)
    if not first:
        office.deliver([asked])

    held = [(name, encode(profile)) for name, (profile, _) in office.homes.items() if name != "user_id:ada"]
    assert [name for name, profile in held if b"user_id:ada" in profile] == []


def test_carts_beyond_those_that_are_remembered_are_erased_too() -> None:
    at = [START_MS + number for number in range(40)]
    carts = [
        events.Identified(
            message_id=f"m{ms}", timestamp_ms=ms, received_at_ms=ms, user_id="ada", cart_token=f"cart-{ms}"
        )
        for ms in at
    ]
    office = PostOffice(1)
    for cart in carts:
        office.deliver([cart])
    assert len(office.homes) == 41

    office.deliver([command(events.EraseCustomer)])

    assert len(office.erased()) == 41
    assert not any(profile.redirect for profile, _ in office.homes.values())


@settings(max_examples=50, deadline=None)
@given(story=stories(), seed=st.integers(0, 10_000), kind=st.sampled_from(("erase", "suppress", "export", "anonymise")))
def test_a_receipt_is_final_when_every_home_has_answered(story: list[Event], seed: int, kind: str) -> None:
    asked = {
        "erase": events.EraseCustomer,
        "suppress": events.SuppressCustomer,
        "export": events.ExportCustomer,
        "anonymise": events.AnonymiseCustomer,
    }[kind]
    made = PostOffice(seed).deliver([*story, command(asked)])

    assert made.cases["r1"].final
    assert set(made.cases["r1"].named) <= set(made.cases["r1"].answered)


@settings(max_examples=80, deadline=None)
@given(story=stories(), seeds=st.lists(st.integers(0, 10_000), min_size=2, max_size=2))
def test_a_suppression_of_what_had_happened_before_it_comes_to_the_same_end(
    story: list[Event], seeds: list[int]
) -> None:
    """Events of before are facts whenever they come; none of later is among them here: see the next law."""
    asked = command(events.SuppressCustomer, minute=1001)
    one, two = (PostOffice(seed).deliver([*story, asked]) for seed in seeds)

    assert one.kept() == two.kept()
    assert one.suppressed() == two.suppressed()
    assert "user_id:ada" in one.suppressed()


@settings(max_examples=50, deadline=None)
@given(story=stories(), seed=st.integers(0, 10_000))
def test_of_a_suppressed_customer_nothing_is_collected_that_happened_later(story: list[Event], seed: int) -> None:
    asked = [command(events.SuppressCustomer, minute=0)]
    made = PostOffice(seed).deliver(asked).deliver([event for event in story if event.user_id == "ada"])
    profile, ledger = made.homes["user_id:ada"]

    assert ledger.all() == [entry for entry in ledger.all() if (entry.placed_ms or 0) < START_MS]
    assert profile.activity.first_ms is None
    assert not profile.episodes


@settings(max_examples=50, deadline=None)
@given(
    minutes=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=6),
    seeds=st.lists(st.integers(0, 10_000), min_size=2, max_size=2),
)
def test_the_newest_of_suppress_and_unsuppress_holds_in_whatever_order_they_come(
    minutes: list[tuple[int, bool]], seeds: list[int]
) -> None:
    kinds = {True: events.SuppressCustomer, False: events.UnsuppressCustomer}
    sent = [command(kinds[yes], minute, f"r{number}") for number, (minute, yes) in enumerate(minutes)]
    newest = max(minute for minute, _ in minutes)
    one, two = (PostOffice(seed).deliver(sent) for seed in seeds)

    assert one.marks() == two.marks()
    assert bool(one.suppressed()) == ((newest, True) in minutes)


@settings(max_examples=80, deadline=None)
@given(story=stories(), seed=st.integers(0, 10_000))
def test_what_was_opened_again_is_open_though_the_erasure_that_was_asked_for_before_is_heard_of_later(
    story: list[Event], seed: int
) -> None:
    who = {"user_id": "ada", "email": "ada@example.org", "anonymous_id": "phone"}
    asked = [command(events.EraseCustomer, 1001, "r1"), command(events.UnsuppressCustomer, 1002, "r2", **who)]
    made = PostOffice(seed).deliver(story).deliver(asked)

    assert not [f"{kind}:{value}" for kind, value in who.items() if is_closed(made.homes[f"{kind}:{value}"][0])]


@settings(max_examples=50, deadline=None)
@given(story=stories(), seed=st.integers(0, 10_000))
def test_what_stays_of_an_anonymised_customer_is_her_figures(story: list[Event], seed: int) -> None:
    before = PostOffice(0).deliver(story)
    asked = PostOffice(0).deliver(story).deliver([command(events.AnonymiseCustomer)])
    stayed = [output for output in asked.out if isinstance(output, Anonymised)]

    def money(office: PostOffice) -> int:
        return sum(profile.ltv.net for profile, _ in office.homes.values())

    assert money(before) == money(asked) + sum(one.profile.ltv.net for one in stayed)
    assert not any(
        word in encode(entry).decode() for one in stayed for entry in one.entries for word in ("ada", "m1", "o1")
    )
