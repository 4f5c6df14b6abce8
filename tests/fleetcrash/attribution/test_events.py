"""What the detector takes for an event, and where it places one that was noticed at the next boot."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import at, crash_of

# Each host goes down at minute 100: since when it was up, when it is back (None: no presence is told of it), when its
# crash is said to have been and was heard of, and where exposure to updates is judged.
CASES = {
    "said to be just before the boot": (0, 130, 129.8, 131, 100),
    "said to be just after the boot": (0, 130, 130.5, 131, 100),
    "told when the end of the session was not known": (0, 103, 102.8, 104, 102.8),
    "told so, and said to be after the boot": (0, 103, 103.5, 104, 103),
    "told so, of a session that was short": (90, 103, 102.8, 104, 102.8),
    "told once the end was known": (0, 103, 103.5, 111, 100),
    "told then, of a session that was short": (90, 103, 102.8, 111, 100),
    "long after the boot, which did not notice it": (0, 130, 190, 191, 190),
    "of a host without presence": (None, None, 130, 131, 130),
}


def test_a_crash_noticed_at_a_boot_is_placed_at_the_end_of_the_session_before_and_stays_there(lake):
    _tell(lake)
    for now in (104, 110, 111, 131, 191, 500):
        known = {name: _minute(at(placed)) for name, (*_, heard, placed) in CASES.items() if heard <= now}
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        assert dict(zip(events.host, events.minute.tolist(), strict=True)) == known, now


def test_a_crash_is_news_once_its_host_is_known_to_have_been_seen_where_nobody_tells_presence(lake):
    seen = {"before": (80, 81), "told later": (80, 150), "after": (110, 111), "long before": (-1400, -1399)}
    append_rows(lake, "install", [
        {"host_id": host, "update_id": "u", "applied_at": at(minute), "received_at": at(known)}
        for host, (minute, known) in seen.items()
    ])  # fmt: skip
    append_rows(lake, "crash", [
        {"crash_id": host, "host_id": host, "os_type": "linux", "occurred_at": at(100), "received_at": at(101)}
        for host in (*seen, "never")
    ])  # fmt: skip
    for now, news in ((102, {"before": 101}), (500, {"before": 101, "told later": 150})):
        with Engine(lake, as_of=at(now)) as engine:
            events = read_news(engine).events
        assert dict(zip(events.host, events.tick.tolist(), strict=True)) == {
            host: _minute(at(known)) for host, known in news.items()
        }


def test_hosts_that_were_seen_once_are_at_risk_until_others_are_seen(lake):
    def seen(host: str, minute: float) -> dict[str, object]:
        return {"host_id": host, "os_type": "linux", "received_at": at(minute)}

    append_rows(lake, "host", [seen("a", 0), seen("b", 0), seen("a", 4000)])
    append_rows(lake, "crash", [
        {"crash_id": str(minute), "host_id": "b", "os_type": "linux", "occurred_at": at(minute)}
        for minute in (1000, 3500, 5000)
    ])  # fmt: skip
    for now, minutes in ((3600, [1000, 3500]), (6000, [1000, 3500])):
        with Engine(lake, as_of=at(now)) as engine:
            assert read_news(engine).events.minute.tolist() == [_minute(at(minute)) for minute in minutes]
            stretches = {row["host_id"]: row for row in engine.rows("known_presence") if row["online_from"] == at(0)}
        over = None if now < 4000 else (at(1440), at(4000))
        assert [stretches[host]["gone_known"] for host in "ab"] == [over and over[1]] * 2
        assert [stretches[host]["online_until"] for host in "ab"] == [over and over[0]] * 2


def _tell(lake: Lake) -> None:
    append_rows(lake, "host", [{"host_id": name, "os_type": "windows"} for name in CASES])
    sessions, crashes = [], []
    for name, (since, back, said, heard, _) in CASES.items():
        crash = {"crash_id": name, "host_id": name, "os_type": "windows", "time_quality": "reboot"}
        crashes.append({**crash, "occurred_at": at(said), "received_at": at(heard)})
        if since is not None and back is not None:
            spans: list[tuple[float, float | None]] = [(-60, -30), (since, 100), (back, None)]
            sessions += [
                {"host_id": name, "online_from": at(begins), "online_until": None if ends is None else at(ends)}
                for begins, ends in spans
            ]
    append_rows(lake, "session", sessions)
    append_rows(lake, "crash", crashes)


def _minute(moment: datetime) -> int:
    """A minute is named by its end."""
    return -(-int(moment.timestamp()) // 60)


@pytest.mark.variants
@pytest.mark.parametrize(
    ("told_by", "got", "left"),
    [("beats", 102, 102), ("beats", 112, 112), ("beats", 113, 100), ("session", 102, 100), ("beats", None, 100)],
)
def test_a_server_that_tells_of_an_install_after_its_last_beat_was_there_until_then(lake, told_by, got, left):
    """The session ends at the last beat, 750 seconds before it is missed: what silenced it may be just that install."""
    append_rows(lake, "host", [{"host_id": "h0", "os_type": "linux", "always_on": True}])
    append_rows(lake, "crash", [crash_of(1, 5)])
    if told_by == "beats":
        beats = range(0, 101, 5)
        append_rows(lake, "heartbeat", [{"host_id": "h0", "at": at(minute)} for minute in beats])
    else:
        append_rows(lake, "session", [{"host_id": "h0", "online_from": at(0), "online_until": at(100)}])
    if got is not None:
        append_rows(lake, "install", [{"host_id": "h0", "update_id": "u", "applied_at": at(got)}])
    append_rows(lake, "heartbeat", [{"host_id": "steady", "at": at(minute)} for minute in range(0, 301, 5)])
    with Engine(lake, as_of=at(300)) as engine:
        events = read_news(engine).events
    dark = np.flatnonzero(events.outcome == DARK)
    assert (events.minute[dark] - _minute(at(0))).tolist() == [left]
