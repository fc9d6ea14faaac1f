"""From a customer's outlook to a reminder: when, how sure, and why not."""

from typing import Final, Literal

from msgspec import Struct

from profiles.insight.repurchase import Clock

SEPARATOR: Final = "/"


class RepurchaseRule(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of one category or product, with what they are by default."""

    half_width_days: int = 7
    """The window that a reminder should fall into, to each side of its middle, in days."""
    lead_days: int = 3
    """How many days before the window the reminder goes out."""
    confidence_min: float = 0.3
    """The least probability of buying within the window: who is less predictable is left alone."""
    remind: bool = True
    """Whether customers are reminded of a category whose products have no `supply_days` in the catalogue."""
    quantity_exponent: float = 0.0
    """A gap grows with the units bought to this power: 0 units do not matter, 1 twice as much lasts twice as long. A change
    asks for a rebuild: gaps are counted by it."""

    def __post_init__(self) -> None:
        if not (self.half_width_days >= 1 and self.lead_days >= 0):
            raise ValueError(
                f"half_width_days is at least 1 and lead_days at least 0, not {self.half_width_days} and {self.lead_days}"
            )
        if not (0 <= self.confidence_min <= 1 and -1 <= self.quantity_exponent <= 1):
            raise ValueError(
                f"confidence_min lies between 0 and 1 and quantity_exponent between -1 and 1, "
                f"not {self.confidence_min} and {self.quantity_exponent}"
            )


class RepurchaseRules(RepurchaseRule, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When customers are expected to buy again, by what was learned from all of them (`regulars fit`)."""

    by_key: dict[str, RepurchaseRule] = {}
    """The same for single categories or products: [repurchase.by_key."tea"], or "tea/green" within tea. What such a table leaves
    out has the defaults."""

    def of(self, key: str) -> RepurchaseRule:
        """The rule of a key: its own, else that of the category it lies in ("tea" for "tea/green"), else the default.

        >>> rules = RepurchaseRules(by_key={"tea": RepurchaseRule(lead_days=1)})
        >>> rules.of("tea/green").lead_days, rules.of("jam").lead_days
        (1, 3)
        """
        if not self.by_key:  # most shops name none, and it is asked for each line of each order
            return self
        while key not in self.by_key:
            key, found, _ = key.rpartition(SEPARATOR)
            if not found:
                return self
        return self.by_key[key]


class Plan(Struct, frozen=True, gc=False):
    """Days after the last purchase: when to remind, the window in which she will likely buy, and after which day to stop."""

    due: int
    window_start: int
    window_end: int
    confidence: float
    stopped: float


class NoPlan(Struct, frozen=True, gc=False):
    """Why there is no reminder: too unsure when, or so long ago that she has stopped buying."""

    reason: Literal["unsure", "stopped"]
    confidence: float


def plan(clock: Clock, rule: RepurchaseRule, elapsed_days: float = 0.0) -> Plan | NoPlan:
    """When to remind, or why not, `elapsed_days` after the last purchase. Nobody is reminded on the day of a purchase."""
    outlook = clock.outlook(rule.half_width_days)
    if elapsed_days >= outlook.stopped:
        return NoPlan("stopped", outlook.confidence)
    if outlook.confidence < rule.confidence_min:
        return NoPlan("unsure", outlook.confidence)
    start = outlook.window - rule.half_width_days
    return Plan(
        due=max(1, start - rule.lead_days),
        window_start=start,
        window_end=outlook.window + rule.half_width_days,
        confidence=outlook.confidence,
        stopped=outlook.stopped,
    )
