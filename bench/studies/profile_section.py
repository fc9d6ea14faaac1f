"""The section of the report on where the time goes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bench.sampler import FETCHING, OTHER, STAGES
from bench.tables import table

if TYPE_CHECKING:
    from bench.observed_worker import Observed
    from bench.studies.profile import ProfileData, Stretch

SATURATED: Final = "saturated"
HALF: Final = "half of that, live"
NATIVE_SHOWN: Final = 8
ORDER: Final = (
    FETCHING,
    "fetch: hand-over",
    "decode and merge",
    "load",
    "batch",
    "step: what all events have",
    "step: views",
    "step: carts",
    "step: orders and refunds",
    "timers",
    "encode",
    "commit",
    "publish",
    "metrics",
    "turns",
    "event loop",
    OTHER,
)
"""The way of an event."""
assert set(ORDER) == {FETCHING, OTHER} | {stage for stage, _ in STAGES}

INTRODUCTION: Final = """\
## Where the time goes

One worker, sampled with py-spy while it works off a backlog, and while events come at half of that rate. Time is processor time
for each event, split by what the samples found; *load* and *commit* are the worker's own part, not its waiting for Redis.
"""


def section(results: Sequence["ProfileData"]) -> str:
    """The section."""
    parts = [INTRODUCTION]
    for data in results:
        parts += [_stages(data.stretches), _threads(data.stretches)]
        parts += [_native(stretch) for stretch in data.stretches]
        parts += [_redis(data.stretches), _collector(data.stretches)]
    return "\n".join(parts)


def us_by_stage(stretch: "Stretch") -> dict[str, float]:
    """Microseconds of processor time for each event, by stage: the stretch's processor time, shared out by samples."""
    total = sum(stretch.samples.values())
    whole_us = stretch.cpu_s / stretch.events * 1e6
    return {stage: whole_us * stretch.samples.get(stage, 0) / total for stage in ORDER}


def _stages(stretches: "Sequence[Stretch]") -> str:
    columns = [us_by_stage(stretch) for stretch in stretches]
    rows = []
    for stage in ORDER:
        cells = []
        for us in columns:
            cells += [f"{us[stage]:.2f}", f"{us[stage] / sum(us.values()):.0%}"]
        rows.append([stage, *cells])
    rows.append(["**all**", *(cell for us in columns for cell in (f"**{sum(us.values()):.1f}**", ""))])
    head = [part for stretch in stretches for part in (f"{stretch.name}: us an event", "share")]
    return table(["", *head], rows)


def _threads(stretches: "Sequence[Stretch]") -> str:
    rows = []
    for stretch in stretches:
        ran = sum(count for stage, count in stretch.samples.items() if stage != FETCHING) / stretch.ticks
        waited = stretch.waiting / max(1, stretch.waiting_of)
        rows.append(
            [
                f"{stretch.name}, {stretch.events / stretch.seconds:,.0f} events/s under the sampler",
                f"{ran:.0%}",
                f"{waited:.0%}",
                f"{max(0.0, 1 - ran - waited):.0%}",
                f"{stretch.samples.get(FETCHING, 0) / stretch.ticks:.0%}",
            ]
        )
    return table(
        [
            *("the main thread", "runs", "waits for something to come", "waits for the interpreter's lock or a core"),
            "the client's thread runs",
        ],
        rows,
    )


def _native(stretch: "Stretch") -> str:
    if stretch.native_problem:
        return f"Without frames of C code ({stretch.name}): {stretch.native_problem}.\n"
    names = ", ".join(f"`{name}` {times}" for name, times in list(stretch.native.items())[:NATIVE_SHOWN])
    return f"Innermost functions in C ({stretch.name}), by samples: {names}.\n"


def _redis(stretches: "Sequence[Stretch]") -> str:
    rows = []
    for stretch in stretches:
        work, events = stretch.redis, stretch.events
        outer = {
            name: calls
            for name, calls in work.calls.items()
            if name in {"evalsha", "mget", "hmget", "zrange", "hgetall"}
        }
        rows.append(
            [
                stretch.name,
                f"{work.calls.get('evalsha', 0) / stretch.seconds:,.0f}",
                f"{sum(outer.values()) / events:.3f}",
                f"{sum(work.calls.values()) / events:.2f}",
                f"{work.used_us.get('evalsha', 0) / events:.2f}",
                f"{work.used_us.get('evalsha', 0) / max(1, work.calls.get('evalsha', 0)) / 1e3:.2f}",
                f"{work.bytes_in / events:,.0f}",
                f"{work.bytes_out / events:,.0f}",
                f"{work.cpu_s / events * 1e6:.2f}",
            ]
        )
    return (
        "### Redis\n\n"
        + table(
            [
                *(
                    "",
                    "commits/s",
                    "commands sent an event",
                    "with those of scripts",
                    "script us an event",
                    "ms a script",
                ),
                *("bytes in an event", "bytes out", "processor us an event"),
            ],
            rows,
        )
        + "\nThe harness's own questions, a few a second, are among them.\n"
    )


def _collector(stretches: "Sequence[Stretch]") -> str:
    rows = []
    for stretch in stretches:
        before, after = stretch.before, stretch.after
        generations = [
            f"{getattr(after, f'collections_{number}') - getattr(before, f'collections_{number}'):,}"
            for number in range(3)
        ]
        rows.append(
            [
                stretch.name,
                " / ".join(generations),
                f"{(after.pause_ns - before.pause_ns) / 1e6:,.0f} ms",
                f"{_largest_pause_ms(before, after):,.0f} ms",
                f"{after.freed - before.freed:,}",
                f"{after.tracked:,}",
                f"{after.frozen:,}",
                f"{after.blocks:,} ({after.blocks - before.blocks:+,})",
            ]
        )
    return "### Garbage collector and memory\n\n" + table(
        [
            *("", "collections by generation", "paused in all", "longest pause so far", "objects they freed"),
            *("objects tracked", "frozen", "blocks given out (change)"),
        ],
        rows,
    )


def _largest_pause_ms(before: "Observed", after: "Observed") -> float:
    return max(before.longest_pause_ns, after.longest_pause_ns) / 1e6


def lines(stretch: "Stretch") -> list[str]:
    """For who watches the measurement."""
    parts = [_stages([stretch]), _threads([stretch]), _native(stretch), _redis([stretch]), _collector([stretch])]
    return [line for part in parts for line in part.splitlines() if line]
