"""compact, forget and doctor as a user runs them: statuses, one JSON document, one line of trouble."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from deltalake import DeltaTable

import cli
from fleetcrash.records import table_columns
from fleetcrash.store import Lake, doctor, forgetting
from ingest.collector.keys import Keys
from ingest.collector.limits import Limits
from ingest.collector.segments import Body, Description
from ingest.collector.spool import Spool
from monitor.alerts.course import Told
from monitor.alerts.message import Event, Message
from monitor.alerts.outbox import Outbox
from tests.dashboard import fleet


@pytest.fixture
def lake(tmp_path) -> str:
    return str(fleet.outage(tmp_path / "a lake").root)


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command in this process: status, stdout, stderr."""
    monkeypatch.setattr(doctor, "_LEAST_FREE_BYTES", 0)

    def run_it(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        return status, *capsys.readouterr()

    return run_it


@pytest.mark.slow
def test_compact_says_what_it_did_table_by_table(lake, run):
    status, out, err = run("compact", "--lake", lake, "--keep-files", "0s", "--json")
    told = {one["table"]: one for one in json.loads(out)["tables"]}
    assert (status, err, list(told)) == (0, "", list(table_columns()))
    assert (told["host"]["merged"], told["host"]["into"], told["host"]["deleted"]) == (2, 1, 2)
    status, out, _ = run("compact", "--lake", lake)
    assert status == 0
    assert [line.split(maxsplit=1)[1] for line in out.splitlines()] == ["nothing new"] * len(table_columns())


def test_compact_says_in_one_line_which_replaced_file_it_may_not_delete(lake, run, monkeypatch):
    unlink = Path.unlink

    def forbidden(path: Path, **how: bool) -> None:
        if path.suffix == ".parquet":
            raise PermissionError(errno.EPERM, "Operation not permitted", str(path))
        unlink(path, **how)

    monkeypatch.setattr(Path, "unlink", forbidden)
    status, _, err = run("compact", "--lake", lake, "--keep-files", "0s")
    assert (status, err.count("\n")) == (2, 1)
    assert f"in the lake at {lake} cannot be written: [Errno 1] Operation not permitted: '{lake}/" in err


@pytest.mark.parametrize("time", ["", "24", "h", "-1h", "1.5h", "1w"])
def test_a_time_that_is_none_is_2(lake, time, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["compact", "--lake", lake, f"--keep-files={time}"])
    assert stopped.value.code == 2
    assert "such as 30m" in capsys.readouterr().err


@pytest.mark.slow
def test_forget_says_what_it_removed_and_the_next_that_nobody_is_there(lake, run):
    status, out, err = run("forget", "host-07", "--lake", lake, "--json")
    told = json.loads(out)
    assert (status, err, told["schema"], told["host_id"], told["found"]) == (0, "", 1, "host-07", True)
    assert (told["rows"]["host"], told["rows"]["session"], told["remaining"]) == (1, 1, [])
    status, out, err = run("forget", "host-07", "--lake", lake, "--json")
    assert (status, json.loads(out)["found"]) == (2, False)
    assert err == (
        "fleetcrash: no record in the lake names the host 'host-07'. "
        "Files and log entries that might have were cleaned up all the same.\n"
    )


@pytest.mark.slow
def test_forget_is_done_where_a_run_that_was_killed_had_removed_the_host(lake, run, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "checkpoint", killed)
        assert run("forget", "host-07", "--lake", lake)[0] == 130
    (mark,) = Path(lake).glob("_forgetting-*")
    assert "host-07" not in mark.name + mark.read_text()
    assert run("forget", "host-08", "--lake", lake, "--json")[0] == 0  # is another one
    status, out, err = run("forget", "host-07", "--lake", lake, "--json")
    told = json.loads(out)
    assert (status, told["found"], told["begun_before"], told["remaining"]) == (0, False, True, [])
    assert err == "fleetcrash: An earlier run has removed its records, and this one the rest.\n"
    assert not list(Path(lake).glob("_forgetting-*"))
    assert run("forget", "host-07", "--lake", lake)[0] == 2


def test_forget_as_text_names_what_remains(lake, run):
    (Path(lake) / "notes.txt").write_text("host-07")
    status, out, _ = run("forget", "host-07", "--lake", lake)
    assert status == 0
    assert "Rows removed: " in out
    assert "1 host" in out
    assert f"Remaining: {lake}/notes.txt: " in out


@pytest.mark.slow
def test_forget_strikes_the_host_out_of_what_people_wrote(lake, run):
    """A fleet with a token a host, whose on-call engineers name hosts wherever they are asked for a reason."""
    root, host = Path(lake), "host-07"
    run("gate", fleet.GUILTY, "--lake", lake, "--override", "go", "--reason", f"only {host} and host-070, INC-7")
    run("silence", "add", "all", "--for", "1h", "--reason", f"{host} is being rebuilt", "--lake", lake)
    run("token", "add", host, "--lake", lake)
    with Outbox(root) as outbox:
        outbox.open_to(["chat"], now=1.8e9)
        outbox.down("chat", f"{host}: no route to host", now=0.0, next_at=1.0)
        body = json.dumps({"message_id": "m1", "summary": f"the rise follows {host}, and no update."})
        message = Message(0, "m1", "inc-1", 1, Event.OPENED, None, body)
        outbox.tell("incident", message, Told(True, "no_update", None, {"site": host}, 1, 0.0).as_text(),
                    receivers=["chat"], now=0.0)  # fmt: skip
    status, out, _ = run("forget", host, "--lake", lake, "--json")
    told = json.loads(out)
    assert (status, told["struck"]) == (0, 6)
    assert [Path(one["path"]).name for one in told["remaining"]] == ["_tokens.json"], "it is still to be revoked by"
    run("token", "revoke", host, "--lake", lake)
    status, out, _ = run("forget", host, "--lake", lake)
    assert (status, "struck out: 1." in out, "Remaining" in out) == (0, True, False)
    files = [path for path in root.rglob("*") if path.is_file()]
    hits = [path for path in files if host.encode() in path.read_bytes().replace(b"host-070", b"")]
    assert hits == []
    book = [json.loads(line) for line in (root / "_gate" / "overrides.ndjson").read_text().splitlines()]
    assert [(one["decision"], one["reason"]) for one in book] == [("go", "only [forgotten host] and host-070, INC-7")]
    assert "[forgotten host] is being rebuilt" in run("silence", "list", "--lake", lake)[1]
    changes = json.loads(run("token", "log", "--lake", lake, "--json")[1])["changes"]
    assert [(one["action"], one["name"]) for one in changes] == [
        ("add", "[forgotten host]"), ("revoke", "[forgotten host]"),
    ]  # fmt: skip
    with Outbox(root) as outbox:
        (kept,) = outbox.rows("SELECT body, told FROM message JOIN alert USING (number)")
        assert "forgotten host" in json.loads(kept["body"])["summary"]
        assert Told.from_text(kept["told"]).condition == {"site": "forgotten host"}
    assert run("forget", host, "--lake", lake)[0] == 2, "nothing is left to do"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_writes_in_the_lake_of_a_service_is_the_services(lake, run):
    root, service = Path(lake), 65534
    for path in (root, *root.rglob("*")):
        os.chown(path, service, service)
    run("token", "add", "host-07", "--lake", lake)
    run("token", "rotate", "host-07", "--lake", lake)
    run("gate", fleet.GUILTY, "--lake", lake, "--override", "go", "--reason", "host-07 is a test machine")
    run("silence", "add", "all", "--for", "1h", "--reason", "host-07 is being rebuilt", "--lake", lake)
    run("forget", "host-07", "--lake", lake)
    written = [path for top in root.glob("_[tag]*") for path in (top, *top.rglob("*"))]
    names = {path.name for path in written}
    assert names >= {"_tokens.json", "_tokens.lock", "_audit", "tokens.ndjson", "_gate", "_alerts", "outbox.sqlite"}
    assert [path for path in written if path.stat().st_uid != service] == []


@pytest.mark.slow
def test_forget_names_what_the_lake_has_yet_to_take(lake, run):
    spool = Spool(Path(lake) / "_spool", Limits())
    spool.start()
    lines = b'{"record":"host","host_id":"host-07","os_type":"linux"}\n'
    spool.append(Body(Description("b1", "/v1/records", 0, 1), lines)).result()
    spool.end()
    spool.close()
    keys = Keys(Path(lake) / "_spool")
    keys.settle([Description("b2", "/v1/records", 0, 1, "a" * 64, "b" * 64)])
    keys.close()
    (one,) = json.loads(run("forget", "host-07", "--lake", lake, "--json")[1])["remaining"]
    assert one["path"].endswith(".segment")


def test_forget_takes_an_id_that_looks_like_an_option_after_two_dashes(lake, run):
    status, _, err = run("forget", "--lake", lake, "--", "--json")
    assert (status, "'--json'" in err) == (2, True)


def test_doctor_is_content_with_a_sound_lake(lake, run):
    assert run("doctor", "--lake", lake) == (0, f"Nothing is wrong with the lake at {lake}.\n", "")
    status, out, _ = run("doctor", "--lake", lake, "--json")
    assert (status, json.loads(out)) == (
        0,
        {"schema": 1, "lake": lake, "broken": 0, "migrated": [], "findings": []},
    )


def test_doctor_names_what_is_broken(lake, run):
    file = Path(Lake.open(lake).files("crash")[0].path)
    file.unlink()
    status, out, err = run("doctor", "--lake", lake, "--json")
    told = json.loads(out)
    assert (status, err, told["broken"]) == (2, "", 1)
    assert told["findings"][0]["where"] == str(file)
    assert set(told["findings"][0]) == {"severity", "where", "found", "means", "do"}
    status, out, _ = run("doctor", "--lake", lake)
    assert (status, out.startswith(f"broken: {file}\n")) == (2, True)


@pytest.mark.slow
def test_doctor_migrates_and_what_was_refused_works(lake, run):
    for name in table_columns():
        table = DeltaTable(str(Path(lake) / name))
        table.alter.set_table_properties({"fleetcrash.schema": "1"}, raise_if_not_exists=False)
    status, _, err = run("compact", "--lake", lake)
    assert (status, f"fleetcrash doctor --migrate --lake '{lake}'" in err, err.count("\n")) == (2, True, 1)
    assert run("doctor", "--lake", lake)[0] == 2
    status, out, _ = run("doctor", "--lake", lake, "--migrate")
    assert status == 0
    assert "migrated  crash: schema 1 is now 2." in out
    assert run("compact", "--lake", lake)[0] == 0


def test_doctor_does_not_migrate_what_it_cannot_read_and_still_says_what_is_broken(lake, run):
    log = Path(lake) / "host" / "_delta_log" / f"{0:020}.json"
    log.write_text("nonsense")
    status, out, err = run("doctor", "--lake", lake, "--migrate")
    assert status == 2
    assert str(log) in out
    assert err.startswith("fleetcrash: host in the lake at")
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [("compact",), ("forget", "h"), ("doctor",), ("doctor", "--migrate")])
def test_where_there_is_no_lake_it_is_2(command, run, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "file"):
        status, out, err = run(*command, "--lake", str(path))
        assert (status, out) == (2, "")
        assert "Nothing was changed" in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "command", [("compact",), ("forget", "host-07"), ("quarantine", "replay"), ("doctor", "--migrate")]
)
def test_on_a_lake_that_is_read_only_it_is_2_in_one_line_that_says_what_to_do(command, lake, run, monkeypatch):
    if "--migrate" in command:
        for name in table_columns():
            table = DeltaTable(str(Path(lake) / name))
            table.alter.set_table_properties({"fleetcrash.schema": "1"}, raise_if_not_exists=False)
    before = sorted(Path(lake).rglob("*"))
    monkeypatch.setattr(os, "access", lambda _, mode, **__: mode != os.W_OK)  # as on a file system that is mounted so
    status, _, err = run(*command, "--lake", lake)
    assert (status, err.count("\n"), sorted(Path(lake).rglob("*"))) == (2, 1, before)
    assert "is read-only to us. What is in the lake is whole. Make it writable and run the same command again." in err
