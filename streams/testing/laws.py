"""The laws every trigger obeys, held against random histories: `check(MY_TRIGGER)` in a test of your own is all it takes.

Histories are made of what the trigger hears of (orders, carts, prices and stock, whatever changes segments), with consent in
between, and the trigger runs among all that are installed. `LAWS` says what is asked. Needs Hypothesis (the extra `testing`).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import Any, Final

import msgspec
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from msgspec import Struct
from msgspec.structs import replace

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.gates import END_REASONS, REASONS
from profiles.profile import Profile
from profiles.rules import DAY_MS, QuietHours, Rules
from profiles.state import DECISIONS_KEPT, EMITTED_MAX, EPISODES_MAX
from profiles.turn import Output
from schemas.events import Arrival, MessageFailed
from schemas.outputs import Decision, Trigger
from streams.blame import is_built_in
from streams.testing.faults import TriggerFault
from streams.testing.histories import again_and_again, histories, kinds_for
from streams.testing.pair import Pair
from streams.testing.run import Run, deaf, facts, kept_bytes, shown
from streams.trigger_registry import all_triggers, well_written

LAWS: Final = {
    "sound": "no hook raises an error, and what a trigger keeps and tells can be stored, read again and published",
    "own": "a trigger changes nothing of the profile and its orders but its own episodes and timers",
    "explained": "each reason that it gives has words, in its `reasons` or among those of all triggers",
    "replan": "planned anew by the rules it was planned by, nothing moves",
    "deterministic": "the same history gives the same profile and the same outputs, byte for byte",
    "duplicates": "events that come twice change nothing",
    "consent": "no marketing before the customer ever agreed",
    "caps": "never more marketing than the caps allow in 24 hours and in 7 days",
    "once": "no trigger id and no occurrence of an episode's opening goes out twice",
    "expired": "nothing goes out after it has expired, or before it was due",
    "halves": "a history played in two halves, with the profile stored in between, is the history played as a whole",
    "split": "where two names turn out to be one customer, and two again, no hook raises an error, nothing that happened is told "
    "of twice, and the profiles stay within their bounds",
    "bounded": "a profile holds no more episodes, emissions, decisions and timers than it may, and stays below 64 kB, however "
    "often the same happens; and what a trigger keeps in an episode does not grow each time that it happens again",
}
"""What is asked of each trigger, by the name under which a break is reported."""

AFTER_MS: Final = 400 * DAY_MS
"""How long after the last event timers are let run."""
PROFILE_BYTES_MAX: Final = 64 * 1024
TIMERS_MAX: Final = 32
"""Timers of a trigger's own that a profile may hold."""
SHORTER_TRIES: Final = 150
"""So many histories are tried once a law is broken, to find a short one that breaks it: seconds, and the last bit would take a
minute.
"""
LONG: Final = 40
"""So many times over a history is played to see whether something grows for ever."""
LONG_EVERY: Final = 4
"""Those are whose number of events is divided by this."""
LONGER: Final = (10, 10, 20, 180, 180)
"""They are played so many times more to the trigger alone, as long as what it keeps of one thing grows with each stretch."""
GROWN_BYTES: Final = 90
"""What grew by so many bytes in the last stretch, and by half as much as in the one before, grows for ever: one byte in two
times. What a bound keeps small, 200 ids for example, has stopped by then."""


_EVERYWHERE: Final = frozenset({"event", "message_id", "timestamp_ms", "user_id"})


class Checked(Struct, frozen=True):
    """How much a check has seen: histories played, and how many triggers of the one in question went out in them."""

    histories: int
    emitted: int


