"""Law: an address that was taken for Ada's, was taken out of her, and turns out to be Bob's brings him what it would have brought
had it never been Ada's: orders, money, consents, coupons; and nothing it was reminded of once is told again.

With Ada herself it can't become one again: a split keeps the two apart. What was told is told apart by the message that it
began with, and is about one thing: a cart, an order, a coupon ... Of what each is told of in her own right, such as a survey, and
of reminders that had no ground while the two were one, nothing is said here.
"""

from collections import Counter
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from profiles.rules import Caps
from schemas.decode import others_of
from schemas.events import Arrival, ConsentChange, ConsentChanged, Identified, SplitProfile
from schemas.outputs import Trigger
from tests.core.town import ADA, BOB, MAIL, START_MS, Town
from tests.laws.histories import DAY_MS, MINUTE_MS
from tests.laws.test_merge_laws import facts
from tests.laws.test_split_waits import BOOK, FROM, Life, lives

MANY: Final = replace(BOOK, rules=replace(BOOK.rules, caps=Caps(max_in_24h=100, max_in_7d=100, max_in_day=100)))
FACTS: Final = ("ledger", "ltv", "by_currency", "counts", "newest", "consent", "coupons", "traits", "ids")
THINGS: Final = (
    "cart.abandoned",
    "checkout.abandoned",
    "payment.failed",
    "review.request",
    "cross.sell",
    "post.purchase.content",
    "coupon.expiring",
    "wishlist.reminder",
    "nps.detractor",
    "feedback.overdue",
)


def lived(life: Life, pace: int, *, mistaken: bool) -> Town:
    """A town where a life went by `pace` times as slowly, and two months after it; Bob comes at its end."""
    town, day = Town(MANY), 0.0
    for name in (ADA, MAIL):
        town.tell(ConsentChanged, name, consent=(ConsentChange(state="GRANT", channel="any"),))
    for minute, whose, what in life:
        slowly = (FROM + (minute - FROM) * pace) * MINUTE_MS
        at_ms, day = START_MS + slowly, slowly / DAY_MS
        town.until((slowly - MINUTE_MS / 2) / DAY_MS)
        if isinstance(what, SplitProfile):
            if mistaken:
                town.split(ADA, MAIL, day=day)
        elif not isinstance(what, tuple):
            event = replace(what, timestamp_ms=at_ms)
            if mistaken and event.message_id == "mistake":
                event = replace(event, email=MAIL.partition(":")[2])
            town.deliver(Arrival(event, at_ms, at_ms, whose, whose.partition(":")[2], others_of(event, whose)), at_ms)
    town.tell(Identified, BOB, MAIL, day=day + MINUTE_MS / DAY_MS, message_id="right")
    return town.until(day + 60)


def known(town: Town) -> dict[str, Any]:
    found = facts(town.homes[BOB])
    return {name: found[name] for name in FACTS}


@given(life=lives(), pace=st.sampled_from((1, 5, 40)))
@settings(max_examples=60, deadline=None)
def test_an_address_that_was_anothers_by_mistake_brings_its_owner_all_that_is_hers_and_no_reminder_twice(
    life: Life, pace: int
) -> None:
    mistaken, alone = lived(life, pace, mistaken=True), lived(life, pace, mistaken=False)
    told = Counter(
        (output.name, output.evidence[0], output.occurrence)
        for output in mistaken.out
        if isinstance(output, Trigger) and output.name in THINGS
    )

    assert known(mistaken) == known(alone)
    assert {what: times for what, times in told.items() if times > 1} == {}
