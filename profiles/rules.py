"""The rules of the triggers: every number a marketer may set, with its default, read from one TOML document.

`read_rules` turns the parsed document into `Rules` and refuses what it does not know, with a suggestion. Durations are
written as text with a unit ("1h", "30 min", "14d") and kept as milliseconds in fields that end in `_ms`; in the document
they stand without that ending (`delay = "1h"`).
"""

import re
from difflib import get_close_matches
from typing import Any, Literal, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, fields
from typing_extensions import override

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

T = TypeVar("T", bound=Struct)

_UNITS = {"ms": 1, "s": SECOND_MS, "min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*$")


class RulesError(ValueError):
    """The rules document is wrong. The message names the place and what would be right; nothing was loaded."""


class TriggerRule(Struct, frozen=True, kw_only=True):
    """What every trigger can be set to."""

    enabled: bool = True
    """Whether the trigger is looked at all."""
    priority: int = 500
    """Lower goes first when several are due."""
    trigger_class: Literal["marketing", "service"] = "marketing"
    """"marketing" needs consent; "service" does not."""
    max_lateness_ms: int = DAY_MS
    """A trigger that could only go out this much after it was due expires instead."""
    cooldown_ms: int = 0
    """Least time between two of this trigger for one customer; 0 is none."""
    attribution_ms: int = 7 * DAY_MS
    """An order within this time after the emission counts as its conversion."""

    @property
    def memory_ms(self) -> int:
        """How long an emission has to be remembered: as long as it can convert or stand in another one's way."""
        return max(self.attribution_ms, self.cooldown_ms)


class CartAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """cart.abandoned: items were left in a cart."""

    priority: int = 200
    cooldown_ms: int = DAY_MS
    attribution_ms: int = 3 * DAY_MS
    delay_ms: int = HOUR_MS
    """Quiet time after the last change of the cart before it counts as abandoned."""
    max_in_window: int = 2
    """At most this many for one customer within `window`."""
    window_ms: int = 7 * DAY_MS
    """The time over which `max_in_window` counts."""
    any_order: bool = False
    """Whether any order of the customer ends the reminder, also one that has nothing of the cart."""
    forget_ms: int = 30 * DAY_MS
    """A cart is dropped this long after its last change."""

    @property
    @override
    def memory_ms(self) -> int:
        return max(self.attribution_ms, self.cooldown_ms, self.window_ms)


class CheckoutAbandonedRule(TriggerRule, frozen=True, kw_only=True):
    """checkout.abandoned: a checkout was begun and not finished. Reminders follow while it stays so."""

    priority: int = 100
    cooldown_ms: int = DAY_MS
    attribution_ms: int = 3 * DAY_MS
    delay_ms: int = HOUR_MS
    """Quiet time after the last step before the checkout counts as abandoned."""
    second_after_ms: int = DAY_MS
    """When the second reminder is due, from the first one's due time; 0 is none."""
    third_after_ms: int = 3 * DAY_MS
    """When the third reminder is due, from the first one's due time; 0 is none."""
    blocks_cart_ms: int = 2 * DAY_MS
    """After its first emission cart.abandoned is held back this long."""

    @property
    @override
    def memory_ms(self) -> int:
        return max(self.attribution_ms, self.cooldown_ms, self.blocks_cart_ms)


class ReplenishmentRule(TriggerRule, frozen=True, kw_only=True):
    """replenishment.due: the customer will soon run out of something she buys again and again."""

    priority: int = 300
    max_lateness_ms: int = 7 * DAY_MS
    lead_ms: int = 3 * DAY_MS
    """Least time before running out at which the reminder is due."""
    lead_share: float = 0.1
    """Share of the supply's span before running out at which it is due, if that is more."""
    delivery_ms: int = 0
    """Delivery time taken off the due time."""
    shrinkage: float = 3.0
    """Weight of the product's own interval against the customer's, in intervals."""


class ReplenishmentLateRule(TriggerRule, frozen=True, kw_only=True):
    """replenishment.late: the reminder is past and she still has not bought."""

    priority: int = 310
    max_lateness_ms: int = 7 * DAY_MS
    after_ms: int = 7 * DAY_MS
    """Least time after running out."""
    after_share: float = 0.5
    """Share of the unit interval after running out, if that is more."""


class WelcomeRule(TriggerRule, frozen=True, kw_only=True):
    """welcome: somebody signed up, or agreed to hear from the shop, for the first time."""

    priority: int = 600
    delay_ms: int = 5 * MINUTE_MS
    """Time for a confirmation to arrive, at most 5 min."""
    existing_after_ms: int = DAY_MS
    """A customer whose first order is older than this is not new."""


class Rules(Struct, frozen=True, kw_only=True):
    """All rules."""

    version: str = "reference"
    """The shop's own name of this version of the rules; it is shown in the log."""
    soft_opt_in: bool = False
    """Whether a customer without any consent decision may be sent marketing (where the law lets the shop)."""
    allowed_lateness_ms: int = DAY_MS
    """How late an event may arrive and still correct carts and timers."""
    cart_abandoned: CartAbandonedRule = CartAbandonedRule()
    checkout_abandoned: CheckoutAbandonedRule = CheckoutAbandonedRule()
    replenishment_due: ReplenishmentRule = ReplenishmentRule()
    replenishment_late: ReplenishmentLateRule = ReplenishmentLateRule()
    welcome: WelcomeRule = WelcomeRule()


def parse_duration_ms(text: object, where: str) -> int:
    """Milliseconds of a duration such as "1h", "30 min" or "14d". Raises RulesError naming `where`."""
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        raise RulesError(
            f'{where}: {text!r} is no duration; write a number with a unit, such as "90s", "30min", "1h" or "14d"'
        )
    return round(float(match[1]) * _UNITS[match[2]])


def format_duration(ms: int) -> str:
    """A duration as the document writes it: the largest unit that leaves a whole number."""
    for unit, size in reversed(_UNITS.items()):
        if ms % size == 0 and ms >= size:
            return f"{ms // size}{unit}"
    return f"{ms}ms"


def key_of(field: FieldInfo) -> str:
    """A field's key in the document: durations lose their `_ms`."""
    return field.name.removesuffix("_ms")


def read_rules(document: dict[str, Any]) -> Rules:
    """Rules of a parsed TOML document. Raises RulesError for an unknown key (with a suggestion) or a wrong value."""
    return _read_table(Rules, document, "")


def _read_table(kind: type[T], table: dict[str, Any], path: str) -> T:
    known = {key_of(field): field for field in fields(kind)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        where = f"{path}{key}"
        field = known.get(key)
        if field is None:
            close = get_close_matches(key, known, n=1)
            raise RulesError(
                f"{where}: unknown key; "
                + (f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}")
            )
        values[field.name] = _read_value(field, value, where)
    return kind(**values)


def _read_value(field: FieldInfo, value: Any, where: str) -> Any:
    if field.name.endswith("_ms"):
        return parse_duration_ms(value, where)
    if isinstance(field.type, type) and issubclass(field.type, Struct):
        if not isinstance(value, dict):
            raise RulesError(f"{where}: expected a table [{where}], got {value!r}")
        return _read_table(field.type, value, f"{where}.")
    try:
        return msgspec.convert(value, field.type)
    except msgspec.ValidationError as error:
        raise RulesError(f"{where}: {error}") from None
