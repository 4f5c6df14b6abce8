"""Where a demo finds its fleet: the sample that comes along, or a simulation made on first use."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

from sample_data.simulator import simulate

SAMPLE = Path(__file__).with_name("fleet")
SAMPLE_SCENARIO = "channel-file-291"

_QUIET_BEFORE = timedelta(minutes=10)
_DEMO_HOSTS = 9000


def folder_of(scenario: str, *, cache: Path = Path("lake-demo-fleets")) -> Path:
    """The folder of a scenario's records; other scenarios than the sample's are simulated once and kept.

    Raises:
        UnknownName: there is no such scenario.
    """
    if scenario == SAMPLE_SCENARIO:
        return SAMPLE
    folder = cache / Path(scenario).stem
    if not (folder / "truth.json").exists():
        simulate(scenario, folder, hosts=_DEMO_HOSTS)
    return folder


def opening_of(folder: Path) -> datetime:
    """When a demo begins to play: a few quiet minutes before the release that matters, or the judged day's start."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    if truth["released_at"] is None:
        return datetime.fromisoformat(truth["from"])
    return datetime.fromisoformat(truth["released_at"]) - _QUIET_BEFORE
