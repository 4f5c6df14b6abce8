"""A rollout that ships ring by ring, asks the gate, and stops itself.

    python docs/examples/rollout.py --lake /tmp/rollout

``roll_out`` is the pipeline: it is all that you need of this file, with your own ``ship`` and without the clock.
``Fleet`` stands in for the world: 2,000 made-up hosts, and an update that crashes one in twenty of those in one region,
of which the canaries have none. So the first ring goes, the second is halted, the third never gets it, and the exit
status is 4.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

UPDATE = "content-7"
RINGS = {"canary": range(300), "early": range(300, 1300), "broad": range(1300, 2000)}
RELEASED = datetime(2026, 3, 4, 12, tzinfo=UTC)
GATE = ["--max-excess", "0.02", "--soak", "30"]  # 300 canaries cannot rule out one in a thousand; one in fifty they can
GO, HOLD, HALT = 0, 3, 4
EVERY = timedelta(minutes=15)
PATIENCE = timedelta(hours=12)


def fleetcrash(*arguments: str, shown: bool = True) -> int:
    """Run a command of fleetcrash; its exit status."""
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=Path(__file__).parents[2],
        stdout=None if shown else subprocess.DEVNULL,
        check=False,
    ).returncode


def roll_out(fleet: Fleet, lake: str) -> int:
    """Ship to one ring after another, each only once the gate says go.

    Returns:
        0 when every ring has the update, 3 when the gate would not decide, 4 when it halted.
    """
    for ring in RINGS:
        print(f"{fleet.now:%H:%M}  shipping {UPDATE} to ring {ring}, {len(RINGS[ring]):,} hosts", flush=True)
        fleet.ship(ring)
        given_up = fleet.now + PATIENCE
        status = HOLD
        while status == HOLD and fleet.now < given_up:
            fleet.wait(EVERY)
            status = fleetcrash("gate", UPDATE, "--lake", lake, "--as-of", f"{fleet.now:%Y-%m-%dT%H:%M:%SZ}", *GATE)
        if status != GO:
            print(f"{fleet.now:%H:%M}  stopped at ring {ring}, exit status {status}", flush=True)
            return status
    return GO


class Fleet:
    """A made-up fleet with a clock of its own. What it does goes to the lake as lines of JSON.

    Args:
        share: of the hosts in the region apac that the update crashes.
    """

    def __init__(self, lake: Path, *, share: float) -> None:
        self.now = RELEASED
        self._lake = lake
        self._draw = random.Random(7)  # noqa: S311 - draws a made-up fleet
        self._share = share
        self._coming: list[tuple[datetime, dict[str, Any]]] = []  # crashes that are not told yet
        self._load([*self._inventory(), *self._yesterday()])

    def ship(self, ring: str) -> None:
        """Install the update on every host of a ring, within two minutes, and let what happens happen."""
        lines = []
        for number in RINGS[ring]:
            at = self.now + timedelta(seconds=self._draw.uniform(1, 120))
            lines.append(
                {"record": "install", "host_id": f"host-{number}", "update_id": UPDATE, "applied_at": at.isoformat()}
            )
            if _region(number) == "apac" and self._draw.random() < self._share:
                at += timedelta(seconds=self._draw.expovariate(1 / 180))
                self._coming.append((at + timedelta(minutes=3), _crash(number, at, "csagent.sys")))
        self._load(lines)

    def wait(self, time: timedelta) -> None:
        """Let time pass: crashes are reported, and somebody somewhere turns a laptop on."""
        self.now += time
        told = [line for known, line in self._coming if known <= self.now]
        self._coming = [(known, line) for known, line in self._coming if known > self.now]
        at = (self.now - timedelta(minutes=1)).isoformat()
        self._load([*told, {"record": "session", "host_id": f"laptop-{self.now:%H%M}", "online_from": at}])

    def _inventory(self) -> Iterator[dict[str, Any]]:
        yield {
            "record": "update", "update_id": UPDATE, "kind": "content", "channel": "7",
            "released_at": RELEASED.isoformat(),
        }  # fmt: skip
        for ring, numbers in RINGS.items():
            for number in numbers:
                yield {
                    "record": "host", "host_id": f"host-{number}", "os_type": "windows", "region": _region(number),
                    "ring": ring, "site": f"site-{number % 40}", "always_on": number % 2 == 0,
                }  # fmt: skip

    def _yesterday(self) -> Iterator[dict[str, Any]]:
        begin = RELEASED - timedelta(hours=24)
        for numbers in RINGS.values():
            for number in numbers:
                yield {"record": "session", "host_id": f"host-{number}", "online_from": begin.isoformat()}
        for hour in range(1, 24, 6):
            yield _crash(self._draw.randrange(2000), begin + timedelta(hours=hour), "ostra_gfx.sys")

    def _load(self, lines: Iterable[dict[str, Any]]) -> None:
        path = self._lake.with_suffix(".ndjson")
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        status = fleetcrash("load", str(path), "--lake", str(self._lake), shown=False)
        if status:
            raise SystemExit(f"the load ended with {status}")


def _region(number: int) -> str:
    return "apac" if number >= 300 and number % 2 else "eu"


def _crash(number: int, at: datetime, module: str) -> dict[str, Any]:
    return {
        "record": "crash", "crash_id": f"{number}-{at:%H%M%S}", "host_id": f"host-{number}", "os_type": "windows",
        "occurred_at": at.isoformat(), "received_at": (at + timedelta(minutes=3)).isoformat(), "module": module,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Make the fleet and ship to it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--lake", type=Path, required=True, help="where the fleet's records go; a folder that is not there"
    )
    parser.add_argument(
        "--share", type=float, default=0.05, help="of the hosts in apac that it crashes (default: 0.05)"
    )
    chosen = parser.parse_args(arguments)
    lake = chosen.lake.absolute()
    return roll_out(Fleet(lake, share=chosen.share), str(lake))


if __name__ == "__main__":
    sys.exit(main())
