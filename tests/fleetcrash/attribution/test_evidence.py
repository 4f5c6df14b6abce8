"""Evidence: sums of exponentials, Bayes factors, intervals, and tests that hold their promise on harmless updates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.arrays import Floats
from fleetcrash.attribution.evidence import (
    TEST_RATIOS,
    log_contrast,
    log_contrast_by_age,
    log_likeliest,
    log_mean_exp,
    log_poisson_ratio,
    log_raised,
    log_raised_by_update,
    log_raised_since,
    rate_interval,
)
from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, OUTCOMES, Learned
from fleetcrash.attribution.facts.exposure import AGES, WINDOWS, within_windows
from fleetcrash.attribution.hypotheses.suspects import LOG_THRESHOLD, Trial, try_updates

FIXED = settings(max_examples=100, deadline=None, derandomize=True)

EVENTS = st.integers(0, 10_000).map(float)
EXPECTED = st.floats(1e-6, 1e5)


def known(safety: Floats) -> Learned:
    """A past that was long enough to leave no rate open."""
    return Learned(safety, np.full(OUTCOMES, 1e12), np.full(OUTCOMES, 1e12))


# -- sums of exponentials


@FIXED
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8), st.lists(st.floats(0.01, 1), min_size=8, max_size=8))
def test_a_mean_of_exponentials_is_what_it_says(values, weights):
    array, used = np.array(values), np.array(weights[: len(values)])
    assert log_mean_exp(array) == pytest.approx(math.log(np.exp(array).mean()), abs=1e-9)
    assert log_mean_exp(array, weights=used) == pytest.approx(math.log((np.exp(array) * used).sum()), abs=1e-9)


@FIXED
@given(st.lists(st.floats(-30, 30), min_size=1, max_size=8), st.floats(-1e5, 1e5))
def test_it_neither_overflows_nor_underflows(values, shift):
    array = np.array(values)
    assert log_mean_exp(array + shift) == pytest.approx(log_mean_exp(array) + shift, rel=1e-12, abs=1e-9)


def test_it_runs_along_any_axes_and_takes_minus_infinity_for_zero():
    values = np.random.default_rng(1).normal(size=(3, 4, 5))
    assert log_mean_exp(values, axis=(1, 2)) == pytest.approx(np.log(np.exp(values).mean((1, 2))))
    assert log_mean_exp(np.array([-np.inf, 0.0])) == pytest.approx(math.log(0.5))
    assert log_mean_exp(np.array([-np.inf, -np.inf])) == -np.inf


# -- Bayes factors


@FIXED
@given(EVENTS, EXPECTED)
def test_more_events_say_more_for_a_rise_and_more_expected_ones_less(events, expected):
    here = log_raised(events, expected)
    assert log_raised(events + 1, expected) >= here
    assert log_raised(events, expected * 1.5) <= here + 1e-9 * abs(here)
    assert here >= -math.log(2.0)


def test_what_is_as_expected_says_nothing_for_a_rise_and_ten_times_that_says_much():
    assert log_raised(0, 0) == pytest.approx(0)
    assert log_raised(0, 50) == pytest.approx(-math.log(2))
    assert log_raised(20, 20) < 0
    assert log_raised(200, 20) > 100


@FIXED
@given(st.integers(0, 500).map(float), st.floats(0.01, 1e3))
def test_no_ratio_beats_the_likeliest(events, expected):
    assert log_raised(events, expected) <= log_likeliest(np.array(events), np.array(expected)) + 1e-6


def test_installs_that_nobody_recorded_may_explain_events_of_the_others():
    """A fault of which a fifth of the hosts have no record is still the update's: the others crash more as well."""
    events, expected = np.array(30.0), np.array(0.1)
    others = np.array(10.0)
    with_a_rise = log_raised_by_update(events, expected, others, np.array(0.5))
    without = log_raised_by_update(events, expected, np.array(0.0), np.array(0.5))
    assert with_a_rise > without
    assert without > log_raised(events, expected) - math.log(2.1)


def test_but_a_rise_in_the_fleet_is_not_of_the_hosts_without_a_record_where_hardly_any_has_one():
    """One host of a thousand got it, and crashed; that the others crash three times as often is none of its doing."""
    others, of_others = np.array(60.0), np.array(20.0)
    of_few = log_raised_by_update(np.array(1.0), np.array(0.002), others, of_others)
    of_many = log_raised_by_update(np.array(60.0), np.array(2.0), others, of_others)
    assert of_few < log_raised(np.array(1.0), np.array(0.002)) + math.log(1000)
    assert of_many > log_raised(np.array(60.0), np.array(2.0)) + math.log(1000)


