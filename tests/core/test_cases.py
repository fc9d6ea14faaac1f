"""The closed loop: states, and how well it is kept."""

import pytest

from profiles.insight.cases import CONTACT_DUE_MS, MINUTE_MS, Case, contribution
from profiles.insight.tallies import difference, merged
from streams.insight.nps_report import read_loop

HOUR_MS = 60 * MINUTE_MS
DAY = 20_500


def test_a_case_goes_from_opened_to_verified() -> None:
    case = Case(DAY, 0)
    states = [case.state]
    for step in ("assigned", "contacted", "resolved", "verified"):
        setattr(case, f"{step}_ms", 5)
        states.append(case.state)

    assert states == ["opened", "assigned", "contacted", "resolved", "verified"]
    assert not case.is_open
    assert Case(DAY, 0, contacted_ms=5).is_open
    assert not Case(DAY, 0, expired_ms=5).is_open


def test_how_well_the_loop_is_kept() -> None:
    waits = [1, 2, 3, 4, 5, 30, 40]
    cases = [Case(DAY, 0, contacted_ms=hours * HOUR_MS, resolved_ms=50 * HOUR_MS) for hours in waits]
    cases += [Case(DAY, 0), Case(DAY, 0, assigned_ms=1), Case(DAY, 0, expired_ms=90 * HOUR_MS)]
    counters = merged(contribution(case) for case in [*cases, Case(DAY + 1, 0), Case(DAY - 1, 0)])
    found = read_loop(counters, DAY, DAY)

    assert found.opened == 10
    assert (found.contacted_in_time, found.contacted, found.resolved, found.expired) == (0.5, 0.7, 0.7, 0.1)
    assert found.wait_p50 == pytest.approx(5 * 60, rel=0.005)
    assert found.wait_p90 is None  # one in ten never heard from us, and so did two more


def test_a_wait_of_exactly_the_limit_is_in_time() -> None:
    assert f"{DAY}.in_time" in contribution(Case(DAY, 7, contacted_ms=7 + CONTACT_DUE_MS))
    assert f"{DAY}.in_time" not in contribution(Case(DAY, 7, contacted_ms=8 + CONTACT_DUE_MS))


def test_a_contact_changes_only_its_own_counters() -> None:
    before, after = contribution(Case(DAY, 0)), contribution(Case(DAY, 0, contacted_ms=90 * MINUTE_MS))

    assert difference(after, before) == {f"{DAY}.contacted": 1, f"{DAY}.in_time": 1, f"{DAY}.wait.90": 1}


def test_a_loop_without_cases_has_no_shares() -> None:
    found = read_loop({}, DAY, DAY)

    assert (found.opened, found.contacted, found.wait_p50) == (0, None, None)
