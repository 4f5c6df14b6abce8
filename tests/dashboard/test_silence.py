"""What the curve has beside crashes: servers that went dark, and its end, of which reports are still on their way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts import SERVERS_DARK, Settled, rate_chart
from dashboard.figures import Buckets
from dashboard.rates import Rates
from dashboard.silence import dark_rates, flattens
from fleetcrash.store import Lake
from tests.fleetcrash import dark_site
from tests.fleetcrash.worlds import lake_of

SINCE = datetime(2026, 3, 4, 10, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    """A site that went dark; nobody writes to it."""
    empty = Lake.create(tmp_path_factory.mktemp("site") / "lake").root
    with lake_of(dark_site.world(), empty) as lake:
        yield lake.root


def buckets(**columns: list[float]) -> pd.DataFrame:
    starts = [SINCE + timedelta(minutes=10 * number) for number in range(len(next(iter(columns.values()))))]
    return pd.DataFrame({"bucket_start": pd.to_datetime(starts, utc=True), **columns})


def chart(settled: datetime | None = None, **changed) -> go.Figure:
    lines = buckets(crashes=[0, 1, 2, 1, 0, 0], host_hours=[10.0] * 6, rate=[0.0, 0.1, 0.2, 0.1, 0.0, 0.0])
    asked = {"group": "os_type", "markers": [], "buckets": Buckets(SINCE, UNTIL, 600), "log": False}
    ends = None if settled is None else Settled(settled, settled - timedelta(minutes=10))
    figure = rate_chart(lines.assign(os_type="linux"), settled=ends, **{**asked, **changed})
    return go.Figure(figure.to_dict())  # which checks each part


def test_servers_that_went_dark_are_bars_on_the_scale_of_the_crashes():
    dark = dark_rates(
        pd.concat([buckets(servers_dark=[30, 2]).assign(line=one) for one in ("linux", "windows")]),
        buckets(host_hours=[10.0] * 6),
    )
    assert dark["servers_dark"].tolist() == [60, 4]
    figure = chart(silent=dark)
    (bars,) = [trace for trace in figure.data if trace.type == "bar"]
    assert (bars.name, list(bars.y)) == (SERVERS_DARK, [6000.0, 400.0])
    assert bars.x[0].startswith("2026-03-04 10:05")
    assert figure.layout.yaxis.range[1] > 6000
    assert "servers dark" in figure.layout.yaxis.title.text


def test_where_none_did_the_chart_is_as_it_was():
    figure = chart(silent=dark_rates(buckets(servers_dark=[]).assign(line=[]), buckets(host_hours=[10.0])))
    assert [trace.type for trace in figure.data] == ["scatter"]
    assert figure.layout.yaxis.title.text == "crashes per 1,000 host-hours"


def test_a_silence_makes_the_axis_logarithmic_as_crashes_do():
    rates = Rates(now=0.0, now_crashes=0, baseline=0.001, peak=0.002, peak_at=SINCE)
    assert flattens(buckets(servers_dark=[60], host_hours=[10.0], rate=[6.0]), rates)
    assert not flattens(buckets(servers_dark=[1], host_hours=[10.0], rate=[0.1]), rates)
    assert not flattens(buckets(servers_dark=[], host_hours=[], rate=[]), rates)


def test_what_is_still_being_reported_is_faint_and_behind_a_veil():
    figure = chart(settled=SINCE + timedelta(minutes=45))
    settled, faint = figure.data
    assert list(settled.y) == [0.0, 100.0, 200.0, 100.0, None, None]
    assert list(faint.y) == [100.0, 0.0, 0.0]
    assert (faint.line.dash, faint.name) == ("dot", settled.name)
    assert faint.opacity < 1
    assert list(faint.hoverinfo) == ["skip", "all", "all"]  # the joint is told once
    veil = next(shape for shape in figure.layout.shapes if shape.type == "rect")
    assert (veil.x0[11:16], veil.x1[11:16]) == ("10:30", "11:00")  # silence is known later than crashes
    assert "still being reported" in [note.text for note in figure.layout.annotations]


def test_where_all_is_in_no_line_is_faint():
    figure = chart()
    assert len(figure.data) == 1
    assert not [shape for shape in figure.layout.shapes or () if shape.type == "rect"]


def test_the_overview_of_a_silent_outage_is_not_flat(site: Path, overview):
    page = overview(site)
    assert "Bars are servers that went dark, 40 in all, most from 03:" in page.text
    assert "What happened since 04:51 UTC is still being reported" in page.text
    (bars,) = [trace for trace in page.figures[0]["data"] if trace["type"] == "bar"]
    assert [one[:16] for one in bars["x"]] == ["2026-03-04 03:30"]
    assert SERVERS_DARK in page.text
    assert len(page.files("crash-rate")) == 2


def test_a_silence_is_shown_as_closely_as_its_servers_allow(site: Path, overview):
    window = {"range": "custom", "from": "2026-03-04T00:00", "to": "2026-03-04T05:00"}
    assert "one point every 10 min" in overview(site, **window).text
    assert "one point every 15 min" in overview(site, **window, site="s1").text  # of few crashes


def test_filters_hold_for_what_went_dark(site: Path, overview):
    assert "servers that went dark" not in overview(site, site="s1").text
    assert "went dark, 40 in all" in overview(site, site="lab").text
    assert "servers that went dark" not in overview(site, update="agent").text  # who was exposed is not asked here


def test_of_a_window_of_the_past_all_is_in(site: Path, overview):
    window = {"range": "custom", "from": "2026-03-04T02:00", "to": "2026-03-04T04:00"}
    text = overview(site, **window).text
    assert "went dark, 40 in all" in text
    assert "still being reported" not in text
