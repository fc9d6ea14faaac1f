"""The laws every trigger obeys, held against random histories: `check(MY_TRIGGER)` in a test of your own is all it takes.

Histories are made of the events the trigger hears of, with consent and orders in between, and the trigger runs among all
that are installed. `LAWS` says what is asked. Needs Hypothesis (the extra `testing`).
"""

from collections.abc import Iterable
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from msgspec import Struct
from msgspec.structs import replace

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.profile import Profile, decode_profile
from profiles.rules import DAY_MS, QuietHours, Rules
from profiles.state import DECISIONS_KEPT, EMITTED_MAX, EPISODES_MAX, Ledger, Moment
from profiles.turn import Output
from schemas.events import Arrival, MessageFailed
from schemas.outputs import Trigger
from streams.testing.histories import histories, kinds_for
from streams.trigger_registry import all_triggers

LAWS: Final = {
    "deterministic": "the same history gives the same profile and the same outputs, byte for byte",
    "duplicates": "events that come twice change nothing",
    "consent": "no marketing before the customer ever agreed",
    "caps": "never more marketing than the caps allow in 24 hours and in 7 days",
    "once": "no trigger id and no occurrence of an episode's opening goes out twice",
    "expired": "nothing goes out after it has expired, or before it was due",
    "halves": "a history played in two halves, with the profile stored in between, is the history played as a whole",
    "bounded": "a profile holds no more episodes, emissions and decisions than it may, and stays below 64 kB",
}
"""What is asked of each trigger, by the name under which a break is reported."""

AFTER_MS: Final = 400 * DAY_MS
"""How long after the last event timers are let run."""
PROFILE_BYTES_MAX: Final = 64 * 1024


class Checked(Struct, frozen=True):
    """How much a check has seen: histories played, and how many triggers of the one in question went out in them."""

    histories: int
    emitted: int


class _Run:
    """A profile and what came out while a history was played to it."""

    def __init__(self, book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> None:
        self.engine = Engine(book, triggers)
        self.profile, self.ledger = Profile("user_id:ada"), Ledger(complete=True)
        self.out: list[Output] = []

    def play(self, story: Iterable[Arrival]) -> "_Run":
        for told in story:
            self.engine.fire(self.profile, Moment(told.time_ms), self.ledger, self.out)
            self.engine.step(self.profile, told, Moment(told.time_ms), self.ledger, self.out)
        return self

    def end(self, clock_ms: int) -> "_Run":
        self.engine.fire(self.profile, Moment(clock_ms), self.ledger, self.out)
        return self

    def store(self) -> "_Run":
        self.profile = decode_profile(self.profile.pack())
        return self


def check(
    trigger: TriggerDefinition[Any],
    *,
    book: Book | None = None,
    triggers: Iterable[TriggerDefinition[Any]] | None = None,
    examples: int = 25,
) -> Checked:
    """Hold a trigger to all LAWS over `examples` random histories; raises AssertionError that names the law.

    `book` is what the shop has decided, its rules first of all. Without one, quiet hours are off, so that more goes out to be
    looked at. `triggers` are those that run beside it: all that are installed, unless said. The same arguments always give
    the same histories.
    """
    beside = all_triggers() if triggers is None else tuple(triggers)
    among = beside if trigger in beside else (*beside, trigger)
    book = book or Book(rules=Rules(quiet_hours=QuietHours(enabled=False)))
    willing = replace(book, rules=replace(book.rules, soft_opt_in=True))
    seen = {"histories": 0, "emitted": 0}

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(histories(kinds_for(trigger)))
    def obeys(story: list[Arrival]) -> None:
        seen["histories"] += 1
        seen["emitted"] += _obeys(trigger, among, book, willing, story)

    obeys()
    return Checked(seen["histories"], seen["emitted"])


def _obeys(
    trigger: TriggerDefinition[Any],
    among: Iterable[TriggerDefinition[Any]],
    book: Book,
    willing: Book,
    story: list[Arrival],
) -> int:
    """Hold one history to all laws; gives how many of the trigger went out."""
    end_ms = story[-1].time_ms + AFTER_MS
    whole = _Run(willing, among).play(story).end(end_ms)
    stored = whole.profile.pack()

    again = _Run(willing, among).play(story).end(end_ms)
    _ask("deterministic", trigger, (again.profile.pack(), again.out) == (stored, whole.out))

    twice = _Run(willing, among).play(told for each in story for told in (each, each)).end(end_ms)
    _ask("duplicates", trigger, (twice.profile.pack(), twice.out) == (stored, whole.out))

    half = len(story) // 2
    halves = _Run(willing, among).play(story[:half]).store().play(story[half:]).store().end(end_ms)
    _ask("halves", trigger, (halves.profile.pack(), halves.out) == (stored, whole.out))

    strict = _Run(book, among).play(story).end(end_ms)
    _ask("consent", trigger, _agreed_first(strict.out, story))

    sent = [output for output in whole.out if isinstance(output, Trigger)]
    if not any(isinstance(told.event, MessageFailed) for told in story):  # what failed counts towards no cap
        _ask("caps", trigger, _within_caps(sent, book.rules))
    identities = [output.trigger_id for output in sent]
    openings = [(output.name, output.episode_key, output.evidence[:1], output.occurrence) for output in sent]
    _ask("once", trigger, len(set(identities)) == len(sent) == len(set(openings)))
    _ask("expired", trigger, all(out.due_at_ms <= out.emitted_at_ms <= out.expires_at_ms for out in sent))
    profile = whole.profile
    _ask(
        "bounded",
        trigger,
        len(profile.episodes) <= EPISODES_MAX
        and len(profile.emitted) <= EMITTED_MAX
        and len(profile.decisions) <= DECISIONS_KEPT
        and len(stored) <= PROFILE_BYTES_MAX,
    )
    return sum(output.name == trigger.name for output in sent)


def _ask(law: str, trigger: TriggerDefinition[Any], held: bool) -> None:
    if not held:
        raise AssertionError(f"{trigger.name} breaks the law {law!r}: {LAWS[law]}")


def _agreed_first(out: list[Output], story: list[Arrival]) -> bool:
    granted = [told.time_ms for told in story for change in told.event.consent if change.state == "GRANT"]
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
