"""The rules: every number a marketer may set, with its default, read from one TOML document.

Here is what all triggers have in common, and what holds for a customer as a whole: caps, quiet hours, hold-outs, precedence.
Each trigger's own numbers stand beside the trigger, in a subclass of `TriggerRule`; its table in the document is named after
the trigger with "_" for ".".

`read_rules` turns the parsed document into `Rules` and refuses what it does not know, with a suggestion. Durations are
written as text with a unit ("1h", "30 min", "14d") and kept as milliseconds in fields that end in `_ms`; times of day are
text ("21:00") in fields that end in `_at`. In the document fields stand without `_ms` and `_at` (`delay = "1h"`).
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import FieldInfo, fields

from profiles.insight.repurchase_plan import RepurchaseRules
from schemas.nearest import near
from schemas.topics import APART, TRIGGERS

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
MUST_ASK_MS = 10 * 366 * DAY_MS
"""No duration of a rule is longer: ten years."""

GLOBAL: Final = "global"
"""What the hold-out of all marketing is called among groups."""

S = TypeVar("S", bound=Struct)

Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
TriggerClass = Literal["marketing", "service"]

_UNITS = {"ms": 1, "s": SECOND_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")
_COUNTRY: Final = "^[A-Z]{2}$"
_WRITTEN: Final[Mapping[str, str]] = {
    APART: 'no topic of triggers; write "triggers", or for one apart "triggers-" and a name of at most 61 small letters, digits '
    'and - that does not begin with -, such as "triggers-carts" ("triggers-shadow" is taken)',
    _COUNTRY: 'no country; write its two capital letters (ISO 3166-1), such as "AT"',
}
"""What is said of a text that does not have the form it must have."""
_EXPECTED: Final = re.compile(r"Expected `(int|float|bool|str|array)`(?: (>=|>|<=|<) (-?[\d.]+)$|, got|$)")
_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false, without quotation marks",
    "str": "a text in quotation marks",
    "array": "a list in square brackets",
}
_BOUNDS: Final = {">=": "of at least", ">": "above", "<=": "of at most", "<": "below"}
_TIME_OF_DAY = re.compile(r"^([01]\d|2[0-3]):([0-5]\d)$")


class RulesError(ValueError):
    """The rules document is wrong. `path` names the place ("cart_abandoned.delay"), the message what would be right.

    Nothing was loaded; a running worker keeps the rules it has.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path, self.problem = path, problem


class TriggerRule(Struct, frozen=True, kw_only=True):
    """What every trigger can be set to."""

    trigger: ClassVar[str] = ""
    """The name of the trigger these are the rules of."""

    enabled: bool = True
    """Whether the trigger is looked at all."""
    priority: Annotated[int, Meta(ge=0, le=10_000)] = 850
    """Lower goes first when several are due."""
    trigger_class: TriggerClass = "marketing"
    """"marketing" needs consent and counts towards the caps; "service" does neither."""
    max_lateness_ms: int = DAY_MS
    """A trigger that could only go out this much after it was due expires instead."""
    cooldown_ms: int = 0
    """Least time between two of this trigger for one customer; 0 is none."""
    max_in_window: Count = 0
    """At most this many of this trigger for one customer within `window`; 0 is any number."""
    window_ms: int = 7 * DAY_MS
    """The time over which `max_in_window` counts."""
    attribution_ms: int = 7 * DAY_MS
    """An order within this time after the emission counts as its conversion."""
    condition: str = ""
    """A further condition, asked when it is due: an expression over the profile and the episode. Empty: none."""
    holdout: Share = 0.0
    """Share of customers who are not sent this trigger, so that its effect can be measured; advice: 0.1."""
    holdout_group: str = ""
    """Triggers of one group hold out the same customers. Empty: the trigger is a group of its own."""
    topic: Annotated[str, Meta(pattern=APART)] = TRIGGERS
    """Where it is published: "triggers", or a topic apart named "triggers-" and more, which `regulars topics create` makes."""
    contact_details: bool = True
    """Whether e-mail address and phone number travel in the trigger, or ids alone."""

    def impossible(self) -> tuple[str, str] | None:
        """A field whose value can't work, or not beside the others, and why; None where all is well."""
        if self.max_lateness_ms < MINUTE_MS:
            return ("max_lateness_ms", "less than a minute: every trigger would be too late by the time it is decided")
        if self.max_in_window and not self.window_ms:
            return ("window_ms", "no time at all, so that max_in_window would hold nothing back")
        if self.holdout_group == GLOBAL:
            return ("holdout_group", "what all marketing together is called: their comparisons would be one")
        return None

    def segments_named(self) -> tuple[str, ...]:
        """Names of segments it refers to, which must exist."""
        return ()

    def memory_ms(self, rules: "Rules") -> int:
        """How long an emission has to be remembered: as long as it can convert, also by an order that is heard of late, or stand
        in the way of another one.
        """
        window_ms = self.window_ms if self.max_in_window else 0
        converts_ms = self.attribution_ms + rules.allowed_lateness_ms
        return max(converts_ms, self.cooldown_ms, window_ms, rules.precedence.block_ms, Caps.LONGEST_MS)


