"""The figures above the curve: what counts as calm, what the peak is, and no rate where nobody was online."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from dashboard.rates import Rates, calm, is_enough, measure, peaks

UNTIL = datetime(2026, 3, 4, 12, tzinfo=UTC)


def hours(*crashes: int, host_hours: float = 100.0) -> pd.DataFrame:
    """A bucket an hour, the last one up to UNTIL."""
    starts = [UNTIL - timedelta(hours=len(crashes) - number) for number in range(len(crashes))]
    return pd.DataFrame({"bucket_start": starts, "crashes": crashes, "host_hours": host_hours})


def test_the_last_two_hours_and_what_an_incident_touches_are_no_baseline():
    curve = hours(*range(10))
    assert calm(curve, 3600, until=UNTIL, disturbed=[])["crashes"].tolist() == [*range(8)]
    began, ended = UNTIL - timedelta(hours=7, minutes=30), UNTIL - timedelta(hours=6)
    left = calm(curve, 3600, until=UNTIL, disturbed=[(began, ended)])
    assert left["crashes"].tolist() == [0, 1, 4, 5, 6, 7]


def test_a_baseline_needs_half_a_day_whatever_the_groups():
    twelve = hours(*[1] * 12)
    assert is_enough(twelve, 3600)
    assert not is_enough(twelve.iloc[1:], 3600)
    assert not is_enough(pd.concat([twelve.iloc[:6]] * 2), 3600)  # two groups of the same six hours


def test_the_peak_the_rate_now_and_the_baseline():
    curve = hours(5, 5, 300, 10)
    rates = measure(curve, curve.iloc[:2], pd.Series({"crashes": 10, "host_hours": 50.0}))
    assert [rates.now, rates.baseline, rates.peak] == pytest.approx([0.2, 0.05, 3.0])
    assert rates.peak_at == UNTIL - timedelta(hours=2)
    assert rates.is_raised
    assert rates.wants_log


def test_where_nobody_was_online_there_is_no_rate():
    curve = hours(1, 2, host_hours=0.0)
    rates = measure(curve, curve.iloc[:0], pd.Series({"crashes": 2, "host_hours": 0.0}))
    assert (rates.now, rates.baseline, rates.peak) == (None, None, None)
    assert not rates.is_raised


@pytest.mark.parametrize(("crashes", "host_hours", "steep"), [(9, 7.0, True), (1, 0.3, False), (9, 900.0, False)])
def test_a_peak_of_few_hosts_makes_the_axis_logarithmic_as_that_of_the_fleet_does(crashes, host_hours, steep):
    fleet = Rates(now=0.003, now_crashes=9, baseline=0.0025, peak=0.018, peak_at=UNTIL, peak_crashes=20)
    assert not fleet.wants_log
    line = hours(0, crashes, 0, host_hours=host_hours)
    assert peaks(line.assign(rate=line["crashes"] / line["host_hours"]), fleet) is steep


def test_without_host_time_no_line_has_a_peak():
    fleet = Rates(now=None, now_crashes=0, baseline=None, peak=None, peak_at=None)
    assert not peaks(hours(9, host_hours=0.0).assign(rate=float("nan")), fleet)
