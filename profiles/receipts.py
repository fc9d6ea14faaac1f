"""The receipt of a privacy command: what the homes of a customer answered, put together until all have.

Answers come in any order and may come twice. Whom the first home passed the command on to is only known from its answer,
and so on from home to home: it is final when the first has answered and every home that was named since.
"""

from typing import Final

from msgspec import Struct

from schemas.events import CommandAnswered, CommandName

ORDERS_NAMED: Final = "orders_named"
ORDERS_FOUND: Final = "orders_found"
"""Counts: orders that the request names, and those of them that were hers."""
BY_HAND: Final = "by_hand"
"""Why a worker does not erase a whole shop."""


class Case(Struct, omit_defaults=True, gc=False):
    """One request under way, or done. `named` and `answered` are marks of homes (`profiles.privacy.home_mark`)."""

    command: CommandName
    opened_ms: int
    first: bool = False
    named: list[str] = []
    answered: list[str] = []
    counts: dict[str, int] = {}
    refused: str | None = None

    @property
    def waiting(self) -> int:
        """How many homes are known not to have answered; the first one counts until it has."""
        return len(set(self.named) - set(self.answered)) + (not self.first)

    @property
    def orders_not_found(self) -> int:
        """Orders that the request names and that no home which has answered had."""
        return max(0, self.counts.get(ORDERS_NAMED, 0) - self.counts.get(ORDERS_FOUND, 0))

    @property
    def final(self) -> bool:
        """Whether every home has answered."""
        return not self.waiting


def of_shop(opened_ms: int) -> Case:
    """The request to erase a whole shop: answered at once, by saying who can do it."""
    return Case("erase_shop", opened_ms, first=True, refused=BY_HAND)


def take(case: Case | None, answer: CommandAnswered, at_ms: int) -> Case | None:
    """The case with one more answer, None where it brings nothing new. Changes no argument."""
    before = case or Case(answer.command, at_ms)
    again = answer.home in before.answered
    named = sorted({*before.named, *answer.passed_on})
    if again and named == before.named and (before.first or not answer.first):
        return None
    counts = dict(before.counts)
    if not again:
        for store, count in answer.counts.items():
            counts[store] = counts.get(store, 0) + count
    return Case(
        # A home that hears of an erasure by an event of hers is told so under the request that erased her.
        answer.command if answer.first else before.command,
        before.opened_ms,
        first=before.first or answer.first,
        named=named,
        answered=before.answered if again else sorted([*before.answered, answer.home]),
        counts=counts,
        refused=before.refused or answer.refused,
    )
