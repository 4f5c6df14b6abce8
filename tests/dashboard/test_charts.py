"""Figures say what the table says: zero is not "no data", names are text, the culprit stands out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import plotly.graph_objects as go
import pytest

from dashboard.charts import line_styles, rate_chart
from dashboard.figures import Buckets, label
from dashboard.incident_charts import Explanation, ratio_chart, states_chart
from dashboard.incidents import Interval
from dashboard.releases import Marker
from dashboard.theme import DARK, LIGHT

SINCE = datetime(2026, 3, 4, 10, tzinfo=UTC)
UNTIL = SINCE + timedelta(hours=1)
HOSTILE = "<img src=x onerror=alert(1)><b>%{x}</b>"


def _frame(rates: dict[int, float], *, name: str = "windows") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bucket_start": pd.to_datetime([SINCE + timedelta(minutes=at) for at in rates], utc=True),
            "os_type": name,
            "crashes": [round(each * 10) for each in rates.values()],
            "host_hours": 10.0,
            "rate": list(rates.values()),
        }
    )


def _chart(frame: pd.DataFrame, **changed):
    return go.Figure(_drawn(frame, **changed).to_dict())  # which checks each part


def _drawn(frame: pd.DataFrame, **changed):
    asked = {"group": "os_type", "markers": [], "buckets": Buckets(SINCE, UNTIL, 600), "log": False}
    return rate_chart(frame, **{**asked, **changed})


def test_a_bucket_without_row_breaks_the_line_and_is_shaded():
    figure = _chart(_frame({0: 0.0, 10: 0.1, 40: 0.0, 50: 0.0}))
    assert list(figure.data[0].y) == [0.0, 100.0, None, None, 0.0, 0.0]
    shaded = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [(shape.x0[11:16], shape.x1[11:16]) for shape in shaded] == [("10:20", "10:40")]
    assert "no data" in [note.text for note in figure.layout.annotations]


def test_zero_has_a_place_on_a_log_axis():
    figure = _chart(_frame({0: 0.0, 10: 0.5, 20: 0.001, 30: 0.0, 40: 0.0, 50: 0.0}), log=True)
    floor = figure.layout.yaxis.tickvals[0]
    assert figure.layout.yaxis.ticktext[0] == "0"
    assert list(figure.data[0].y) == pytest.approx([floor, 500.0, 1.0, floor, floor, floor])
    assert floor < 1.0


def test_rates_are_per_thousand_host_hours_and_counts_are_not():
    frame = _frame({0: 0.2, 10: 0.0, 20: 0.0, 30: 0.0, 40: 0.0, 50: 0.0})
    assert _chart(frame).data[0].y[0] == pytest.approx(200.0)
    assert _chart(frame, counts=True).data[0].y[0] == 2


def test_the_culprit_alone_is_vermilion():
    markers = [Marker("guilty", SINCE + timedelta(minutes=20), "culprit"), Marker("other", SINCE, "other")]
    figure = _chart(_frame({0: 0.1}), markers=markers)
    named = [note for note in figure.layout.annotations if "guilty" in note.text]
    assert [note.font.color for note in named] == [LIGHT.culprit_text]
    assert not any("other" in (note.text or "") for note in figure.layout.annotations)
    coloured = [shape for shape in figure.layout.shapes if shape.line.color == LIGHT.culprit]
    assert len(coloured) == 1
    assert all(trace.line.color != LIGHT.culprit for trace in figure.data)


@pytest.mark.parametrize(
    "minutes", [(10,), (10, 11, 12), (50, 51, 52), (5, 40), (39, 43), (2, 20, 38, 55), tuple(range(4, 60, 9))], ids=str
)
def test_no_label_of_what_is_tied_covers_another_and_no_line_runs_through_one(minutes):
    markers = [Marker(f"content-{minute:03d}", SINCE + timedelta(minutes=minute), "suspect") for minute in minutes]
    figure, alone = _chart(_frame({0: 0.1}), markers=markers), _chart(_frame({0: 0.1}), markers=markers[:1])
    labels = [note for note in figure.layout.annotations if "content" in (note.text or "")]
    plot_px = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert plot_px == alone.layout.height - alone.layout.margin.t - alone.layout.margin.b
    assert max(note.yshift for note in labels) + 18 <= figure.layout.margin.t
    assert len(labels) == min(len(minutes), 6)
    lines = [shape for shape in figure.layout.shapes if shape.line.color == LIGHT.suspect]
    assert len(lines) == len(minutes)
    width = timedelta(minutes=60 * 170 / 1250)
    covered: list[tuple[float, datetime, datetime]] = []
    for note in labels:
        at = datetime.fromisoformat(note.x)
        begins, ends = (at - width, at) if note.xanchor == "right" else (at, at + width)
        for line in lines:
            top_px = (line.y1 - 1) * plot_px
            assert not (begins < datetime.fromisoformat(line.x0) < ends and top_px > note.yshift)
        for row, other_begins, other_ends in covered:
            assert row != note.yshift or begins >= other_ends or ends <= other_begins
        covered.append((note.yshift, begins, ends))


@pytest.mark.parametrize(("minute", "anchor"), [(25, "left"), (35, "right")])
def test_the_label_of_the_culprit_is_on_the_side_with_more_room(minute, anchor):
    figure = _chart(_frame({0: 0.1}), markers=[Marker("guilty", SINCE + timedelta(minutes=minute), "culprit")])
    assert [note.xanchor for note in figure.layout.annotations if "guilty" in (note.text or "")] == [anchor]


@pytest.mark.parametrize(("minute", "anchor"), [(45, "left"), (48, "right")])
def test_withdrawn_is_not_cut_off_where_the_chart_is_as_narrow_as_a_phone(minute, anchor):
    marker = Marker("guilty", SINCE, "culprit", withdrawn_at=SINCE + timedelta(minutes=minute))
    notes = _chart(_frame({0: 0.1}), markers=[marker]).layout.annotations
    assert [note.xanchor for note in notes if note.text == "withdrawn"] == [anchor]


def test_labels_in_the_strip_do_not_cover_one_another():
    markers = [Marker(f"content-{number:03d}", SINCE + timedelta(minutes=number)) for number in range(40)]
    figure = _chart(_frame({0: 0.1}), markers=markers)
    texts = next(trace for trace in figure.data if trace.mode == "text")
    dots = next(trace for trace in figure.data if trace.mode == "markers")
    assert len(dots.x) == 40  # every release has its dot, labelled or not
    width = timedelta(hours=1) / 1250 * 11 * 6.4
    rows: dict[float, list[tuple[datetime, datetime]]] = {}
    for at, row, position in zip(texts.x, texts.y, texts.textposition, strict=True):
        start = datetime.fromisoformat(at)
        spanned = (start, start + width) if position == "middle right" else (start - width, start)
        assert all(spanned[0] >= end or spanned[1] <= begin for begin, end in rows.get(row, []))
        rows.setdefault(row, []).append(spanned)


def test_names_of_the_fleet_are_text_to_plotly():
    figure = _chart(_frame({0: 0.1}, name=HOSTILE), markers=[Marker(HOSTILE, SINCE + timedelta(minutes=9), "culprit")])
    written = figure.to_json()
    assert "<img" not in written
    assert "&lt;img" in written
    assert "%{x}" not in str(figure.data[0].hovertemplate)


def test_a_long_name_is_cut_and_a_right_to_left_one_isolated():
    assert len(label("x" * 128)) <= 28
    assert label("\u05d0\u05d1").startswith("\u2068")
    assert "\u202e" not in label("a\u202eb")


def test_each_os_keeps_its_line_whatever_else_is_shown():
    alone = line_styles(_frame({0: 0.1}, name="linux"), "os_type")["linux"]
    both = line_styles(pd.concat([_frame({0: 0.1}), _frame({0: 0.1}, name="linux")]), "os_type")["linux"]
    assert (alone.colour, alone.dash) == (both.colour, both.dash)


def test_the_line_of_a_named_update_has_the_colour_of_its_marker():
    frame = pd.concat([_frame({0: 0.1}, name=name) for name in ("guilty", "other")]).rename(
        columns={"os_type": "update_id"}
    )
    markers = [Marker("guilty", SINCE, "culprit"), Marker("other", SINCE, "suspect")]
    drawn = {trace.name: trace.line.color for trace in _chart(frame, group="update_id", markers=markers).data}
    assert drawn["guilty"] == LIGHT.culprit
    assert drawn["other"] in LIGHT.lines
    of_an_os = line_styles(_frame({0: 0.1}), "os_type", named={"windows"})
    assert of_an_os["windows"].colour in LIGHT.lines, "an update may be called like an OS"


def test_hosts_of_no_known_os_have_a_line_of_their_own():
    fleet = pd.concat([_frame({0: 0.1}, name=name) for name in ("windows", "darwin", "linux", "unknown")])
    drawn = {(style.colour, style.dash) for style in line_styles(fleet, "os_type").values()}
    assert len(drawn) == 4


def test_an_update_whose_id_reads_like_a_template_is_told_as_it_is():
    figure = ratio_chart([Explanation("u%{y}", Interval(2.0, 3.0, 4.0), guilty=True)])
    (marker,) = (trace for trace in figure.data if trace.mode == "markers")
    assert (marker.hovertemplate, marker.text) == ("%{text}<extra></extra>", ("u%{y}: × 3.0 (2.0 to 4.0)",))


def test_an_open_interval_runs_to_the_edge_and_is_named():
    figure = ratio_chart(
        [Explanation("u", Interval(2.0, 40.0, None), guilty=True), Explanation("v", Interval(0.5, 1.0, 2.0))]
    )
    edge = 10 ** figure.layout.xaxis.range[1]
    assert figure.data[0].x[1] == pytest.approx(edge)
    assert "no bound" in figure.layout.annotations[0].text


def test_a_long_name_has_its_interval_on_a_line_of_its_own():
    wave = "os build 5.14.0-427.13.1.el9_4 from 02:35 (wave)"
    each = Interval(855.0, 939.0, 1028.0)
    long, short = ratio_chart([Explanation(wave, each), Explanation("v", each)]).layout.annotations[:2]
    assert long.text == f"{wave}<br>× 939 (855 to 1\u202f028)", "a phone would cut it off"
    assert short.text == "v  × 939 (855 to 1\u202f028)"


def test_states_carry_their_figures_as_text():
    figure = states_chart([("dark", "Dark", 1234), ("cleared", "Cleared", 0)], dark=True)
    assert list(figure.data[0].text) == ["1\u202f234", "0"]
    assert figure.layout.font.color == DARK.ink


def test_an_empty_table_is_no_crash():
    assert len(_chart(_frame({})).data) == 0


def test_a_figure_is_described_once_and_as_plotly_would():
    figure = _drawn(_frame({0: 0.2, 10: 0.1, 20: 0.0, 30: 0.0, 40: 0.0, 50: 0.0}))
    described = figure.to_dict()
    assert figure.to_dict() is described
    assert described == go.Figure(described).to_dict()
