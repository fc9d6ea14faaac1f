"""Further conditions of triggers: read with the rules, asked when an episode is due, of the customer as she is then.

A condition sees her public profile and the episode (`schemas.conditions`). One that can't be evaluated on her data counts as
not met, and is counted in the `Failures` it was made with.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from profiles.cart_rules import CartAbandonedRule
from profiles.content import Content
from profiles.definition import TriggerDefinition
from profiles.expressions.failures import Failures
from profiles.expressions.scope import Scope
from profiles.expressions.source import NO_SOURCE, Source, compile_at
from profiles.rules import Rules, RulesError, TriggerRule, Visitors, format_duration, table_of
from profiles.segments import Segments
from profiles.standing_rules import ChurnRiskRule
from profiles.state import Episode
from profiles.supply_rules import ReplenishmentDueRule, ReplenishmentLateRule
from profiles.turn import Turn
from profiles.view import ProfileView
from profiles.windows import ORDERS
from schemas.nearest import near
from schemas.outputs import Item

if TYPE_CHECKING:
    from profiles.expressions.expression import Expression


class Condition:
    """The further condition that the rules give a trigger. `place` is where it stands in the rules ("welcome.condition")."""

    __slots__ = ("_failures", "expression", "place")

    def __init__(self, place: str, expression: "Expression", failures: Failures) -> None:
        self.place, self.expression, self._failures = place, expression, failures

    def holds(self, turn: Turn, definition: TriggerDefinition[Any], episode: Episode, now_ms: int) -> bool:
        """Whether it holds at a moment; what can't be told counts as not. Changes nothing."""
        profile = turn.profile
        # Her newest event may lie a little ahead of the clock that timers go by.
        view = ProfileView(profile, turn.book, max(now_ms, profile.activity.last_ms or 0))
        shown = EpisodeView(turn, definition, episode)
        return self._failures.ask(self.place, self.expression, Scope(view, episode=shown))


Conditions = Mapping[str, Condition]
"""Conditions by the name of their trigger."""


class EpisodeView:
    """The episode as a condition sees it (`schemas.conditions.EpisodeShown`); its content is made when it is asked for."""

    __slots__ = ("_content", "_definition", "_episode", "_turn")

    def __init__(self, turn: Turn, definition: TriggerDefinition[Any], episode: Episode) -> None:
        self._turn, self._definition, self._episode = turn, definition, episode
        self._content: Content | None = None

    @property
    def content(self) -> Content:
        """What the trigger would send."""
        if self._content is None:
            self._content = self._definition.content(self._turn, self._episode)
        return self._content

    @property
    def name(self) -> str:
        return self._episode.name

    @property
    def key(self) -> str:
        return self._episode.key

    @property
    def opened_ms(self) -> int:
        return self._episode.opened_ms

    @property
    def due_ms(self) -> int:
        return self._episode.due_ms

    @property
    def occurrence(self) -> int:
        return self._episode.occurrence

    @property
    def items(self) -> tuple[Item, ...]:
        return self.content.items

    @property
    def product_ids(self) -> tuple[str, ...]:
        return tuple(sorted({item.product_id for item in self.content.items}))

    @property
    def value_minor(self) -> int | None:
        return self.content.value_minor

    @property
    def currency(self) -> str | None:
        return self.content.currency or self._turn.book.shop_currency


def compile_conditions(
    rules: Rules, segments: Mapping[str, Any] | None = None, source: Source = NO_SOURCE
) -> tuple[Conditions, Segments | None]:
    """The conditions and segments of a rules document; what they count over a time is kept together, by the segments.

    `segments` is the document's table of that name. None where nothing has to be kept up. Raises ExpressionError with the
    place of what is wrong, and RulesError where a trigger names a segment that does not exist, or visitors would be forgotten
    who still count.
    """
    failures = Failures()
    conditions = {
        name: Condition(
            f"{table_of(name)}.condition",
            compile_at(rule.condition, (table_of(name), "condition"), source, "episode"),
            failures,
        )
        for name, rule in rules.triggers.items()
        if rule.condition
    }
    expressions = [condition.expression for condition in conditions.values()]
    found = Segments.compile({"segments": segments or {}}, source, expressions, failures, _rules_of(rules))
    known = [segment.key for segment in found.segments]
    for name, rule in rules.triggers.items():
        asked_for = conditions[name].expression.segments if name in conditions else ()
        for key, names in (("segments", rule.segments_named()), ("condition", sorted(asked_for))):
            for named in names:
                if named not in known:
                    raise RulesError(f"{table_of(name)}.{key}", f"there is no segment {named!r}; {near(named, known)}")
    asked = [(one.place, one.expression) for one in conditions.values()]
    asked += [(f"segments.{segment.key}", segment.when) for segment in found.segments]
    _check_visitors(rules, asked)
    return conditions, found if found.segments or conditions else None


def _rules_of(rules: Rules) -> dict[str, str]:
    """The rules by which fields of the public document are worked out, by the field's first word."""

    def own(*kinds: type[TriggerRule]) -> list[Any]:
        """What rules of triggers say besides what all triggers have: when, to whom and how often they go out."""
        return [
            getattr(rules.triggers.get(kind.trigger, kind()), name)
            for kind in kinds
            for name in kind.__struct_fields__
            if name not in TriggerRule.__struct_fields__
        ]

    said: dict[str, list[Any]] = {
        "acquisition": [rules.acquisition],
        "carts": [_cart_rule(rules).forget_ms],
        "feedback": [rules.open_feedback],
        "predicted": [rules.open_feedback, *own(ChurnRiskRule)],
        "replenishment": [rules.repurchase, *own(ReplenishmentDueRule, ReplenishmentLateRule)],
    }
    return {field: msgspec.json.encode(by).decode() for field, by in said.items()}


def visitors_kept(rules: Rules) -> Rules:
    """The rules where nothing is said of visitors: they are kept for as long as anything else asks for them."""
    longest_ms = max(rules.visitors.forget_after_ms, *(span_ms for _, span_ms in _spans(rules)))
    return replace(rules, visitors=Visitors(forget_after_ms=longest_ms))


def _spans(rules: Rules) -> list[tuple[str, int]]:
    """For how long rules ask for what a visitor did, by their keys. Conditions ask for no more than the default's 400 days."""
    return [("allowed_lateness", rules.allowed_lateness_ms), ("cart_abandoned.forget", _cart_rule(rules).forget_ms)]


def _cart_rule(rules: Rules) -> CartAbandonedRule:
    found = rules.triggers.get(CartAbandonedRule.trigger, CartAbandonedRule())
    assert isinstance(found, CartAbandonedRule)
    return found


def _check_visitors(rules: Rules, asked: "Iterable[tuple[str, Expression]]") -> None:
    """Raises RulesError where a visitor would be forgotten while something of hers may still be asked for."""
    forget_ms = rules.visitors.forget_after_ms
    needed = _spans(rules)
    needed += [
        (place, count.span_ms)
        for place, expression in asked
        for count in expression.counts
        if count.counter.family != ORDERS  # whoever ordered is never forgotten
    ]
    for place, span_ms in needed:
        if 0 < forget_ms < span_ms:
            raise RulesError(
                "visitors.forget_after",
                f"{format_duration(forget_ms)} is less than the {format_duration(span_ms)} of {place}: visitors would be "
                f'forgotten while that still asks for them; write at least "{format_duration(span_ms)}", or "0d" to keep all',
            )
