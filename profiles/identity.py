"""Who a customer is: her identifiers, traits, zone and language, as events name them. Newest word wins."""

from collections.abc import Sequence

from profiles import contacts, links, visitors
from profiles.profile import Profile
from profiles.state import TRAITS_MAX
from profiles.turn import Turn
from schemas.events import Arrival, Event, Identified
from schemas.protected import is_token


def remember(turn: Turn, arrival: Arrival) -> None:
    """Take over what any event says about the customer herself; an identifier that is new here is claimed for her."""
    profile, event, at_ms = turn.profile, arrival.event, arrival.time_ms
    ids = profile.ids
    if not ids:
        kind, _, value = profile.id.partition(":")
        ids[kind] = [value]
        visitors.begin(turn, arrival)
    for kind, value in arrival.others:
        if value not in ids.get(kind, ()):
            links.claim(turn, kind, value)
    if event.sealed_email is not None or event.sealed_phone is not None or event.sealed_ids is not None:
        contacts.remember(profile, event)
    if event.timezone is not None and (profile.timezone is None or profile.timezone < (at_ms, event.timezone)):
        profile.timezone = (at_ms, event.timezone)
    if event.locale is not None and (profile.locale is None or profile.locale < (at_ms, event.locale)):
        profile.locale = (at_ms, event.locale)
    if event.country is not None and (profile.country is None or profile.country < (at_ms, event.country)):
        profile.country = (at_ms, event.country)
    if event.imported:
        profile.milestones.imported = True
    if type(event) is Identified:
        _remember_traits(turn, event, at_ms)


def _remember_traits(turn: Turn, event: Event, at_ms: int) -> None:
    assert isinstance(event, Identified)
    profile = turn.profile
    if event.push_token is not None:
        profile.push = True
    traits = profile.traits
    for name, value in event.traits.items():
        known = traits.get(name)
        if known is None:
            if len(traits) < TRAITS_MAX or turn.book.rules.goes_by(name):
                traits[name] = (at_ms, value)
        elif known[0] <= at_ms:
            traits[name] = (at_ms, value)


def reachable(profile: Profile) -> bool:
    """Whether any messaging system could address this customer: e-mail, phone, push token or user id."""
    ids = profile.ids
    return profile.push or "user_id" in ids or "email" in ids or "phone" in ids


def contact(profile: Profile, kind: str) -> str | None:
    """Her e-mail address or phone number: one of her own, else one that her events named though another customer holds it
    (two members of a family); None without any. Where addresses are protected it is the sealed text, which is opened when the
    trigger is published.
    """
    own = [f"{kind}:{value}" for value in profile.ids.get(kind, ())]
    shared = sorted(name for name in profile.refused if name.startswith(f"{kind}:")) if profile.has_refused else ()
    for identifier in (*own, *shared):
        value = identifier.partition(":")[2]
        written = profile.contacts.get(identifier) if is_token(value) else value
        if written is not None:
            return written
    return None


def only(values: Sequence[str] | None) -> str | None:
    """The first value of an identifier type, None if there is none."""
    return values[0] if values else None