@FIXED
@given(EVENTS, st.one_of(st.just(0.0), EXPECTED))
def test_no_number_is_ever_missing(events, expected):
    count, mean = np.array(events), np.array(expected)
    for answer in (log_raised(count, mean), log_likeliest(count, mean), log_raised_by_update(count, mean, count, mean)):
        assert np.isfinite(answer).all()


# -- intervals


@FIXED
@given(st.integers(0, 100_000), EXPECTED)
def test_an_interval_holds_its_estimate_and_scales_with_the_expectation(events, expected):
    low, estimate, high = rate_interval(events, expected)
    assert high is not None
    assert 0 <= low <= estimate <= high
    assert estimate == pytest.approx(events / expected)
    assert rate_interval(events, expected * 2)[0] == pytest.approx(low / 2)


def test_without_an_expectation_there_is_no_upper_bound():
    low, _, high = rate_interval(3, 0.0)
    assert (low, high) == (0.0, None)
    assert rate_interval(0, 10.0)[0] == 0.0


@pytest.mark.parametrize("mean", [1.0, 1.7, 3.0, 5.5, 10.0, 31.0, 100.0, 400.0])
def test_the_interval_covers_the_true_rate_as_often_as_it_says(mean):
    """Exact: the Poisson probability of the counts whose interval holds the truth."""
    counts = np.arange(int(mean + 12 * math.sqrt(mean) + 20))
    log_chance = counts * math.log(mean) - mean - np.array([math.lgamma(count + 1) for count in counts])
    covers = []
    for count in counts:
        low, _, high = rate_interval(int(count), mean)
        covers.append(low <= 1.0 and high is not None and high >= 1.0)
    covered = float(np.exp(log_chance)[np.array(covers)].sum())
    assert 0.95 <= covered <= 0.998  # counts are whole, so that no interval covers just 95 %


# -- sequential tests

RUNS, LOOKS, ALPHA = 2_000, 60, 0.05


def test_a_rate_that_never_rose_passes_the_test_on_history_no_more_often_than_promised():
    """Ville's inequality: ever above 1/alpha, at whatever look, with a chance of at most alpha."""
    rng = np.random.default_rng(20260304)
    for mean_a_look in (0.02, 0.3, 5.0):
        events = rng.poisson(mean_a_look, (RUNS, LOOKS)).cumsum(1)
        expected = mean_a_look * np.arange(1, LOOKS + 1)
        test = log_mean_exp(log_poisson_ratio(events, expected, TEST_RATIOS), axis=0)
        assert (test.max(1) >= -math.log(ALPHA)).mean() <= ALPHA


class _Looks:
    """Many updates at once, looked at again and again, each with events by outcome, age of the install and slice."""

    SLICES = 3

    def __init__(self, seed: int, *, ratio: float = 1.0, updates: int = RUNS) -> None:
        rng = np.random.default_rng(seed)
        shape = (LOOKS, OUTCOMES, updates, AGES, self.SLICES)
        mean = np.array([0.05, 0.02, 0.1])  # by slice, a look
        self.mean = np.broadcast_to(mean, shape)
        self.events = rng.poisson(self.mean * ratio)
        # Beside them hosts without the update, four times as many, at the same baseline.
        self.beside = rng.poisson(self.mean * 4.0)

    def best(self) -> np.ndarray:
        """(updates,) the highest that each update's test ever got."""
        events, mean, penalty = (np.zeros(self.events.shape[1:]) for _ in range(3))
        share = np.cumsum(np.full(AGES, 1.0)) / (AGES * 5.0)  # of the hosts at risk, with an install younger than ...
        top = np.full(self.events.shape[2], -np.inf)
        log_penalty = np.zeros((*self.events.shape[1:], len(TEST_RATIOS)))
        for look in range(LOOKS):
            events += self.events[look]
            mean += self.mean[look]
            everyone = (self.events[look] + self.beside[look]).sum(2, keepdims=True)
            penalty = np.log1p((TEST_RATIOS - 1.0) * share[:, None, None])
            log_penalty += everyone[..., None] * penalty
            top = np.maximum(top, self._trial(events, mean, log_penalty).log_test)
        return top

    def _trial(self, events, mean, log_penalty) -> Trial:
        updates = np.arange(events.shape[1])
        others = np.zeros((OUTCOMES, len(updates), self.SLICES))
        return try_updates(
            updates, events, mean,
            others=(others, others), log_penalty=log_penalty, learned=known(np.ones(OUTCOMES)),
            log_weight=np.log(np.full(self.SLICES, 1 / self.SLICES)), conditional_slices=np.arange(self.SLICES),
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.2, 1.0, 10.0, 50.0])
@pytest.mark.parametrize("learned", [0.05, 0.4, 2.0, 20.0])
def test_of_a_past_of_few_events_a_rate_that_stays_is_raised_no_more_often_than_promised(learned, rate):
    """However far it is from what was expected.

    Args:
        learned: events that were expected in the past. rate: by how much more than that hosts always crash.
    """
    rng, fleets = np.random.default_rng(1), 50_000
    before, seen = rng.poisson(rate * learned, fleets).astype(float), np.zeros(fleets)
    expected, most = 0.0, np.zeros(fleets)
    for more in np.geomspace(1e-4, learned, 12):
        seen, expected = seen + rng.poisson(rate * more, fleets), expected + more
        by_ratio = log_raised_since(seen, np.full(fleets, expected), before, np.array(learned))
        most = np.maximum(most, log_mean_exp(by_ratio, axis=0))
    assert (most >= math.log(20)).mean() <= 1 / 20
    assert (most >= math.log(300)).mean() <= 1 / 300


