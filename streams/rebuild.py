"""What is thrown away where a partition is to be made anew from its log, and what is not.

The log can't bring back what stays of an anonymised customer: her events are turned away, as those of everybody who was erased.
"""

import msgspec

from profiles import population
from profiles.insight.tallies import Tally, add
from profiles.profile import UnsupportedVersion, decode_profile
from profiles.statistics import LEFT
from streams.table import Refused, Table
from streams.terms import ANONYMISED


async def rebuild(table: Table, partition: int) -> int:
    """Delete everything of a partition except who was erased and the figures of the anonymised; gives the number of keys deleted.

    What can't be read of these figures goes as well: whoever rebuilds may do so because of it. Raises TableError.
    """
    left: Tally = {}
    for name, count in (await table.population(partition)).items():
        if name.startswith(f"{LEFT}:"):
            add(left, {name: count, name.removeprefix(f"{LEFT}:"): count})
    spared = []
    for profile_id in await table.profile_ids(partition):
        if not profile_id.startswith(ANONYMISED):
            continue
        try:
            stored = await table.profile(partition, profile_id)
            told = {} if stored is None else population.told(decode_profile(stored))
        except (Refused, UnsupportedVersion, msgspec.DecodeError):
            continue
        add(left, told)
        spared.append(profile_id)
    return await table.wipe(partition, spared=spared, population=left)
