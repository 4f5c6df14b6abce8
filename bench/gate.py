"""The gate on made-up rollouts: how often harmless ones go and are halted, and guilty ones are stopped.

    python -m bench.gate harmless --rollouts 10000
    python -m bench.gate crasher --rollouts 1000 --share 0.02 --delay-s 300
    python -m bench.gate threefold --rollouts 75
    python -m bench.gate staged --rollouts 60
    python -m bench.gate silent --rollouts 60 --rarer 100 --times 200
    python -m bench.gate slow --rollouts 300 --share 0.002 --delay-s 1500
    python -m bench.gate lake --rollouts 5

Hosts are drawn one by one and judged by ``fleetcrash.gate.rules.decide``, the rules of the command, on the counts that
the queries would have made of them. Prints one JSON line. Everything here is synthetic.

The fleet has 400,000 hosts: the first ring is 4,000 of them, the second 40,000. Four in seven are servers. Hosts crash
450 times a day in all, and a server falls silent once in 250 days. The gate knows these rates only up to a factor that
is drawn anew for each rollout (log-normal, 0.2). A ring gets an update within minutes (log-normal, median 85 s), a
crash is known after some (median four, one in fifty after hours), silence after ten.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from fleetcrash.arrays import Floats
from fleetcrash.attribution.expected.baseline import SAFETY
from fleetcrash.gate.decision import gate
from fleetcrash.gate.evidence import AGES, EARLY_AGES, WINDOWS, Evidence, Hits
from fleetcrash.gate.reading import TOLD_AFTER_MINUTES, Ring, Update
from fleetcrash.gate.rules import Answer, Circumstances, Decision, decide
from fleetcrash.gate.settings import Settings
from fleetcrash.store import Engine, Lake
from ingest.load import load
from sample_data.simulator import simulate

FIRST_RING, SECOND_RING = 4_000, 40_000
CRASHES = 450 / 400_000 / 1440  # per host-minute
SILENCES = 1 / 250 / 1440  # per minute of a server
SERVERS = 4 / 7
DAY = 1440
START = datetime(2026, 3, 4, 12, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
UPDATE = Update("content", START_US, None, None, "installs", "sessions")


@dataclass(frozen=True)
class Fault:
    """An update and what it does: it crashes a share of its hosts after a while, or raises their rate of crashes.

    Attributes:
        delay_s: median of the log-normal time from install to crash.
        ratio: of the rate of crashes, to what it was.
        silences: of the rate of silences, to what it was.
        install_s: median of the log-normal time that a ring's hosts take to get the update.
        rarer: how many times more seldom the servers of this fleet fall silent, whatever the update does.
    """

    share: float = 0.0
    delay_s: float = 60.0
    ratio: float = 1.0
    silences: float = 1.0
    install_s: float = 85.0
    rarer: float = 1.0


class Drawn:
    """A ring as it comes to pass in two days from ``begin``, in minutes after START, and what is known of it."""

    def __init__(
        self, draw: np.random.Generator, name: str, hosts: int, fault: Fault, *, begin: int, drift: float
    ) -> None:
        self.name, self.hosts = name, hosts
        self.installed = begin + draw.lognormal(np.log(fault.install_s / 60), 0.9, hosts)
        server = draw.random(hosts) < SERVERS
        crash = self.installed + draw.exponential(1 / (CRASHES * drift * fault.ratio), hosts)
        if fault.share:
            struck = draw.random(hosts) < fault.share
            delay = draw.lognormal(np.log(fault.delay_s / 60), 1.0, hosts)
            crash = np.where(struck, np.minimum(crash, self.installed + delay), crash)
        self._silences = SILENCES / fault.rarer
        silence = self.installed + draw.exponential(1 / (self._silences * drift * fault.silences), hosts)
        silent = np.where(server, silence, np.inf)
        hit = np.minimum(crash, silent)
        self.end = begin + 2 * DAY
        self.servers = server.mean()
        self._soaks_from = float(np.quantile(self.installed, 0.05))
        self._time = self._minutes(hit)
        self._lived = np.append(0.0, self._time.sum(1).cumsum())
        self._lived_early = np.append(0.0, self._time[:, :EARLY_AGES].sum(1).cumsum())
        fell = np.flatnonzero((hit < self.end) & (hit < self.installed + DAY))
        fell = fell[np.argsort(hit[fell])]
        late = np.where(draw.random(len(fell)) < 0.02, 180.0, 4.0) * draw.lognormal(0, 0.6, len(fell))
        self._outcome = (silent[fell] < crash[fell]).astype(np.int64)
        self._known = hit[fell] + np.where(self._outcome == 1, 10.0, late)
        self._minute = np.ceil(hit[fell]).astype(np.int64)
        self._age = np.searchsorted(WINDOWS, hit[fell] - self.installed[fell], side="right")
        self._rate: Floats = CRASHES + self._silences * server[fell].astype(float)

    def _minutes(self, hit: Floats) -> Floats:
        changes = np.zeros((self.end + 2, AGES))
        for age, (low, high) in enumerate(zip((0, *WINDOWS[:-1]), WINDOWS, strict=True)):
            for sign, edge in ((1, self.installed + low), (-1, self.installed + high)):
                at = np.ceil(np.minimum(np.minimum(edge, hit), self.end + 1)).astype(np.int64)
                changes[:, age] += sign * np.bincount(at, minlength=self.end + 2)
        return changes.cumsum(0)

    @property
    def soaked(self) -> int:
        """The first minute after its soak."""
        return ceil(self._soaks_from) + Settings().soak_minutes

    def known_by(self, minute: int) -> Ring:
        """What the queries would make of it, as of a minute."""
        known = self._known <= minute
        told = max(minute - TOLD_AFTER_MINUTES, 0)
        exposed = max(int((self.installed <= minute).sum()), 1)
        lived = float(self._lived[told])
        hits = Hits(
            minute=self._minute[known],
            outcome=self._outcome[known],
            age=self._age[known],
            rate=self._rate[known],
            beside=np.ones(known.sum()),
            weight=np.ones(known.sum()),
            witness=np.ones(known.sum(), dtype=bool),
        )
        rate = CRASHES + self._silences * self.servers
        return Ring(
            name=self.name,
            exposed=exposed,
            host_hours=float(self._lived[minute]) / 60,
            crashed=int((hits.outcome == 0).sum()),
            dark=int((hits.outcome == 1).sum()),
            expected=float(self._lived[minute]) * rate,
            begun=True,
            hits_at=tuple(START + timedelta(minutes=minute) for minute in hits.minute.tolist()),
            soaked_from_us=START_US + int(self._soaks_from * 60e6),
            beat_us=None,
            left_us=None,
            holders=exposed,
            silent=0,
            evidence=Evidence(
                time=self._time[:minute],
                weighted=self._time[:told],
                expected=np.array([CRASHES * lived, self._silences * self.servers * lived]),
                hits=hits,
                heads=float(exposed),
                exposed=exposed,
                excess=int((hits.age < EARLY_AGES).sum()) - float(self._lived_early[minute]) * rate,
                surplus=len(hits) - float(self._lived[minute]) * rate,
            ),
        )


def judged(rings: list[Drawn], minute: int) -> Answer:
    """What the gate says at a minute after START."""
    under = Circumstances(Settings(), START + timedelta(minutes=minute), caution=SAFETY)
    return decide(UPDATE, [ring.known_by(minute) for ring in rings], under)


def rollouts(count: int, seed: int) -> Iterator[tuple[np.random.Generator, float]]:
    """A generator and the drift of the baseline, for each rollout."""
    for number in range(count):
        draw = np.random.default_rng((seed, number))
        yield draw, float(draw.lognormal(0, 0.2))


def harmless(count: int, seed: int, fault: Fault) -> dict[str, Any]:
    """The first ring of harmless rollouts: whether it goes once its soak is over, and is ever halted within a day."""
    went = halted = peeked = 0
    for number, (draw, drift) in enumerate(rollouts(count, seed)):
        ring = Drawn(draw, "first", FIRST_RING, fault, begin=0, drift=drift)
        went += judged([ring], ring.soaked).decision is Decision.GO
        # The test keeps its highest value, so that the last look of a day halts whatever any look before it would have.
        stopped = judged([ring], DAY).decision is Decision.HALT
        halted += stopped
        if number < count // 100:
            seen = any(judged([ring], minute).decision is Decision.HALT for minute in range(1, DAY))
            peeked += 1
            assert seen <= stopped, "a look halted what the last one does not"
    return {
        "went": went / count,
        "halted": halted / count,
        "bound": Settings().false_halt_rate,
        "peeked_by_minute": peeked,
    }


def crasher(count: int, seed: int, fault: Fault) -> dict[str, Any]:
    """A fault in the first ring: halted before the soak is over, and how many hosts had been hit by then."""
    hit, minutes = [], []
    for draw, drift in rollouts(count, seed):
        ring = Drawn(draw, "first", FIRST_RING, fault, begin=0, drift=drift)
        for minute in range(1, Settings().soak_minutes + 1):
            answer = judged([ring], minute)
            if answer.decision is Decision.HALT:
                hit.append(answer.rings[0].ring.hit)
                minutes.append(minute)
                break
    return {
        "halted": len(hit) / count,
        "hosts_hit_at_halt": {"median": float(np.median(hit)), "p95": float(np.quantile(hit, 0.95))} if hit else None,
        "minutes_to_halt": {"median": float(np.median(minutes)), "p95": float(np.quantile(minutes, 0.95))}
        if hit
        else None,
    }


def staged(count: int, seed: int, fault: Fault) -> dict[str, Any]:
    """Two rings, the second as soon as the first may go; a look every five minutes, each ring given up after a day."""
    first_went, second_went, halted, waited = 0, 0, 0, []
    for draw, drift in rollouts(count, seed):
        first = Drawn(draw, "first", FIRST_RING, fault, begin=0, drift=drift)
        begin = _until_go([first], 0)
        if begin is None:
            halted += judged([first], DAY).decision is Decision.HALT
            continue
        first_went += 1
        second = Drawn(draw, "second", SECOND_RING, fault, begin=begin, drift=drift)
        gone = _until_go([first, second], begin)
        if gone is not None:
            second_went += 1
            waited.append(gone - begin)
    return {
        "halted_in_the_first": halted / count,
        "past_the_first": first_went / count,
        "past_the_second": second_went / count,
        "minutes_in_the_second": {"median": float(np.median(waited)), "p95": float(np.quantile(waited, 0.95))}
        if waited
        else None,
    }


def _until_go(rings: list[Drawn], begin: int) -> int | None:
    for minute in range(begin + 1, begin + DAY, 5):
        decision = judged(rings, minute).decision
        if decision is not Decision.HOLD:
            return minute if decision is Decision.GO else None
    return None


def slow(count: int, seed: int, fault: Fault) -> dict[str, Any]:
    """A fault that is smaller or slower than the bound takes it for: how often the first ring goes all the same."""
    said = []
    for draw, drift in rollouts(count, seed):
        ring = Drawn(draw, "first", FIRST_RING, fault, begin=0, drift=drift)
        said.append(judged([ring], ring.soaked).decision)
    return {"went": said.count(Decision.GO) / count, "halted": said.count(Decision.HALT) / count}


def through_the_lake(count: int, first_seed: int) -> dict[str, Any]:
    """Whole fleets, simulated, loaded and asked about with the detector on: the guilty update, and the innocent ones.

    The scenario canary-ring ships an update that crashes one Windows host in forty to 200 canaries, then to 2,000
    hosts. The guilty one is asked about every ten minutes until it is halted or withdrawn; content that was released on
    the same day, once its soak is over.
    """
    minutes, hit, said = [], [], Counter[str]()
    for seed in range(first_seed, first_seed + count):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "fleet"
            simulate("canary-ring", folder, hosts=None, seed=seed, days=None)
            lake = Lake.create(Path(scratch) / "lake")
            load(lake, [folder], now=datetime.now(UTC))
            truth = json.loads((folder / "truth.json").read_text())
            released, until = (datetime.fromisoformat(truth[name]) for name in ("released_at", "reverted_at"))
            at = released
            while (at := at + timedelta(minutes=10)) < until:
                found = gate(lake, truth["guilty"], as_of=at, settings=Settings())
                if found["decision"] == "halt":
                    minutes.append((at - released).total_seconds() / 60)
                    hit.append(sum(ring["crashed"] + ring["dark"] for ring in found["rings"]))
                    break
            soaked = timedelta(minutes=Settings().soak_minutes + 5)
            with Engine(lake) as engine:
                updates = engine.rows("updates_known")
            for update in updates:
                if update["kind"] != "content" or update["update_id"] == truth["guilty"]:
                    continue
                if released.date() == update["released_at"].date():
                    asked = update["first_installed_at"] + soaked
                    said[gate(lake, update["update_id"], as_of=asked, settings=Settings())["decision"]] += 1
    return {"guilty_halted": len(minutes), "minutes_to_halt": minutes, "hosts_hit_at_halt": hit, "innocent": dict(said)}


def main() -> int:
    """Run the rollouts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("harmless", "crasher", "threefold", "staged", "silent", "slow", "lake"))
    parser.add_argument("--rollouts", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.02, help="of hosts that the update crashes (default: 0.02)")
    parser.add_argument("--delay-s", type=float, default=60.0, help="median from install to crash (default: 60)")
    parser.add_argument("--install-s", type=float, default=85.0, help="median time to get the update (default: 85)")
    parser.add_argument("--rarer", type=float, default=1.0, help="of silences: how many times more seldom (default: 1)")
    parser.add_argument("--times", type=float, default=3.0, help="silent: as many silences as usual (default: 3)")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    fault = Fault(chosen.share, chosen.delay_s, install_s=chosen.install_s)
    started = time.perf_counter()
    if chosen.what == "harmless":
        found = harmless(chosen.rollouts, chosen.seed, Fault(install_s=chosen.install_s))
    elif chosen.what == "crasher":
        found = {**vars(fault), **crasher(chosen.rollouts, chosen.seed, fault)}
    elif chosen.what == "slow":
        found = {**vars(fault), **slow(chosen.rollouts, chosen.seed, fault)}
    elif chosen.what == "lake":
        found = through_the_lake(chosen.rollouts, chosen.seed)
    else:
        fault = Fault(
            ratio=3.0 if chosen.what == "threefold" else 1.0,
            silences=chosen.times if chosen.what == "silent" else 1.0,
            rarer=chosen.rarer,
        )
        found = {"rarer": fault.rarer, "silences": fault.silences, **staged(chosen.rollouts, chosen.seed, fault)}
    seconds = round(time.perf_counter() - started, 1)
    print(
        json.dumps({"what": chosen.what, "rollouts": chosen.rollouts, **found, "seconds": seconds, "synthetic": True})
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
