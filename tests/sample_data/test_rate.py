"""Updates that change how often their hosts crash, without striking any for certain."""

from __future__ import annotations

import pytest

from sample_data.simulator import simulate
from tests.sample_data.conftest import Simulated
from tests.sample_data.test_contract import broken

RATE = """
title = "an update changes the crash rate of Windows hosts"
judged_day = 2024-07-10
[override.background_crashes.per_host_day]
windows = 0.06
linux = 0.06
[[updates]]
name = "one"
kind = "content"
channel = "991"
at = 02:00:00
where = {{ os_type = "windows" }}
rollout = {{ by = "push" }}
[[faults]]
update = "one"
condition = {{ os_type = "windows" }}
effect = "rate"
factor = {factor}
{module}
"""


@pytest.fixture
def at_rate(tmp_path):
    def make(factor: float, module: str = "") -> Simulated:
        path = tmp_path / "rate.toml"
        path.write_text(RATE.format(factor=factor, module=module))
        simulate(path, tmp_path / "out", hosts=1500, seed=2, days=1)
        made = Simulated(tmp_path / "out")
        assert broken(made) == []
        return made

    return make


def _crashes(made: Simulated, os_type: str, module: str = "%") -> int:
    return made.one(
        """SELECT count(DISTINCT crash_id) FROM crash WHERE os_type = $os_type AND module LIKE $module
        AND occurred_at > $to::TIMESTAMPTZ - INTERVAL 21 HOUR""",
        os_type=os_type,
        module=module,
        to=made.truth["to"],
    )


def test_a_rate_of_three_times_has_two_crashes_of_the_update_beside_each_ordinary_one(at_rate):
    made = at_rate(3.0, 'module = "bad.sys"')
    own = _crashes(made, "windows", "bad.sys")
    assert own > 60
    # Of some 120 crashes two thirds, give or take three standard deviations.
    assert 1.2 < own / (_crashes(made, "windows") - own) < 3.2
    assert _crashes(made, "linux", "bad.sys") == 0
    assert 0.9 * made.one("SELECT count(DISTINCT host_id) FROM crash WHERE module = 'bad.sys'") < len(
        made.truth["fault_times"]
    )
    assert made.truth["guilty"].startswith("content-991-")


def test_what_comes_on_top_looks_like_any_crash_where_no_module_is_named(at_rate):
    made = at_rate(3.0)
    modules = made.one("SELECT count(DISTINCT module) FROM crash WHERE os_type = 'windows'")
    assert len(made.truth["fault_times"]) > 60
    assert modules > 15


def test_an_update_that_spares_hosts_crashes_is_guilty_of_nothing(at_rate):
    usual, spared = (_crashes(at_rate(factor), "windows") for factor in (1.0, 0.25))
    assert usual > 40
    assert 0.1 < spared / usual < 0.45


def test_where_nothing_is_guilty_the_truth_names_nobody(at_rate):
    made = at_rate(0.25)
    assert made.truth["guilty"] is None
    assert made.truth["fault_times"] == []