class Caps(Struct, frozen=True, kw_only=True):
    """How many marketing triggers one customer may get, whatever they are about; 0 is none."""

    LONGEST_MS: ClassVar[int] = 7 * DAY_MS

    max_in_24h: Count = 2
    """At most this many in any 24 hours."""
    max_in_7d: Count = 5
    """At most this many in any 7 days."""
    max_in_day: Count = 2
    """At most this many on one calendar day in the customer's own time zone."""


class QuietHours(Struct, frozen=True, kw_only=True):
    """When marketing waits, in the customer's own time zone. It is put off to the end, never dropped for it."""

    enabled: bool = True
    """Whether there are quiet hours."""
    start_at: str = "21:00"
    """When they begin."""
    end_at: str = "08:00"
    """When they end; at the time at which they begin: there are none."""
    jitter_ms: int = 15 * MINUTE_MS
    """Spread after their end, by a hash of the trigger id: not everybody at the same second."""

    def impossible(self) -> tuple[str, str] | None:
        """As that of a trigger's rules."""
        if self.jitter_ms > 12 * HOUR_MS:
            return ("jitter_ms", "more than 12 h: it would reach into the next quiet hours")
        return None


class Holdout(Struct, frozen=True, kw_only=True):
    """Customers who are sent no marketing at all, to measure what all of it together is worth."""

    share: Share = 0.0
    """Their share; advice: 0.05."""
    salt: str = "global"
    """Another text draws other customers."""
    before_ms: int = 182 * DAY_MS
    """Orders this long before her first trigger tell what a customer would have bought anyway, in all hold-outs."""
    after_ms: int = 90 * DAY_MS
    """Orders this long from her first trigger on are what its effect is looked for in, in all hold-outs."""
    cap_minor: Count = 0
    """Net revenue and margin of a customer beyond this count as this; 0 is no cap. Fix it before you look at any effect."""


class Acquisition(Struct, frozen=True, kw_only=True):
    """Which visit is credited with having won a customer."""

    by: Literal["first_touch", "last_touch"] = "last_touch"
    """The first visit that had a source, or the last one before the first order. Direct visits never take the credit."""


class Excluded(Struct, frozen=True, kw_only=True):
    """Customers who get no triggers at all: staff, tests, business customers."""

    tags: tuple[str, ...] = ("employee", "test", "b2b")
    """Whoever has one of these in the trait `tags`, or has a trait of that name that is true."""


class Precedence(Struct, frozen=True, kw_only=True):
    """Which of several reminders about the same shopping trip goes out."""

    ladder: tuple[str, ...] = (
        "checkout.abandoned",
        "cart.abandoned",
        "wishlist.reminder",
        "search.abandoned",
        "browse.abandoned",
    )
    """Highest first. While a higher one is pending, a lower one that comes due is dropped."""
    block_ms: int = 2 * DAY_MS
    """After one was sent, lower ones are dropped this long."""
    together_ms: int = MINUTE_MS
    """Of triggers due within this time of each other the one with the lowest priority number goes first."""


class IdentityRules(Struct, frozen=True, kw_only=True):
    """How many identifiers one customer may have. One more than that is not believed to be hers."""

    emails_max: Annotated[int, Meta(ge=1, le=50)] = 5
    """E-mail addresses."""
    phones_max: Annotated[int, Meta(ge=1, le=50)] = 5
    """Phone numbers."""
    loyalty_ids_max: Annotated[int, Meta(ge=1, le=50)] = 5
    """Loyalty cards."""
    devices_max: Annotated[int, Meta(ge=1, le=200)] = 50
    """Anonymous ids (browsers, apps) within `devices_window`."""
    devices_window_ms: int = 90 * DAY_MS
    """The time over which `devices_max` counts; older ones make room."""
    cart_tokens_ms: int = 30 * DAY_MS
    """How long the secret token of a cart stands for the customer it was seen with."""
    split_ms: int = 30 * DAY_MS
    """How long after a merge `regulars profile split` can take it apart. So long facts are kept twice; 0 keeps nothing."""


