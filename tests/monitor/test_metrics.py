"""What the monitor tells Prometheus, asked over HTTP while it watches."""

from __future__ import annotations

import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import cli
from fleetcrash.errors import BadArgument
from fleetcrash.prometheus import CONTENT_TYPE, Histogram
from fleetcrash.store import Lake
from monitor.loop import watch
from monitor.metrics import Metrics, Standing, telling
from tests.fleetcrash.short import short_records
from tests.monitor.alerts.conftest import (  # noqa: F401 - hooks is a fixture
    Clock,
    Hook,
    Told,
    answer,
    hooks,
    incident,
    webhook,
)
from tests.monitor.test_loop import Fleet
from tests.monitor.test_watch_with_alerts import Turning

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake.create(tmp_path / "lake")


def scraped(port: int) -> dict[str, float]:
    """Samples by name and labels; that each is declared before, and once, is checked on the way."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as told:
        assert told.headers["Content-Type"] == CONTENT_TYPE
        text = told.read().decode()
    found: dict[str, float] = {}
    declared: set[str] = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            declared.add(line.split()[2])
        elif not line.startswith("#"):
            sample, _, value = line.rpartition(" ")
            name = re.sub(r"_(bucket|sum|count)$", "", sample.partition("{")[0])
            assert name in declared
            assert sample not in found
            found[sample] = float(value)
    assert all(name.startswith("fleetcrash_monitor_") for name in declared)
    return found


@pytest.mark.slow
def test_looks_ticks_incidents_and_alerts_are_told(lake, hooks):  # noqa: F811
    hook: Hook = hooks()
    hook.answers = [answer(500), answer(400)]
    clock, metrics = Clock(), Metrics()
    told = Told(lake.root, clock, webhook(hook), metrics=metrics)
    growing = Fleet(lake, short_records())
    growing.tell(30)
    log = lake.root / "batch" / "_delta_log"
    broken = log / f"{len(list(log.glob('*.json'))):020}.json"
    seen: list[dict[str, float]] = []

    def look() -> None:
        seen.append(scraped(port))

    def breaks() -> None:
        broken.write_text("this is no commit")

    def mends() -> None:
        look()
        broken.unlink()
        for _ in range(3):
            clock.passes(600.0)
            told.sent()
        look()

    with telling(lambda: metrics.text(told.alerting.standing()), 0) as port:
        look()
        watch(lake, interval_s=0.0, stop=Turning(breaks, mends, lambda: None), alerting=told.alerting, metrics=metrics)
        look()
    start, failed, sent, end = seen
    assert start["fleetcrash_monitor_ticks_total"] == start["fleetcrash_monitor_look_seconds_count"] == 0
    assert "fleetcrash_monitor_incidents_open" not in start
    assert failed["fleetcrash_monitor_ticks_total"] > 30
    assert failed["fleetcrash_monitor_looks_failed_total"] == 1
    assert failed["fleetcrash_monitor_incidents_open"] == 1
    assert failed["fleetcrash_monitor_leads"] == 1
    assert failed['fleetcrash_monitor_alerts_waiting{receiver="oncall"}'] == 1
    assert sent['fleetcrash_monitor_alerts_waiting{receiver="oncall"}'] == 0
    for result in ("down", "refused", "delivered"):
        assert sent[f'fleetcrash_monitor_alerts_total{{receiver="oncall",result="{result}"}}'] == 1
    assert end["fleetcrash_monitor_look_seconds_count"] == 2
    assert end["fleetcrash_monitor_look_seconds_sum"] > 0
    last_look = "fleetcrash_monitor_last_look_timestamp_seconds"
    assert end[last_look] > failed[last_look] > 0


def test_a_second_monitor_does_not_lead(lake, hooks):  # noqa: F811
    one, other = (Told(lake.root, Clock(), webhook(hooks())) for _ in range(2))
    for each in (one, other):
        each.found(incident())
    texts = [Metrics().text(each.alerting.standing()) for each in (one, other)]
    assert all("\nfleetcrash_monitor_alerts_file_good 1\n" in text for text in texts)
    assert [re.findall(r"^fleetcrash_monitor_leads (\d)$", text, re.MULTILINE) for text in texts] == [["1"], ["0"]]


def test_an_outbox_that_cannot_be_read_leaves_the_rest_of_the_metrics(lake, hooks):  # noqa: F811
    told = Told(lake.root, Clock(), webhook(hooks()))
    told.found(incident())
    told.alerting.outbox.close()
    text = Metrics().text(told.alerting.standing())
    assert "\nfleetcrash_monitor_leads 1\n" in text
    assert "alerts_waiting{" not in text


def test_where_nobody_is_told_nothing_is_said_of_alerts():
    assert "alerts" not in Metrics().text(None)


def test_it_answers_nothing_but_metrics_and_takes_a_free_port_only():
    with telling(lambda: "", 0) as port:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
        with pytest.raises(BadArgument, match="Nothing was started"), telling(lambda: "", port):
            pass
    with telling(lambda: "", port):
        pass
    with pytest.raises(BadArgument, match="Nothing was started"), telling(lambda: "", 99999):
        pass


@pytest.mark.parametrize("command", [["monitor", "--metrics"], ["serve", "--port", "0", "--monitor-metrics"]])
def test_a_port_for_metrics_that_is_taken_is_2_with_one_line(tmp_path, capsys, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert cli.main([*command, port, "--lake", str(tmp_path / "lake")]) == 2
    assert f"ort {port}" in capsys.readouterr().err.splitlines()[-1]


def test_a_bucket_holds_what_is_at_most_its_bound():
    histogram = Histogram((0.5, 1.0))
    for seconds in (0.5, 0.6, 7.0):
        histogram.took(seconds)
    assert list(histogram.lines("x_seconds", "How long."))[2:] == [
        'x_seconds_bucket{le="0.5"} 1', 'x_seconds_bucket{le="1.0"} 2', 'x_seconds_bucket{le="+Inf"} 3',
        "x_seconds_sum 8.1", "x_seconds_count 3",
    ]  # fmt: skip


def test_the_page_on_operating_names_every_metric():
    told = Metrics().text(Standing(leads=True, waiting={}))
    assert [name for name in re.findall(r"# TYPE (\S+)", told) if f"`{name}`" not in PAGE] == []


def test_a_file_that_cannot_be_understood_is_told():
    text = Metrics().text(Standing(leads=True, waiting={}, follows=False))
    assert "\nfleetcrash_monitor_alerts_file_good 0\n" in text
