"""What the page on operating shows is so."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from ingest.collector.privacy_file import read_privacy
from monitor.alerts.config import read_config
from monitor.alerts.message import Event, compose, incident_content
from monitor.alerts.receivers import signature
from tests.monitor.alerts.conftest import incident

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


def test_the_policy_that_it_shows_is_read_and_its_line_for_a_shell_finds_a_host(tmp_path):
    (example,) = [one for one in blocks("toml") if "[fields]" in one]
    (tmp_path / "privacy.toml").write_text(example)
    (tmp_path / "privacy.key").write_text("0123456789abcdef0123456789abcdef\n")
    found = read_privacy(tmp_path / "privacy.toml")
    assert set(found.fields) == {"host_id", "crash_id", "site", "owner", "tags.user", "tags.ring", "tags.*"}
    (command,) = re.findall(r"^printf .*$", PAGE, flags=re.MULTILINE)
    told = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == found.hashed("host-1")


def test_the_file_that_it_shows_is_read(tmp_path):
    (example,) = [one for one in blocks("toml") if "[receivers" in one]
    (tmp_path / "alerts.toml").write_text(example)
    (tmp_path / "watchdog-url").write_text("https://hc.example/uuid")
    given = {
        "FLEETCRASH_ONCALL_SECRET": "hush",
        "FLEETCRASH_CHAT_URL": "slack://aaaaaaaaa/bbbbbbbbb/cccccccccccccccccccccccc",
    }
    found = read_config([tmp_path / "alerts.toml"], given)
    assert [one.name for one in found.receivers] == ["oncall", "alertmanager", "chat"]


def test_the_lines_that_check_a_signature_check_ours_and_no_other():
    names: dict = {}
    (example,) = blocks("python")
    exec(example, names)
    secret, body, stamp = b"hush", b'{"schema":1}', str(int(time.time()))
    headers = {"X-Fleetcrash-Timestamp": stamp, "X-Fleetcrash-Signature": signature(secret, stamp, body)}
    assert names["is_ours"](secret, headers, body)
    assert not names["is_ours"](secret, headers, body + b" ")
    assert not names["is_ours"](b"other", headers, body)
    assert not names["is_ours"](secret, {**headers, "X-Fleetcrash-Timestamp": str(int(stamp) + 1)}, body)
    old = str(int(stamp) - 400)
    replayed = {"X-Fleetcrash-Timestamp": old, "X-Fleetcrash-Signature": signature(secret, old, body)}
    assert not names["is_ours"](secret, replayed, body)


def test_a_message_has_the_keys_that_it_shows():
    (example,) = blocks("json")
    content = incident_content(incident(), as_of="2027-01-15T08:10:00Z", dashboard=None)
    sent = compose("inc-1", 1, Event.OPENED, content, changed=[]).document
    outer = re.sub(r"\{[^{}]*\}", "{}", example.strip()[1:-1])
    assert re.findall(r'"(\w+)":', outer) == list(sent)
