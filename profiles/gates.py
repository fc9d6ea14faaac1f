"""The gates between a trigger that is due and its emission, in their order; the first one shut gives the reason.

Names of gates passed travel in the trigger; the reasons below stand in decisions.
"""

from typing import Final

from profiles.consent import may_market
from profiles.definition import TriggerDefinition
from profiles.identity import reachable
from profiles.rules import CartAbandonedRule, TriggerRule
from profiles.state import Episode, Profile
from profiles.turn import Turn

GATES: Final = ("reachable", "consent", "precedence", "cooldown")
UNREACHABLE: Final = "unreachable"

REASONS: Final = {
    UNREACHABLE: "No e-mail, phone, push token or user id is known; kept until its lateness bound, released by a login.",
    "no_consent": "Marketing without a GRANT for any channel.",
    "superseded": "A trigger of higher precedence is pending or was sent within its block.",
    "cooldown": "The same trigger went to this customer too short a time ago.",
    "cap": "The same trigger went to this customer too often within its window.",
}
"""Reason codes of gates, and what they mean."""


def first_shut(turn: Turn, definition: TriggerDefinition, episode: Episode, now_ms: int) -> str | None:
    """The reason of the first gate that is shut, None if all are open."""
    if not reachable(turn.profile):
        return UNREACHABLE
    return first_shut_on_site(turn, definition, episode, now_ms)


def first_shut_on_site(turn: Turn, definition: TriggerDefinition, episode: Episode, now_ms: int) -> str | None:
    """As `first_shut` for a customer who is in the shop now: she is reached by the page she looks at."""
    profile, rules = turn.profile, turn.book.rules
    rule = definition.rule(turn.book)
    if rule.trigger_class == "marketing" and not may_market(profile, now_ms, soft_opt_in=rules.soft_opt_in):
        return "no_consent"
    if definition.superseded(profile, episode, turn.book, now_ms):
        return "superseded"
    if episode.occurrence == 1:
        return _rate_limit(profile, definition.name, rule, now_ms)
    return None


def _rate_limit(profile: Profile, name: str, rule: TriggerRule, now_ms: int) -> str | None:
    """Cooldown and cap over first occurrences of this trigger; reminders of one episode do not count anew."""
    times = [sent.emitted_ms for sent in profile.emitted if sent.name == name and sent.occurrence == 1]
    if rule.cooldown_ms and any(now_ms - sent_ms < rule.cooldown_ms for sent_ms in times):
        return "cooldown"
    if isinstance(rule, CartAbandonedRule):
        recent = sum(now_ms - sent_ms < rule.window_ms for sent_ms in times)
        if recent >= rule.max_in_window:
            return "cap"
    return None


END_REASONS: Final = {
    "empty": "The cart or checkout has no items any more.",
    "checkout_started": "A checkout took the cart over.",
    "ordered": "An order bought it, or ended the checkout.",
    "replaced": "A newer checkout of the customer took its place.",
    "forgotten": "The cart or checkout was dropped because nothing happened to it for too long.",
    "repurchased": "The product was bought again.",
    "refunded": "The purchase was refunded or cancelled.",
    "subscribed": "The product comes by subscription.",
    "existing_customer": "The customer had bought before.",
    "imported": "The customer was imported from another system.",
    "max_lateness": "It could only have gone out too long after it was due.",
    "unreachable": "The customer could not be reached until it was too late.",
    "too_many": "The customer has as many open episodes as a profile holds.",
    "late_conversion": "An order placed before the emission became known after it: the trigger is taken back.",
}
"""Reason codes of cancelled, expired and retracted episodes, and what they mean."""
