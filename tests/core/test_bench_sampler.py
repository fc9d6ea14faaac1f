"""Which stage of the work a stack is in."""

import importlib
import re
from collections.abc import Callable

import pytest

from bench.sampler import FETCHING, LOOP, MAIN, OTHER, STAGES, Sample, by_stage, parse, stage_of, waits
from profiles.engine import Engine
from profiles.handlers import handlers_of_views
from schemas.events import ProductViewed

OUTER = (
    "<module> (streams/__main__.py:6)",
    "Runner.run (asyncio/runners.py:118)",
    "Tenure.turn (streams/tenure.py:247)",
)
STEP = (
    *OUTER,
    "Batch.run (streams/batch.py:286)",
    "Batch._apply (streams/batch.py:324)",
    "Engine.step (profiles/engine.py:51)",
)


def _frame(function: Callable[..., object]) -> str:
    """The frame of a function, as it shows by its present name."""
    return f"{function.__qualname__} ({function.__module__.replace('.', '/')}.py:70)"


@pytest.mark.parametrize(
    "frames, stage",
    [
        (("Merge.take (streams/merge.py:90)", "Decoder.decode (schemas/decode.py:83)"), "decode and merge"),
        ((*STEP, "already_seen (profiles/dedupe.py:30)"), "step: what all events have"),
        ((*STEP, _frame(Engine._remember), "see (profiles/activity.py:60)"), "step: what all events have"),
        (
            (
                *STEP,
                _frame(handlers_of_views(browsed=False, watched=False)[ProductViewed]),
                "touch (profiles/interests.py:35)",
            ),
            "step: views",
        ),
        ((*STEP, _frame(Engine._cart), "describe (profiles/carts.py:80)"), "step: carts"),
        ((*STEP, _frame(Engine._order), "apply_order (profiles/ledger.py:9)"), "step: orders and refunds"),
        ((*STEP[:-1], "Batch._fire (streams/batch.py:380)", "Engine.fire (profiles/engine.py:70)"), "timers"),
        ((*STEP[:-1], "Batch._pack (streams/batch.py:400)", "Profile.pack (profiles/profile.py:101)"), "encode"),
        ((*OUTER, "Tenure._prepare (streams/tenure.py:300)", "decode_profile (profiles/profile.py:300)"), "load"),
        ((*OUTER, "Planned.plan (streams/planned.py:175)"), "batch"),
        ((*OUTER, "Tenure._commit (streams/tenure.py:340)", "RedisLink.send (streams/redis_link.py:277)"), "commit"),
        (("Runner.run (asyncio/runners.py:118)", "Outbox.run (streams/outbox.py:150)"), "publish"),
        (OUTER[:2], LOOP),
        (("something (elsewhere.py:1)",), OTHER),
    ],
)
def test_the_innermost_frame_that_is_known_names_the_stage(frames: tuple[str, ...], stage: str) -> None:
    assert stage_of(Sample(MAIN, frames, 1)) == stage


def test_the_thread_of_the_client_fetches_and_others_do_not_count() -> None:
    fetching = Sample("Thread-1", ("run (mode/threads.py:211)", "lz4_decode (aiokafka/codec.py:185)"), 3)
    pool = Sample("uvloop_0", ("_worker (concurrent/futures/thread.py:81)",), 5)

    assert by_stage([fetching, pool]) == {FETCHING: 3}


@pytest.mark.parametrize("pattern", sorted({pattern for _, pattern in STAGES}))
def test_what_the_stages_go_by_exists(pattern: str) -> None:
    """A function or module that was renamed would silently fall to the next stage outwards."""
    for alternative in pattern.split("|"):
        for file in re.findall(r"\(((?:streams|profiles|schemas)/\w+)\\\.py", alternative):
            importlib.import_module(file.replace("/", "."))
        method = re.match(r"\^([A-Z]\w+)\\\.(\w+) ", alternative)
        if method:
            homes = ("streams.batch", "streams.changes", "streams.tenure", "streams.redis_table", "profiles.engine")
            found = [getattr(importlib.import_module(home), method[1], None) for home in homes]
            assert any(hasattr(kind, method[2]) for kind in found if kind is not None), alternative


def test_raw_stacks_are_read_with_and_without_names_of_threads() -> None:
    text = "thread (30758): MainThread;run (a.py:1);step (b c.py:2) 12\nthread (1): Thread-1;x (y.py:1) 3\nalone (z.py:1) 4\n"

    assert parse(text) == [
        Sample("MainThread", ("run (a.py:1)", "step (b c.py:2)"), 12),
        Sample("Thread-1", ("x (y.py:1)",), 3),
        Sample(MAIN, ("alone (z.py:1)",), 4),
    ]


def test_waiting_is_to_stand_in_the_event_loop_and_nothing_else() -> None:
    samples = [
        Sample(MAIN, OUTER[:2], 4),
        Sample(MAIN, OUTER, 6),
        Sample("Thread-1", OUTER[:2], 90),
    ]

    assert waits(samples) == (4, 10)
