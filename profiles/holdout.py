"""Hold-outs: who is not sent a trigger, or no marketing at all, so that its effect can be measured.

A customer's place u in a group is the first 8 bytes of sha256("<salt>:<id>") as a number between 0 and 1; she is held out where
u is below the group's share. The id is that of the home identifier without its type, as a shop's analyst has it; after two
profiles became one, that of the one that stayed. The salt of a trigger's group is the group's name.
"""

from msgspec import Struct

from profiles.insight.experiment import Arm, assignment
from profiles.profile import Profile
from profiles.rules import GLOBAL, Rules, TriggerRule


class Place(Struct, frozen=True, gc=False):
    """A customer's place in a hold-out, and whether she is held out by it."""

    group: str
    bucket: float
    held_out: bool


def place_of(profile: Profile, rule: TriggerRule, name: str, rules: Rules) -> Place | None:
    """The hold-out that decides about this trigger for this customer; None where no share is held out.

    Held out of everything stands above held out of one group. Triggers of the service class are never held out of
    everything: what they are about is owed to the customer.
    """
    customer = profile.id.partition(":")[2]
    place: Place | None = None
    if rules.holdout.share and rule.trigger_class == "marketing":
        bucket = assignment(rules.holdout.salt, customer)
        place = Place(GLOBAL, bucket, bucket < rules.holdout.share)
    if rule.holdout and (place is None or not place.held_out):
        group = group_of(rule, name)
        bucket = assignment(group, customer)
        place = Place(group, bucket, bucket < rule.holdout)
    return place


def arms_of(profile: Profile, rule: TriggerRule, name: str, rules: Rules) -> list[tuple[str, Arm]]:
    """The comparisons in which this trigger puts the customer, and her arm in each.

    Held out of everything she is in that comparison alone: in the group's she would be treated with nothing.
    """
    customer = profile.id.partition(":")[2]
    arms: list[tuple[str, Arm]] = []
    if rules.holdout.share and rule.trigger_class == "marketing":
        if assignment(rules.holdout.salt, customer) < rules.holdout.share:
            return [(GLOBAL, "holdout")]
        arms.append((GLOBAL, "treated"))
    if rule.holdout:
        group = group_of(rule, name)
        arms.append((group, "holdout" if assignment(group, customer) < rule.holdout else "treated"))
    return arms


def is_measured(rule: TriggerRule, rules: Rules) -> bool:
    """Whether anybody is held out of this trigger."""
    return bool(rule.holdout or (rules.holdout.share and rule.trigger_class == "marketing"))


def group_of(rule: TriggerRule, name: str) -> str:
    """The hold-out group of a trigger: the one its rules name, or one of its own."""
    return rule.holdout_group or name
