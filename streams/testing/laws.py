"""The laws every trigger obeys, held against random histories: `check(MY_TRIGGER)` in a test of your own is all it takes.

Histories are made of what the trigger hears of (orders, carts, prices and stock, whatever changes segments), with consent in
between, and the trigger runs among all that are installed. `LAWS` says what is asked. Needs Hypothesis (the extra `testing`).
"""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from msgspec import Struct
from msgspec.structs import replace

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.engine import Engine
from profiles.goods import key_of
from profiles.goods_state import UNKNOWN, Good
from profiles.profile import Profile, decode_profile
from profiles.rules import DAY_MS, QuietHours, Rules
from profiles.state import DECISIONS_KEPT, EMITTED_MAX, EPISODES_MAX, Ledger, Moment
from profiles.turn import Output
from schemas.events import Arrival, CatalogueEvent, MessageFailed
from schemas.outputs import Trigger
from streams.testing.histories import again_and_again, histories, kinds_for
from streams.trigger_registry import all_triggers

LAWS: Final = {
    "deterministic": "the same history gives the same profile and the same outputs, byte for byte",
    "duplicates": "events that come twice change nothing",
    "consent": "no marketing before the customer ever agreed",
    "caps": "never more marketing than the caps allow in 24 hours and in 7 days",
    "once": "no trigger id and no occurrence of an episode's opening goes out twice",
    "expired": "nothing goes out after it has expired, or before it was due",
    "halves": "a history played in two halves, with the profile stored in between, is the history played as a whole",
    "bounded": "a profile holds no more episodes, emissions, decisions and timers than it may, and stays below 64 kB, however "
    "often the same happens",
}
"""What is asked of each trigger, by the name under which a break is reported."""

AFTER_MS: Final = 400 * DAY_MS
"""How long after the last event timers are let run."""
PROFILE_BYTES_MAX: Final = 64 * 1024
TIMERS_MAX: Final = 32
"""Timers of a trigger's own that a profile may hold."""
LONG: Final = 40
"""So many times over a history is played to see whether something grows for ever."""
LONG_EVERY: Final = 4
"""Those are whose number of events is divided by this."""


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
        self.goods: dict[str, Good] = {}

    def play(self, story: Iterable[Arrival]) -> "_Run":
        for told in story:
            at = Moment(told.time_ms, goods=self.goods)
            self.engine.fire(self.profile, at, self.ledger, self.out)
            if isinstance(told.event, CatalogueEvent):
                self._hear(told, told.event)
            else:
                self.engine.step(self.profile, told, at, self.ledger, self.out)
        return self

    def _hear(self, told: Arrival, event: CatalogueEvent) -> None:
        """The shop tells of a product."""
        change = self.engine.change(self.goods.get(key_of(event), UNKNOWN), told)
        if change is not None:
            self.goods[change.key] = change.after
            if self.engine.wakes(change):
                self.engine.hear(self.profile, change, 0, Moment(told.time_ms, goods=self.goods), self.out)

    def end(self, clock_ms: int) -> "_Run":
        self.engine.fire(self.profile, Moment(clock_ms, goods=self.goods), self.ledger, self.out)
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
    looked at. `triggers` are those that run beside it: all that are installed, unless said. The same arguments give the same
    histories as long as the same modules are loaded: Hypothesis draws some values from the constants of these.
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
        if len(story) % LONG_EVERY == 0:
            long = _Run(willing, among).play(again_and_again(story, LONG))
            _ask("bounded", trigger, _is_bounded(trigger, long.profile))

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

    again = _Run(willing, among).play(story).end(end_ms)
    _same("deterministic", trigger, whole, again)

    twice = _Run(willing, among).play(told for each in story for told in (each, each)).end(end_ms)
    _same("duplicates", trigger, whole, twice)

    half = len(story) // 2
    halves = _Run(willing, among).play(story[:half]).store().play(story[half:]).store().end(end_ms)
    _same("halves", trigger, whole, halves)

    strict = _Run(book, among).play(story).end(end_ms)
    _ask("consent", trigger, _agreed_first(strict.out, story))

    sent = [output for output in whole.out if isinstance(output, Trigger)]
    if not any(isinstance(told.event, MessageFailed) for told in story):  # what failed counts towards no cap
        _ask("caps", trigger, _within_caps(sent, book.rules))
    identities = [output.trigger_id for output in sent]
    openings = [(output.name, output.episode_key, output.evidence[:1], output.occurrence) for output in sent]
    _ask("once", trigger, len(set(identities)) == len(sent) == len(set(openings)))
    _ask("expired", trigger, all(out.due_at_ms <= out.emitted_at_ms <= out.expires_at_ms for out in sent))
    _ask("bounded", trigger, _is_bounded(trigger, whole.profile))
    return sum(output.name == trigger.name for output in sent)


def _is_bounded(trigger: TriggerDefinition[Any], profile: Profile) -> bool:
    return (
        len(profile.episodes) <= EPISODES_MAX
        and len(profile.emitted) <= EMITTED_MAX
        and len(profile.decisions) <= DECISIONS_KEPT
        and sum(wake.startswith(f"{trigger.name}|") for wake in profile.wakes) <= TIMERS_MAX
        and len(profile.pack()) <= PROFILE_BYTES_MAX
    )


def _same(law: str, trigger: TriggerDefinition[Any], whole: _Run, other: _Run) -> None:
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
