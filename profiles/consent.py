"""Consent per channel and purpose: the newest decision holds, and of two made at the same moment the stricter one."""

from typing import Final

from profiles.profile import Profile
from profiles.state import Consent
from schemas.events import Arrival, ConsentChange, Event, MessageMarkedAsSpam, Unsubscribed

MARKETING: Final = "marketing"
EXPIRED: Final = "EXPIRED"
CONSENTS_MAX: Final = 32
"""Decisions kept of one customer; see `keep_within`."""
_STRICTNESS: Final = {"GRANT": 0, "DENY": 1, "REVOKED": 2}


def apply_consent(profile: Profile, arrival: Arrival) -> bool:
    """Take over the consent decisions an event carries. True if one of them grants marketing."""
    event = arrival.event
    for change in event.consent:
        _keep(profile, change, arrival.time_ms)
    if type(event) is Unsubscribed or type(event) is MessageMarkedAsSpam:
        change = ConsentChange(state="REVOKED", channel=event.message_channel, source=type(event).__name__)
        _keep(profile, change, arrival.time_ms)
    return grants(event)


def takes_back(event: Event) -> bool:
    """Whether an event takes back, or refuses, some marketing."""
    return type(event) in (Unsubscribed, MessageMarkedAsSpam) or any(
        change.state != "GRANT" and change.purpose == MARKETING for change in event.consent
    )


def grants(event: Event) -> bool:
    """Whether an event allows some marketing."""
    return any(change.state == "GRANT" and change.purpose == MARKETING for change in event.consent)


def _keep(profile: Profile, change: ConsentChange, event_ms: int) -> None:
    key = f"{change.channel}.{change.purpose}"
    at_ms = event_ms if change.at_ms is None else change.at_ms
    decided = Consent(change.state, at_ms, change.expires_ms, change.source, change.text_version)
    known = profile.consent.get(key)
    if known is not None and not supersedes(decided, known):
        return
    profile.consent[key] = decided
    if len(profile.consent) > CONSENTS_MAX:
        profile.consent = keep_within(profile.consent)


def keep_within(consents: dict[str, Consent]) -> dict[str, Consent]:
    """The CONSENTS_MAX decisions that count most: those on marketing, of these what was refused, then the newest."""
    ranked = sorted(consents.items(), key=_importance)
    return dict(ranked[:CONSENTS_MAX])


def _importance(decided: tuple[str, Consent]) -> tuple[bool, bool, int, str]:
    key, consent = decided
    return not key.endswith(f".{MARKETING}"), consent.state == "GRANT", -consent.at_ms, key


def supersedes(one: Consent, known: Consent) -> bool:
    """Whether a decision takes the place of a known one: newer, or as old and stricter. Of two equal words of the same moment
    the one that ends first; then by text, so that it makes no difference which was heard of first.
    """
    if (one.at_ms, one.state) != (known.at_ms, known.state):
        return (one.at_ms, _STRICTNESS[one.state]) > (known.at_ms, _STRICTNESS[known.state])
    return _rest(one) < _rest(known)


def _rest(consent: Consent) -> tuple[int, str, str]:
    ends_ms = 2**62 if consent.expires_ms is None else consent.expires_ms
    return (ends_ms, consent.source or "", consent.text_version or "")


def may_market(profile: Profile, now_ms: int, *, soft_opt_in: bool) -> bool:
    """Whether marketing may be sent: some channel has an unexpired GRANT that is not undone by a newer word for all channels.

    With `soft_opt_in` a customer who never decided counts as willing.
    """
    if not profile.has_consent:
        return soft_opt_in
    consents = profile.consent
    decided = False
    everywhere = consents.get("any.marketing")
    for key, consent in consents.items():
        if not key.endswith(".marketing"):
            continue
        decided = True
        if consent.state != "GRANT" or _has_ended(consent, now_ms):
            continue
        if everywhere is None or everywhere.state == "GRANT" or consent.at_ms > everywhere.at_ms:
            return True
    return soft_opt_in and not decided


def _has_ended(consent: Consent, now_ms: int) -> bool:
    return consent.expires_ms is not None and consent.expires_ms <= now_ms


def summary(profile: Profile, now_ms: int) -> dict[str, str]:
    """Consent as triggers and the public document carry it: {"email.marketing": "GRANT"}. A GRANT that has ended is EXPIRED;
    what was refused stays so.
    """
    if not profile.has_consent:
        return {}
    return {
        key: EXPIRED if consent.state == "GRANT" and _has_ended(consent, now_ms) else consent.state
        for key, consent in sorted(profile.consent.items())
    }


def changes_ms(profile: Profile, now_ms: int) -> int | None:
    """When the next of her GRANTs ends by itself, None if none will."""
    if not profile.has_consent:
        return None
    granted = [consent for consent in profile.consent.values() if consent.state == "GRANT"]
    ends = [consent.expires_ms for consent in granted if consent.expires_ms is not None]
    return min((ends_ms for ends_ms in ends if ends_ms > now_ms), default=None)
