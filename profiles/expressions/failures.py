"""How often conditions could not be evaluated on a customer's data, and why: counted here, told by whoever runs the engine."""

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from profiles.expressions.errors import Failed
from profiles.expressions.scope import Scope

if TYPE_CHECKING:
    from profiles.expressions.expression import Expression

REASONS_MAX: Final = 8
"""Different reasons kept for one condition."""


class Failure(Struct, frozen=True):
    """How often one condition failed since the last time it was asked, and for which reasons, the most frequent first."""

    condition: str
    count: int
    reasons: tuple[tuple[str, int], ...]


class Failures:
    """Counts failures until they are taken. Reasons name no data of a customer."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[str, dict[str, int]] = {}

    def ask(self, condition: str, expression: "Expression", scope: Scope) -> bool:
        """Whether a condition holds. One that fails does not, and is counted."""
        try:
            return expression.met(scope)
        except Failed as failed:
            self.note(condition, failed.reason)
            return False

    def note(self, condition: str, reason: str) -> None:
        """Count one failure of a condition (its place in the rules)."""
        reasons = self._found.setdefault(condition, {})
        if reason not in reasons and len(reasons) >= REASONS_MAX:
            reason = "other reasons"
        reasons[reason] = reasons.get(reason, 0) + 1

    def take(self) -> tuple[Failure, ...]:
        """What was counted since the last call, by condition; starts again from nothing."""
        found, self._found = self._found, {}
        return tuple(
            Failure(
                condition, sum(reasons.values()), tuple(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))
            )
            for condition, reasons in sorted(found.items())
        )
