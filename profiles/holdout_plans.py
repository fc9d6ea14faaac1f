"""The hold-outs that a shop's rules set up: which triggers each holds out, and of what share of customers. For reports."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from profiles.book import Book
from profiles.definition import TriggerDefinition
from profiles.holdout import group_of, is_measured
from profiles.rules import DAY_MS, GLOBAL


class Plan(Struct, frozen=True, kw_only=True):
    """One hold-out as the rules set it: which triggers it holds out, of what share of customers.

    The windows (days) say which orders count: so many days before the first trigger, and from it on.
    """

    group: str
    share: float
    triggers: tuple[str, ...]
    before_days: float
    after_days: float


def plans(book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> list[Plan]:
    """The hold-outs of a shop's rules: everything together first, then groups by name."""
    holdout = book.rules.holdout
    shares: dict[str, float] = {}
    members: dict[str, list[str]] = {}
    for trigger in triggers:
        rule = trigger.rule(book)
        if not rule.enabled:
            continue
        if holdout.share and rule.trigger_class == "marketing":
            shares[GLOBAL] = holdout.share
            members.setdefault(GLOBAL, []).append(trigger.name)
        if rule.holdout:
            group = group_of(rule, trigger.name)
            # Triggers of one group are meant to have one share; where they differ, the larger arm decides what is expected.
            shares[group] = max(rule.holdout, shares.get(group, 0.0))
            members.setdefault(group, []).append(trigger.name)
    return [
        Plan(
            group=group,
            share=shares[group],
            triggers=tuple(sorted(members[group])),
            before_days=holdout.before_ms / DAY_MS,
            after_days=holdout.after_ms / DAY_MS,
        )
        for group in sorted(shares, key=lambda name: (name != GLOBAL, name))
    ]


def measured_triggers(book: Book, triggers: Iterable[TriggerDefinition[Any]]) -> dict[str, str]:
    """The hold-out group by trigger, of those that somebody is held out of."""
    found = {}
    for trigger in triggers:
        rule = trigger.rule(book)
        if rule.holdout:
            found[trigger.name] = group_of(rule, trigger.name)
        elif is_measured(rule, book.rules):
            found[trigger.name] = GLOBAL
    return found
