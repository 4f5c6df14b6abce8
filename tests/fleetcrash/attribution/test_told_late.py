"""What is told late, or taken back, changes no answer of before; and who reads on counts as who begins anew does."""

from __future__ import annotations

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine, Lake
from monitor.loop import Monitor
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.worlds import Row, World, at, crash_of, lake_of


def hosts(count: int, **attributes: object) -> list[Row]:
    return [{"host_id": f"h{number}", "os_type": "windows", **attributes} for number in range(count)]


def online(lake: Lake, minute: float) -> dict[tuple[str | None, ...], float]:
    """How many hosts are at risk by what is known of a minute, by agent version and region."""
    with Engine(lake, as_of=at(minute)) as engine:
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
    counted = detector._inquiry.expected.time.online.sum(1)
    return {
        (cell.attributes[3], cell.region): float(count)
        for cell, count in zip(detector.news.cells, counted, strict=True)
        if count
    }


def test_of_sessions_without_an_end_the_last_counts(empty_lake):
    told: World = {
        "host": hosts(10),
        "session": [
            {"host_id": f"h{number}", "online_from": at(60 * boot)} for number in range(10) for boot in range(4)
        ],
        "crash": [crash_of(1, 50)],
    }
    with lake_of(told, empty_lake) as lake:
        assert online(lake, 220) == {(None, None): 10.0}


def test_an_older_version_that_is_told_later_is_not_what_a_host_runs(empty_lake):
    told: World = {
        "host": hosts(1, agent_version="7.10"),
        "session": [{"host_id": "h0", "online_from": at(0)}],
        "update": [
            {"update_id": version, "kind": "agent", "version": version, "released_at": at(0)}
            for version in ("7.11", "7.12")
        ],
        "install": [
            {"host_id": "h0", "update_id": "7.12", "applied_at": at(20)},
            {"host_id": "h0", "update_id": "7.11", "applied_at": at(10), "received_at": at(50)},
        ],
        "crash": [crash_of(0, 5)],
    }
    with lake_of(told, empty_lake) as lake:
        assert [list(online(lake, minute)) for minute in (30, 60)] == [[("7.12", None)]] * 2


def test_a_session_that_is_told_later_says_nothing_of_a_crash(empty_lake):
    told: World = {
        "host": hosts(3),
        "session": [
            *({"host_id": f"h{number}", "online_from": at(-600), "online_until": at(40)} for number in range(3)),
            *(
                {"host_id": f"h{number}", "online_from": at(58), "online_until": at(80), "received_at": at(90)}
                for number in range(3)
            ),
        ],
        "crash": [
            {**crash_of(0, 60), "time_quality": "exact"},
            {**crash_of(1, 60), "time_quality": "reboot"},  # it went down at 40, which was known
            {**crash_of(2, 60), "received_at": at(95)},  # told after the session
        ],
    }
    columns = ("host", "tick", "minute", "outcome", "since_boot")
    with lake_of(told, empty_lake) as lake:
        said = []
        for minute in (70, 120):
            with Engine(lake, as_of=at(minute)) as engine:
                events = read_news(engine).events
            said.append(list(zip(*(getattr(events, name).tolist() for name in columns), strict=True)))
    start = int(at(0).timestamp()) // 60
    before = [("h1", start + 61, start + 40, 0, 2), ("h0", start + 61, start + 60, 0, 2)]
    assert said == [before, [*before, ("h2", start + 95, start + 60, 2, 0)]]


def test_a_session_end_that_is_taken_back_has_the_past_judged_again(lake: Lake):
    append_rows(lake, "host", hosts(30, always_on=True))
    append_rows(lake, "session", [{"host_id": f"h{number}", "online_from": at(-600)} for number in range(30)])
    ended = {"host_id": "h3", "online_from": at(-600), "online_until": at(20), "received_at": at(32)}
    append_rows(lake, "session", [ended], batch_id="ended")
    append_rows(lake, "crash", [crash_of(9, 1)])
    append_rows(lake, "session", [{"host_id": "talker", "online_from": at(60)}], batch_id="first")
    now = [at(60.5).timestamp()]
    monitor = Monitor(lake, clock=lambda: now[0])

    def looked() -> tuple[list[str], int]:
        monitor.look()
        detector = monitor._detector
        assert detector is not None
        return detector.news.events.host.tolist(), detector._claims.taken.size

    assert looked() == (["h9", "h3"], 2)
    back = {**ended, "online_until": None, "received_at": at(61)}
    append_rows(lake, "session", [back, {"host_id": "talker", "online_from": at(63)}], batch_id="second")
    now[0] = at(63.5).timestamp()
    assert looked() == (["h9"], 1)
    monitor.close()
