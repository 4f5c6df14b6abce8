"""The bench of the detector: outcomes that are kept are not played again."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
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

    def judged(fleets: Any, *_: Any) -> Any:
        for scenario, seed in fleets:
            played.append(seed)
            yield outcome(scenario, seed)

    monkeypatch.setattr(bench, "_judged", judged)
    keep = tmp_path / "kept.jsonl"
    keep.write_text(json.dumps(asdict(outcome("another", 1))) + "\n")
    for seeds, new in ((2, [1, 2]), (4, [3, 4]), (4, [])):
        played.clear()
        monkeypatch.setattr(sys, "argv", ["bench", "quiet", "--seeds", str(seeds), "--keep", str(keep)])
        assert bench.main() == 0
        assert played == new
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (said["fleets"], said["held_to_the_end"]["hits"]) == (seeds, min(seeds, 2))
    assert len(bench.outcomes_in(keep)) == 5
