"""The bench of the detector: outcomes that are kept are not played again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.attribution import __main__ as bench
from bench.attribution.outcome import Outcome

NOTHING: dict[str, Any] = dict.fromkeys(Outcome.__dataclass_fields__)
PLAIN = {"days": 2.0, "guilty": ["bad"], "named": ["bad"], "courses": [], "causes": [], "seconds": 1.0}
SURE = {"incidents": 1, "correct": True, "early": False, "quarantined": 0}


def outcome(scenario: str, seed: int) -> Outcome:
    return Outcome(**NOTHING | PLAIN | SURE | {"scenario": scenario, "seed": seed, "held": seed < 3})


def test_a_fleet_whose_outcome_was_kept_is_not_played_again(tmp_path: Path, monkeypatch, capsys):
    played: list[int] = []

    def judged(fleets: Any, _: int) -> Any:
        for fleet in fleets:
            played.append(fleet.seed)
            yield fleet, outcome("as its truth says", fleet.seed)

    monkeypatch.setattr(bench, "_judged", judged)
    keep = tmp_path / "kept.jsonl"

    def run(*asked: str) -> dict[str, Any]:
        played.clear()
        monkeypatch.setattr(sys, "argv", ["bench", "quiet", "--keep", str(keep), *asked])
        assert bench.main() == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    for seeds, new in ((2, [1, 2]), (4, [3, 4]), (4, [])):
        said = run("--seeds", str(seeds))
        assert played == new
        assert (said["fleets"], said["held_to_the_end"]["hits"]) == (seeds, min(seeds, 2))
    for other in (["--hosts", "9"], ["--days", "3"]):
        run("--seeds", "2", *other)
        assert played == [1, 2]
    with keep.open("a") as file:
        file.write('{"scenario": "cut sh')
    assert run("--seeds", "4")["fleets"] == 4
    assert played == []
    monkeypatch.setattr(bench, "text_of_detector", lambda: "another")
    run("--seeds", "1")
    assert played == [1]
