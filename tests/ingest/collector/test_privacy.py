"""Privacy: what is hashed or left out never reaches a disk, records still join, and the rules refuse what they did."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cli
from fleetcrash.errors import BadArgument
from fleetcrash.store.dumps import FOLDER
from ingest.collector.limits import Limits
from ingest.collector.privacy import NOT_KEPT, Action, Privacy
from ingest.collector.privacy_file import read_privacy
from ingest.formats.journal import COREDUMP
from tests.ingest.collector.conftest import NDJSON, booked, serving, until
from tests.ingest.collector.doors.test_minidump import dump, form
from tests.ingest.conftest import line, rows_of

KEY = b"0123456789abcdef"
POLICY = Privacy(
    {
        "host_id": Action.HASH, "crash_id": Action.HASH, "site": Action.HASH, "owner": Action.DROP,
        "tags.user": Action.HASH, "tags.message": Action.DROP,
    }, KEY,
)  # fmt: skip


def hashed(text: str) -> str:
    return hmac.new(KEY, text.encode(), hashlib.sha256).hexdigest()[:32]


def kept(raw: bytes | str | dict, policy: Privacy = POLICY) -> dict:
    given_line = raw if isinstance(raw, bytes) else (raw if isinstance(raw, str) else json.dumps(raw)).encode()
    return json.loads(policy.lines(given_line + b"\n"))


# -- one line


def test_hosts_join_across_kinds_and_what_is_dropped_is_gone():
    crash = kept({"record": "crash", "host_id": "alice-pc", "tags": {"user": "alice", "message": "hi", "ring": "1"}})
    host = kept({"record": "host", "host_id": "alice-pc", "site": "Kiel", "owner": "alice", "region": "eu"})
    assert crash == {
        "record": "crash", "host_id": hashed("alice-pc"), "tags": {"user": hashed("alice"), "ring": "1"}
    }  # fmt: skip
    assert host == {"record": "host", "host_id": hashed("alice-pc"), "site": hashed("Kiel"), "region": "eu"}


def test_a_tag_with_the_name_or_the_value_of_a_hidden_field_is_hidden_as_well():
    tags = {"host_id": "other", "hostname": "älice", "site": "x", "owner": "bob", "free": "alice"}
    line = b'{"record":"crash","host_id":"\\u00e4lice","tags":' + json.dumps(tags, ensure_ascii=False).encode() + b"}"
    assert kept(line)["tags"] == {
        "host_id": hashed("other"), "hostname": hashed("älice"), "site": hashed("x"), "free": "alice"
    }  # fmt: skip


def test_every_other_tag_may_be_dropped_and_one_kept():
    policy = Privacy({"tags.*": Action.DROP, "tags.ring": Action.KEEP, "tags.user": Action.HASH}, KEY)
    tags = {"ring": "1", "user": "alice", "anything": "else"}
    assert kept({"record": "crash", "tags": tags}, policy)["tags"] == {"ring": "1", "user": hashed("alice")}


def test_of_what_a_tags_name_its_value_and_the_rest_say_the_strictest_holds():
    fields = {"host_id": Action.HASH, "crash_id": Action.KEEP, "owner": Action.DROP, "tags.*": Action.HASH}
    tags = {"crash_id": "x", "owner": "bob", "boss": "eve", "any": "h1"}
    record = {"record": "host", "host_id": "h1", "owner": "eve"}
    crash = {"record": "crash", "host_id": "h1", "crash_id": "x", "tags": tags}
    assert kept(crash, Privacy(fields, KEY)) == {
        **crash, "host_id": hashed("h1"),
        "tags": {"crash_id": hashed("x"), "boss": hashed("eve"), "any": hashed("h1")},
    }  # fmt: skip
    assert kept(record, Privacy(fields, KEY)) == {"record": "host", "host_id": hashed("h1")}
    dropping = Privacy({**fields, "tags.*": Action.DROP, "tags.boss": Action.KEEP}, KEY)
    assert kept(crash, dropping)["tags"] == {"boss": "eve"}


def test_a_tag_with_the_value_of_two_hidden_fields_is_dropped_where_one_of_them_is():
    policy = Privacy({"code": Action.DROP, "host_id": Action.HASH}, KEY)
    for crash in ({"code": "eve", "host_id": "eve"}, {"host_id": "eve", "code": "eve"}):
        assert kept({"record": "crash", **crash, "tags": {"a": "eve"}}, policy)["tags"] == {}


def test_fields_that_the_contract_does_not_know_are_left_out():
    assert kept({"record": "crash", "login": "alice", "owner": "alice", "code": "0x50"}) == {
        "record": "crash", "code": "0x50"
    }  # fmt: skip
    assert kept({"record": "alice", "login": "alice", "code": "0x50"}) == {"record": "unknown", "code": "0x50"}


@pytest.mark.parametrize(
    ("told", "stays"),
    [(None, None), ("", ""), (17, 0), (True, False), (["alice"], []), ({"a": "alice"}, {}), ("a\0b", "\0")],
)
def test_a_value_that_a_rule_refuses_is_emptied_and_stays_refused(told, stays):
    assert kept({"record": "crash", "host_id": told})["host_id"] == stays
    assert kept({"record": "crash", "tags": {"user": told}})["tags"]["user"] == stays


def test_an_id_that_is_too_long_stays_too_long():
    assert kept({"record": "crash", "host_id": "alice" * 40})["host_id"] == "x" * 129


def test_numbers_and_stacks_stay_as_they_were_written():
    raw = b'{"record":"crash","module_offset":1.10,"uptime_s":1e400,"frames":[ {"module": "a\\u00e4"}, null]}'
    assert bytes(POLICY.lines(raw + b"\n")) == raw + b"\n"


@pytest.mark.parametrize(
    ("raw", "becomes"),
    [
        (b"alice", NOT_KEPT.encode()),
        (b'{"host_id":"alice"', NOT_KEPT.encode()),
        (b'{"host_id":"alice\xff"}', NOT_KEPT.encode()),
        (b'{"host_id":"\\ud800alice"}', NOT_KEPT.encode()),
        (b'{"host_id":"alice","host_id":"bob"}', NOT_KEPT.encode()),
        (b'{ "host_id" : "alice", "host_id" : "bob" }', NOT_KEPT.encode()),
        (b'{"a":' + b"[" * 100_000, NOT_KEPT.encode()),
        (b'["alice"]', json.dumps(NOT_KEPT).encode()),
        (b'"alice"', json.dumps(NOT_KEPT).encode()),
        (b" \t\r", b" \t\r"),
    ],
)
def test_of_what_is_no_record_nothing_is_kept(raw, becomes):
    assert bytes(POLICY.lines(raw + b"\n")) == becomes + b"\n"


def test_tags_with_one_name_twice_are_for_the_rules_to_refuse():
    assert kept(b'{"record":"crash","tags":{"user":"alice","user":"bob"}}')["tags"] == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(["record", "host_id", "crash_id", "site", "owner", "tags", "code", "frames", "login"])


@pytest.mark.slow
@given(st.lists(st.dictionaries(_NAMES, _JSON, max_size=6), max_size=4), st.booleans(), st.booleans())
def test_whatever_comes_each_line_stays_one_and_no_secret_survives(records, spaced, ascii_only):
    for record in records:
        record["host_id"] = "SECRET"
        record["tags"] = {"user": "SECRET", "message": "SECRET", "any": "SECRET"}
        record["login"] = {"deep": ["SECRET"]}
    separators = (", ", " : ") if spaced else (",", ":")
    text = "".join(json.dumps(one, separators=separators, ensure_ascii=ascii_only) + "\n" for one in records)
    lines = text.encode("utf-8", "surrogatepass")
    redacted = bytes(POLICY.lines(lines))
    assert redacted.count(b"\n") == len(records)
    assert b"SECRET" not in redacted
    assert POLICY.lines(lines) == redacted


# -- the collector


def test_nothing_of_it_is_on_disk_at_any_moment_and_the_rules_hold(lake, caplog):
    sent = [
        line("crash", host_id="SECRET-pc", crash_id="c1", tags={"user": "SECRET", "note": "SECRET-pc"}),
        line("host", host_id="SECRET-pc", owner="SECRET", site="SECRET"),
        line("crash", host_id="SECRET-pc", crash_id="c2", os_type="SECRETos", login="SECRET"),
        line("crash", host_id=12345, crash_id="c3"),
        line("install", host_id="SECRET" * 30),
        b"SECRET is no record",
        b'["SECRET"]',
        line("session", host_id="SECRET-pc"),
    ]
    policy = Privacy({**POLICY.fields, "os_type": Action.KEEP}, KEY)
    bodies = b"\n".join(sent).replace(b"SECRETos", b"plan9")
    with serving(lake, privacy=policy, limits=Limits(commit_every_s=3600)) as client:
        assert client.post(bodies, Idempotency_Key="k1").document["read"] == len(sent)
        assert on_disk(lake.root, b"SECRET") == []
        first = client.post(bodies, Idempotency_Key="k1").document["batch_id"]
        assert client.post(bodies, Idempotency_Key="k1").document["batch_id"] == first
        assert client.post(bodies + b"\n" + sent[0], Idempotency_Key="k1").status == 422
    assert on_disk(lake.root, b"SECRET") == []
    assert "SECRET" not in repr([rows_of(lake, table) for table in ("crash", "host", "session", "quarantine")])
    reasons = sorted(row["reason"] for row in rows_of(lake, "quarantine"))
    assert reasons == [
        "bad_value:host_id", "bad_value:os_type", "not_an_object", "not_json", "too_long:host_id"
    ]  # fmt: skip
    assert {row["raw"].decode() for row in rows_of(lake, "quarantine") if row["reason"] == "not_json"} == {NOT_KEPT}
    assert {row["host_id"] for kind in ("crash", "host", "session") for row in rows_of(lake, kind)} == {
        hashed("SECRET-pc")
    }
    assert booked(lake)["accepted"] == 3
    assert "SECRET" not in caplog.text


def on_disk(root: Path, secret: bytes) -> list[str]:
    return [str(path) for path in root.rglob("*") if path.is_file() and secret in path.read_bytes()]


def test_a_journal_is_redacted_as_it_flows(lake):
    entry = (
        f"MESSAGE_ID={COREDUMP}\n_MACHINE_ID=SECRET\n_HOSTNAME=SECRET\nCOREDUMP_PID=7\n"
        "COREDUMP_SIGNAL_NAME=SIGSEGV\nCOREDUMP_TIMESTAMP=1764061200000000\n\n"
    )
    headers = {**NDJSON, "Content-Type": "application/vnd.fdo.journal"}
    with serving(lake, privacy=POLICY) as client:
        assert client.ask("POST", "/upload", entry.encode(), headers).status == 202
        assert on_disk(lake.root, b"SECRET") == []
    assert [row["host_id"] for row in rows_of(lake, "crash")] == [hashed("SECRET")]


@pytest.mark.parametrize("keep_dumps", [False, True])
def test_dumps_are_not_kept_unless_the_policy_says_so(lake, keep_dumps):
    body, content_type = form({"host_id": "SECRET-pc", "user": "SECRET"}, dump())
    policy = Privacy(POLICY.fields, KEY, keep_dumps)
    with serving(lake, privacy=policy) as client:
        assert client.post(body, "/v1/minidump", Content_Type=content_type).status == 200
        assert on_disk(lake.root, b"SECRET") == []
    assert len(list((lake.root / FOLDER).glob("*.dmp"))) == keep_dumps
    crash = rows_of(lake, "crash")[0]
    assert crash["host_id"] == hashed("SECRET-pc")
    for about in (lake.root / FOLDER).glob("*.json"):
        told = json.loads(about.read_text())
        assert told == {"crash_id": crash["crash_id"], "host_id": crash["host_id"], "form": {}}


def test_a_fault_at_a_door_logs_nothing_of_the_body(lake, caplog, monkeypatch):
    def fails(data):
        raise KeyError(bytes(data).decode())

    monkeypatch.setattr("ingest.formats.sentry.parsed", fails)
    with serving(lake, privacy=POLICY) as client:
        answer = client.post(b'{"user":"SECRET"}', "/api/1/store/", Content_Type="application/json")
        assert (answer.status, answer.code) == (500, "internal")
        until(lambda: "a fault of ours" in caplog.text)
    assert "SECRET" not in caplog.text


# -- the file


def test_a_policy_is_read_with_its_key_from_beside_it_or_the_environment(tmp_path):
    (tmp_path / "key").write_bytes(KEY + b"\n")
    (tmp_path / "p.toml").write_text(
        'key_file = "key"\nkeep_dumps = true\n[fields]\nhost_id = "hash"\ntags.user = "hash"\n"tags.*" = "drop"\n'
    )
    found = read_privacy(tmp_path / "p.toml")
    assert found.fields == {"host_id": "hash", "tags.user": "hash", "tags.*": "drop", "crash_id": "hash"}
    assert found.keep_dumps
    assert found.hashed("h1") == hashed("h1")
    assert KEY.decode() not in repr(found)
    (tmp_path / "p.toml").write_text('key_env = "K"\n[fields]\nhost_id = "hash"\ncrash_id = "keep"\n')
    found = read_privacy(tmp_path / "p.toml", {"K": KEY.decode()})
    assert (found.hashed("h1"), found.fields["crash_id"]) == (hashed("h1"), "keep")


WRONG = {
    'key_env = "K"': "has no [fields]",
    'key_env = "K"\nfields = {host_id = "mask"}': "has host_id = 'mask'; wanted one of hash, drop, keep",
    'key_env = "K"\nfields = {host = "hash"}': "names host, which is no field",
    'key_env = "K"\nfields = {host_id = "drop"}': "drops host_id, which a record must have; wanted hash",
    'key_env = "K"\nfields = {os_type = "hash"}': "hashes os_type, which is no free text",
    'key_env = "K"\nfields = {tags = "hash"}': "hashes tags, which is no free text",
    'key_env = "K"\nfields = {uptime_s = "hash"}': "hashes uptime_s, which is no free text",
    'key_env = "K"\nkey_file = "k"\nfields = {site = "hash"}': "has no key; wanted one of",
    'fields = {site = "hash"}': "has no key",
    'key_env = "SHORT"\nfields = {site = "hash"}': "fewer than 16 bytes",
    'key_env = "NONE"\nfields = {site = "hash"}': "fewer than 16 bytes",
    'key_file = "none"\nfields = {site = "hash"}': "cannot be read",
    'key_env = "K"\nkeep_dumps = "yes"\nfields = {site = "hash"}': "neither true nor false",
    'key_env = "K"\nfeilds = {site = "hash"}': "names 'feilds'",
    "key": "is no TOML",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_in_the_policy_is_said_before_anything_starts(tmp_path, text):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(BadArgument) as said:
        read_privacy(tmp_path / "p.toml", {"K": KEY.decode(), "SHORT": "abc"})
    assert WRONG[text] in str(said.value)
    assert KEY.decode() not in str(said.value)


def test_serve_with_a_policy_that_is_not_there_starts_nothing(tmp_path, capsys):
    assert cli.main(["serve", "--lake", str(tmp_path / "lake"), "--port", "0", "--privacy", "none.toml"]) == 2
    assert "none.toml cannot be read" in capsys.readouterr().err
