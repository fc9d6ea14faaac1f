"""The origin under which a customer is counted for the value models (`profiles.value.origin`), kept in her profile.

It is a function of facts (the channel of her first order, the country told last), so late events and merges may move it, and
her counters move with it: one down, one up. Only customers with a purchase have one.
"""

from functools import lru_cache
from typing import Final

from profiles.insight.tallies import Tally, add
from profiles.profile import Profile
from profiles.value.origin import origin, with_country
from profiles.value.tallies import tally_change

COUNTRY_MAX: Final = 40
"""Characters of a country's name that count; it comes from outside."""


def country_of(profile: Profile) -> str:
    """The country told last, as "DE"; "" where none was. A bar would tear the names of counters apart."""
    return "" if profile.country is None else _name_of(profile.country[1])


@lru_cache(maxsize=1024)
def _name_of(told: str) -> str:
    return told.strip().upper().replace("|", "/")[:COUNTRY_MAX]


def origin_of(profile: Profile) -> str:
    """The origin by what is known now. The channel must be settled (`profiles.acquisition`)."""
    if profile.purchases.history is None:
        return ""
    return origin(profile.past.channel, country_of(profile))


def follow(profile: Profile, counted: Tally) -> None:
    """Count the customer where she belongs after a visit that may have won her became known."""
    _move(profile, origin(profile.past.channel, country_of(profile)), counted)


def follow_country(profile: Profile, told: str, counted: Tally) -> None:
    """The same after an event that told a country, which is nearly always the one that is known already."""
    if not profile.origin.endswith(f"|{told}") and profile.has_past:
        _move(profile, with_country(profile.origin, country_of(profile)), counted)


def _move(profile: Profile, new: str, counted: Tally) -> None:
    old = profile.origin
    # Only where something moves are purchases opened: all this happens with every event of many shops.
    if new != old and (history := profile.purchases.history) is not None:
        profile.origin = new
        change = tally_change(history, history, old, new)
        add(counted, {f"value:{name}": amount for name, amount in change.items()})
