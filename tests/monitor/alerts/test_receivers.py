"""What each protocol is told, and what never leaks."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from monitor.alerts import silences
from monitor.alerts.message import Event, compose, incident_content, other_content
from monitor.alerts.posting import NoAnswer, request
from monitor.alerts.receivers import Alertmanager, Apprise, Endpoint, Outcome, Result, Webhook, scrubbed
from monitor.alerts.silences import Scope
from tests.monitor.alerts.conftest import PATIENCE_S, START, Told, answer, at, incident, named, raw

NOTE = compose("test", 1, Event.TEST, other_content("test", starts_at=START, ends_at=None, summary="It works."),
               changed=[])  # fmt: skip


def opened(**changed):
    content = incident_content(named(**changed), as_of=at(10), dashboard="https://fleet.example")
    return compose("inc-1", 1, Event.OPENED, content, changed=[])


def test_alertmanager_gets_stable_labels_and_an_end_that_lies_ahead(hook):
    one = Alertmanager("am", Endpoint(hook.address), {"team": "endpoint"})
    assert one.send(opened(condition={"os_type": "windows"}), START + 600) == Outcome(Result.DELIVERED)
    assert hook.documents == [
        [
            {
                "labels": {"alertname": "FleetcrashIncident", "incident_id": "inc-1", "team": "endpoint"},
                "annotations": {
                    "summary": "3 hosts crashed.",
                    "verdict": "update",
                    "update_id": "content-7",
                    "condition": '{"os_type": "windows"}',
                    "impact": '{"exposed": 100, "crashed": 3}',
                },
                "startsAt": at(0),
                "endsAt": at(15),
                "generatorURL": "https://fleet.example/incident?id=inc-1",
            }
        ]
    ]


def test_a_fleet_whose_clock_is_ahead_does_not_start_an_alert_in_the_future(hook):
    told = Alertmanager("am", Endpoint(hook.address)).alert(opened(), START - 3600)
    assert told["startsAt"] < told["endsAt"]


def test_alertmanager_is_told_again_at_once_when_the_clock_was_set_back(tmp_path, hook, clock):
    told = Told(tmp_path, clock, Alertmanager("am", Endpoint(hook.address)))
    told.found(incident())
    told.sent()
    clock.passes(-7200)
    for _ in range(2):
        told.sent()
    assert len(hook.got) == 2, "it may have forgotten, and is told once"


def test_alertmanager_is_told_again_within_its_resolve_timeout_until_it_is_over(tmp_path, hook, clock):
    told = Told(tmp_path, clock, Alertmanager("am", Endpoint(hook.address)))
    told.found(incident())
    ends = []
    for _ in range(300 // 20):
        told.sent()
        clock.passes(20)
    ends = [one[0]["endsAt"] for one in hook.documents]
    assert len(ends) == 5
    assert ends == sorted(set(ends)), "each stands longer than the one before"
    told.found(incident(closed=70), minute=70)
    told.sent()
    clock.passes(3600)
    told.sent()
    assert len(hook.got) == 6
    assert hook.documents[-1][0]["endsAt"] == at(5), "over as of now, by our clock"


def test_a_repeat_survives_that_alertmanager_was_away(tmp_path, hook, clock):
    told = Told(tmp_path, clock, Alertmanager("am", Endpoint(hook.address)))
    told.found(incident())
    told.sent()
    hook.answers = [answer(503)]
    clock.passes(61)
    told.sent()
    clock.passes(2)
    told.sent()
    assert len(hook.got) == 3


@pytest.mark.parametrize("newer_waits", [False, True])
def test_a_repeat_that_is_refused_waits_longer_each_time(tmp_path, hook, clock, newer_waits):
    told = Told(tmp_path, clock, Alertmanager("am", Endpoint(hook.address)))
    told.couriers[0]._chance = lambda: 0.0
    told.found(incident())
    told.sent()
    if newer_waits:
        silences.add(told.alerting.outbox, Scope.ALL, "", for_s=3600, reason="planned", by="ann", now=clock())
        told.found(named(), minute=11)
    hook.answers = [answer(400)] * 3
    clock.passes(61)
    for seconds, came in ((0, 2), (0.9, 2), (0.2, 3), (1.8, 3), (0.3, 4), (3.8, 4), (0.3, 5), (59, 5), (2, 6)):
        clock.passes(seconds)
        told.sent()
        assert len(hook.got) == came, clock.now


@pytest.mark.slow
def test_a_whole_request_has_one_deadline_however_it_drips():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        ended = threading.Event()

        def drip() -> None:
            line, _ = listener.accept()
            with line:
                while not ended.wait(0.02):
                    try:
                        line.sendall(b"X")
                    except OSError:
                        return

        dripping = threading.Thread(target=drip)
        dripping.start()
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=r"no answer within 2 s"):
            request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", body=b"{}", timeout_s=2.0)
        assert time.monotonic() - began < 10
        ended.set()
        dripping.join()


@pytest.mark.parametrize("timer_comes", [True, False], ids=["timer first", "socket's limit first"])
def test_one_that_never_answers_is_given_up(timer_comes, monkeypatch):
    if not timer_comes:
        monkeypatch.setattr("monitor.alerts.posting._CuttableSocket.cut", lambda _line: None)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(NoAnswer, match=r"no answer within 1 s"):
            request("POST", address, body=b"{}", timeout_s=1.0)


def test_one_that_lets_nobody_in_is_given_up():
    with ExitStack() as lines:
        listener = lines.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        for _ in range(2):  # its queue is full: Linux takes one more than it was told
            waiting = lines.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        with pytest.raises(NoAnswer, match=r"no connection within 0\.5 s"):
            request("POST", f"http://127.0.0.1:{listener.getsockname()[1]}/", body=b"{}", timeout_s=0.5)


def test_a_resolver_that_does_not_answer_is_given_up_and_what_it_says_later_is_closed(hook, monkeypatch):
    may_answer, connected = threading.Event(), []
    look_up, create = socket.getaddrinfo, socket.create_connection

    def slowly(*of, **how):
        assert may_answer.wait(PATIENCE_S)
        return look_up(*of, **how)

    def connect(*of, **how):
        connected.append(create(*of, **how))
        return connected[-1]

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(NoAnswer, match=r"no connection within 0\.1 s"):
        request("POST", f"http://localhost:{hook.port}/", body=b"{}", timeout_s=0.1)
    (connecting,) = (one for one in threading.enumerate() if one.name == "fleetcrash-connecting")
    may_answer.set()
    connecting.join(PATIENCE_S)
    assert [one.fileno() for one in connected] == [-1]
    assert hook.got == []


def test_nobody_there_is_said_in_words():
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NoAnswer, match="Connection refused"):
        request("GET", f"http://127.0.0.1:{port}/")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that nobody vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "3650"]
    made += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(made, check=True, capture_output=True)
    return folder


def test_certificates_are_verified(hook, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    hook.server.socket = context.wrap_socket(hook.server.socket, server_side=True)
    own = str(certificate / "cert.pem")
    strange = Webhook("x", Endpoint(f"https://localhost:{hook.port}/")).send(NOTE, START)
    assert strange == Outcome(Result.DOWN, "its certificate is not valid: self-signed certificate")
    other = Webhook("x", Endpoint(f"https://127.0.0.1:{hook.port}/", ca_file=own)).send(NOTE, START)
    assert other.result is Result.DOWN
    assert "IP address mismatch" in other.reason
    assert hook.got == []
    fine = Webhook("x", Endpoint(f"https://localhost:{hook.port}/", ca_file=own)).send(NOTE, START)
    assert fine == Outcome(Result.DELIVERED)


@pytest.mark.parametrize(
    "reply",
    [
        answer(500, b"no such hook s3cr3t-path, Bearer t0ps3cret-token, k3yk3yk3y"),
        answer(403, b"s3cr3t-path t0ps3cret-token k3yk3yk3y"),
        answer(302, Location="https://elsewhere.example/s3cr3t-path"),
        raw(b"s3cr3t-path t0ps3cret-token k3yk3yk3y\r\n\r\n"),
    ],
)
def test_no_secret_is_in_a_reason_a_log_or_a_repr(tmp_path, hook, clock, caplog, reply):
    one = Webhook("oncall", Endpoint(hook.address, "Bearer t0ps3cret-token"), b"k3yk3yk3y")
    hook.answers = [reply]
    told = Told(tmp_path, clock, one)
    with caplog.at_level(logging.DEBUG):
        told.found(incident())
        told.sent()
    said = caplog.text + repr(one) + json.dumps(told.alerting.outbox.receivers(clock()))
    said += json.dumps(told.alerting.outbox.deliveries(clock()))
    assert "not delivered to oncall" in caplog.text
    for secret in ("s3cr3t", "t0ps3cret", "k3yk3y"):
        assert secret not in said
    assert hook.got[0].headers["Authorization"] == "Bearer t0ps3cret-token"
    assert b"k3yk3y" not in hook.got[0].body + json.dumps(hook.got[0].headers).encode()


def test_apprise_delivers_to_a_chat(hook):
    one = Apprise("chat", f"json://127.0.0.1:{hook.port}/s3cr3t-path/?overflow=split")
    assert one.send(opened(), START) == Outcome(Result.DELIVERED)
    (said,) = hook.documents
    assert said["title"] == "fleetcrash: inc-1 opened, content-7"
    assert said["message"] == "3 hosts crashed.\nhttps://fleet.example/incident?id=inc-1"
    assert said["type"] == "failure"


def test_apprise_says_why_it_could_not_without_its_address(hook, caplog):
    one = Apprise("chat", f"json://user:p4ssw0rd@127.0.0.1:{hook.port}/s3cr3t-path/")
    hook.answers = [answer(302, Location=f"http://127.0.0.1:{hook.port}/elsewhere")]
    with caplog.at_level(logging.INFO):  # as the front door has it
        refused = one.send(NOTE, START)
    assert refused.result is Result.DOWN
    assert "302" in refused.reason
    assert len(hook.got) == 1, "no redirect is followed"
    for secret in ("s3cr3t", "p4ssw0rd"):
        assert secret not in refused.reason + caplog.text + repr(one)


def test_of_two_that_fail_at_once_through_apprise_each_says_its_own_reason(hook):
    one, other = (Apprise(name, f"json://127.0.0.1:{hook.port}/{name}/") for name in ("one", "other"))
    other_failed = threading.Event()

    def act(handler):
        assert other_failed.wait(PATIENCE_S)
        answer(404)(handler)

    hook.answers = [act, answer(500)]
    with ThreadPoolExecutor(1) as sender:
        first = sender.submit(one.send, NOTE, START)
        hook.wait_for(1)
        second = other.send(NOTE, START)
        other_failed.set()
        said = first.result(PATIENCE_S)
    assert ["404" in said.reason, "500" in said.reason] == [True, False]
    assert ["404" in second.reason, "500" in second.reason] == [False, True]


def test_parts_of_addresses_are_taken_out_and_short_words_stay():
    text = "POST to hooks.example/T0000/B1111111 failed for user"
    assert scrubbed(text, ("https://hooks.example/T0000/B1111111",)) == "POST to ***/T0000/*** failed for user"