@pytest.mark.parametrize(("before", "seen", "passes"), [(0, 3, True), (0, 1, False), (10, 3, False), (10, 5, True)])
def test_a_day_without_a_crash_says_that_a_few_are_too_many_in_a_hundredth_of_it(before, seen, passes):
    """Where a test that takes the highest rate that such a day allows for would take four."""
    by_ratio = log_raised_since(np.array([seen]), np.array([0.01]), np.array(before), np.array(1.0))
    assert (float(log_mean_exp(by_ratio, axis=0)[0]) >= math.log(3000)) == passes


@FIXED
@given(st.integers(0, 30).map(float), st.floats(1e-3, 1e3))
def test_of_a_long_past_it_is_the_ratio_of_two_poisson_processes(seen, expected):
    counts = np.array([seen]), np.array([expected])
    of_past = log_raised_since(*counts, np.array(1e12), np.array(1e12))
    assert of_past == pytest.approx(log_poisson_ratio(*counts, TEST_RATIOS), rel=1e-6, abs=1e-6)


@pytest.mark.slow
def test_a_harmless_update_passes_its_test_no_more_often_than_promised():
    """Both tests together, in every slice and age of the install, with hosts beside them that have not got it."""
    assert (_Looks(7).best() >= -math.log(ALPHA)).mean() <= ALPHA


def test_a_guilty_update_passes_it():
    assert (_Looks(8, ratio=16.0, updates=100).best() >= math.log(3000)).mean() > 0.99


def test_nothing_seen_and_nothing_expected_is_no_evidence():
    """An average of e-values is one only if its weights add up to one; then this is one, too."""
    nothing = np.zeros((OUTCOMES, 1, WINDOWS, 2))
    trial = try_updates(
        np.arange(1), nothing, nothing,
        others=(nothing[:, :, 0], nothing[:, :, 0]), log_penalty=np.zeros((*nothing.shape, len(TEST_RATIOS))),
        learned=known(np.array([1.5, 3.0, np.inf])), log_weight=np.log([0.75, 0.25]), conditional_slices=np.arange(2),
    )  # fmt: skip
    assert trial.log_test == pytest.approx(0.0, abs=1e-12)


def test_of_a_handful_of_crashes_half_may_come_at_a_boot():
    def log_test(crashes: int, at_boot: int) -> float:
        events = np.zeros((OUTCOMES, 1, WINDOWS, 1))
        events[CRASH, 0, 2], events[CRASH_AT_BOOT, 0, 2] = crashes, at_boot
        nobody = np.zeros((OUTCOMES, 1, 1))
        everybody_had_it = within_windows(events, axis=2)[..., None] * np.log(TEST_RATIOS)
        trial = try_updates(
            np.arange(1), events, np.full(events.shape, 0.004),
            others=(nobody, nobody), log_penalty=everybody_had_it,
            learned=known(np.full(OUTCOMES, 2.0)), log_weight=np.zeros(1), conditional_slices=np.arange(1),
        )  # fmt: skip
        return float(trial.log_test[0])

    assert log_test(2, 0) < LOG_THRESHOLD < log_test(4, 0)
    assert log_test(2, 2) > LOG_THRESHOLD


