"""Of what was said of updates the newest counts, from when it was known."""

from __future__ import annotations

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.news import News
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.store import Engine
from tests.fleetcrash.worlds import World, at, crash_of, lake_of

START = int(at(0).timestamp()) // 60
HOSTS = 20


def world(*updates: dict[str, object]) -> World:
    """Hosts of which ten get two updates, an hour apart."""
    named = [f"h{number}" for number in range(HOSTS)]
    return {
        "host": [{"host_id": host, "os_type": "windows", "agent_version": "7.10"} for host in named],
        "session": [{"host_id": host, "online_from": at(-600)} for host in named],
        "crash": [crash_of(1, -300)],
        "install": [
            {"host_id": host, "update_id": update, "applied_at": at(minute)}
            for host in named[:10]
            for update, minute in (("u", 10), ("v", 70))
        ],
        "update": list(updates),
    }


def told(update: str, minute: float, **values: object) -> dict[str, object]:
    row = {"update_id": update, "kind": "content", "channel": "c", "released_at": at(9), "received_at": at(minute)}
    return {**row, **values}


def said(news: News, minute: float) -> list[tuple[str | None, str | None, int | None]]:
    """Kind, version and minute of the release of each update, as known at a minute."""
    news.suspects.turn_to(START + int(minute))
    return [
        (one.kind, one.version, None if one.released_minute is None else one.released_minute - START)
        for one in news.suspects
    ]


def test_of_an_update_no_more_is_known_than_was_said_by_then(empty_lake):
    rows = [told("u", 9, version="1"), told("v", 100, version="2"), told("u", 200, version="1b", released_at=at(-50))]
    with lake_of(world(*rows), empty_lake) as lake, Engine(lake, as_of=at(300)) as engine:
        news = read_news(engine)
    assert [one.update_id for one in news.suspects] == ["u", "v"]
    assert said(news, 99) == [("content", "1", 9), (None, None, None)]
    assert said(news, 100) == [("content", "1", 9), ("content", "2", 9)]
    assert said(news, 200) == [("content", "1b", -50), ("content", "2", 9)]
    assert [one.known_tick - START for one in news.suspects] == [9, 70]


def test_a_row_that_arrives_for_minutes_that_were_judged_is_no_news_that_follow(empty_lake):
    before, after = world(told("u", 9), told("v", 9)), world(told("u", 9), told("v", 9), told("u", 50, version="2"))
    with lake_of(before, empty_lake) as lake, Engine(lake, as_of=at(100)) as engine:
        earlier = read_news(engine)
    with lake_of(after, empty_lake) as lake, Engine(lake, as_of=at(101)) as engine:
        assert not read_news(engine, after_tick=earlier.last_tick).follows(earlier)


def test_one_update_takes_the_place_of_another_from_when_that_is_told(empty_lake):
    def hosts(minute: float) -> tuple[dict[str, int], bool]:
        """How many have each by what is known of a minute, of who began at 150 and read on."""
        engine.as_of = at(150)
        detector = Detector(read_news(engine))
        for tick in range(detector.news.first_tick, detector.news.last_tick + 1):
            detector.tick(tick)
        earlier = detector.news
        engine.as_of = at(minute)
        news = read_news(engine, after_tick=earlier.last_tick)
        detector.extend(news)
        for tick in range(earlier.last_tick + 1, news.last_tick + 1):
            detector.tick(tick)
        by_update = detector._inquiry.expected.time.by_update.items()
        counted = {news.suspects[one].update_id: int(time.hosts().sum()) for one, time in by_update}
        return counted, news.follows(earlier)

    with lake_of(world(told("u", 200), told("v", 200)), empty_lake) as lake, Engine(lake) as engine:
        assert hosts(199) == ({"u": 10, "v": 10}, True)
        assert hosts(201) == ({"u": 0, "v": 10}, True)


def test_an_agent_counts_as_the_version_that_was_told_of_it_from_when_it_was(empty_lake):
    agent = {"kind": "agent", "channel": None}
    rows = [told("u", 120, version="7.11", **agent), told("u", 200, version="7.12", **agent)]
    with lake_of(world(*rows), empty_lake) as lake, Engine(lake) as engine:
        for minute, cells in ((110, {"7.10": 0}), (300, {"7.10": 0, "7.11": 120})):
            engine.as_of = at(minute)
            known = {cell.attributes[3]: max(cell.known_tick - START, 0) for cell in read_news(engine).cells[1:]}
            assert known == cells