class Visitors(Struct, frozen=True, kw_only=True):
    """What becomes of visitors nobody knows (a device or a cart and nothing else) who do not come back."""

    SHORTEST_MS: ClassVar[int] = 30 * DAY_MS

    forget_after_ms: int = 400 * DAY_MS
    """A visitor who never ordered, told who she is or agreed to anything is forgotten so long after her last event; at least
    30d, "0d" keeps all."""

    def impossible(self) -> tuple[str, str] | None:
        """As that of a trigger's rules."""
        if 0 < self.forget_after_ms < self.SHORTEST_MS:
            return ("forget_after_ms", 'less than 30d, for which views and prices are remembered; "0d" forgets nobody')
        return None


class OpenFeedback(Struct, frozen=True, kw_only=True):
    """What is held back from a customer who complains: after a low score all marketing, until her case is closed."""

    block_ms: int = 7 * DAY_MS
    """After a low score marketing rests at least this long, however soon the case is closed."""
    expires_ms: int = 30 * DAY_MS
    """A case that nobody resolved in this time expires, and holds nothing back any more."""
    tickets: bool = False
    """Whether an open ticket of the shop's service holds all marketing back too, and not only surveys and review requests."""
    ticket_ms: int = 30 * DAY_MS
    """A ticket that nobody touched for so long counts as closed."""


class DeliveryRules(Struct, frozen=True, kw_only=True):
    """How long parcels travel, where nobody tells that they arrived."""

    home_countries: tuple[Annotated[str, Meta(pattern=_COUNTRY)], ...] = ()
    """Countries (two capital letters) where a parcel takes `transit`; elsewhere `transit_abroad`. Empty: all are home."""
    transit_ms: int = 7 * DAY_MS
    """Time from Order Fulfilled to the customer."""
    transit_abroad_ms: int = 14 * DAY_MS
    """The same to other countries."""


class Rules(Struct, frozen=True, kw_only=True):
    """All rules. `triggers` holds those of each trigger that differ from its defaults, by the trigger's name."""

    version: str = "reference"
    """The shop's own name of this version of the rules; decisions carry it."""
    soft_opt_in: bool = False
    """Whether a customer without any consent decision may be sent marketing (where the law lets the shop)."""
    allowed_lateness_ms: int = DAY_MS
    """How late an event may arrive and still correct carts and timers."""
    caps: Caps = Caps()
    quiet_hours: QuietHours = QuietHours()
    holdout: Holdout = Holdout()
    excluded: Excluded = Excluded()
    acquisition: Acquisition = Acquisition()
    precedence: Precedence = Precedence()
    open_feedback: OpenFeedback = OpenFeedback()
    delivery: DeliveryRules = DeliveryRules()
    repurchase: RepurchaseRules = RepurchaseRules()
    identity: IdentityRules = IdentityRules()
    visitors: Visitors = Visitors()
    triggers: Mapping[str, TriggerRule] = {}

    @classmethod
    def of(cls, *triggers: TriggerRule, **general: Any) -> "Rules":
        """Rules with these triggers' own settings, each known by its type."""
        return cls(triggers={rule.trigger: rule for rule in triggers}, **general)

    def goes_by(self, trait: str) -> bool:
        """Whether gates, triggers or time zones go by a trait of the customer: those are kept before all others."""
        return trait in ("birthday", "tags", "timezone") or trait in self.excluded.tags


ELSEWHERE: Final = ("costs", "segments")
"""Tables of the document that others read: `profiles.costs`, `profiles.segments`."""
GENERAL = tuple(field.name for field in fields(Rules) if field.name != "triggers")


def parse_duration_ms(text: object, where: str) -> int:
    """Milliseconds of a duration such as "1h", "30 min" or "14d". Raises RulesError naming `where`."""
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        raise RulesError(
            where, f'{text!r} is no duration; write a number with a unit, such as "90s", "30min", "1h" or "14d"'
        )
    duration_ms = float(match[1]) * _UNITS[match[2]]
    if duration_ms > MUST_ASK_MS:
        raise RulesError(where, f"{text!r} is longer than ten years")
    return round(duration_ms)


def format_duration(ms: int) -> str:
    """A duration as the document writes it: the largest unit that leaves a whole number."""
    for unit, size in reversed(_UNITS.items()):
        if ms % size == 0 and ms >= size:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def minute_of_day(text: str) -> int:
    """Minutes since midnight of a time of day.

    >>> minute_of_day("21:30")
    1290
    """
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)


def key_of(field: FieldInfo) -> str:
    """A field's key in the document: durations lose their `_ms`, times of day their `_at`."""
    return field.name.removesuffix("_ms").removesuffix("_at")


def table_of(trigger: str) -> str:
    """The table of a trigger in the document.

    >>> table_of("cart.abandoned")
    'cart_abandoned'
    """
    return trigger.replace(".", "_")


def topics_apart(rules: Rules) -> dict[str, str]:
    """The topics of triggers that are published apart, by their names."""
    return {name: rule.topic for name, rule in rules.triggers.items() if rule.topic != TRIGGERS}


