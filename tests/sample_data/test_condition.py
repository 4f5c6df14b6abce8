"""Versions and conditions mean what the contract says."""

from __future__ import annotations

import numpy as np
import pytest

from sample_data.simulator.condition import fits, selected, version_key


def test_versions_compare_part_by_part():
    rising = ["7.rc1.2", "7.0", "7.9", "7.11", "7.11.0", "7.11.18110", "10.0"]  # text is below numbers
    assert sorted(sorted(rising), key=version_key) == rising


@pytest.mark.parametrize(
    ("value", "wanted", "answer"),
    [
        ("7.11.18110", ">=7.11", True),
        ("7.10.17706", ">=7.11", False),
        ("7.9.1", ">=7.11", False),
        ("7.11", "<7.11.0", True),
        ("7.15.1", ">=7.11 <7.16", True),
        ("7.16.0", ">=7.11 <7.16", False),
        ("7.11.5", "7.11.*", True),
        ("7.110.5", "7.11.*", False),
        ("windows", "windows", True),
        ("windows", "win", False),
    ],
)
def test_a_value_fits_or_does_not(value, wanted, answer):
    assert fits(value, wanted) is answer


def test_a_condition_selects_the_rows_where_all_of_it_holds():
    columns = {
        "os_type": np.array(["windows", "windows", "linux"], dtype=object),
        "agent_version": np.array(["7.11.1", "7.9.1", "7.11.1"], dtype=object),
    }
    chosen = selected({"os_type": "windows", "agent_version": ">=7.11"}, columns, 3)
    assert chosen.tolist() == [True, False, False]
    assert selected({}, columns, 3).all()
