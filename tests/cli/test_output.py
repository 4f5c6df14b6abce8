"""What the commands show while they work."""

from __future__ import annotations

import sys
from itertools import count
from types import SimpleNamespace

import pytest

from commands import output
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
