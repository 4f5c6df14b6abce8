"""What of an incident's course is news, and when."""

from __future__ import annotations

from itertools import pairwise

from monitor.alerts.course import Told, news_of
from monitor.alerts.message import Event
from tests.monitor.alerts.conftest import incident, named


def told(course, *, every_s: float = 60.0) -> list[tuple[float, Event, tuple[str, ...]]]:
    """What is told of a course: seconds, event and what changed."""
    said, last = [], None
    for step, state in enumerate(course):
        news = news_of(state, last, now=step * every_s)
        if news is not None:
            last = Told.from_text(news.told.as_text())
            said.append((step * every_s, news.event, news.changed))
    return said


def test_an_incident_is_opened_named_and_resolved_at_once():
    course = [incident(), incident(), named(), named(), named(closed=70), named(closed=70)]
    assert told(course) == [
        (0, Event.OPENED, ()),
        (120, Event.UPDATED, ("verdict", "update_id")),
        (240, Event.RESOLVED, ()),
    ]


def test_a_condition_waits_five_minutes_after_the_name():
    course = [named(), *[named(condition={"os_type": "windows"})] * 7]
    assert told(course) == [(0, Event.OPENED, ()), (300, Event.UPDATED, ("condition",))]


def test_what_goes_and_comes_back_in_between_is_not_told():
    course = [named(), incident(), incident(), named(), named(), named(), named(), named()]
    assert [event for _, event, _ in told(course)] == [Event.OPENED]


def test_another_name_is_told_at_once_but_not_again_when_it_comes_back():
    said = told([named(name) for name in "ab" * 7])
    assert said == [
        (0, Event.OPENED, ()),
        (60, Event.UPDATED, ("update_id",)),
        (12 * 60, Event.UPDATED, ("update_id",)),
    ]


def test_a_verdict_that_flickers_all_day_is_told_ever_more_seldom():
    flickers = [named(condition={"group": str(minute)}) for minute in range(24 * 60)]
    times = [at / 60 for at, _, _ in told(flickers)]
    assert times[:6] == [0, 5, 15, 35, 75, 135]
    assert {later - earlier for earlier, later in pairwise(times[5:])} == {60}
    assert len(times) == 27


def test_ten_times_the_hosts_are_news_and_nine_times_are_not():
    assert told([incident(hit=3), *[incident(hit=29)] * 10]) == [(0, Event.OPENED, ())]
    assert told([incident(hit=3), *[incident(hit=30)] * 10])[1] == (300, Event.UPDATED, ("impact",))
    assert told([incident(hit=0), *[incident(hit=10)] * 10])[1] == (300, Event.UPDATED, ("impact",))


def test_one_that_is_over_before_it_is_seen_is_resolved_and_one_that_comes_back_is_opened():
    assert told([incident(closed=5)]) == [(0, Event.RESOLVED, ())]
    reopened = told([incident(), incident(closed=5), incident(closed=5), incident()])
    assert [event for _, event, _ in reopened] == [Event.OPENED, Event.RESOLVED, Event.OPENED]
