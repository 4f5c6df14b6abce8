"""Small random lakes: a few hosts, a few updates, four hours, everything on a grid of five minutes so that edges meet.

``worlds`` draws the records; ``known_by`` leaves those that existed at an instant; ``lake_of`` puts them into a lake.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st

from fleetcrash.records import KNOWN_FROM_THE_START, OWN_TIME, Kind
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows

Row = dict[str, Any]
World = dict[str, list[Row]]

START = datetime(2026, 3, 4, tzinfo=UTC)
LAST_MINUTE = 240
HOSTS = ("h0", "h1", "h2", "h3", "h4", "h5")
TALKER = "h5"  # tells of its presence by heartbeats, the others by sessions
UPDATES = ("a1", "a2", "b1", "agent", "patch", "unlisted")
VIEWS = ("crashes", "installs", "updates", "hosts", "presence", "exposures", "host_spans")


def at(minute: float) -> datetime:
    """An instant of the small world."""
    return START + timedelta(minutes=minute)


def crash_of(number: int, minute: float) -> Row:
    """A crash of Windows host ``h{number}``, told a minute later."""
    return {
        "crash_id": f"h{number} at {minute}",
        "host_id": f"h{number}",
        "os_type": "windows",
        "occurred_at": at(minute),
        "received_at": at(minute + 1),
    }


def known_at(kind: str, row: Mapping[str, Any]) -> datetime:
    """When a record was known, by the contract: received_at, else its own time, else from the start."""
    known: datetime | None = row.get("received_at") or row.get(OWN_TIME[Kind(kind)])
    return known or datetime.fromisoformat(KNOWN_FROM_THE_START)


def known_by(world: World, instant: datetime) -> World:
    """The records that existed at an instant, as they would have been told then.

    That a session ended is known ten minutes after it did, and a withdrawal when it happens; before that nobody could
    have written either down.
    """
    told = {kind: [dict(row) for row in rows if known_at(kind, row) <= instant] for kind, rows in world.items()}
    for row in told.get("session", []):
        if row["online_until"] is not None and row["online_until"] > instant - timedelta(minutes=10):
            row["online_until"] = None
    for row in told.get("update", []):
        if row.get("reverted_at") is not None and row["reverted_at"] > instant:
            row["reverted_at"] = None
    return told


@contextmanager
def lake_of(world: World, empty: Path, *, shuffled: Random | None = None, loads: int = 1) -> Iterator[Lake]:
    """A lake that holds the records, until the context is left.

    Args:
        empty: a lake without a record, to copy: making one anew takes ten times as long.
        shuffled: draws the order of the records; None: as they are.
        loads: number of batches that they come in.
    """
    with TemporaryDirectory() as folder:
        shutil.copytree(empty, Path(folder) / "lake")
        lake = Lake.open(Path(folder) / "lake")
        for kind, rows in world.items():
            ordered = list(rows)
            if shuffled is not None:
                shuffled.shuffle(ordered)
            for number in range(loads):
                part = ordered[number::loads]
                if part:
                    append_rows(lake, kind, part, batch_id=f"load-{number}")
        yield lake


def answers(engine: Engine) -> dict[str, list[Row]]:
    """What each view says; which batch brought a record, and the order of the rows, say nothing."""
    found = {}
    for view in VIEWS:
        engine._views.define(view)
        rows = engine._con.sql(f"SELECT * FROM {view}").to_arrow_table().to_pylist()
        for row in rows:
            row.pop("batch_id", None)
        found[view] = sorted(rows, key=str)
    return found


def minutes(low: int = 0, high: int = LAST_MINUTE) -> st.SearchStrategy[int]:
    """Minutes on the grid."""
    return st.integers(low // 5, high // 5).map(lambda step: 5 * step)


# Minutes from a record's own time to its receipt. None: it carries no received_at; -5: the host's clock is ahead.
_DELAYS = st.sampled_from([None, None, 0, 5, 30, 90, -5])


def _received(minute: int, delay: int | None) -> datetime | None:
    return None if delay is None else at(minute + delay)


@st.composite
def _host_rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for host in HOSTS:
        # One row a time: which of two rows known at once counts, the contract leaves open.
        for minute in draw(st.lists(st.one_of(st.none(), minutes()), max_size=3, unique=True)):
            rows.append(
                {
                    "host_id": host,
                    "os_type": draw(st.sampled_from(["windows", "linux"])),
                    "os_build": draw(st.sampled_from([None, "22631.1"])),
                    "agent_version": draw(st.sampled_from([None, "7.9", "7.11", "7.11.1"])),
                    "region": draw(st.sampled_from([None, "eu", "us"])),
                    "always_on": draw(st.booleans()),
                    "seen_at": None if minute is None else at(minute),
                }
            )
    return rows


_LISTED = {
    "a1": ("content", "a", None),
    "a2": ("content", "a", None),
    "b1": ("content", "b", None),
    "agent": ("agent", None, "7.16"),
    "patch": ("os_patch", None, "22631.9"),
}


@st.composite
def _update_rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for update, (kind, channel, version) in _LISTED.items():
        released = draw(minutes(0, 60))
        for delay in draw(st.lists(_DELAYS, max_size=2, unique_by=lambda delay: delay or 0)):
            rows.append(
                {
                    "update_id": update,
                    "kind": kind,
                    "channel": draw(st.sampled_from([channel, channel, channel, "b"])),
                    "version": version,
                    "released_at": at(released),
                    "reverted_at": draw(st.one_of(st.none(), minutes(60, 200).map(at))),
                    "received_at": _received(released, delay),
                }
            )
    return rows


@st.composite
def _install_rows(draw: st.DrawFn) -> list[Row]:
    number = draw(st.integers(0, 20))
    rows = []
    for _ in range(number):
        applied = draw(minutes(0, 180))
        rows.append(
            {
                # Mostly one host and one update: what follows what is where the mistakes are.
                "host_id": draw(st.sampled_from(("h0", "h0", *HOSTS))),
                "update_id": draw(st.sampled_from(("a1", "a1", "a1", *UPDATES))),
                "applied_at": at(applied),
                "action": draw(st.sampled_from(["installed", "installed", "removed"])),
                "received_at": _received(applied, draw(_DELAYS)),
            }
        )
    return rows


@st.composite
def _session_rows(draw: st.DrawFn) -> list[Row]:
    rows = []
    for host in HOSTS[:-1]:
        begins = draw(minutes(0, 30))
        for gap, length in draw(
            st.lists(st.tuples(st.sampled_from([0, 5, 10, 15, 60]), st.sampled_from([5, 10, 30, 35, 60])), max_size=4)
        ):
            begins += gap
            ends = begins + length
            delay = draw(st.sampled_from([None, None, 0, 20]))
            told_open = draw(st.booleans())
            told_end = draw(st.booleans()) if told_open else True
            if told_open:
                rows.append({"host_id": host, "online_from": at(begins), "online_until": None})
            if told_end:
                rows.append(
                    {
                        "host_id": host,
                        "online_from": at(begins),
                        "online_until": at(ends),
                        # Told at once where it carries no time of its own: known by online_from, so it says.
                        "received_at": None if delay is None else at(ends + delay),
                    }
                )
            else:
                break  # still online: nothing comes after it
            if delay is not None and draw(st.sampled_from([False, False, True])):
                # Taken back: the host was online all the while.
                told = at(ends + delay + 15)
                rows.append({"host_id": host, "online_from": at(begins), "online_until": None, "received_at": told})
            begins = ends
    return rows


@st.composite
def _heartbeat_rows(draw: st.DrawFn) -> list[Row]:
    beats = draw(st.lists(minutes(), max_size=16, unique=True))
    return [
        {
            "host_id": TALKER,
            "at": at(minute),
            "received_at": _received(minute, draw(st.sampled_from([None, None, 0, 30]))),
        }
        for minute in beats
    ]


@st.composite
def _crash_rows(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    taken = set()
    for _ in range(draw(st.integers(0, 16))):
        occurred = draw(minutes())
        row = {
            "crash_id": draw(st.sampled_from([f"c{number}" for number in range(10)])),
            "host_id": draw(st.sampled_from(HOSTS)),
            "occurred_at": at(occurred),
            "time_quality": draw(st.sampled_from(["exact", "exact", "reboot"])),
            "os_type": "windows",
            "module": draw(st.sampled_from([None, "m.sys"])),
            "received_at": _received(occurred, draw(_DELAYS)),
        }
        # Of two reports of one crash known at once the lesser by its JSON counts; that has a test of its own.
        key = (row["crash_id"], known_at("crash", row))
        if key not in taken:
            taken.add(key)
            rows.append(row)
    return rows


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """The records of a small world; any kind may be missing altogether."""
    return {
        "host": draw(_host_rows()),
        "update": draw(_update_rows()),
        "install": draw(_install_rows()),
        "session": draw(_session_rows()),
        "heartbeat": draw(_heartbeat_rows()),
        "crash": draw(_crash_rows()),
    }


@st.composite
def told_worlds(draw: st.DrawFn) -> World:
    """A small world that always tells of installs and presence, so that neither is assumed."""
    world = draw(worlds())
    world["install"].append({"host_id": "other", "update_id": "other", "applied_at": at(0), "action": "installed"})
    world["session"].append({"host_id": "other", "online_from": at(0), "online_until": None})
    return world


def instants(least: int = 0) -> st.SearchStrategy[Sequence[datetime]]:
    """Two instants to judge at, on the grid or a second off it."""
    instant = st.tuples(minutes(least, LAST_MINUTE + 120), st.sampled_from([0, 0, 1, -1])).map(
        lambda pair: at(pair[0]) + timedelta(seconds=pair[1])
    )
    return st.lists(instant, min_size=2, max_size=2)
