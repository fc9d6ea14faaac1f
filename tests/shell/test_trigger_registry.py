"""Triggers that packages bring along: refused where they are none, or where their rules could not be told from others."""

from typing import ClassVar

import pytest

from profiles.definition import TriggerDefinition
from profiles.rules import TriggerRule
from profiles.triggers import BUILT_IN
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
