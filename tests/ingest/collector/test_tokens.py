"""Tokens: what each is for, how much it may bring, its secrets, and the book of who changed which."""

from __future__ import annotations

import errno
import json
import os
from datetime import timedelta
from types import SimpleNamespace

import pytest

import cli
from fleetcrash.errors import LakeError
from fleetcrash.store import Lake
from ingest.collector import token_book
from ingest.collector.rates import Rates
from ingest.collector.refusal import Refusal
from ingest.collector.tokens import FILE, Scope, Tokens
from ingest.formats.journal import COREDUMP
from tests.ingest.collector.conftest import NDJSON, booked, crash_ids, crashes, serving, until
from tests.ingest.conftest import NOW, line

LINE = line("crash") + b"\n"
DAY = timedelta(days=1)


@pytest.fixture
def tokens(tmp_path) -> Tokens:
    return Tokens(tmp_path)


# -- scopes


def test_each_scope_opens_its_doors_and_no_other(lake):
    made = {scope: Tokens(lake.root).add(scope, now=NOW, scope=scope) for scope in Scope}
    with serving(lake, needs_token=True) as client:

        def statuses(token: str) -> tuple[int, int, set[str]]:
            header = {"Authorization": f"Bearer {token}"}
            health = client.get("/healthz", **header)
            assert health.status == 200
            return client.post(LINE, **header).status, client.get("/metrics", **header).status, set(health.document)

        told = {"status", "trouble", "backlog_bytes"}
        assert statuses(made[Scope.SEND]) == (202, 403, {"status"})
        assert statuses(made[Scope.READ]) == (403, 200, told)
        assert statuses(made[Scope.ADMIN]) == (202, 200, told)
        assert statuses("x") == (401, 401, {"status"})
        refused = client.post(LINE, Authorization=f"Bearer {made[Scope.READ]}")
    assert (refused.code, refused.document["error"]["message"].split(".")[0]) == (
        "forbidden",
        "This token is of scope read; wanted send",
    )
    assert booked(lake)["read"] == 2


@pytest.mark.parametrize("needs_token", [False, True])
def test_while_the_disk_of_the_lake_is_away_nobody_gets_in_and_senders_are_to_wait(lake, tmp_path, needs_token):
    token = {"Authorization": f"Bearer {Tokens(lake.root).add('edge', now=NOW)}"}
    away = tmp_path / "away"
    with serving(lake, spool=tmp_path / "spool", needs_token=needs_token) as client:
        assert client.post(LINE, **token).status == 202
        lake.root.rename(away)
        answer = client.post(LINE, **token)
        assert (answer.status, answer.code, client.post(LINE).status) == (503, "tokens_unreadable", 401)
        away.rename(lake.root)
        assert client.post(LINE, **token).status == 202
    assert booked(lake)["read"] == 2


def test_on_this_machine_everybody_may_look_and_only_senders_need_a_token(lake):
    Tokens(lake.root).add("edge", now=NOW)
    with serving(lake) as client:
        assert client.post(LINE).status == 401
        assert client.get("/metrics").status == 200
        assert set(client.get("/healthz").document) == {"status", "trouble", "backlog_bytes"}


@pytest.mark.parametrize("needs_token", [True, False])
def test_where_a_token_is_needed_strangers_learn_that_it_lives_and_no_more(lake, needs_token):
    with serving(lake, needs_token=needs_token) as client:
        assert set(client.get("/healthz").document) == ({"status"} if needs_token else {
            "status", "trouble", "backlog_bytes"
        })  # fmt: skip
        assert client.get("/metrics").status == (401 if needs_token else 200)


def test_a_file_of_before_there_were_scopes_goes_on_working(lake):
    token = Tokens(lake.root).add("edge", now=NOW)
    kept = json.loads((lake.root / FILE).read_text())
    kept["tokens"] = [{name: one[name] for name in ("name", "sha256", "created_at")} for one in kept["tokens"]]
    (lake.root / FILE).write_text(json.dumps(kept))
    found = Tokens(lake.root).find(token, now=NOW)
    assert found is not None
    assert (found.name, found.scope, found.rate, found.former) == ("edge", Scope.SEND, None, ())


