"""The watch over the watch: silence of the fleet, silence of the monitor, silence of both."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.alerts.config import DeadMan
from tests.monitor.alerts.conftest import Clock, Hook, Told, answer, document, incident, named, webhook

MINUTE = 60.0


class Watched(Told):
    """Alerting that looks every minute at a fleet."""

    def minutes(self, clock: Clock, count: int, *, lag_s: float | None = 0.0, fails: str | None = None) -> None:
        """So many minutes with a look each.

        Args:
            lag_s: of the newest known time behind our clock; None: nothing new comes.
            fails: with this error each look ends.
        """
        for _ in range(count):
            clock.passes(MINUTE)
            if lag_s is not None:
                self.newest = datetime.fromtimestamp(clock() - lag_s, tz=UTC)
            if fails is not None:
                self.alerting.failed(fails)
            else:
                self.alerting.looked(None, getattr(self, "newest", None))
            self.alerting.step()
            self.sent()


@pytest.fixture
def watched(tmp_path, clock, hook) -> Watched:
    return Watched(tmp_path, clock, webhook(hook))


def test_a_fleet_that_falls_silent_is_told_and_its_return_too(watched, hook, clock):
    watched.minutes(clock, 20)
    watched.minutes(clock, 14, lag_s=None)
    assert hook.events == []
    watched.minutes(clock, 10, lag_s=None)
    assert hook.events == [("dead-man-records", "opened")]
    assert hook.documents[0]["kind"] == "dead_man"
    assert hook.documents[0]["summary"].startswith("No record has come for 15 minutes")
    watched.minutes(clock, 1)
    assert hook.events[1:] == [("dead-man-records", "resolved")]
    assert hook.documents[1]["summary"] == "Records come again."
    assert hook.documents[1]["starts_at"] == hook.documents[0]["starts_at"]
    watched.minutes(clock, 15, lag_s=None)
    assert hook.events[2:] == [("dead-man-records", "opened")]
    assert hook.documents[2]["sequence"] == 3


def test_a_replay_of_the_past_may_end_in_silence(watched, hook, clock):
    watched.minutes(clock, 60, lag_s=900 * 86_400)
    watched.minutes(clock, 60, lag_s=None)
    assert hook.events == []


def test_a_file_that_is_loaded_once_is_no_feed(watched, hook, clock):
    watched.minutes(clock, 1)
    watched.minutes(clock, 60, lag_s=None)
    assert hook.events == []


def test_one_record_of_a_clock_that_is_ahead_is_not_the_end_of_a_feed(watched, hook, clock):
    watched.minutes(clock, 20)
    watched.minutes(clock, 1, lag_s=-3600)
    watched.minutes(clock, 74, lag_s=None)  # nothing newer can be seen for an hour
    assert hook.events == [("dead-man-clock", "opened"), ("dead-man-clock", "resolved")]
    assert hook.documents[0]["summary"].startswith("The newest record is 60 minutes ahead of this machine's clock")
    watched.minutes(clock, 2, lag_s=None)
    assert hook.events[2:] == [("dead-man-records", "opened")]


def test_a_record_that_is_a_little_ahead_is_no_trouble_nor_one_of_a_lake_that_was_never_fed_regularly(
    watched, hook, clock
):
    watched.minutes(clock, 1, lag_s=-3600)
    watched.minutes(clock, 20)
    watched.minutes(clock, 1, lag_s=-800)
    assert hook.events == []


def test_records_that_come_now_and_then_are_no_regular_feed(watched, hook, clock):
    for _ in range(4):
        watched.minutes(clock, 1)
        watched.minutes(clock, 20, lag_s=None)
    assert hook.events == []


def test_a_restart_does_not_forget_that_there_was_a_feed(watched, tmp_path, hook, clock):
    watched.minutes(clock, 20)
    watched.ended()
    clock.passes(3600)
    later = Watched(tmp_path, clock, webhook(hook))
    later.newest = watched.newest
    later.minutes(clock, 14, lag_s=None)
    assert hook.events == [], "a while for all to start"
    later.minutes(clock, 1, lag_s=None)
    assert hook.events == [("dead-man-records", "opened")]


@pytest.mark.parametrize("damage", ["{", "[]", "null", '{"newest": 1.0, "of_a_later_version": 2}'])
def test_what_is_kept_of_the_feed_keeps_no_alert_back_where_it_cannot_be_read(watched, tmp_path, hook, clock, damage):
    watched.alerting.outbox.set_meta("feed", damage)
    watched.ended()
    later = Watched(tmp_path, clock, webhook(hook))
    later.found(incident())
    later.sent()
    assert hook.events == [("inc-1", "opened")]
    later.minutes(clock, 20)
    later.minutes(clock, 15, lag_s=None)
    assert hook.events[1:] == [("dead-man-records", "opened")]


def test_a_feed_that_ended_while_no_monitor_ran_is_told(watched, tmp_path, hook, clock):
    watched.minutes(clock, 20)
    watched.ended()
    ended_at = clock() + 600
    clock.passes(3600)
    later = Watched(tmp_path, clock, webhook(hook))
    later.newest = datetime.fromtimestamp(ended_at, tz=UTC)
    later.minutes(clock, 14, lag_s=None)
    assert hook.events == []
    later.minutes(clock, 1, lag_s=None)
    assert hook.events == [("dead-man-records", "opened")]


def test_a_silence_is_not_over_because_nobody_looks_or_the_monitor_starts_anew(watched, tmp_path, hook, clock):
    watched.minutes(clock, 20)
    watched.minutes(clock, 16, lag_s=None)
    assert hook.events == [("dead-man-records", "opened")]
    watched.minutes(clock, 10, lag_s=None, fails="x")
    assert hook.events[1:] == [("dead-man-ticks", "opened")]
    watched.minutes(clock, 1, lag_s=None)
    assert hook.events[2:] == [("dead-man-ticks", "resolved")]
    watched.ended()
    later = Watched(tmp_path, clock, webhook(hook))
    later.newest = watched.newest
    later.minutes(clock, 5, lag_s=None)
    assert hook.events[3:] == []
    later.minutes(clock, 1)
    assert hook.events[3:] == [("dead-man-records", "resolved")]


def test_looks_that_fail_are_told_with_their_error_and_end_by_themselves(watched, hook, clock):
    watched.minutes(clock, 20)
    watched.minutes(clock, 4, fails="The lake at /x cannot be read: Permission denied")
    assert hook.events == []
    watched.minutes(clock, 20, fails="The lake at /x cannot be read: Permission denied")
    assert hook.events == [("dead-man-ticks", "opened")]
    assert hook.documents[0]["summary"] == (
        "The monitor has judged nothing for 5 minutes; the last try failed: "
        "The lake at /x cannot be read: Permission denied."
    )
    watched.minutes(clock, 1)
    assert hook.events[1:] == [("dead-man-ticks", "resolved")]


def test_a_look_that_hangs_is_told_by_the_thread_beside_it(watched, hook, clock):
    watched.minutes(clock, 1)
    for _ in range(5):
        clock.passes(MINUTE)
        watched.alerting.step()
        watched.sent()
    assert hook.events == [("dead-man-ticks", "opened")]
    assert "a look takes longer than that" in hook.documents[0]["summary"]


def test_a_monitor_that_is_killed_at_every_look_is_told(watched, tmp_path, hook, clock):
    watched.minutes(clock, 1)
    for _ in range(6):
        watched.ended()
        watched = Watched(tmp_path, clock, webhook(hook))
        clock.passes(MINUTE)
        watched.alerting.step()
        watched.sent()
    assert hook.events == [("dead-man-ticks", "opened")]
    watched.minutes(clock, 1)
    assert hook.events[1:] == [("dead-man-ticks", "resolved")]


def test_a_monitor_that_was_stopped_for_a_day_has_its_time_to_look(watched, tmp_path, hook, clock):
    watched.minutes(clock, 1)
    watched.ended()
    clock.passes(86_400)
    watched = Watched(tmp_path, clock, webhook(hook))
    for _ in range(4):
        clock.passes(MINUTE)
        watched.alerting.step()
    watched.minutes(clock, 1)
    assert hook.events == []


@pytest.fixture
def ping(hooks) -> Hook:
    return hooks()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_outside_watchdog_hears_from_us_every_minute(tmp_path, hook, ping, clock, method):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address, method=method))
    watched.minutes(clock, 10)
    assert [one.method for one in ping.got] == [method] * 10
    watched.alerting.step()
    assert len(ping.got) == 10


def test_a_clock_that_is_set_back_keeps_nothing_from_it(tmp_path, ping, hook, clock):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    watched.minutes(clock, 2)
    clock.passes(-7200)
    watched.minutes(clock, 2)
    assert len(ping.got) == 4


def test_it_hears_nothing_while_something_is_wrong(tmp_path, hook, ping, clock):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    watched.alerting.step()
    assert ping.got == [], "nothing was looked at yet"
    watched.minutes(clock, 20)
    before = len(ping.got)
    watched.minutes(clock, 20, fails="x")
    assert len(ping.got) == before + 4
    watched.minutes(clock, 1)
    assert len(ping.got) == before + 5


def test_it_hears_nothing_while_a_message_is_stuck(tmp_path, hook, ping, clock):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    hook.answers = [answer(500)] * 100
    watched.found(incident())
    watched.minutes(clock, 30)
    assert len(ping.got) == 14
    hook.answers = []
    watched.minutes(clock, 10)
    assert len(ping.got) > 14
    assert hook.events[-1] == ("inc-1", "opened")


def test_news_of_an_alert_that_waits_is_no_reason_to_wait_anew(tmp_path, hook, ping, clock):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    hook.answers = [answer(500)] * 1_000
    for minute in range(60):
        watched.found(named(f"content-{minute}"), minute=minute)
        watched.minutes(clock, 1)
    assert watched.alerting.outbox.alerts()["inc-1"].at > clock() - 900, "the newest message is younger"
    assert len(ping.got) == 14
    hook.answers = []
    watched.minutes(clock, 6)
    assert len(ping.got) > 14
    hook.answers = [answer(500)] * 1_000
    before = len(ping.got)
    watched.found(incident(closed=70), minute=70)
    watched.minutes(clock, 30)
    assert len(ping.got) == before + 14, "what waits now has not waited since then"


def test_an_outbox_of_an_earlier_version_knows_since_when_a_message_waits(tmp_path, hook, ping, clock):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    hook.answers = [answer(500)] * 1_000
    watched.found(incident())
    with watched.alerting.outbox.transaction() as file:
        file.execute("ALTER TABLE delivery DROP COLUMN waiting_since")
    watched.ended()
    later = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    later.minutes(clock, 10)
    later.found(named(), minute=20)
    later.minutes(clock, 20)
    assert len(ping.got) == 14


def test_a_watchdog_that_is_down_ends_nothing(tmp_path, hook, ping, clock, caplog):
    watched = Watched(tmp_path, clock, webhook(hook), dead_man=DeadMan(address=ping.address))
    ping.answers = [answer(500)]
    watched.minutes(clock, 2)
    assert "the outside watchdog answered HTTP 500" in caplog.text
    assert "s3cr3t" not in caplog.text
    watched.alerting.looked(document(incident()), None)
    watched.sent()
    assert hook.events == [("inc-1", "opened")]
