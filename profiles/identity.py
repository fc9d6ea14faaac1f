"""Who a customer is: her identifiers, traits, zone and language, as events name them. Newest word wins."""

from profiles.profile import Profile
from profiles.state import IDS_PER_TYPE_MAX, TRAITS_MAX
from schemas.events import Aliased, Arrival, Event, Identified


def remember(profile: Profile, arrival: Arrival) -> None:
    """Take over what any event says about the customer herself."""
    event = arrival.event
    at_ms = arrival.time_ms
    ids = profile.ids
    # Written out, since every event comes through here and attributes read by name cost several times as much.
    if (user_id := event.user_id) is not None and user_id not in ids.get("user_id", ()):
        _add_id(ids, "user_id", user_id)
    if (anonymous_id := event.anonymous_id) is not None and anonymous_id not in ids.get("anonymous_id", ()):
        _add_id(ids, "anonymous_id", anonymous_id)
    if (email := event.email) is not None and email not in ids.get("email", ()):
        _add_id(ids, "email", email)
    if (phone := event.phone) is not None and phone not in ids.get("phone", ()):
        _add_id(ids, "phone", phone)
    if (loyalty_id := event.loyalty_id) is not None and loyalty_id not in ids.get("loyalty_id", ()):
        _add_id(ids, "loyalty_id", loyalty_id)
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


def _add_id(ids: dict[str, list[str]], kind: str, value: str) -> None:
    known = ids.setdefault(kind, [])
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
    if event.previous_id not in profile.ids.get("anonymous_id", ()):
        _add_id(profile.ids, "anonymous_id", event.previous_id)


def reachable(profile: Profile) -> bool:
    """Whether any messaging system could address this customer: e-mail, phone, push token or user id."""
    ids = profile.ids
    return profile.push or "user_id" in ids or "email" in ids or "phone" in ids


def only(values: list[str] | None) -> str | None:
    """The first value of an identifier type, None if there is none."""
    return values[0] if values else None
