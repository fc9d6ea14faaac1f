"""Finding one customer's profile in the table by whatever a person has at hand."""

from typing import NamedTuple

import msgspec
from msgspec import Struct

from profiles.profile import Profile, decode_profile
from schemas.events import ID_TYPES
from schemas.moves import HOPS_MAX
from streams.home import home_partition
from streams.identifier_forms import PLAIN, IdentifierForms
from streams.table import Refused, Table


class Found(Struct):
    """A profile, the partition it lies in, and the bytes it is stored as."""

    partition: int
    profile: Profile
    stored: bytes


class Home(NamedTuple):
    """An identifier of a customer ("type:value") and the partition in which it is at home."""

    partition: int
    identifier: str


def candidates(text: str, forms: IdentifierForms = PLAIN) -> list[str]:
    """The profile ids a text may mean: itself where it names a type, else one for each type, strongest first.

    >>> candidates("email:Ann@Example.org "), candidates("phone:030 1234567", IdentifierForms("DE"))
    (['email:ann@example.org'], ['phone:+49301234567'])
    >>> candidates("2375")[:2]
    ['user_id:2375', 'email:2375']
    """
    text = text.strip()
    kind, colon, value = text.partition(":")
    kinds = (kind,) if colon and kind in ID_TYPES else ID_TYPES
    value = value if kinds == (kind,) else text
    return [f"{kind}:{forms.stored(kind, value)}" for kind in kinds]


async def find(table: Table, text: str, partitions: int, forms: IdentifierForms = PLAIN) -> Found | None:
    """The profile a text names: "type:value", or a bare value, tried as each type from the strongest on."""
    for profile_id in candidates(text, forms):
        found = await follow(table, profile_id, partitions)
        if found is not None:
            return found
    return None


async def follow(table: Table, profile_id: str, partitions: int) -> Found | None:
    """The profile an identifier leads to now, over at most HOPS_MAX redirects."""
    for _ in range(HOPS_MAX + 1):
        partition = home_partition(profile_id.partition(":")[2], partitions)
        stored = await table.profile(partition, profile_id)
        if stored is None:
            return None
        try:
            profile = decode_profile(stored)
        except msgspec.DecodeError as error:
            raise Refused.of_profile(profile_id, partition, error) from error
        if not profile.redirect:
            return Found(partition, profile, stored)
        profile_id = profile.redirect[-1][1]
    return None


def homes(profile: Profile, partitions: int) -> list[Home]:
    """Where anything of this customer lies: her profile, and the redirect of each of her identifiers.

    Identifiers that were never a profile of their own are there too: events under them may be on their way.
    """
    names = {profile.id, *profile.absorbed, *profile.merging}
    names |= {f"{kind}:{value}" for kind, values in profile.ids.items() for value in values}
    return [Home(home_partition(name.partition(":")[2], partitions), name) for name in sorted(names)]
