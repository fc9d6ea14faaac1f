"""Sealed texts of a customer's addresses, where an installation protects contact data: kept, shown, forgotten. Pure.

Her identifiers are tokens then (see `schemas.protected`). What she can be written to under lies here, encrypted, and nowhere
else; the core hands it on as it is.
"""

from profiles.profile import Profile
from schemas.events import Event
from schemas.protected import is_token


def remember(profile: Profile, event: Event) -> None:
    """Keep what an event brings of addresses she is known by, or may be written to under. The newest text stays, so that a
    new key comes to be used.
    """
    known = dict(profile.contacts)
    brought = [("email", event.email, event.sealed_email), ("phone", event.phone, event.sealed_phone)]
    brought += [(kind, getattr(event, kind, None), sealed) for kind, sealed in (event.sealed_ids or {}).items()]
    for kind, token, sealed in brought:
        if token is not None and sealed is not None and is_token(token):
            known[f"{kind}:{token}"] = sealed
    if known != profile.contacts:
        keep(profile, known)


def unite(into: Profile, other: Profile) -> None:
    """Keep those of both. Of two texts of one address, sealed under different keys, the greater: so both directions agree."""
    known = dict(other.contacts)
    for identifier, sealed in into.contacts.items():
        known[identifier] = max(sealed, known.get(identifier, sealed))
    keep(into, known)


def keep(profile: Profile, known: dict[str, str]) -> None:
    """Keep, of these texts by identifier, those of identifiers that are among hers or among those refused."""
    profile.contacts = {
        identifier: sealed for identifier, sealed in sorted(known.items()) if _is_of_use(profile, identifier)
    }


def _is_of_use(profile: Profile, identifier: str) -> bool:
    kind, _, value = identifier.partition(":")
    return value in profile.ids.get(kind, ()) or (profile.has_refused and identifier in profile.refused)


def shown_ids(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Her identifiers by type as people are shown them: sealed texts in the place of tokens, as far as they are known."""
    sealed = profile.contacts if profile.has_contacts else {}
    return {
        kind: tuple(sealed.get(f"{kind}:{value}", value) for value in values)
        for kind, values in sorted(profile.ids.items())
    }
