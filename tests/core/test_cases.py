"""The closed loop: states, and how well it is kept."""

import pytest

from profiles.insight.cases import CONTACT_DUE_MS, MINUTE_MS, Case, contribution
from profiles.insight.tallies import difference, merged
from streams.insight.nps_report import OpenCases, read_loop, read_open

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
    cases += [Case(DAY, 0), Case(DAY, 0, assigned_ms=1), Case(DAY, 0)]
    counters = merged(contribution(case) for case in [*cases, Case(DAY + 1, 0), Case(DAY - 1, 0)])
    found = read_loop(counters, DAY, DAY)

    assert found.opened == 10
    assert (found.contacted_in_time, found.contacted, found.resolved, found.expired) == (0.5, 0.7, 0.7, 0)
    assert read_loop(counters, DAY, DAY, expired_until_day=DAY).expired == 0.3
    assert found.wait_p50 == pytest.approx(5 * 60, rel=0.005)
    assert found.wait_p90 is None  # one in ten never heard from us, and so did two more


def test_a_wait_of_exactly_the_limit_is_in_time_and_one_a_hundredth_longer_is_not() -> None:
    for wait_ms, share in ((CONTACT_DUE_MS, 1), (CONTACT_DUE_MS * 101 // 100 + MINUTE_MS, 0)):
        counters = contribution(Case(DAY, 7, contacted_ms=7 + wait_ms))
        assert read_loop(counters, DAY, DAY).contacted_in_time == share


def test_the_limit_is_that_of_whoever_reads_so_rules_may_change() -> None:
    counters = contribution(Case(DAY, 0, contacted_ms=30 * HOUR_MS))

    assert read_loop(counters, DAY, DAY).contacted_in_time == 0
    assert read_loop(counters, DAY, DAY, contact_due_ms=2 * CONTACT_DUE_MS).contacted_in_time == 1


def test_a_contact_changes_only_its_own_counters() -> None:
    before, after = contribution(Case(DAY, 0)), contribution(Case(DAY, 0, contacted_ms=90 * MINUTE_MS))

    assert difference(after, before) == {f"{DAY}.contacted": 1, f"{DAY}.wait.90": 1, f"{DAY}.waiting": -1}


def test_open_are_the_cases_that_nobody_resolved_and_that_have_not_expired() -> None:
    cases = [
        Case(DAY - 40, 0),  # expired
        Case(DAY - 9, 0, resolved_ms=1),
        Case(DAY - 8, 0, contacted_ms=1),
        Case(DAY - 3, 0),  # overdue
        Case(DAY, 0, assigned_ms=1),
    ]
    found = read_open(merged(contribution(case) for case in cases), DAY - 2, DAY - 31)

    assert (found.open, found.waiting, found.overdue, found.oldest_day) == (3, 2, 1, DAY - 8)
    assert read_open({}, DAY, DAY) == OpenCases(0, 0, 0, None)


def test_a_loop_without_cases_has_no_shares() -> None:
    found = read_loop({}, DAY, DAY)

    assert (found.opened, found.contacted, found.wait_p50) == (0, None, None)
