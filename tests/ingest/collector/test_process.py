"""The collector as a process: killed it loses nothing that it acknowledged, told to end it ends in order."""

from __future__ import annotations

import http.client
import itertools
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cli
from fleetcrash.store import Lake
from ingest.collector.tokens import Tokens
from tests.ingest.collector.conftest import PATIENCE_S, Client, crash_ids, crashes
from tests.ingest.conftest import NOW

ROOT = Path(cli.__file__).parent


@contextmanager
def process(lake: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """A collector that has said where it listens."""
    command = [sys.executable, "-m", "cli", "serve", "--lake", str(lake), "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        try:
            said = one.stdout.readline()
            assert said.startswith("Collector: http://127.0.0.1:"), one.stderr and one.stderr.read()
            yield one, Client(int(said.split("/")[2].split(":")[1]))
        finally:
            one.kill()


def test_told_to_end_it_commits_what_it_acknowledged_and_ends_well(tmp_path):
    with process(tmp_path / "lake", "--no-monitor") as (one, client):
        assert client.post(crashes(0, 5)).status == 202
        one.send_signal(signal.SIGTERM)
        assert one.wait(PATIENCE_S) == 0
        assert one.stderr is not None
        assert one.stderr.read() == ""
    assert crash_ids(Lake.open(tmp_path / "lake")) == [f"c{n}" for n in range(5)]


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged_and_doubles_nothing(tmp_path):
    """Senders count acknowledgements, and send again with its key what was not acknowledged."""
    acknowledged: list[str] = []
    pending: dict[str, bytes] = {}
    enough = threading.Event()

    def send(client: Client, sender: int) -> None:
        for number in itertools.count():
            name = f"{sender}-{number}"
            pending[name] = crashes(0, 3, prefix=f"{name}-")
            try:
                answer = client.post(pending[name], Idempotency_Key=name)
            except (OSError, http.client.HTTPException):
                return
            assert answer.status == 202
            acknowledged.append(name)
            del pending[name]
            if len(acknowledged) == 40:
                enough.set()

    with process(tmp_path / "lake", "--no-monitor") as (one, client):
        senders = [threading.Thread(target=send, args=(client, number)) for number in range(3)]
        for each in senders:
            each.start()
        assert enough.wait(PATIENCE_S)
        one.send_signal(signal.SIGKILL)
        for each in senders:
            each.join(PATIENCE_S)
    assert pending
    with process(tmp_path / "lake", "--no-monitor") as (one, client):
        for name, body in pending.items():
            assert client.post(body, Idempotency_Key=name).status == 202
        one.send_signal(signal.SIGTERM)
        assert one.wait(PATIENCE_S) == 0
    expected = sorted(f"{name}-{n}" for name in (*acknowledged, *pending) for n in range(3))
    assert len(acknowledged) >= 40
    assert crash_ids(Lake.open(tmp_path / "lake")) == expected


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "there is no token"),
        (["--host", "0.0.0.0", "--replay"], "127.0.0.1 only"),
        (["--tls-cert", "cert.pem"], "Add --tls-key FILE."),
        (["--tls-key", "key.pem"], "Add --tls-cert FILE."),
        (["--tls-cert", "none.pem", "--tls-key", "none.pem"], "no certificate"),
        (["--port", "0", "--alerts", "none.toml"], "none.toml"),
        (["--host", "no.such.host.invalid"], "there is no token"),
    ],
)
def test_what_it_cannot_listen_on_is_2_with_one_line_that_says_why_and_no_lake(tmp_path, capsys, options, says):
    assert cli.main(["serve", "--lake", str(tmp_path / "lake"), *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert said.err.count("\n") == 1
    assert "Nothing was started." in said.err
    assert not (tmp_path / "lake").exists()


def test_a_port_that_is_taken_starts_nothing_and_makes_no_lake(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert cli.main(["serve", "--lake", str(tmp_path / "lake"), "--port", port]) == 2
    assert "in use). Nothing was started. Choose another with --port " in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_a_monitor_that_is_refused_makes_no_lake(tmp_path, capsys):
    assert cli.main(["monitor", "--lake", str(tmp_path / "lake"), "--alerts", "none.toml"]) == 2
    assert "Nothing was started." in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()


def test_tokens_are_added_shown_once_listed_and_revoked(tmp_path, capsys):
    lake = ["--lake", str(tmp_path / "lake")]
    assert cli.main(["token", "add", "edge", *lake]) == 0
    token = capsys.readouterr().out.strip()
    tokens = Tokens(tmp_path / "lake")
    found = tokens.find(token, now=NOW)
    assert found is not None
    assert (found.name, found.scope, found.rate) == ("edge", "send", None)
    assert cli.main(["token", "add", "edge", *lake]) == 2
    assert "already" in capsys.readouterr().err
    assert cli.main(["token", "list", *lake]) == 0
    listed = capsys.readouterr().out
    assert listed.startswith("edge  since ")
    assert token not in listed
    assert cli.main(["token", "list", "--json", *lake]) == 0
    assert '"name": "edge"' in capsys.readouterr().out
    assert cli.main(["token", "revoke", "edge", *lake]) == 0
    assert "nobody may send" in capsys.readouterr().out
    assert tokens.find(token, now=NOW) is None
    assert cli.main(["token", "revoke", "edge", *lake]) == 2
    assert tokens.add("edge", now=NOW) != token
