"""Finding one customer's profile in the table by whatever a person has at hand."""

from msgspec import Struct

from profiles.profile import Profile, decode_profile
from schemas.events import ID_TYPES
from streams.home import home_partition
from streams.table import Table


class Found(Struct):
    """A profile, the partition it lies in, and the bytes it is stored as."""

    partition: int
    profile: Profile
    stored: bytes


def candidates(text: str) -> list[str]:
    """The profile ids a text may mean: itself where it names a type, else one for each type, strongest first.

    >>> candidates("email:Ann@Example.org ")
    ['email:ann@example.org']
    >>> candidates("2375")[:2]
    ['user_id:2375', 'email:2375']
    """
    text = text.strip()
    kind, colon, value = text.partition(":")
    kinds = (kind,) if colon and kind in ID_TYPES else ID_TYPES
    value = value if kinds == (kind,) else text
    return [f"{kind}:{value.lower() if kind == 'email' else value}" for kind in kinds]


async def find(table: Table, text: str, partitions: int) -> Found | None:
    """The profile a text names: "type:value", or a bare value, tried as each type from the strongest on."""
    for profile_id in candidates(text):
        partition = home_partition(profile_id.partition(":")[2], partitions)
        stored = await table.profile(partition, profile_id)
        if stored is not None:
            return Found(partition, decode_profile(stored), stored)
    return None