def test_whether_it_lives_is_told_even_where_tokens_cannot_be_read(lake):
    (lake.root / FILE).write_text("{")
    with serving(lake, needs_token=True) as client:
        assert (client.get("/healthz").status, set(client.get("/healthz").document)) == (200, {"status"})
        assert client.get("/metrics").code == "unauthorized"
        assert client.get("/metrics", Authorization="Bearer x").code == "tokens_unreadable"


@pytest.mark.parametrize(
    "damage",
    [{"scope": "root"}, {"rate": 0}, {"rate": "fast"}, {"former": [{"sha256": "x", "until": "soon"}]}, {"x": 1}],
)
def test_a_file_that_says_something_else_lets_nobody_in(tokens, tmp_path, damage):
    token = tokens.add("edge", now=NOW)
    kept = json.loads((tmp_path / FILE).read_text())
    kept["tokens"][0] |= damage
    (tmp_path / FILE).write_text(json.dumps(kept))
    with pytest.raises(LakeError, match="cannot be read"):
        tokens.find(token, now=NOW)


# -- rotation and revocation


def test_after_a_rotation_both_secrets_are_taken_until_the_overlap_ends(tokens):
    old = tokens.add("edge", now=NOW, rate=5)
    new = tokens.rotate("edge", now=NOW, overlap=timedelta(hours=2))
    soon, late = NOW + timedelta(hours=1, minutes=59), NOW + timedelta(hours=2)

    def names(now):
        return [found and (found.name, found.rate) for found in (tokens.find(one, now=now) for one in (old, new))]

    assert names(soon) == [("edge", 5), ("edge", 5)]
    assert names(late) == [None, ("edge", 5)]


def test_a_second_rotation_cuts_nobody_off_and_drops_what_is_over(tokens):
    first = tokens.add("edge", now=NOW)
    second = tokens.rotate("edge", now=NOW, overlap=DAY)
    third = tokens.rotate("edge", now=NOW + timedelta(hours=1), overlap=DAY)
    assert all(tokens.find(one, now=NOW + timedelta(hours=2)) for one in (first, second, third))
    tokens.rotate("edge", now=NOW + DAY, overlap=DAY)
    assert tokens.find(first, now=NOW) is None
    assert len(tokens.listed()[0].former) == 2


def test_revoking_ends_old_and_new_secret_at_once(tokens):
    secrets = [tokens.add("edge", now=NOW), tokens.rotate("edge", now=NOW, overlap=DAY)]
    other = tokens.add("other", now=NOW)
    assert all(tokens.find(one, now=NOW) for one in secrets)
    tokens.revoke("edge", now=NOW)
    assert [tokens.find(one, now=NOW) for one in secrets] == [None, None]
    assert tokens.find(other, now=NOW)


# -- the book


def test_every_change_is_in_the_book_and_no_secret(tokens, tmp_path):
    secrets = [tokens.add("edge", now=NOW, scope=Scope.ADMIN, rate=7.5, by="ada")]
    secrets.append(tokens.rotate("edge", now=NOW, overlap=timedelta(hours=1), by="bob"))
    tokens.revoke("edge", now=NOW, by="cyd")
    found = [(one.by, one.action, one.name, one.scope, one.rate) for one in token_book.entries(tmp_path)]
    assert found == [(by, did, "edge", "admin", 7.5) for by, did in [("ada", "add"), ("bob", "rotate"),
                                                                     ("cyd", "revoke")]]  # fmt: skip
    text = (tmp_path / token_book.BOOK).read_text()
    assert not any(secret in text for secret in secrets)


def test_what_cannot_be_written_down_is_not_done(tokens, tmp_path):
    (tmp_path / token_book.BOOK.parent).write_text("a file where the folder should be")
    with pytest.raises(LakeError, match="Nothing was changed"):
        tokens.add("edge", now=NOW)
    assert tokens.listed() == []
    assert not list(tmp_path.glob(f"{FILE}*"))


