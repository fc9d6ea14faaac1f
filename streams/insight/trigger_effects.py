"""What each hold-out says its triggers bring, read from the population's counters at any moment.

For every comparison and measure the difference per customer with her past taken into account (CUPED) where she has one,
its fixed and its always-valid interval, and the reasons not to believe it. Over all comparisons false discoveries are
controlled (Benjamini & Hochberg) on the always-valid p-values of one measure, chosen here and not by its result.

Beside it stands what messaging tools usually show, orders within the attribution time. It is no effect: those who would
have bought anyway are in it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from profiles.holdout_plans import Plan
from profiles.insight.experiment import MEASURES, Arm, Measure
from streams.insight.arms import ArmSums, arm_sums, compared_groups, contaminated
from streams.insight.effect import Estimate, NoEffect, Warning_, difference, discoveries, relative_difference, warnings

JUDGED_BY: Final[Measure] = "net"
"""The measure whose p-values decide over discoveries: revenue without returns, which every shop has."""
FALSE_DISCOVERIES: Final = 0.05

Standing = Literal["found", "not_found", "no_number", "not_believed"]


class Sent(Struct, frozen=True, kw_only=True):
    """Messages of one trigger: sent, withheld (ghosts), followed by an order within the attribution time, taken back.

    `group`: the hold-out that tells what it brings ("global": with all other marketing together). None: nothing tells. With
    `credited` false no order is counted as its success, whatever follows it: it is of the class service, as far as is known.
    """

    trigger: str
    group: str | None
    credited: bool = True
    sent: int = 0
    withheld: int = 0
    converted: int = 0
    cancelled: int = 0


class Outcome(Struct, frozen=True, kw_only=True):
    """One measure of a comparison. Amounts are per customer, minor units (orders: orders).

    `estimate` is adjusted by the customers' past where `adjusted`, else plain; or the reason why there is no number.
    `relative` is the plain difference as a share of the held-out mean.
    """

    measure: Measure
    holdout_mean: float | None
    treated_mean: float | None
    estimate: Estimate | NoEffect
    plain: Estimate | NoEffect
    relative: Estimate | NoEffect
    adjusted: bool


class Effect(Struct, frozen=True, kw_only=True):
    """What one comparison says. `p_discovery` is the always-valid p-value of JUDGED_BY adjusted for many comparisons.

    `standing`: "found" (an effect that is more than chance), "not_found", "no_number" (see the outcomes' reasons), or
    "not_believed" (see the warnings).
    """

    group: str
    share: float | None
    triggers: tuple[str, ...]
    before_days: float | None
    after_days: float | None
    holdout: int
    treated: int
    contaminated: int
    outcomes: tuple[Outcome, ...]
    warnings: tuple[Warning_, ...]
    p_discovery: float | None
    standing: Standing

    def of(self, measure: Measure) -> Outcome:
        """The outcome of a measure."""
        return next(outcome for outcome in self.outcomes if outcome.measure == measure)


def sent(counters: Mapping[str, int], measured: Mapping[str, str], service: Collection[str] = ()) -> list[Sent]:
    """What was sent and what followed, by trigger name; those of which nothing is counted are left out. `service` are those to
    which no order is credited unless the rules of the shop say otherwise: then one may be counted.
    """
    by_name: dict[str, dict[str, int]] = {}
    for name, count in counters.items():
        kind, _, rest = name.partition(":")
        if kind == "trigger":
            trigger, _, what = rest.rpartition("|")
            if what in _COUNTED:
                by_name.setdefault(trigger, {})[what] = count
    return [
        Sent(trigger=name, group=measured.get(name), credited=name not in service or "converted" in found, **found)
        for name, found in sorted(by_name.items())
    ]


def effects(counters: Mapping[str, int], planned: Iterable[Plan]) -> list[Effect]:
    """Every comparison of the rules or of which there are counters: those of the rules first."""
    known = list(planned)
    past = sorted(compared_groups(counters) - {plan.group for plan in known})
    found = [_effect(counters, plan.group, plan) for plan in known] + [_effect(counters, group, None) for group in past]
    p_values = {
        effect.group: estimate.p_always
        for effect in found
        if not effect.warnings and isinstance(estimate := effect.of(JUDGED_BY).estimate, Estimate)
    }
    judged = dict(zip(p_values, discoveries(list(p_values.values())), strict=True))
    return [_judged(effect, judged.get(effect.group)) for effect in found]


_COUNTED: Final = frozenset({"sent", "withheld", "converted", "cancelled"})


def _effect(counters: Mapping[str, int], group: str, plan: Plan | None) -> Effect:
    arms = {measure: _arms(counters, group, measure) for measure in MEASURES}
    holdout, treated = arms[JUDGED_BY]
    share = None if plan is None else plan.share
    # Without a share the sizes can't be checked, but pasts can: an expected share of what is there raises no alarm of its own.
    expected = share if share is not None else holdout.n / max(1, holdout.n + treated.n)
    return Effect(
        group=group,
        share=share,
        triggers=() if plan is None else plan.triggers,
        before_days=None if plan is None else plan.before_days,
        after_days=None if plan is None else plan.after_days,
        holdout=holdout.n,
        treated=treated.n,
        contaminated=contaminated(counters, group),
        outcomes=tuple(_outcome(measure, *arms[measure]) for measure in MEASURES),
        warnings=tuple(warnings(holdout, treated, expected)),
        p_discovery=None,
        standing="no_number",
    )


def _arms(counters: Mapping[str, int], group: str, measure: Measure) -> tuple[ArmSums, ArmSums]:
    def arm(name: Arm) -> ArmSums:
        return arm_sums(counters, group, measure, name)

    return arm("holdout"), arm("treated")


def _outcome(measure: Measure, holdout: ArmSums, treated: ArmSums) -> Outcome:
    plain = difference(holdout, treated, pooled=True)
    adjusted = difference(holdout, treated, adjust=True, pooled=True)
    uses_past = isinstance(adjusted, Estimate)
    return Outcome(
        measure=measure,
        holdout_mean=holdout.mean if holdout.n else None,
        treated_mean=treated.mean if treated.n else None,
        estimate=adjusted if uses_past else plain,
        plain=plain,
        relative=relative_difference(holdout, treated, pooled=True),
        adjusted=uses_past,
    )


def _judged(effect: Effect, p: float | None) -> Effect:
    standing: Standing = "no_number"
    if effect.warnings:
        standing = "not_believed"
    elif p is not None:
        standing = "found" if p < FALSE_DISCOVERIES else "not_found"
    return replace(effect, p_discovery=p, standing=standing)
