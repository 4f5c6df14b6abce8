"""From a look to a receiver over real HTTP: once, in order, whatever the receiver does meanwhile."""

from __future__ import annotations

import hashlib
import hmac
import json
from itertools import pairwise

import pytest

from dashboard.alerts import receivers
from monitor.alerts import outbox as outboxes
from tests.monitor.alerts.conftest import Told, answer, incident, named, raw, reset, webhook


@pytest.fixture
def told(tmp_path, clock, hook) -> Told:
    return Told(tmp_path, clock, webhook(hook), dashboard="https://fleet.example")


def test_an_incident_is_told_from_its_beginning_to_its_end(told, hook):
    told.found(incident())
    told.sent()
    told.found(named(condition={"os_type": "windows"}), minute=11)
    told.sent()
    told.found(named(closed=80), minute=80)
    told.sent()
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-1", "updated"), ("inc-1", "resolved")]
    opened, updated, resolved = hook.documents
    assert [one["sequence"] for one in hook.documents] == [1, 2, 3]
    assert [one["state"] for one in hook.documents] == ["open", "open", "resolved"]
    assert updated["changed"] == ["verdict", "update_id", "condition"]
    assert updated["condition"] == {"os_type": "windows"}
    assert updated["link"] == "https://fleet.example/incident?id=inc-1"
    assert opened["impact"] == {"exposed": 100, "crashed": 3}
    assert (opened["summary"], opened["ends_at"]) == ("3 hosts crashed.", None)
    assert resolved["ends_at"] == "2027-01-15T09:20:00Z"
    assert len({one["message_id"] for one in hook.documents}) == 3


def test_what_is_found_again_is_not_told_again(told, hook, tmp_path, clock):
    told.found(named())
    told.sent()
    told.found(named())
    told.ended()
    later = Told(tmp_path, clock, webhook(hook))
    later.found(named(), minute=12)
    later.sent()
    assert hook.events == [("inc-1", "opened")]


@pytest.mark.parametrize(
    "trouble",
    [
        answer(500, b"broken"),
        answer(503),
        answer(408),
        answer(429),
        answer(404),
        answer(401),
        answer(302, Location="http://127.0.0.1:9/elsewhere"),
        reset,
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(b"HTTP/1.1 2"),
        raw(b"HTTP/1.1 99999 What\r\n\r\n"),
    ],
)
def test_whatever_goes_wrong_the_same_message_comes_again(told, hook, clock, trouble):
    hook.answers = [trouble, trouble]
    told.found(incident())
    for _ in range(3):
        told.sent()
        clock.passes(5)
    told.sent()
    assert len(hook.got) == 3
    assert len({one.body for one in hook.got}) == 1
    assert hook.got[2].path == "/hook/s3cr3t-path", "no redirect is followed"