def test_a_book_with_a_line_that_is_none_is_not_passed_over(tokens, tmp_path):
    tokens.add("edge", now=NOW)
    with (tmp_path / token_book.BOOK).open("a") as book:
        book.write("{}\n")
    with pytest.raises(LakeError, match="Line 2 of"):
        token_book.entries(tmp_path)


def test_what_could_not_be_written_leaves_no_half_and_the_tokens_as_they_were(tokens, tmp_path, monkeypatch):
    secret = tokens.add("edge", now=NOW)

    book = (tmp_path / token_book.BOOK).stat()

    def full(descriptor: int) -> None:
        if not os.path.samestat(os.fstat(descriptor), book):  # a line still fits into the block of the book
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("ingest.collector.tokens.os.fsync", full)
        with pytest.raises(LakeError, match="No space left on device"):
            tokens.rotate("edge", now=NOW, overlap=DAY)
        with pytest.raises(LakeError, match="Nothing was changed"):
            tokens.revoke("edge", now=NOW)
    assert [one.action for one in token_book.entries(tmp_path)] == ["add"]
    assert [path.name for path in tmp_path.glob(f"{FILE}*")] == [FILE]
    assert tokens.find(secret, now=NOW)


def test_the_commands_rotate_and_list_what_was_done(tmp_path, capsys):
    lake = ["--lake", str(tmp_path / "lake")]
    assert cli.main(["token", "add", "edge", "--scope", "admin", "--rate", "20", *lake]) == 0
    assert cli.main(["token", "rotate", "edge", "--overlap", "2h", *lake]) == 0
    out, err = capsys.readouterr()
    new, ends = out.split()[1], err.strip(":\n").rpartition(" ")[2]
    assert cli.main(["token", "list", *lake]) == 0
    assert f", admin, 20 records/s, the secret before it until {ends}\n" in capsys.readouterr().out
    assert cli.main(["token", "log", "--json", *lake]) == 0
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert [one["action"] for one in changes] == ["add", "rotate"]
    assert all(one["by"] and one["at"].endswith("Z") for one in changes)
    assert cli.main(["token", "log", *lake]) == 0
    assert "rotate edge (admin), the old secret until 2" in capsys.readouterr().out
    assert cli.main(["token", "rotate", "nobody", *lake]) == 2
    found = Tokens(tmp_path / "lake").find(new, now=NOW)
    assert found is not None
    assert found.rate == 20


def test_a_list_without_a_token_says_who_may_send(tmp_path, capsys):
    lake = ["--lake", str(Lake.create(tmp_path / "lake").root)]
    assert cli.main(["token", "list", *lake]) == 0
    assert capsys.readouterr().out == "There is no token: senders need none.\n"
    assert cli.main(["token", "add", "edge", *lake]) == cli.main(["token", "revoke", "edge", *lake]) == 0
    capsys.readouterr()
    assert cli.main(["token", "list", *lake]) == 0
    assert capsys.readouterr().out == "There is no token, so that nobody may send.\n"


# -- rates


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now=0.0)


def test_over_time_a_sender_brings_its_rate_and_one_body_at_the_most(clock):
    rates = Rates(clock=lambda: clock.now)
    taken = 0
    for tick in range(600):
        clock.now = tick / 10
        try:
            rates.check("edge", 50)
        except Refusal:
            continue
        rates.spend("edge", 50, 120)
        taken += 120
    assert 50 * 60 <= taken <= 50 * 60 + 50 + 120


def test_retry_after_is_when_the_debt_is_paid(clock):
    rates = Rates(clock=lambda: clock.now)
    rates.spend("edge", 10, 65)
    with pytest.raises(Refusal) as refused:
        rates.check("edge", 10)
    assert refused.value.headers == {"Retry-After": "6"}  # 10 of the burst, 55 of debt: 5.5 s
    clock.now = 6.0
    rates.check("edge", 10)


