"""A replay gives each record exactly once, in the order in which it became known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fleetcrash.errors import BadArgument, UnreadableSource
from sample_data.replay import records_known_by, replay
from tests.sample_data.conftest import KINDS

START = datetime(2024, 7, 19, 4, 0, tzinfo=UTC)
UNTIL = datetime(2024, 7, 19, 6, 0, tzinfo=UTC)

# When each kind's rows are known, by the contract; a session's end is added below.
KNOWN = {
    "crash": "received_at",
    "install": "received_at",
    "update": "coalesce(received_at, released_at)",
    "session": "online_from",
}


@pytest.fixture
def fleet(simulated):
    return simulated("channel-file-291", 1)


def test_history_and_replay_together_are_every_record_once(fleet):
    history = records_known_by(fleet.folder, START)
    batches = list(replay(fleet.folder, START, step=timedelta(minutes=7)))
    for kind in KINDS:
        tables = [history[kind], *(batch[kind] for _, batch in batches if kind in batch)]
        played = pa.concat_tables(tables)
        written = pq.read_table(fleet.folder / f"{kind}.parquet")
        if kind == "session":
            # An open row is followed by the closed one; what stays is what was written.
            fleet.database.register("played", played)
            newest = fleet.rows("SELECT host_id, online_from, max(online_until) FROM played GROUP BY ALL ORDER BY ALL")
            end = max(moment for moment, _ in batches)
            known = fleet.rows(
                """SELECT host_id, online_from, CASE WHEN online_until + INTERVAL 10 MINUTE <= $end
                THEN online_until END FROM session ORDER BY ALL""",
                end=end,
            )
            assert newest == known
            assert played.num_rows == len(set(map(str, played.to_pylist())))
        else:
            assert sorted(map(str, played.to_pylist())) == sorted(map(str, written.to_pylist()))


def test_a_batch_holds_what_became_known_in_its_step(fleet):
    for moment, batch in replay(fleet.folder, START, step=timedelta(minutes=5), until=UNTIL):
        for kind, table in batch.items():
            fleet.database.register("batch", table)
            known = KNOWN[kind]
            if kind == "session":
                known = "coalesce(online_until + INTERVAL 10 MINUTE, online_from)"
            low, high = fleet.rows(f"SELECT min({known}), max({known}) FROM batch")[0]
            assert moment - timedelta(minutes=5) < low
            assert high <= moment
            order = [value for (value,) in fleet.rows(f"SELECT {known} FROM batch")]
            assert order == sorted(order)


def test_ticks_follow_one_another_and_end_with_the_last_record(fleet):
    moments = [moment for moment, _ in replay(fleet.folder, START, until=UNTIL)]
    assert moments == [START + timedelta(minutes=number) for number in range(1, 121)]
    assert list(replay(fleet.folder, UNTIL, until=UNTIL)) == []
    *_, (last, _) = replay(fleet.folder, START, step=timedelta(hours=1))
    assert last >= datetime(2024, 7, 20, tzinfo=UTC) - timedelta(hours=1)


def test_history_knows_nothing_of_what_came_later(fleet):
    history = records_known_by(fleet.folder, START)
    assert history["host"].num_rows == fleet.one("SELECT count(*) FROM host")
    for kind in ("crash", "install", "update"):
        fleet.database.register("known", history[kind])
        assert fleet.one(f"SELECT max({KNOWN[kind]}) <= $start FROM known", start=START)
    fleet.database.register("known", history["session"])
    assert fleet.one("SELECT count(*) FROM known") == fleet.one(
        "SELECT count(*) FROM session WHERE online_from <= $start", start=START
    )
    assert fleet.one("SELECT max(online_until) <= $start::TIMESTAMPTZ - INTERVAL 10 MINUTE FROM known", start=START)


def test_the_guilty_update_is_not_known_before_its_record(fleet):
    ids = set(records_known_by(fleet.folder, START)["update"]["update_id"].to_pylist())
    assert fleet.truth["guilty"] not in ids
    seen = [
        moment
        for moment, batch in replay(fleet.folder, START, until=UNTIL)
        if "update" in batch and fleet.truth["guilty"] in batch["update"]["update_id"].to_pylist()
    ]
    assert seen == [START + timedelta(minutes=10)]


def test_times_without_a_zone_are_utc_and_heartbeats_are_played(tmp_path):
    at = [datetime(2024, 1, 1, 0, minute) for minute in (0, 5, 10)]  # noqa: DTZ001 - the point
    table = pa.table({"host_id": ["a"] * 3, "at": pa.array(at, pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "heartbeat-1.parquet")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    assert records_known_by(tmp_path, start)["heartbeat"].num_rows == 1
    batches = [(moment.minute, batch) for moment, batch in replay(tmp_path, start) if batch]
    assert [(minute, batch["heartbeat"].num_rows) for minute, batch in batches] == [(5, 1), (10, 1)]


def test_bad_use_is_refused_in_words(tmp_path, fleet):
    with pytest.raises(UnreadableSource, match="holds no Parquet file of records"):
        records_known_by(tmp_path, START)
    with pytest.raises(BadArgument, match="without an offset"):
        records_known_by(fleet.folder, datetime(2024, 7, 19))  # noqa: DTZ001 - the point
    with pytest.raises(BadArgument, match="wanted more than zero"):
        next(replay(fleet.folder, START, step=timedelta(0)))
    (tmp_path / "crash.parquet").write_text("not Parquet")
    with pytest.raises(UnreadableSource, match="crash records cannot be read"):
        records_known_by(tmp_path, START)
