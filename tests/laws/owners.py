"""What laws of a partition share: how its log may be cut, where its owners may die, and how it is played to a moment."""

from collections.abc import Sequence
from typing import Final, get_args

from hypothesis import strategies as st

from streams.faults import Point
from streams.partition_limits import PartitionLimits
from tests.shell.world import World, run

LIMITS: Final = st.builds(
    PartitionLimits,
    inbox_records=st.integers(1, 20),
    batch_records=st.integers(1, 12),
    batch_profiles=st.integers(1, 5),
    batch_bytes=st.sampled_from((1, 3000, 1_000_000)),
    due_timers=st.integers(1, 4),
    cache_profiles=st.sampled_from((1, 2, 100)),
)
DEATHS: Final = st.lists(st.tuples(st.sampled_from(get_args(Point)), st.integers(1, 4)), min_size=1, max_size=6)
"""Of each owner after the other: the point it dies at, and when it comes there for which time."""


def played(world: World, until_ms: int, *, chunk: int = 500, deaths: Sequence[tuple[Point, int]] = ()) -> World:
    """After owners who died, one who takes all of the log, `chunk` records at a time, and fires what is due by then."""

    async def live() -> None:
        await world.outlive(deaths)
        tenure = await world.all_done(chunk=chunk)
        tenure.advance_to(until_ms)
        await world.work(tenure)

    run(live())
    return world


def assert_the_same(one: World, other: World) -> None:
    """Both hold the same, and gave out the same records, none of them twice where the other did not."""
    assert one.stored() == other.stored()
    assert one.outputs() == other.outputs()
