"""What a cluster does as of an instant."""

from datetime import UTC, datetime, timedelta

from fleetcrash.clustering.states import Seen, State, is_raised, state_of

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def ago(**span) -> datetime:
    return NOW - timedelta(**span)


def state(*, first, last_before_day=None, first_in_day=None, last_hour=0, before=0, watched=30 * 24.0):
    seen = Seen(first, first_in_day, last_before_day, last_hour, before)
    return state_of(seen, as_of=NOW, watched_from=ago(hours=watched))


def test_nothing_in_a_day_is_quiet():
    assert state(first=ago(days=3), last_before_day=ago(hours=24)) is State.QUIET


def test_first_seen_within_the_day_is_new_however_it_grows():
    assert state(first=ago(hours=2), first_in_day=ago(hours=2), last_hour=500) is State.NEW


def test_a_lake_that_has_just_begun_to_listen_calls_nothing_new():
    assert state(first=ago(hours=2), first_in_day=ago(hours=2), watched=2.5) is State.ONGOING
    assert state(first=ago(hours=2), first_in_day=ago(hours=2), watched=3) is State.NEW


def test_back_after_a_week_is_regressed_and_after_less_is_not():
    assert state(first=ago(days=20), last_before_day=ago(days=8), first_in_day=ago(hours=3)) is State.REGRESSED
    assert state(first=ago(days=20), last_before_day=ago(days=6), first_in_day=ago(hours=3)) is State.ONGOING


def test_a_raised_hour_is_escalating():
    steady = {"first": ago(days=20), "last_before_day": ago(hours=25), "first_in_day": ago(hours=20)}
    assert state(**steady, last_hour=40, before=168) is State.ESCALATING
    assert state(**steady, last_hour=2, before=168) is State.ONGOING


def test_a_handful_and_a_days_rhythm_are_no_escalation():
    assert not is_raised(4, 0, 168)
    assert not is_raised(250, 100 * 168, 168), "two and a half times the mean is a busy hour"
    assert is_raised(5, 0, 168)


def test_without_an_hour_to_compare_with_nothing_is_raised():
    assert not is_raised(1000, 0, 0.5)