def read_rules(document: Mapping[str, Any], known: Iterable[type[TriggerRule]]) -> Rules:
    """Rules of a parsed TOML document; `known` are the rules of all triggers there are.

    Raises RulesError for an unknown table or key (with a suggestion), a wrong value, values that can't work together, and a
    ladder that contradicts itself.
    """
    kinds = {table_of(kind.trigger): kind for kind in known}
    general = {key_of(field): field for field in fields(Rules) if field.name != "triggers"}
    values: dict[str, Any] = {}
    triggers: dict[str, TriggerRule] = {}
    for key, value in document.items():
        if key in general:
            values[general[key].name] = _read_value(general[key], value, key)
        elif key in kinds:
            triggers[kinds[key].trigger] = _read_table(kinds[key], value, key)
        else:
            raise _unknown(key, value, [*general, *kinds, *ELSEWHERE])
    rules = Rules(triggers=triggers, **values)
    _check_ladder(rules.precedence.ladder, {kind.trigger for kind in kinds.values()})
    return rules


def _unknown(key: str, value: object, known: Collection[str]) -> RulesError:
    """That there is no such table, and what was probably meant; it may be one that was written below another."""
    for inner in value if isinstance(value, dict) else ():
        for meant in (table_of(f"{key}.{inner}"), table_of(inner)):
            if meant in known:
                return RulesError(f"{key}.{inner}", f"unknown table; did you mean [{meant}], at the top?")
    return RulesError(key, f"unknown key; {near(key, known)}")


def _check_ladder(ladder: tuple[str, ...], names: set[str]) -> None:
    for place, name in enumerate(ladder):
        if name not in names:
            raise RulesError("precedence.ladder", f"{name!r} is no trigger; {near(name, names)}")
        if name in ladder[:place]:
            raise RulesError("precedence.ladder", f"{name!r} stands twice: it can't be both above and below the others")


def _read_table(kind: type[S], table: object, path: str) -> S:
    if not isinstance(table, dict):
        raise RulesError(path, f"expected a table [{path}], got {table!r}")
    known = {key_of(field): field for field in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{path}.{key}"
        field = known.get(key)
        if field is None:
            raise RulesError(where, f"unknown key; {near(key, known)}")
        values[field.name] = _read_value(field, value, where)
    try:
        read = kind(**values)
    except ValueError as error:
        raise RulesError(path, str(error)) from None
    if isinstance(read, TriggerRule | QuietHours | Visitors) and (found := read.impossible()) is not None:
        name, why = found
        key = next(key for key, field in known.items() if field.name == name)
        shown = format_duration(getattr(read, name)) if name.endswith("_ms") else repr(getattr(read, name))
        raise RulesError(f"{path}.{key}", f"{shown} is {why}")
    return read


def _read_value(field: FieldInfo, value: Any, where: str) -> Any:
    if field.name.endswith("_ms"):
        return parse_duration_ms(value, where)
    if field.name.endswith("_at") and not (isinstance(value, str) and _TIME_OF_DAY.match(value)):
        raise RulesError(where, f'{value!r} is no time of day; write "08:00"')
    if isinstance(field.type, type) and issubclass(field.type, Struct):
        return _read_table(field.type, value, where)
    if get_origin(field.type) is dict and issubclass(kind := get_args(field.type)[1], Struct):
        if not isinstance(value, dict):
            raise RulesError(where, f"expected tables such as [{where}.NAME], got {value!r}")
        return {name: _read_table(kind, table, f"{where}.{name}") for name, table in value.items()}
    for number in value if isinstance(value, list) else (value,):
        if isinstance(number, int) and not -(2**63) <= number < 2**63:
            raise RulesError(where, "a number beyond 64 bits")
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        raise RulesError(where, _in_words(str(error), field, value)) from None


def _in_words(error: str, field: FieldInfo, value: Any) -> str:
    """What is wrong with a value, from what the reader of its type says of it."""
    problem, _, place = error.partition(" - at `$[")
    wrong = value[int(place.partition("]")[0])] if place and isinstance(value, list) else value
    for pattern, said in _WRITTEN.items():
        if pattern in problem:
            return f"{wrong!r} is {said}"
    if problem.startswith("Invalid enum value"):
        return f"{problem}; allowed are {', '.join(get_args(field.type))}"
    if (expected := _EXPECTED.match(problem)) is not None:
        kind, bound, most = expected.groups()
        within = f" {_BOUNDS[bound]} {float(most):g}" if bound else ""
        share = ", such as 0.1 for one in ten" if field.type == Share else ""
        return f"{wrong!r} does not do; write {_KINDS[kind]}{within}{share}"
    return f"{problem}: {wrong!r}" if place else problem