def test_a_quiet_night_saves_up_one_second_and_no_more(clock):
    rates = Rates(default=10, clock=lambda: clock.now)
    clock.now = 8 * 3600.0
    rates.spend("edge", None, 10)
    with pytest.raises(Refusal):
        rates.check("edge", None)
    rates.check("other", None)


def test_what_exceeds_its_rate_is_told_when_to_come_back_and_others_go_on(lake):
    tokens = Tokens(lake.root)
    slow, fast = tokens.add("slow", now=NOW, rate=0.001), tokens.add("fast", now=NOW)
    with serving(lake) as client:
        answers = [client.post(crashes(n, 1), Authorization=f"Bearer {slow}") for n in range(2)]
        assert [one.status for one in answers] == [202, 429]
        assert answers[1].code == "rate_limited"
        assert int(answers[1].headers["retry-after"]) >= 1
        assert client.post(crashes(5, 1), Authorization=f"Bearer {fast}").status == 202
    assert crash_ids(lake) == ["c0", "c5"]


def test_the_collectors_default_holds_for_who_has_no_rate_and_an_empty_body_costs_one(lake):
    with serving(lake, rate=0.001) as client:
        assert [client.post(b"").status, client.post(LINE).status] == [202, 429]
    assert booked(lake)["read"] == 0


def test_what_is_refused_for_another_reason_costs_nothing(lake, monkeypatch):
    with serving(lake, rate=0.001) as client:
        with monkeypatch.context() as patch:
            patch.setattr("ingest.collector.spool.shutil.disk_usage", lambda _: SimpleNamespace(free=3 << 20))
            patch.setattr("ingest.collector.spool._SPARE_BYTES", (3 << 20) - 10)
            assert client.post([LINE]).status == 507  # of unknown length, so that it is looked at once it has come
        assert client.post(LINE).status == 202
    assert booked(lake)["read"] == 1


def test_a_journal_of_a_sender_in_debt_is_refused_and_one_under_way_goes_on(lake):
    entry = (
        f"MESSAGE_ID={COREDUMP}\n_MACHINE_ID=h1\nCOREDUMP_SIGNAL_NAME=SIGSEGV\nCOREDUMP_PID=%d\n"
        "COREDUMP_TIMESTAMP=1764061200000000\n\n"
    )
    journal = "".join(entry % pid for pid in range(3)).encode()
    headers = {**NDJSON, "Content-Type": "application/vnd.fdo.journal"}
    with serving(lake, rate=0.001) as client:
        assert client.ask("POST", "/upload", journal, headers).status == 202
        assert client.ask("POST", "/upload", journal, headers).code == "rate_limited"
    assert len(crash_ids(lake)) == 3


def test_a_journal_whose_token_is_revoked_meanwhile_is_not_taken_to_its_end(lake, monkeypatch):
    monkeypatch.setattr("ingest.collector.reception._PART_BYTES", 1)
    entry = (
        f"MESSAGE_ID={COREDUMP}\n_MACHINE_ID=h1\nCOREDUMP_SIGNAL_NAME=SIGSEGV\nCOREDUMP_PID=%d\n"
        "COREDUMP_TIMESTAMP=1764061200000000\n\n"
    )
    tokens = Tokens(lake.root)
    token = tokens.add("edge", now=NOW)
    headers = {"Content-Type": "application/vnd.fdo.journal", "Authorization": f"Bearer {token}"}

    def journal():
        yield (entry % 1).encode()
        until(
            lambda: "records_acknowledged_total 1\n" in client.get("/metrics", Authorization=f"Bearer {other}").document
        )
        tokens.revoke("edge", now=NOW)
        yield (entry % 2).encode()

    other = tokens.add("watch", now=NOW, scope=Scope.READ)
    with serving(lake) as client:
        assert client.ask("POST", "/upload", journal(), headers).status == 401
    assert len(crash_ids(lake)) == 1