def check(
    trigger: TriggerDefinition[Any],
    *,
    book: Book | None = None,
    triggers: Iterable[TriggerDefinition[Any]] | None = None,
    examples: int = 25,
) -> Checked:
    """Hold a trigger to all LAWS over `examples` random histories; raises AssertionError that names the law.

    A hook that raises an error breaks "sound"; what it raised is the `__cause__`. Raises TriggerLoadError for a trigger that is
    not written as triggers are.

    `book` is what the shop has decided, its rules first of all. Without one, quiet hours are off, so that more goes out to be
    looked at. `triggers` are those that run beside it: all that are installed, unless said. The same arguments give the same
    histories as long as the same modules are loaded: Hypothesis draws some values from the constants of these.
    """
    well_written(trigger)
    beside = all_triggers() if triggers is None else tuple(triggers)
    among = beside if trigger in beside else (*beside, trigger)
    book = book or Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))
    willing = replace(book, rules=replace(book.rules, soft_opt_in=True))
    seen = {"histories": 0, "emitted": 0}
    broken: list[list[Arrival]] = []
    tried = 0
    long: list[list[Arrival]] = []

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(histories(kinds_for(trigger)))
    def obeys(story: list[Arrival]) -> None:
        nonlocal tried
        tried += bool(broken)
        if tried > SHORTER_TRIES and story not in broken:
            return
        seen["histories"] += 1
        try:
            with _naming(trigger, story):
                seen["emitted"] += _obeys(trigger, among, book, willing, story)
        except AssertionError:
            broken.append(story)
            raise
        if len(story) % LONG_EVERY == 0:
            long.append(story)

    obeys()
    # Not in there: it would take minutes to find the shortest history with which something grows.
    for story in long:
        with _naming(trigger, story):
            often = Run(willing, among).play(again_and_again(story, LONG))
            _ask("bounded", trigger, _is_bounded(trigger, often.profile))
            _ask_whether_it_grows(trigger, willing, story)
    return Checked(seen["histories"], seen["emitted"])


@contextmanager
def _naming(trigger: TriggerDefinition[Any], story: list[Arrival]) -> Iterator[None]:
    """Say of a break in which history it was; an error that was raised is a break too."""
    try:
        try:
            yield
        except TriggerFault as fault:
            said = f"{trigger.name} breaks the law 'sound': {LAWS['sound']} ({fault})"
            raise AssertionError(said) from fault.__cause__
    except AssertionError as broken:
        lines = [f"  {shown(one.time_ms)} {one.event.__struct_config__.tag} ({_fields(one)})" for one in story]
        broken.add_note("\n".join(["In this history:", *lines]))
        raise


def _fields(arrival: Arrival) -> str:
    """What an event says, without what every event has."""
    given_ = msgspec.to_builtins(arrival.event)
    return ", ".join(f"{name}={value!r}" for name, value in given_.items() if name not in _EVERYWHERE)


def _obeys(
    trigger: TriggerDefinition[Any],
    among: Iterable[TriggerDefinition[Any]],
    book: Book,
    willing: Book,
    story: list[Arrival],
) -> int:
    """Hold one history to all laws; gives how many of the trigger went out."""
    end_ms = story[-1].time_ms + AFTER_MS
    whole = Run(willing, among, heeding=True).play(story).end(end_ms)

    again = Run(willing, among).play(story)
    _ask_whether_it_stands(trigger, again, story[-1].time_ms)
    again.end(end_ms)
    _same("deterministic", trigger, whole, again)

    twice = Run(willing, among).play(same for each in story for same in (each, each)).end(end_ms)
    _same("duplicates", trigger, whole, twice)

    half = len(story) // 2
    halves = Run(willing, among).play(story[:half]).store().play(story[half:]).store().end(end_ms)
    _same("halves", trigger, whole, halves)

    if not is_built_in(trigger):  # of those some facts of a profile are their own
        _ask_whether_it_minds_its_own(trigger, willing, story, end_ms)

    given_ = {one.reason for one in whole.out if isinstance(one, Decision) and one.name == trigger.name and one.reason}
    untold = sorted(given_ - {*trigger.reasons, *REASONS, *END_REASONS})
    _ask("explained", trigger, not untold, f"nothing says what is meant by {', '.join(untold)}")

    strict = Run(book, among).play(story).end(end_ms)
    _ask("consent", trigger, _agreed_first(strict.out, story))

    sent = [output for output in whole.out if isinstance(output, Trigger)]
    if not any(isinstance(one.event, MessageFailed) for one in story):  # what failed counts towards no cap
        _ask("caps", trigger, _within_caps(sent, book.rules))
    identities = [output.trigger_id for output in sent]
    openings = [(output.name, output.episode_key, output.evidence[:1], output.occurrence) for output in sent]
    _ask("once", trigger, len(set(identities)) == len(sent) == len(set(openings)))
    _ask("expired", trigger, all(out.due_at_ms <= out.emitted_at_ms <= out.expires_at_ms for out in sent))
    _ask("bounded", trigger, _is_bounded(trigger, whole.profile))

    pair = Pair(willing, among).play(story).end(end_ms)
    said = pair.twice(trigger.name, story)
    _ask("split", trigger, not said, f"told of twice: {', '.join(said)}")
    _ask("split", trigger, all(_is_bounded(trigger, profile) for profile in pair.profiles))
    return sum(output.name == trigger.name for output in sent)


