"""Where a demo finds its fleet: the sample that comes along, or a simulation made on first use."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from fleetcrash.errors import UnknownName
from sample_data.simulator import Progress, scenario_names, simulate, unheard

SAMPLE = Path(__file__).with_name("fleet")
SAMPLE_SCENARIO = "channel-file-291"

DEMO_HOSTS = 9000

_QUIET_BEFORE = timedelta(minutes=10)


def folder_of(
    scenario: str,
    *,
    cache: Path,
    on_first_use: Callable[[Path], Progress] | None = None,
) -> Path:
    """The folder of a scenario's records; other scenarios than the sample's are simulated once and kept.

    They are simulated anew when the simulator or a scenario has changed since.

    Args:
        scenario: name of one that comes with the project.
        cache: where the simulated ones are kept.
        on_first_use: called with the folder before a simulation; what it returns is told of the progress.
    Raises:
        UnknownName: there is no such scenario; says which there are.
        UnreadableSource: the folder cannot be written to.
    """
    if scenario not in scenario_names():
        raise UnknownName(
            f"There is no scenario {scenario[:80]!r}; there are {', '.join(scenario_names())}. Nothing was started."
        )
    if scenario == SAMPLE_SCENARIO:
        return SAMPLE
    folder = cache / scenario
    if not _is_newer_than_the_simulator(folder / "truth.json"):
        simulate(scenario, folder, hosts=DEMO_HOSTS, progress=unheard if on_first_use is None else on_first_use(folder))
    return folder


def _is_newer_than_the_simulator(truth: Path) -> bool:
    """Whether a simulation's last file is there, and younger than all that it was made with."""
    here = Path(__file__).parent
    sources = [*here.glob("simulator/*.py"), *here.glob("scenarios/**/*.toml")]
    return truth.exists() and truth.stat().st_mtime > max(path.stat().st_mtime for path in sources)


def opening_of(folder: Path) -> datetime:
    """When a demo begins to play: minutes before a guilty release or a rise without one, else as the day begins."""
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    rivals = [rival for kind in ("outages", "backlogs", "waves") for rival in truth.get(kind, [])]
    matters = [truth["released_at"], *(rival["at"] for rival in rivals)]
    first = min((moment for moment in matters if moment is not None), default=None)
    return datetime.fromisoformat(truth["from"]) if first is None else datetime.fromisoformat(first) - _QUIET_BEFORE
