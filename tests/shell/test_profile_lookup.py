"""Finding a profile by what a person has at hand, and showing it."""

import asyncio

import pytest
from msgspec import Raw

from profiles.book import Book
from profiles.document import document
from profiles.profile import Profile
from profiles.state import Consent, DecisionKept, Emitted, Episode, encode
from schemas.events import Arrival
from streams.commands.profile_table import print_explanation, print_profile
from streams.home import home_partition
from streams.identifier_forms import IdentifierForms
from streams.memory_table import MemoryTable
from streams.profile_lookup import candidates, find
from streams.settings import Settings
from streams.shadow import is_shadow, shadowed
from streams.table import Commit, Refused

PARTITIONS = 8


def stored(*profiles: Profile) -> MemoryTable:
    async def fill() -> MemoryTable:
        table = MemoryTable()
        for profile in profiles:
            partition = home_partition(profile.id.partition(":")[2], PARTITIONS)
            claim = await table.claim(partition)
            commit = Commit(token=claim.meta.token, expected=claim.meta.commits, profiles={profile.id: profile.pack()})
            await table.commit(partition, commit)
        return table

    return asyncio.run(fill())


@pytest.mark.parametrize(
    "text, found",
    [
        ("2375", "user_id:2375"),
        ("user_id:2375", "user_id:2375"),
        ("Ann@Example.org", "email:ann@example.org"),
        ("email:ANN@example.org", "email:ann@example.org"),
        ("+41446681800", "phone:+41446681800"),
        ("phone:0041 44 668 18 00", "phone:+41446681800"),
        ("044 668 18 00", "phone:+41446681800"),
        ("a:b", "anonymous_id:a:b"),
        ("nobody", None),
    ],
)
def test_a_bare_value_or_a_typed_one_finds_the_profile(text: str, found: str | None) -> None:
    ids = ("user_id:2375", "phone:2375", "email:ann@example.org", "phone:+41446681800", "anonymous_id:a:b")
    table = stored(*(Profile(profile_id) for profile_id in ids))

    result = asyncio.run(find(table, text, PARTITIONS, IdentifierForms("CH")))

    assert (result.profile.id if result else None) == found


def test_a_damaged_profile_is_named_with_the_way_out() -> None:
    table = stored(Profile("user_id:2375"))
    place = home_partition("2375", PARTITIONS)

    async def work() -> None:
        claim = await table.claim(place)
        damage = Commit(token=claim.meta.token, expected=claim.meta.commits, profiles={"user_id:2375": b'{"id":'})
        await table.commit(place, damage)
        await find(table, "2375", PARTITIONS)

    with pytest.raises(
        Refused, match=f"profile user_id:2375 .partition {place}. can't be read: .*rebuild --partition {place}"
    ):
        asyncio.run(work())


def test_the_strongest_type_is_tried_first() -> None:
    assert candidates("7") == ["user_id:7", "email:7", "phone:7", "loyalty_id:7", "anonymous_id:7", "cart_token:7"]


def profile() -> Profile:
    shown = Profile("user_id:7", ids={"user_id": ["7"], "email": ["ann@example.org"]})
    shown.traits["plan"] = (1, "[bold]gold[/]")
    shown.traits["nickname"] = (1, "\x1b[2Jann")
    shown.consent["email.marketing"] = Consent("GRANT", 1)
    shown.orders.count, shown.ltv.gross, shown.ltv.net = 2, 123456, 123456
    shown.episodes["k"] = Episode("cart.abandoned", "cart-1", "m1", 0, 1_700_000_000_000)
    shown.emitted.append(Emitted("t-1", "welcome", "user_id:7", 0, 1_700_000_000_000, outcome="converted"))
    kept = DecisionKept(1_700_000_000_000, "cart.abandoned", "cart-0", "suppressed", "no_consent", "t-0")
    shown.decisions.append(Raw(encode(kept)))
    return shown


def test_a_profile_is_shown_with_amounts_and_times_as_people_read_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_profile(document(profile(), Book(), 1_700_000_000_000))

    shown = capsys.readouterr().out
    assert shown.startswith("user_id:7\n")
    assert "USD 1,234.56" in shown
    assert "ann@example.org" in shown
    assert "[bold]gold[/]" in shown, "what customers typed is shown, not obeyed"
    assert r"\u001b[2Jann" in shown, "not by the terminal either"
    assert "2023-11-14 22:13:20 UTC" in shown


def test_an_explanation_says_what_waits_what_went_out_and_what_did_not_and_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    print_explanation(profile(), Book(), 1_700_040_000_000)

    shown = [line.strip() for line in capsys.readouterr().out.splitlines()]
    at = "2023-11-14 22:13:20 UTC"
    assert f"cart.abandoned about cart-1 is due at {at}." in shown
    assert f"welcome about user_id:7 was sent at {at}; an order followed, which counts as its success (t-1)." in shown
    why = "The customer's consent allows marketing on no channel (no_consent)"
    assert f"{at}: cart.abandoned about cart-0 was not sent: {why}." in shown
    assert shown[-1] == "nothing"


def test_an_explanation_tells_times_on_her_clock_and_else_on_the_shops(capsys: pytest.CaptureFixture[str]) -> None:
    shop = Book(shop_timezone="Europe/Vienna")
    print_explanation(profile(), shop, 1_700_040_000_000)
    shown = capsys.readouterr().out
    assert "Times are of her zone, Europe/Vienna" in shown
    assert "2023-11-14 23:13:20 CET" in shown

    ann = profile()
    ann.traits["timezone"] = (2, "America/New_York")
    print_explanation(ann, shop, 1_700_040_000_000)
    shown = capsys.readouterr().out
    assert "Times are of her zone, America/New_York" in shown
    assert "2023-11-14 17:13:20 EST" in shown


def test_of_a_shadow_run_it_is_told_what_would_have_been_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    print_explanation(profile(), Book(), 1_700_040_000_000, tried=is_shadow(shadowed(Settings(), "autumn")))
    shown = capsys.readouterr().out

    assert "welcome about user_id:7 would have been sent at" in shown
    assert "cart.abandoned about cart-0 would not have been sent: " in shown
    assert "was sent" not in shown
    assert not is_shadow(Settings())


def test_one_trigger_can_be_asked_for_alone(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(profile(), Book(), 1_700_000_000_000, "welcome")

    shown = capsys.readouterr().out
    assert "welcome about" in shown
    assert "cart.abandoned" not in shown


def test_a_customer_nothing_happened_to_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_explanation(Profile("user_id:8"), Book(), 0)

    shown = capsys.readouterr().out
    assert "nothing happened that would bring a message" in shown
    assert "The customer's consent allows marketing on no channel (no_consent)." in shown


def test_with_folding_a_customer_is_found_by_either_spelling_of_her_mailbox() -> None:
    forms = IdentifierForms(fold_emails=True)

    assert candidates("email:Ann.Lee+x@googlemail.com", forms) == ["email:annlee@gmail.com"]
    arrival = forms.decoder().decode(
        b'{"event":"Identified","message_id":"m","timestamp_ms":1714564800000,"email":"Ann.Lee+x@gmail.com"}', 0
    )
    assert isinstance(arrival, Arrival)
    assert arrival.customer == "email:annlee@gmail.com"
