"""The commands on alerts and silences, on a lake with an outbox."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cli import main
from fleetcrash.store import Lake
from monitor.alerts import silences
from monitor.alerts.message import Event, compose, other_content
from monitor.alerts.outbox import Outbox


@pytest.fixture
def lake(tmp_path) -> str:
    root = tmp_path / "lake"
    Lake.create(root)
    return str(root)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """An address that takes what is posted, but to /no."""
    got: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(404 if self.path == "/no" else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", got
        server.shutdown()
        serving.join()


def receivers(tmp_path, **addresses: str) -> str:
    path = tmp_path / "who.toml"
    path.write_text("".join(f"[receivers.{name}]\ntype='webhook'\nurl='{one}'\n" for name, one in addresses.items()))
    return str(path)


def test_a_test_alert_says_who_has_it_and_who_has_not(tmp_path, hook, capsys):
    address, got = hook
    both = receivers(tmp_path, fine=f"{address}/yes", wrong=f"{address}/no")
    assert main(["alert", "test", "--alerts", both]) == 1
    assert capsys.readouterr().out == "fine: delivered\nwrong: not delivered: HTTP 404\n"
    said = json.loads(got[0])
    assert (said["event"], said["kind"], said["alert"].startswith("test-")) == ("test", "test", True)
    assert main(["alert", "test", "--alerts", receivers(tmp_path, fine=address), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "receivers": [{"receiver": "fine", "delivered": True, "reason": None}],
    }


def test_a_test_needs_somebody_to_tell(tmp_path, lake, capsys):
    assert main(["alert", "test", "--lake", lake]) == 2
    assert capsys.readouterr().err.startswith(f"fleetcrash: Nobody is told: there is no {lake}/alerts.toml.")
    assert main(["alert", "test", "--alerts", str(tmp_path / "nope")]) == 2
    assert "cannot be read: No such file or directory" in capsys.readouterr().err


def test_the_list_says_what_was_sent_what_waits_and_why(lake, capsys):
    assert main(["alert", "list", "--lake", lake]) == 0
    assert "Nobody is told" in capsys.readouterr().out
    assert main(["silence", "list", "--lake", lake]) == 0
    assert capsys.readouterr().out == "No silence holds.\n"
    assert not (Path(lake) / "_alerts").exists(), "who looks leaves nothing behind"
    with Outbox(Lake.open(lake).root) as outbox:
        outbox.open_to(["chat", "oncall"], now=1.8e9)
        content = other_content("dead_man", starts_at=1.8e9, ends_at=None, summary="No record has come.")
        message = compose("dead-man-records", 1, Event.OPENED, content, changed=[])
        kept = outbox.tell("dead_man", message, "", receivers=["chat", "oncall"], now=1.8e9)
        outbox.delivered("oncall", kept, 1.8e9 + 1)
        outbox.refused("chat", kept, "HTTP 404", now=1.8e9 + 1, next_at=1.8e9 + 60)
    assert main(["alert", "list", "--lake", lake]) == 0
    assert capsys.readouterr().out == (
        "chat: last delivered never; 1 wait, 0 silenced; HTTP 404 (2027-01-15T08:00:01Z)\n"
        "oncall: last delivered 2027-01-15T08:00:01Z; 0 wait, 0 silenced\n"
        "\n2027-01-15T08:00:00Z  dead-man-records opened, to chat: waiting: HTTP 404\n  No record has come.\n"
        "\n2027-01-15T08:00:00Z  dead-man-records opened, to oncall: delivered\n  No record has come.\n"
    )
    assert main(["alert", "list", "--lake", lake, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["receivers"][0] == {
        "name": "chat",
        "delivered_at": None,
        "waiting": 1,
        "silenced": 0,
        "oldest_at": "2027-01-15T08:00:00Z",
        "error": "HTTP 404",
        "error_at": "2027-01-15T08:00:01Z",
    }
    assert [(one["receiver"], one["status"], one["tries"]) for one in found["alerts"]] == [
        ("chat", "waiting", 1),
        ("oncall", "delivered", 0),
    ]


def test_a_silence_is_added_listed_ended_and_stays_on_record(lake, capsys):
    assert main(["silence", "list", "--lake", lake]) == 0
    assert capsys.readouterr().out == "No silence holds.\n"
    command = ["silence", "add", "--lake", lake, "--for", "2h", "--update", "content-7", "--reason", "rolled back"]
    assert main([*command, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["silence_id"], made["scope"], made["name"], made["reason"]) == (
        1,
        "update",
        "content-7",
        "rolled back",
    )
    with Outbox(Lake.open(lake).root) as outbox:
        (kept,) = silences.listed(outbox)
    assert kept.ends_at - kept.made_at == 7200
    assert abs(kept.made_at - time.time()) < 60
    assert main(["silence", "list", "--lake", lake]) == 0
    assert capsys.readouterr().out.startswith("1  update content-7  until ")
    assert main(["silence", "end", "1", "--lake", lake]) == 0
    assert "  ended " in capsys.readouterr().out
    assert main(["silence", "list", "--lake", lake]) == 0
    assert capsys.readouterr().out == "No silence holds.\n"
    assert main(["silence", "list", "--lake", lake, "--ended", "--json"]) == 0
    (ended,) = json.loads(capsys.readouterr().out)["silences"]
    assert (ended["active"], ended["ended_by"]) == (False, made["made_by"])
    assert main(["silence", "end", "1", "--lake", lake]) == 2
    assert "Silence 1 is over already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--for", "2h", "--reason", "x"], "Silence what? Nothing was silenced."),
        (["all", "--for", "91d", "--reason", "x"], "90 days at most"),
        (["all", "--for", "1h", "--reason", ""], "takes a reason"),
        (
            ["all", "--for", "2", "--reason", "x"],
            "'2' is no time; wanted a whole number from 1 of s, m, h or d, such as 30m",
        ),
        (["all", "--for", "0h", "--reason", "x"], "'0h' is no time"),
        (["all", "--for", "1h", "--update", "u", "--reason", "x"], "not allowed with"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(lake, capsys, arguments, said):
    with suppress(SystemExit):  # so ends argparse, with the same status
        assert main(["silence", "add", "--lake", lake, *arguments]) == 2
    assert said in capsys.readouterr().err
    with Outbox(Lake.open(lake).root) as outbox:
        assert silences.listed(outbox) == []


def test_serve_refuses_a_file_that_it_cannot_use_before_it_starts_anything(lake, tmp_path, capsys):
    (tmp_path / "bad.toml").write_text("[receivers.x]\ntype='webhook'\n")
    assert main(["serve", "--lake", lake, "--port", "0", "--alerts", str(tmp_path / "bad.toml")]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.endswith("[receivers.x] has no url, url_env or url_file; wanted one of them. Nothing was started.\n")