def test_a_status_counts_although_the_body_lies(told, hook, clock):
    hook.answers = [raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nno")]
    told.found(incident())
    told.sent()
    clock.passes(600)
    told.sent()
    assert len(hook.got) == 1


def test_pauses_double_up_to_five_minutes_less_up_to_half_by_chance(tmp_path, hook, clock):
    told = Told(tmp_path, clock, webhook(hook))
    told.couriers[0]._chance = lambda: 0.0
    hook.answers = [answer(500)] * 12
    told.found(incident())
    tried = []
    while len(hook.got) < 13:
        count = len(hook.got)
        told.sent()
        if len(hook.got) > count:
            tried.append(clock.now)
        clock.passes(1)
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    told.couriers[0]._chance = lambda: 1.0
    hook.answers = [answer(500)]
    told.found(incident(closed=11), minute=11)
    told.sent()
    clock.passes(0.5)
    told.sent()
    assert hook.events[-1] == ("inc-1", "resolved")


def test_retry_after_is_kept_to_in_seconds_and_as_a_date(told, hook, clock):
    hook.answers = [answer(429, Retry_After="100"), answer(503, Retry_After="Fri, 15 Jan 2027 08:05:00 GMT")]
    told.found(incident())
    told.sent()
    for seconds, came in ((99, 1), (2, 2), (198, 2), (2, 3)):
        clock.passes(seconds)
        told.sent()
        assert len(hook.got) == came, clock.now


def test_a_retry_after_of_a_year_is_an_hour_and_nonsense_is_none(told, hook, clock):
    hook.answers = [answer(429, Retry_After="31536000"), answer(429, Retry_After="soon")]
    told.found(incident())
    for seconds, came in ((0, 1), (3599, 1), (2, 2), (5, 3)):
        clock.passes(seconds)
        told.sent()
        assert len(hook.got) == came


def test_a_message_that_was_taken_is_not_sent_again_whatever_stands_beside_that(told, hook, clock):
    hook.answers = [answer(200, Retry_After=f"Fri, 15 Jan 2027 08:05:00 +{'9' * 14}")]
    told.found(incident())
    told.sent()
    clock.passes(600)
    told.sent()
    assert len(hook.got) == 1


def test_a_message_that_is_refused_holds_up_no_other(told, hook, clock):
    hook.answers = [answer(400, b"I do not like this one")]
    told.found(incident("inc-1"), incident("inc-2"))
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-2", "opened")]
    clock.passes(1)
    told.sent()
    assert hook.events[2:] == [("inc-1", "opened")]


def test_a_receiver_that_is_down_gets_the_newest_state_only(told, hook, clock):
    hook.answers = [answer(500)]
    told.found(incident())
    told.sent()
    told.found(named(), minute=11)
    told.found(named(closed=80), minute=80)
    clock.passes(60)
    told.sent()
    assert [(event, one["sequence"]) for (_, event), one in zip(hook.events, hook.documents, strict=True)] == [
        ("opened", 1),
        ("resolved", 3),
    ]


@pytest.mark.parametrize("trouble", [answer(503), answer(404)], ids=["down", "refused"])
def test_a_clock_that_is_set_back_holds_up_nothing(told, hook, clock, trouble):
    """As of a machine that starts with a wrong one, and without a network that could tell it or take an alert."""
    hook.answers = [trouble] * 4
    told.found(incident("inc-1"), incident("inc-2"))
    for _ in range(2):
        told.sent()
        clock.passes(5)
    clock.passes(-7200)
    hook.answers = []
    told.sent()
    assert sorted(hook.events[-2:]) == [("inc-1", "opened"), ("inc-2", "opened")]
    told.found(incident("inc-1", hit=30), incident("inc-2"), minute=11)
    told.sent()
    assert hook.events[-1] == ("inc-1", "updated")
    count = len(hook.got)
    hook.answers = [answer(500)]
    told.found(incident("inc-1", closed=12), incident("inc-2"), minute=12)
    for seconds, came in ((0, 1), (0, 1), (5, 2)):
        clock.passes(seconds)
        told.sent()
        assert len(hook.got) == count + came, "the pauses are as ever"


def test_one_that_is_down_does_not_concern_the_others(tmp_path, hooks, clock):
    down, fine = hooks(), hooks()
    down.answers = [reset] * 10
    told = Told(tmp_path, clock, webhook(down, "down"), webhook(fine, "fine"))
    told.found(incident())
    told.sent()
    told.found(named(), minute=11)
    told.sent()
    assert fine.events == [("inc-1", "opened"), ("inc-1", "updated")]
    stands = {one["name"]: one for one in told.alerting.outbox.receivers(clock())}
    assert (stands["fine"]["waiting"], stands["down"]["waiting"]) == (0, 1)
    assert stands["fine"]["delivered_at"] == clock()
    assert stands["down"]["error"]


def test_a_newer_message_that_comes_while_one_is_sent_waits_on(told, hook):
    def meanwhile(handler) -> None:
        told.found(named(), minute=11)
        answer(200)(handler)

    hook.answers = [meanwhile]
    told.found(incident())
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-1", "updated")]


def test_what_was_over_before_alerts_were_configured_is_not_told_and_what_ended_unseen_later_is(tmp_path, hook, clock):
    told = Told(tmp_path, clock, webhook(hook))
    told.found(incident("inc-old", closed=5), incident("inc-now"), minute=10)
    told.ended()
    later = Told(tmp_path, clock, webhook(hook))
    past = incident("inc-old", closed=5)
    later.found(past, incident("inc-now"), incident("inc-missed", closed=30), minute=40)
    later.sent()
    assert hook.events == [("inc-now", "opened"), ("inc-missed", "resolved")]


def test_an_incident_that_late_records_undo_is_taken_back(told, hook):
    told.found(named())
    told.found(minute=11)
    told.found(minute=12)
    told.sent()
    (document,) = hook.documents
    assert (document["event"], document["state"], document["ends_at"]) == ("resolved", "resolved", told_at(11))
    assert document["summary"] == "Taken back after records that came late: 3 hosts crashed."
    assert document["update_id"] == "content-7"


@pytest.mark.parametrize("damage", ["{", "[]", '{"named": []}', "", None])
def test_a_kept_alert_that_cannot_be_read_is_told_again_and_stops_no_other(told, hook, damage):
    told.found(named(), named("content-8", incident_id="inc-2"))
    told.sent()
    with told.alerting.outbox.transaction() as file:
        good = file.execute("SELECT told FROM alert WHERE key = 'inc-1'").fetchone()["told"]
        broken = good.replace('"hosts_hit": 3', '"hosts_hit": "3"') if damage is None else damage
        file.execute("UPDATE alert SET told = ?", (broken,))
        file.execute("UPDATE message SET body = '{}' WHERE alert = 'inc-2'")
    told.found(named(), incident("inc-3"), minute=11)
    told.sent()
    assert hook.events[2:] == [("inc-1", "updated"), ("inc-3", "opened"), ("inc-2", "resolved")]
    assert hook.documents[-1]["summary"] == "Taken back after records that came late."
    told.found(named(), incident("inc-3"), minute=12)
    told.sent()
    assert len(hook.events) == 5


def told_at(minute: int) -> str:
    return f"2027-01-15T08:{minute:02}:00Z"


def test_what_an_older_document_says_is_not_told(told, hook):
    """A monitor that takes over may have looked before the one that it follows."""
    told.found(named(closed=20), minute=20)
    told.found(incident(), minute=19)
    told.sent()
    assert hook.events == []


def test_what_rests_on_records_that_are_gone_holds_nothing_up(told, hook):
    """A host whose clock was ahead was forgotten since."""
    told.found(minute=500)
    told.found(incident(), minute=20, newest=490)
    told.sent()
    assert hook.events == [], "the record may be on its way"
    told.found(incident(), minute=20, newest=20)
    told.sent()
    assert hook.events == [("inc-1", "opened")]


def test_a_receiver_that_is_added_learns_what_stands_and_one_that_is_gone_waits_for_nothing(tmp_path, hooks, clock):
    first, second = hooks(), hooks()
    told = Told(tmp_path, clock, webhook(first, "first"))
    told.found(incident("inc-1"), incident("inc-2", closed=9))
    told.ended()
    told = Told(tmp_path, clock, webhook(second, "second"))
    told.found(incident("inc-1"), incident("inc-2", closed=9), minute=11)
    told.sent()
    assert second.events == [("inc-1", "opened")]
    assert [one["name"] for one in told.alerting.outbox.receivers(clock())] == ["second"]


@pytest.mark.parametrize("fails", [0, 1], ids=["had heard", "had not heard"])
def test_what_another_monitor_told_others_is_told_to_a_receiver_that_is_back(tmp_path, hooks, clock, fails):
    first, second = hooks(), hooks()
    first.answers = [answer(500)] * fails
    told = Told(tmp_path, clock, webhook(first, "first"))
    told.found(incident("inc-1"), incident("inc-2"), incident("inc-3"))
    told.sent()
    told.ended()
    clock.passes(600)
    told = Told(tmp_path, clock, webhook(second, "second"))
    told.found(named(incident_id="inc-1"), incident("inc-2", closed=19), incident("inc-3"), minute=20)
    told.sent()
    assert [one["name"] for one in told.alerting.outbox.receivers(clock())] == ["second"]
    assert {one["receiver"] for one in told.alerting.outbox.deliveries(clock())} == {"second"}
    told.ended()
    clock.passes(outboxes.GONE_KEPT_S - 1)
    told = Told(tmp_path, clock, webhook(first, "first"))
    told.found(named(incident_id="inc-1"), incident("inc-2", closed=19), incident("inc-3"), minute=21)
    told.sent()
    heard = [(one["alert"], one["sequence"], one["state"]) for one in first.documents[fails:]]
    began = [("inc-1", 1, "open"), ("inc-2", 1, "open"), ("inc-3", 1, "open")]
    changes = [("inc-1", 2, "open"), ("inc-2", 2, "resolved")]
    assert heard == ([*began, *changes] if not fails else [began[2], *changes])


def test_what_a_receiver_lacks_that_is_gone_for_a_day_is_forgotten(tmp_path, hooks, clock):
    first, second = hooks(), hooks()
    told = Told(tmp_path, clock, webhook(first, "first"))
    told.found(incident("inc-1"), incident("inc-2"))
    told.ended()
    told = Told(tmp_path, clock, webhook(second, "second"))
    told.found(incident("inc-1"), incident("inc-2", closed=11), minute=11)
    clock.passes(outboxes.GONE_KEPT_S)
    told.found(incident("inc-1", hit=100), incident("inc-2", closed=11), minute=12)
    rows = told.alerting.outbox.rows
    assert rows("SELECT name FROM receiver") == [{"name": "second"}]
    assert {one["receiver"] for one in rows("SELECT receiver FROM delivery")} == {"second"}
    told.ended()
    told = Told(tmp_path, clock, webhook(first, "first"))
    told.found(incident("inc-1", hit=100), incident("inc-2", closed=11), minute=13)
    told.sent()
    assert first.events == [("inc-1", "updated")], "what is open, and no more"


def test_the_outbox_of_an_earlier_version_is_brought_up_to_date(told, tmp_path, hook, clock):
    hook.answers = [answer(500)]
    told.found(incident())
    told.sent()
    with told.alerting.outbox.transaction() as file:
        file.execute("DROP VIEW receiver_now")
        file.execute(
            "CREATE VIEW receiver_now AS SELECT name, delivered_at, error, error_at, 0 AS waiting FROM receiver"
        )
        file.execute("ALTER TABLE receiver DROP COLUMN gone_at")
        file.execute("ALTER TABLE delivery DROP COLUMN waiting_since")
    told.ended()
    clock.passes(5)
    later = Told(tmp_path, clock, webhook(hook))
    later.found(incident(), minute=11)
    assert [(one.name, one.waiting) for one in receivers(tmp_path) or ()] == [("oncall", 1)]
    later.sent()
    assert hook.events == [("inc-1", "opened")] * 2
    later.ended()
    Told(tmp_path, clock, webhook(hook, "chat")).found(incident(), minute=12)
    assert [one.name for one in receivers(tmp_path) or ()] == ["chat"], "the pages know nothing of who is gone"


def test_the_signature_is_that_of_a_few_other_lines(tmp_path, hook, clock):
    told = Told(tmp_path, clock, webhook(hook, secret=b"a shared secret"))
    told.found(incident())
    told.sent()
    got = hook.got[0]
    stamp = got.headers["X-Fleetcrash-Timestamp"]
    wanted = hmac.digest(b"a shared secret", f"{stamp}.".encode() + got.body, hashlib.sha256).hex()
    assert got.headers["X-Fleetcrash-Signature"] == f"sha256={wanted}"
    assert float(stamp) == clock()
    assert got.headers["X-Fleetcrash-Message-Id"] == json.loads(got.body)["message_id"]


def test_at_most_so_many_wait_and_those_that_are_over_go_first(tmp_path, hook, clock, monkeypatch):
    monkeypatch.setattr(outboxes, "MOST_WAITING", 3)
    told = Told(tmp_path, clock, webhook(hook))
    told.found(incident("inc-1"), incident("inc-2"), incident("inc-3"))
    told.found(incident("inc-1"), incident("inc-2", closed=11), incident("inc-3"), incident("inc-4"), minute=11)
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-3", "opened"), ("inc-4", "opened")]
    statuses = {one["alert"]: one["status"] for one in told.alerting.outbox.deliveries(clock())}
    assert statuses["inc-2"] == "given up"


def test_what_is_over_for_long_is_forgotten_and_not_told_anew(told, hook, clock):
    told.found(incident(closed=11), incident("inc-2"), minute=10)
    told.found(incident("inc-1"), incident("inc-2"), minute=11)
    told.found(incident(closed=12), incident("inc-2"), minute=12)
    told.sent()
    clock.passes(outboxes.KEPT_S + 1)
    told.found(incident(closed=12), incident("inc-2", closed=13), minute=13)
    told.found(incident(closed=12), incident("inc-2", closed=13), minute=14)
    told.sent()
    assert list(told.alerting.outbox.alerts()) == ["inc-2"]
    assert hook.events == [("inc-2", "opened"), ("inc-1", "resolved"), ("inc-2", "resolved")]
    assert {one["alert"] for one in told.alerting.outbox.rows("SELECT alert FROM message")} == {"inc-2"}
