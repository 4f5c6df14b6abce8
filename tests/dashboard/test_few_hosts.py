"""What a few hosts do is not lost among the fleet on the overview; where there are none, nothing is said of them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from dashboard.few_hosts import can_be, few_hosts
from tests.dashboard.fleet import GUILTY, START, append_rows, incident, outage, tick


def _of(*crashes: int) -> tuple[pd.DataFrame, pd.Series]:
    """The hosts with most crashes, and the sums, of hosts with so many crashes each."""
    ranked = sorted(crashes, reverse=True)
    most = pd.DataFrame({"host_id": [f"h{number}" for number in range(len(ranked))], "crashes": ranked})
    return most, pd.Series({"crashes": sum(crashes), "hosts_crashed": len(crashes)})


@pytest.mark.parametrize(
    ("crashes", "named"),
    [
        ([55, 53, 52, 47, 47, 4, 4, *[1] * 194], 5),
        ([55, 53, 52, 47, 47, 7, *[1] * 310], 5),
        ([18, 16, 13, 12, 11, 3, 2, 2, *[1] * 46], 5),
        ([20, 1], 1),
        ([6, 3, 2, *[1] * 61], 0),
        ([1, 1], 0),
        ([4, *[1] * 6], 0),
        ([4] * 40, 0),
        ([12], 0),
        ([], 0),
        ([9] * 9, 0),
    ],
    ids=[
        "five",
        "five and one with a few",
        "five of a shorter time",
        "one of two",
        "a small part",
        "hardly any crash",
        "too few crashes",
        "a wave",
        "nobody else",
        "none",
        "all alike",
    ],
)
def test_hosts_with_far_more_crashes_than_the_others_are_found(crashes: list[int], named: int):
    most, hit = _of(*crashes)
    found = few_hosts(most, hit)
    assert len(found.hosts if found else ()) == named
    if found:
        assert can_be(hit)
        assert found.share == sum(sorted(crashes)[-named:]) / sum(crashes)


def test_the_overview_names_them_with_links_and_only_where_there_are_any(tmp_path: Path, overview):
    lake = outage(tmp_path / "lake")
    row = {"host_id": "host-59", "os_type": "linux", "code": "SIGSEGV", "module": "y"}
    again = [
        {**row, "crash_id": f"again-{number}", "occurred_at": START + timedelta(hours=5, minutes=number)}
        for number in range(40)
    ]
    append_rows(lake, "crash", again, batch_id="again")
    page = overview(lake.root)
    assert "1 host has 38 % of the crashes: host-59 40 " in page.text
    assert '<a href="host?id=host-59">host-59</a>' in page.markup
    for elsewhere in ({"range": "6h"}, {"os": "windows"}):
        assert "of the crashes:" not in overview(lake.root, **elsewhere).text


@pytest.mark.variants
@pytest.mark.parametrize(
    ("exposed", "parameters", "pointed"),
    [
        (4, {}, True),
        (21, {}, False),
        (4, {"by": "version"}, True),
        (4, {"by": "update"}, False),
        (4, {"update": GUILTY}, False),
    ],
    ids=["few", "many", "few, by version", "its line is drawn", "no others are shown"],
)
def test_where_few_hosts_have_what_is_named_the_curve_points_to_its_own_line(
    exposed: int, parameters: dict[str, str], pointed: bool, tmp_path: Path, overview
):
    lake = outage(tmp_path / "lake")
    tick(lake, [incident(evidence={**incident()["evidence"], "hosts_exposed": exposed})])
    page = overview(lake.root, **parameters)
    assert (f"{GUILTY} concerns few hosts and hardly moves these lines: see its own line →" in page.text) is pointed
    assert ('href="./?by=update"' in page.markup) is pointed
