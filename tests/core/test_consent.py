"""Consent: the newest decision holds, and however many there are, a word on marketing is never lost to others."""

import pytest

from profiles.consent import CONSENTS_MAX, apply_consent, may_market, summary
from profiles.profile import Profile
from schemas.events import Arrival, ConsentChange, ConsentChanged, Event, Unsubscribed

AT_MS = 1_714_564_800_000


def tell(profile: Profile, *events: Event) -> Profile:
    for event in events:
        apply_consent(profile, Arrival(event, event.timestamp_ms, event.timestamp_ms, profile.id, "ada"))
    return profile


def decided(at_ms: int, *changes: ConsentChange) -> ConsentChanged:
    return ConsentChanged(message_id=f"m{at_ms}", timestamp_ms=AT_MS + at_ms, consent=changes)


def test_an_unsubscription_holds_however_many_purposes_were_decided_before() -> None:
    purposes = (ConsentChange(state="GRANT", purpose=f"purpose {n}") for n in range(CONSENTS_MAX))
    profile = tell(
        Profile("user_id:ada"),
        decided(0, *purposes),
        decided(1, ConsentChange(state="GRANT")),
        Unsubscribed(message_id="u", timestamp_ms=AT_MS + 2, message_channel="email"),
    )

    assert (profile.consent["any.marketing"].state, profile.consent["email.marketing"].state) == ("GRANT", "REVOKED")
    assert len(profile.consent) == CONSENTS_MAX


def test_of_too_many_channels_those_are_forgotten_in_which_she_is_willing() -> None:
    refused = decided(0, ConsentChange(state="DENY", channel="email"))
    granted = (ConsentChange(state="GRANT", channel=f"channel {n}") for n in range(2 * CONSENTS_MAX))
    profile = tell(Profile("user_id:ada"), refused, decided(1, *granted))

    assert profile.consent["email.marketing"].state == "DENY"
    assert len(profile.consent) == CONSENTS_MAX
    assert may_market(profile, AT_MS + 2, soft_opt_in=False)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_equal_words_of_the_same_moment_the_one_that_ends_first_holds_whichever_came_first(turned: bool) -> None:
    words = [decided(0, ConsentChange(state="GRANT", expires_ms=ends_ms)) for ends_ms in (None, AT_MS + 5, AT_MS + 9)]
    profile = tell(Profile("user_id:ada"), *(words[::-1] if turned else words))

    assert profile.consent["any.marketing"].expires_ms == AT_MS + 5
    assert not may_market(profile, AT_MS + 5, soft_opt_in=False)


def test_a_grant_is_shown_as_such_until_it_ends_and_a_refusal_for_ever() -> None:
    granted = ConsentChange(state="GRANT", channel="email", expires_ms=AT_MS + 5)
    refused = ConsentChange(state="DENY", channel="sms", expires_ms=AT_MS + 5)
    profile = tell(Profile("user_id:ada"), decided(0, granted, refused))

    assert summary(profile, AT_MS + 4) == {"email.marketing": "GRANT", "sms.marketing": "DENY"}
    assert summary(profile, AT_MS + 5) == {"email.marketing": "EXPIRED", "sms.marketing": "DENY"}
