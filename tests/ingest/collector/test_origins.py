"""Pages of other origins: those that are named may send Sentry's envelopes and read the answer, at no other door."""

from __future__ import annotations

import pytest

import cli
from fleetcrash.errors import BadArgument
from ingest.collector.origins import origins_of
from ingest.collector.tokens import Tokens
from tests.ingest.collector.conftest import Answered, Client, crash_ids, serving
from tests.ingest.collector.doors.test_sentry import EVENT, of_event
from tests.ingest.conftest import NOW, line

APP = "https://app.example.com"
ALLOWED = "access-control-allow-origin"
ENVELOPE = "/api/1/envelope/"


def asks(client: Client, origin: str | None, path: str = ENVELOPE) -> Answered:
    asked = {"Access-Control-Request-Method": "POST", **({} if origin is None else {"Origin": origin})}
    return client.ask("OPTIONS", path, None, asked)


def sends(client: Client, origin: str, body: bytes | None = None, **headers: str) -> Answered:
    envelope = bytes(of_event(EVENT)) if body is None else body
    return client.post(envelope, ENVELOPE, Content_Type="text/plain;charset=UTF-8", Origin=origin, **headers)


def test_a_page_of_an_origin_that_is_named_may_ask_send_and_read_errors(lake):
    token = Tokens(lake.root).add("page", now=NOW)
    with serving(lake, origins=origins_of([APP, "http://localhost:3000"])) as client:
        asked = asks(client, APP)
        assert (asked.status, asked.headers[ALLOWED], asked.headers["vary"]) == (204, APP, "Origin")
        assert asked.headers["access-control-allow-methods"] == "POST"
        assert "X-Sentry-Auth" in asked.headers["access-control-allow-headers"]
        sent = sends(client, APP, X_Sentry_Auth=f"Sentry sentry_key={token}")
        assert (sent.status, sent.headers[ALLOWED]) == (200, APP)
        refused = sends(client, APP)
        assert (refused.status, refused.headers[ALLOWED]) == (401, APP)
        assert refused.headers["access-control-expose-headers"] == "Retry-After"
    assert len(crash_ids(lake)) == 1


@pytest.mark.variants
@pytest.mark.parametrize("origin", ["https://evil.example.com", "https://app.example.com.evil", "null", APP + ":8443"])
def test_a_page_of_another_origin_may_neither_ask_nor_read(lake, origin):
    with serving(lake, origins=origins_of([APP])) as client:
        asked = asks(client, origin)
        assert (asked.status, asked.code) == (403, "origin_not_allowed")
        assert ALLOWED not in asked.headers
        sent = sends(client, origin)
        assert ALLOWED not in sent.headers
        assert sent.headers["vary"] == "Origin", "or a cache would give one page's answer to another"
        assert asks(client, None).status == 403


def test_every_origin_is_told_its_own_name_where_all_may(lake):
    with serving(lake, origins=origins_of(["*"])) as client:
        assert asks(client, "null").headers[ALLOWED] == "null"
        assert "access-control-allow-credentials" not in asks(client, APP).headers


def test_no_other_door_and_by_default_no_door_at_all(lake):
    with serving(lake, origins=origins_of([APP])) as client:
        answer = client.post(line("crash"), Origin=APP)
        assert answer.status == 202
        assert ALLOWED not in answer.headers
        assert asks(client, APP, "/v1/records").status == 405
    with serving(lake) as client:
        assert asks(client, APP).status == 405
        assert ALLOWED not in sends(client, APP).headers


@pytest.mark.parametrize("said", ["app.example.com", "https://app.example.com/", "https://", "https://a b", "null"])
def test_what_is_no_origin_starts_nothing(tmp_path, capsys, said):
    with pytest.raises(BadArgument, match="is no origin"):
        origins_of([APP, said])
    assert cli.main(["serve", "--lake", str(tmp_path / "lake"), "--port", "0", "--origin", said]) == 2
    assert "is no origin" in capsys.readouterr().err


def test_origins_are_compared_as_browsers_write_them():
    assert origins_of(["HTTPS://App.Example.com", "capacitor://localhost", "http://[::1]:3000"]) == {
        APP, "capacitor://localhost", "http://[::1]:3000"
    }  # fmt: skip