def _ask_whether_it_minds_its_own(
    trigger: TriggerDefinition[Any], book: Book, story: list[Arrival], end_ms: int
) -> None:
    with_it = facts(Run(book, (trigger,)).play(story).end(end_ms))
    without = facts(Run(book, (deaf(trigger),)).play(story).end(end_ms))
    differ = [name for name in {**without, **with_it} if with_it.get(name) != without.get(name)]
    _ask("own", trigger, not differ, f"without it these are others: {', '.join(differ)}")


def _ask_whether_it_stands(trigger: TriggerDefinition[Any], run: Run, at_ms: int) -> None:
    moved = [
        f"{key} from {shown(before_ms)} to {'never' if after_ms is None else shown(after_ms)}"
        for key, (before_ms, after_ms) in run.moved_by_the_same_rules(at_ms).items()
        if key.startswith(f"{trigger.name}|")
    ]
    _ask("replan", trigger, not moved, "; ".join(moved))


def _ask_whether_it_grows(trigger: TriggerDefinition[Any], book: Book, story: list[Arrival]) -> None:
    """Play a history again and again to the trigger alone, and measure the most that it kept of one thing in each stretch."""
    run, arrivals = Run(book, (trigger,)), again_and_again(story, sum(LONGER))
    most: list[int] = []
    for times in LONGER:
        kept = 0
        for one in islice(arrivals, times * len(story)):
            kept = max(kept, kept_bytes(trigger, run.play((one,)).profile))
        if kept <= max(most, default=0):
            return
        most.append(kept)
    grew = most[-1] - most[-2]
    seen = f"of one thing it kept at most {', then '.join(map(str, most))} bytes while a history was played {LONGER} times over"
    _ask("bounded", trigger, grew < GROWN_BYTES or 2 * grew < most[-2] - most[-3], seen)


def _is_bounded(trigger: TriggerDefinition[Any], profile: Profile) -> bool:
    return (
        len(profile.episodes) <= EPISODES_MAX
        and len(profile.emitted) <= EMITTED_MAX
        and len(profile.decisions) <= DECISIONS_KEPT
        and sum(wake.startswith(f"{trigger.name}|") for wake in profile.wakes) <= TIMERS_MAX
        and len(profile.pack()) <= PROFILE_BYTES_MAX
    )


def _same(law: str, trigger: TriggerDefinition[Any], whole: Run, other: Run) -> None:
    """Two plays came to the same; where they did not, what they differ in first is said."""
    if other.out != whole.out:
        one, two = next(pair for pair in zip_longest(whole.out, other.out) if pair[0] != pair[1])
        _ask(law, trigger, held=False, seen=_difference(one, two))
    _ask(
        law,
        trigger,
        other.profile.pack() == whole.profile.pack(),
        "the outputs are the same, the stored profiles are not",
    )


def _difference(one: Output | None, two: Output | None) -> str:
    if one is None or two is None or type(one) is not type(two):
        return f"the one play gives {one}, the other {two}"
    differ = [name for name in one.__struct_fields__ if getattr(one, name) != getattr(two, name)]
    said = ", ".join(f"{name} {getattr(one, name)!r} and {getattr(two, name)!r}" for name in differ)
    return f"a {type(one).__name__} differs in {said}"


def _ask(law: str, trigger: TriggerDefinition[Any], held: bool, seen: str = "") -> None:
    if not held:
        raise AssertionError(f"{trigger.name} breaks the law {law!r}: {LAWS[law]}" + (f" ({seen})" if seen else ""))


def _agreed_first(out: list[Output], story: list[Arrival]) -> bool:
    granted = [one.time_ms for one in story for change in one.event.consent if change.state == "GRANT"]
    first_ms = min(granted, default=None)
    return all(
        first_ms is not None and first_ms <= output.emitted_at_ms
        for output in out
        if isinstance(output, Trigger) and output.trigger_class == "marketing"
    )


def _within_caps(sent: list[Trigger], rules: Rules) -> bool:
    times = sorted(output.emitted_at_ms for output in sent if output.trigger_class == "marketing")
    for span_ms, most in ((DAY_MS, rules.caps.max_in_24h), (7 * DAY_MS, rules.caps.max_in_7d)):
        for place in range(len(times)):
            if sum(times[place] - span_ms < at_ms <= times[place] for at_ms in times) > most:
                return False
    return True
