"""Triggers that packages bring along: refused where they are none, or where their rules could not be told from others."""

from typing import Any, ClassVar

import pytest

from profiles.definition import TriggerDefinition
from profiles.rules import TriggerRule
from profiles.triggers import BUILT_IN
from schemas.events import Event, PageViewed, ProductPriceChanged
from streams.testing import Story
from streams.testing.laws import check
from streams.trigger_checks import slip_of
from streams.trigger_registry import TriggerLoadError, all_triggers, check_trigger


def trigger(name: str, rules_of: str | None = None) -> TriggerDefinition[TriggerRule]:
    class Rule(TriggerRule, frozen=True, kw_only=True):
        trigger: ClassVar[str] = name if rules_of is None else rules_of

    class Definition(TriggerDefinition[TriggerRule]):
        rule_type = Rule

    Definition.name = name
    return Definition()


def test_one_with_a_name_and_a_table_of_its_own_is_taken() -> None:
    own = trigger("loyalty.thanks")

    assert check_trigger(own, "ours", list(BUILT_IN)) is own
    assert all_triggers()[: len(BUILT_IN)] == BUILT_IN


def own(**written: Any) -> TriggerDefinition[Any]:
    """A trigger as a package would bring it, written like this."""
    rules = written.pop("rules", trigger("loyalty.thanks").rule_type)
    kind = type("Thanks", (TriggerDefinition,), {"name": "loyalty.thanks", "rule_type": rules, **written})
    made: TriggerDefinition[Any] = kind()
    return made


def rules(default: Any, kind: Any = int, field: str = "orders", **more: Any) -> type[TriggerRule]:
    """Rules with a field of this type and default."""
    fields = {"__annotations__": {"trigger": ClassVar[str], field: kind}, "trigger": "loyalty.thanks", **more}
    if default is not ...:
        fields[field] = default
    struct: Any = type(TriggerRule)
    made: type[TriggerRule] = struct("ThanksRule", (TriggerRule,), fields, kw_only=True)
    return made


def heard(self: object, turn: object, told: object) -> None:
    """A hook with two arguments."""


def heard_of_nothing(self: object, turn: object) -> None:
    """One that lacks an argument."""


async def heard_later(self: object, turn: object, told: object) -> None:
    """One that nobody waits for."""


@pytest.mark.parametrize(
    "loaded, said",
    [
        (TriggerDefinition, "name an instance, not a class"),
        (trigger("ours", "theirs"), "both must be the same"),
        (trigger("welcome"), "there is already a trigger 'welcome'"),
        (trigger("cart_abandoned"), r"would stand in the table \[cart_abandoned\]"),
        (trigger("quiet.hours"), r"would stand in the table \[quiet_hours\]"),
        (trigger("segments"), r"would stand in the table \[segments\]"),
    ],
)
def test_what_could_not_be_told_from_others_is_refused(loaded: object, said: str) -> None:
    with pytest.raises(TriggerLoadError, match=said):
        check_trigger(loaded, "ours", list(BUILT_IN))


@pytest.mark.parametrize(
    "written, said",
    [
        ({"name": ""}, "its name is ''; write letters"),
        ({"name": "loyalty|thanks"}, "its name is 'loyalty|thanks'; write letters"),
        ({"rule_type": None}, "its rule_type is None; name a class derived from"),
        ({"rules": rules(...)}, "Missing required argument 'orders'; give each field of ThanksRule a default"),
        ({"rules": rules("5")}, "a default of ThanksRule is not of its type: Expected `int`, got `str`"),
        ({"rules": rules(1.5, float, "delay_ms")}, "ThanksRule.delay_ms is 1.5; durations are int, in milliseconds"),
        (
            {"rules": rules(5, impossible=lambda _: ("orders", "too many"))},
            "defaults of ThanksRule can't work: orders is too",
        ),
        ({"version": "2"}, "its version is '2'; write a whole number"),
        ({"reasons": ["left"]}, "its reasons are no mapping"),
        ({"on_event": heard}, "its on_event is never called: say in listens"),
        ({"listens": frozenset({PageViewed})}, "it listens to events, but has no on_event"),
        ({"listens": PageViewed, "on_event": heard}, "its listens is <class .*; write a set of kinds of events"),
        ({"listens": {"Page Viewed"}, "on_event": heard}, "it listens to 'Page Viewed', which is no kind of event"),
        ({"listens": {Event}, "on_event": heard}, "it listens to <class .*, which is no kind of event"),
        (
            {"listens": {ProductPriceChanged}, "on_event": heard},
            "ProductPriceChanged, which is about no customer; say in wakes",
        ),
        ({"wakes": heard}, "on_good and wakes belong together"),
        ({"contnet": heard}, "Thanks.contnet is never called; did you mean 'content'"),
        ({"on_order": heard_of_nothing}, r"written with \(self, turn\), but it is called with \(self, turn, told\)"),
        ({"on_order": heard_later}, "Thanks.on_order is async, so that nothing in it would be done"),
        ({"on_order": "ordered"}, r"Thanks.on_order is 'ordered'; write a method on_order\(self, turn, told\)"),
        ({"rule": heard_of_nothing}, "Thanks.rule takes the place of what the engine asks by"),
        ({"applies": lambda self, book: book.rules.nothing}, r"its applies raises AttributeError .* by default"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_slip_of_the_pen_is_told_when_it_is_loaded(written: dict[str, Any], said: str) -> None:
    with pytest.raises(TriggerLoadError, match=said):
        check_trigger(own(**written), "ours", list(BUILT_IN))


def test_a_slip_of_the_pen_is_told_by_stories_and_laws() -> None:
    slip = own(contnet=heard)

    with pytest.raises(TriggerLoadError, match="did you mean 'content'"):
        Story(triggers=[slip])
    with pytest.raises(TriggerLoadError, match="did you mean 'content'"):
        check(slip)


@pytest.mark.parametrize("built_in", BUILT_IN, ids=lambda one: one.name)
def test_built_in_triggers_are_written_as_they_must_be(built_in: TriggerDefinition[Any]) -> None:
    assert slip_of(built_in) is None
