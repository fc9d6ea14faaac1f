"""Who a customer is: her identifiers, traits, zone and language, as events name them. Newest word wins."""

from typing import Final

from profiles.state import IDS_PER_TYPE_MAX, TRAITS_MAX, Profile
from schemas.events import Aliased, Arrival, Event, Identified

REACHABLE_BY: Final = ("email", "phone", "user_id")


def remember(profile: Profile, arrival: Arrival) -> None:
    """Take over what any event says about the customer herself."""
    event = arrival.event
    at_ms = arrival.time_ms
    ids = profile.ids
    # Written out, since every event comes through here and attributes read by name cost several times as much.
    if event.user_id is not None:
        _note_id(ids, "user_id", event.user_id)
    if event.anonymous_id is not None:
        _note_id(ids, "anonymous_id", event.anonymous_id)
    if event.email is not None:
        _note_id(ids, "email", event.email)
    if event.phone is not None:
        _note_id(ids, "phone", event.phone)
    if event.loyalty_id is not None:
        _note_id(ids, "loyalty_id", event.loyalty_id)
    if event.timezone is not None and (profile.timezone is None or profile.timezone < (at_ms, event.timezone)):
        profile.timezone = (at_ms, event.timezone)
    if event.locale is not None and (profile.locale is None or profile.locale < (at_ms, event.locale)):
        profile.locale = (at_ms, event.locale)
    if event.country is not None and (profile.country is None or profile.country < (at_ms, event.country)):
        profile.country = (at_ms, event.country)
    if event.imported:
        profile.milestones.imported = True
    kind_of = type(event)
    if kind_of is Identified:
        _remember_traits(profile, event, at_ms)
    elif kind_of is Aliased:
        _remember_alias(profile, event)


def _note_id(ids: dict[str, list[str]], kind: str, value: str) -> None:
    known = ids.get(kind)
    if known is None:
        ids[kind] = [value]
    elif value not in known:
        _add_id(known, value)


def _add_id(known: list[str], value: str) -> None:
    known.append(value)
    known.sort()
    if len(known) > IDS_PER_TYPE_MAX:
        known.pop()


def _remember_traits(profile: Profile, event: Event, at_ms: int) -> None:
    assert isinstance(event, Identified)
    if event.push_token is not None:
        profile.push = True
    traits = profile.traits
    for name, value in event.traits.items():
        known = traits.get(name)
        if known is None:
            if len(traits) < TRAITS_MAX:
                traits[name] = (at_ms, value)
        elif known[0] <= at_ms:
            traits[name] = (at_ms, value)


def _remember_alias(profile: Profile, event: Event) -> None:
    assert isinstance(event, Aliased)
    known = profile.ids.setdefault("anonymous_id", [])
    if event.previous_id not in known:
        _add_id(known, event.previous_id)


def reachable(profile: Profile) -> bool:
    """Whether any messaging system could address this customer: e-mail, phone, push token or user id."""
    return profile.push or any(profile.ids.get(kind) for kind in REACHABLE_BY)


def only(values: list[str] | None) -> str | None:
    """The first value of an identifier type, None if there is none."""
    return values[0] if values else None
