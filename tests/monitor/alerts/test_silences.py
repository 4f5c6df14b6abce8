"""Silences: what is kept back, what is said all the same, and what comes when they end."""

from __future__ import annotations

import pytest

from fleetcrash.errors import BadArgument, UnknownName
from monitor.alerts import silences
from monitor.alerts.silences import Scope
from tests.monitor.alerts.conftest import Told, answer, incident, named, webhook


@pytest.fixture
def told(tmp_path, clock, hook) -> Told:
    return Told(tmp_path, clock, webhook(hook))


def silence(told: Told, scope: Scope = Scope.ALL, name: str = "", *, for_s: float = 3600.0) -> int:
    made = silences.add(
        told.alerting.outbox, scope, name, for_s=for_s, reason="planned", by="ann", now=told.alerting._clock()
    )
    return made.number


def statuses(told: Told) -> dict[str, str]:
    return {one["alert"]: one["status"] for one in told.alerting.outbox.deliveries(told.alerting._clock())}


def test_what_is_silenced_is_kept_and_its_newest_state_sent_when_the_silence_is_over(told, hook, clock):
    silence(told)
    told.found(incident())
    told.found(named(), minute=11)
    told.sent()
    assert hook.events == []
    assert statuses(told) == {"inc-1": "silenced"}
    clock.passes(3601)
    told.sent()
    assert hook.events == [("inc-1", "updated")]
    assert statuses(told) == {"inc-1": "delivered"}


def test_a_silence_that_is_ended_early_ends_at_once(told, hook, clock):
    number = silence(told)
    told.found(incident())
    told.sent()
    silences.end(told.alerting.outbox, number, by="bob", now=clock() + 1)
    clock.passes(2)
    told.sent()
    assert hook.events == [("inc-1", "opened")]
    (kept,) = silences.listed(told.alerting.outbox)
    assert (kept.made_by, kept.ended_by, kept.reason) == ("ann", "bob", "planned")


def test_one_that_is_over_before_the_silence_is_not_sent(told, hook, clock):
    silence(told)
    told.found(incident())
    told.sent()
    told.found(incident(closed=30), minute=30)
    told.sent()
    clock.passes(7200)
    told.sent()
    assert hook.events == []
    assert statuses(told) == {"inc-1": "silenced"}


def test_whoever_was_told_of_it_hears_of_its_end_in_spite_of_a_silence(told, hook):
    told.found(incident())
    told.sent()
    silence(told)
    told.found(named(), minute=11)
    told.sent()
    assert hook.events == [("inc-1", "opened")]
    told.found(named(closed=80), minute=80)
    told.sent()
    assert hook.events == [("inc-1", "opened"), ("inc-1", "resolved")]


def test_silences_of_an_update_and_of_an_incident_keep_back_no_other(told, hook):
    silence(told, Scope.UPDATE, "content-7")
    silence(told, Scope.INCIDENT, "inc-3")
    told.found(named("content-7"), named("content-8", incident_id="inc-2"), incident("inc-3"), incident("inc-4"))
    told.sent()
    assert hook.events == [("inc-2", "opened"), ("inc-4", "opened")]


def test_a_silence_does_not_wait_for_a_receiver_that_is_down(told, hook, clock):
    """Down first and silenced then: nothing is sent when it is back."""
    hook.answers = [answer(500)]
    told.found(incident())
    told.sent()
    silence(told)
    clock.passes(60)
    told.sent()
    assert len(hook.got) == 1


def test_it_takes_a_reason_and_an_end_and_a_number_that_holds(told, clock):
    outbox = told.alerting.outbox
    with pytest.raises(BadArgument, match="takes a reason"):
        silences.add(outbox, Scope.ALL, "", for_s=60, reason=" ", by="ann", now=clock())
    with pytest.raises(BadArgument, match="name of the update is empty"):
        silences.add(outbox, Scope.UPDATE, "", for_s=60, reason="x", by="ann", now=clock())
    with pytest.raises(BadArgument, match="90 days at most"):
        silences.add(outbox, Scope.ALL, "", for_s=91 * 86400, reason="x", by="ann", now=clock())
    with pytest.raises(UnknownName, match="There is no silence 7"):
        silences.end(outbox, 7, by="ann", now=clock())
    number = silence(told)
    with pytest.raises(UnknownName, match=f"Silence {number} is over already"):
        silences.end(outbox, number, by="ann", now=clock() + 7200)
