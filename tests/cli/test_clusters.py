"""``clusters`` and ``explain`` on a small lake: the contract's documents, and what a person reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cli
from fleetcrash.store import Lake
from tests.dashboard.fleet import append_rows

KEYS = ["cluster_id", "family", "title", "crashes", "hosts", "first_seen", "last_seen", "state", "variants", "os_type"]
FAULT = {"module": "csagent.sys", "module_version": "7.11", "module_offset": 0xE14ED}


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> str:
    """Two crashes of one fault and one of another; nobody writes to it."""
    path: Path = tmp_path_factory.mktemp("clusters") / "lake"
    common = {"os_type": "windows", "host_id": "h1"}
    append_rows(
        Lake.create(path),
        "crash",
        [
            {**common, **FAULT, "crash_id": "c1", "code": "0x50", "occurred_at": "2026-03-04T12:00:00+00:00"},
            {**common, **FAULT, "crash_id": "c2", "code": "7e", "occurred_at": "2026-03-04T12:05:00+00:00"},
            {"os_type": "linux", "host_id": "h2", "crash_id": "c3", "occurred_at": "2026-03-04T12:10:00+00:00"},
        ],
    )
    return str(path)


HOSTILE = "\x1b]0;title\x07\x1b[2J\r\u202e"


@pytest.fixture
def run(capsys):
    """Run a command in this process: status, stdout, stderr."""

    def run_it(*arguments: str) -> tuple[int, str, str]:
        status = cli.main(arguments)
        return status, *capsys.readouterr()

    return run_it


def test_clusters_as_json_are_the_contracts_document(lake, run):
    status, out, err = run("clusters", "--lake", lake, "--json")
    found = json.loads(out)
    assert (status, err, list(found)) == (0, "", ["schema", "as_of", "clusters"])
    assert (found["schema"], found["as_of"]) == (1, "2026-03-04T12:10:00Z")
    assert [list(one) for one in found["clusters"]] == [KEYS, KEYS]
    fault = next(one for one in found["clusters"] if one["crashes"] == 2)
    assert fault == {
        "cluster_id": "clu-460218fb49",
        "family": "windows | memory | csagent.sys",
        "title": "csagent.sys: invalid memory access",
        "crashes": 2,
        "hosts": 1,
        "first_seen": "2026-03-04T12:00:00Z",
        "last_seen": "2026-03-04T12:05:00Z",
        "state": "ongoing",
        "variants": [{"signature": "windows | memory | csagent.sys 7.11 +0xe14ed", "crashes": 2}],
        "os_type": {"windows": 2},
    }


def test_clusters_are_as_of_an_instant_and_in_words(lake, run):
    status, out, _ = run("clusters", "--lake", lake, "--as-of", "2026-03-04T12:04:00Z")
    assert (status, out.splitlines()[0]) == (0, "As of 2026-03-04T12:04:00Z: 1 crash cluster(s).")
    assert "csagent.sys: invalid memory access\n  hosts 1, crashes 1, windows, " in out


def test_a_crash_explains_itself(lake, run):
    status, out, err = run("explain", "c2", "--lake", lake, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert list(found) == [
        "schema", "as_of", "crash_id", "cluster_id", "family", "signature", "title", "steps", "frames",
    ]  # fmt: skip
    assert found["cluster_id"] == "clu-460218fb49"
    assert found["steps"][0] == {"rule": "code", "saw": "7e", "made": "0x7e"}
    status, out, _ = run("explain", "c2", "--lake", lake)
    assert status == 0
    assert "c2 is in clu-460218fb49: csagent.sys: invalid memory access" in out
    assert "blamed module  csagent.sys -> csagent.sys" in out


@pytest.mark.parametrize("crash", [["no-such-crash"], ["c2", "--as-of", "2026-03-04T12:04:00Z"]])
def test_a_crash_that_is_not_known_by_then_is_2(lake, run, crash):
    status, out, err = run("explain", *crash, "--lake", lake, "--json")
    assert (status, out) == (2, "")
    assert err.startswith(f"fleetcrash: No crash '{crash[0]}' is known as of ")


@pytest.mark.parametrize("command", [["clusters"], ["explain", "c1"]])
def test_a_lake_without_a_record_is_2(tmp_path, run, command):
    Lake.create(tmp_path / "lake")
    status, out, err = run(*command, "--lake", str(tmp_path / "lake"))
    assert (status, out) == (2, "")
    assert "holds no record yet" in err


@pytest.mark.slow
def test_what_moves_a_cursor_is_shown_and_moves_none(tmp_path, run):
    row = {
        "host_id": "h1", "os_type": "linux", "crash_id": f"c{HOSTILE}", "occurred_at": "2026-03-04T12:00:00+00:00",
        "module": f"evil{HOSTILE}.so", "code": f"SIG{HOSTILE}", "module_version": f"1{HOSTILE}",
        "frames": [{"module": f"evil{HOSTILE}.so", "function": f"f{HOSTILE}", "offset": None}],
    }  # fmt: skip
    lake = Lake.create(tmp_path / "lake")
    append_rows(lake, "crash", [row])
    said = ""
    for command in (("clusters",), ("explain", row["crash_id"]), ("explain", f"d{HOSTILE}"), ("gate", HOSTILE)):
        said += "".join(run(*command, "--lake", str(lake.root))[1:])
    assert "evil" in said
    assert said.replace("\n", "").isprintable()
