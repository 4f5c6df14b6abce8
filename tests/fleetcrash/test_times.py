"""Instants in and out of text."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.errors import BadArgument, FleetcrashError
from fleetcrash.times import END, FIRST, parse_time, tick_text, tick_time, time_text

FIXED = settings(max_examples=100, deadline=None, derandomize=True)

_OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2261, 12, 30), timezones=_OFFSETS)  # noqa: DTZ001 - bounds of local times


@FIXED
@given(INSTANTS)
def test_an_instant_survives_being_written_and_read(instant):
    assert parse_time(time_text(instant)) == instant
    assert time_text(instant).endswith("Z")
    assert parse_time(instant.isoformat()) == instant


@FIXED
@given(INSTANTS)
def test_what_is_read_is_in_utc(instant):
    assert parse_time(instant.isoformat()).tzinfo is UTC


@FIXED
@given(st.datetimes().map(datetime.isoformat))
def test_a_time_without_an_offset_is_an_error(text):
    with pytest.raises(BadArgument, match="no offset"):
        parse_time(text)


@pytest.mark.parametrize("text", ["2024-07-19", "2024-07-19T04:09", "20240719T040900", "2024-W29-5"])
def test_a_short_form_without_an_offset_is_an_error_too(text):
    with pytest.raises(BadArgument, match="no offset"):
        parse_time(text)


@FIXED
@given(
    st.one_of(st.text(), st.text(alphabet="0123456789-:TZ+. W"), st.just("2024-07-19T04:09:00") | st.text(max_size=4))
)
def test_any_other_text_is_bad_use_and_no_fault_of_ours(text):
    with contextlib.suppress(BadArgument):
        assert parse_time(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00+00:01",
        "2261-12-31T23:00:00-01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_an_instant_that_no_record_may_have_is_bad_use(text):
    with pytest.raises(FleetcrashError, match="years 1970 to 2261"):
        parse_time(text)


def test_the_first_and_the_last_instant_that_a_record_may_have():
    assert parse_time("1970-01-01T00:00:00Z") == FIRST
    assert parse_time("2261-12-31T23:59:59.999999Z") == END - timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2024-07-19T04:09:00Z", "2024-07-19T04:09:00Z"),
        (" 2024-07-19T06:09:00+02:00\n", "2024-07-19T04:09:00Z"),
        ("2024-07-19T04:09:00.5Z", "2024-07-19T04:09:00.500000Z"),
        ("2024-07-18T22:39:00.000001-05:30", "2024-07-19T04:09:00.000001Z"),
    ],
)
def test_forms_of_one_instant(text, written):
    assert time_text(parse_time(text)) == written


@FIXED
@given(st.integers(0, 2**27))
def test_a_tick_is_a_whole_minute(tick):
    assert parse_time(tick_text(tick)) == tick_time(tick)
    assert tick_time(tick + 1) - tick_time(tick) == timedelta(minutes=1)
    assert int(tick_time(tick).timestamp()) == 60 * tick
