"""What the commands share: what they show while they work, and how they read numbers and times."""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from itertools import count
from types import SimpleNamespace

import pytest

from commands import output
from commands.options import duration, positive, whole
from fleetcrash.errors import LakeError


def test_an_error_does_not_stand_behind_a_half_drawn_line(monkeypatch, capsys):
    minutes = count(step=60.0)
    monkeypatch.setattr(output, "time", SimpleNamespace(monotonic=lambda: next(minutes)))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def work() -> None:
        with output.Progress("Judging") as shown:
            shown(1, 2)
            raise LakeError("The lake is away.")

    with pytest.raises(LakeError):
        work()
    assert capsys.readouterr().err == "\rJudging:  50%, 60 s left\x1b[K\r\x1b[K"


def test_a_time_is_a_whole_number_and_a_unit():
    assert [duration()(text) for text in ("1s", "30m", "2h", "1d")] == [1.0, 1800.0, 7200.0, 86_400.0]
    assert [duration("mhd", bare="m")(text) for text in ("90", "90m")] == [5400.0, 5400.0]
    assert duration(or_none=True)("0h") == 0.0
    with pytest.raises(
        ArgumentTypeError, match=r"'1s' is no time; wanted a whole number from 1 of m, h or d, such as 30m$"
    ):
        duration("mhd")("1s")
    with pytest.raises(ArgumentTypeError, match=r"such as 30m; without a unit it is m$"):
        duration("mhd", bare="m")("1s")
    with pytest.raises(ArgumentTypeError, match=r"'1s' is no time; wanted a whole number of h or d, such as 30d$"):
        duration("hd", or_none=True)("1s")


def test_a_count_is_whole_and_has_a_least_and_a_most():
    assert [whole(0)("0"), whole()("1"), whole()("999999")] == [0, 1, 999_999]
    for least, text in ((1, "0"), (0, "-1"), (0, "1000000"), (0, "9" * 30), (0, "1.5"), (0, "²"), (0, "")):
        with pytest.raises(ArgumentTypeError, match=f"no whole number from {least} to 999999"):
            whole(least)(text)


def test_a_number_that_is_too_large_is_not_called_too_small():
    with pytest.raises(ArgumentTypeError, match="2e6 is not above 0 and below 1,000,000"):
        positive("2e6")