# -- contrast


def contrast_of(had: np.ndarray, share: np.ndarray) -> float:
    """Of one event at each moment."""
    return log_contrast(np.ones(len(had)), had.astype(float), share)


def contrast_by_age_of(age: np.ndarray, shares: np.ndarray) -> float:
    """Of one event at each moment, whose host had the update for an age by its number; or lacked it."""
    of_age = (age[:, None] == np.arange(shares.shape[1])).astype(float)
    return log_contrast_by_age(np.ones(len(age)), of_age, shares)


def test_where_everybody_has_the_update_the_contrast_says_nothing():
    assert contrast_of(np.ones(500, bool), np.ones(500)) == pytest.approx(0.0, abs=1e-9)


def test_each_crash_of_one_host_in_ten_says_as_much_as_its_share_allows():
    one, ten = (contrast_of(np.ones(n, bool), np.full(n, 0.1)) for n in (1, 10))
    assert 0 < one < math.log(10)
    assert 5 * one < ten < 10 * math.log(10)


def test_crashes_beside_the_update_speak_against_it():
    assert contrast_of(np.zeros(20, bool), np.full(20, 0.5)) < contrast_of(np.zeros(1, bool), np.full(1, 0.5)) < 0


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_contrast_of_a_harmless_update_is_one_on_the_average(seed, crashes):
    random = np.random.default_rng(seed)
    share = random.uniform(0.05, 0.95, crashes)
    tries = [math.exp(contrast_of(random.random(crashes) < share, share)) for _ in range(2000)]
    assert np.mean(np.minimum(tries, 1e3)) < 1.5
    assert np.mean(np.array(tries) >= 20) <= 0.06


def test_events_at_one_moment_say_as_much_as_each_at_its_own():
    share, had, age = np.array([0.3, 0.3, 0.3, 0.7]), np.array([True, False, True, True]), np.array([0, 2, 1, 0])
    together = log_contrast(np.array([3.0, 1.0]), np.array([2.0, 1.0]), share[2:])
    assert together == pytest.approx(contrast_of(had, share))
    shares, of_age = share[:, None] * [0.5, 1.0], np.array([[1.0, 1.0], [1.0, 0.0]])
    together = log_contrast_by_age(np.array([3.0, 1.0]), of_age, shares[2:])
    assert together == pytest.approx(contrast_by_age_of(age, shares))


def test_where_all_have_just_got_the_update_or_all_long_ago_its_age_says_nothing():
    assert contrast_by_age_of(np.zeros(500, int), np.ones((500, 3))) == pytest.approx(0.0, abs=1e-9)
    long_ago = np.tile([0.0, 0.0, 1.0], (500, 1))
    assert contrast_by_age_of(np.full(500, 2), long_ago) == pytest.approx(0.0, abs=1e-9)


def test_where_all_have_the_update_and_those_crash_that_got_it_last_its_age_tells():
    shares = np.tile([0.2, 0.5, 1.0], (40, 1))
    assert contrast_by_age_of(np.zeros(40, int), shares) > 30
    assert contrast_of(np.ones(40, bool), shares[:, -1]) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=5, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
def test_the_contrast_by_age_of_a_harmless_update_is_one_on_the_average(seed, crashes):
    random = np.random.default_rng(seed)
    shares = np.sort(random.uniform(0.02, 0.98, (crashes, 4)), axis=1)
    tries = []
    for _ in range(1000):
        age = (random.random(crashes)[:, None] >= shares).sum(1)
        tries.append(math.exp(contrast_by_age_of(age, shares)))
    assert np.mean(np.minimum(tries, 1e3)) < 1.5
    assert np.mean(np.array(tries) >= 20) <= 0.06


# -- alarms


@pytest.mark.parametrize(
    ("test", "evidence", "raises"),
    [
        pytest.param(9.0, 9.0, True, id="a test that passes"),
        pytest.param(7.0, 9.0, False, id="none does"),
        pytest.param(9.0, -1.0, False, id="hosts with it crash more than others, and not more than they did before"),
    ],
)
def test_an_alarm_takes_a_test_that_passes_and_hosts_that_crash_more_than_they_did(test, evidence, raises):
    none = np.zeros((OUTCOMES, 2, WINDOWS, 1))
    trial = Trial(np.array([0, 1]), none, none, np.array([9.0, evidence]), np.array([1.0, test]), np.zeros((2, 1)))
    assert bool(trial.passed().any()) is raises
