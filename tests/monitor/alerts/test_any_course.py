"""Whatever becomes of incidents, receivers and the process: everybody ends with the last state, in order."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.alerts.message import Message
from monitor.alerts.receivers import Outcome, Result
from tests.monitor.alerts.conftest import Clock, Told, incident

IN_MEMORY = Path("/dev/shm")  # a sync costs milliseconds on a disk, and this makes thousands
INCIDENTS = ("inc-1", "inc-2")


class Killed(BaseException):
    """The process is gone in the middle of what it did."""


@dataclass
class Wayward:
    """A receiver that fails as it is told, in every way that the other end can see."""

    name: str
    fates: list[str] = field(default_factory=list)
    got: list[Message] = field(default_factory=list)
    repeat_s: None = None

    def send(self, message: Message, now: float) -> Outcome:
        fate = self.fates.pop(0) if self.fates else "takes it"
        if fate in ("takes it", "its answer is lost", "killed after"):
            self.got.append(message)
        if fate.startswith("killed"):
            raise Killed
        return {
            "takes it": Outcome(Result.DELIVERED),
            "its answer is lost": Outcome(Result.DOWN, "reset"),
            "is down": Outcome(Result.DOWN, "refused"),
            "asks us to wait": Outcome(Result.DOWN, "429", 600.0),
            "refuses it": Outcome(Result.REFUSED, "400"),
        }[fate]


FATES = ["takes it", "its answer is lost", "is down", "asks us to wait", "refuses it", "killed before", "killed after"]


def changes(chance: Random) -> Iterator[tuple[Any, ...]]:
    """What happens: mostly a verdict or a number of hosts that changes."""
    for _ in range(chance.randint(1, 20)):
        what = chance.choices(["is", "closes", "is undone", "time passes", "restart"], [6, 1, 1, 3, 1])[0]
        if what in ("is", "closes", "is undone"):
            how = (chance.choice(["a", "b", None]), chance.choice([3, 400])) if what == "is" else ()
            yield (what, chance.choice(INCIDENTS), *how)
        elif what == "time passes":
            yield what, chance.choice([1, 30, 400, 4000])
        else:
            yield (what,)


class Course:
    """Incidents as the detector has them, and whoever is told."""

    def __init__(self, root: Path, receivers: list[Wayward]) -> None:
        self.clock, self.minute = Clock(), 0
        self.incidents: dict[str, dict[str, Any]] = {}
        self.seen: set[str] = set()
        self._root, self._receivers = root, receivers
        self.told = self._started()
        self.look()

    def _started(self) -> Told:
        told = Told(self._root, self.clock, *self._receivers)
        for courier in told.couriers:
            courier._chance = lambda: 0.5
        return told

    def restart(self) -> None:
        self.told.ended()
        self.told = self._started()

    def look(self) -> None:
        self.minute += 1
        self.told.found(*self.incidents.values(), minute=self.minute)
        self.seen |= self.incidents.keys()
        try:
            self.told.sent()
        except Killed:
            self.restart()

    def change(self, what: str, *how: Any) -> None:
        if what == "time passes":
            self.clock.passes(how[0])
        elif what == "restart":
            self.restart()
        elif what == "is undone":
            self.incidents.pop(how[0], None)
        else:
            incident_id = how[0]
            before = self.incidents.get(incident_id)
            if before is not None and before["closed_at"] is not None:
                return  # over is over
            if what == "closes":
                self.incidents[incident_id] = incident(incident_id, closed=self.minute + 1)
            else:
                _, update_id, hit = how
                verdict = "undetermined" if update_id is None else "update"
                self.incidents[incident_id] = incident(incident_id, hit=hit, verdict=verdict, update_id=update_id)
        self.look()


# Hypothesis gives the seed and Python's own chance the rest: courses that Hypothesis itself makes look too much alike.
@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(st.randoms(use_true_random=True))
def test_everybody_ends_with_the_last_state_in_order_and_no_id_has_two_bodies(chance):
    receivers = [Wayward(name, chance.choices(FATES, k=chance.randint(0, 12))) for name in ("one", "two")]
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        course = Course(Path(folder), receivers)
        for change in changes(chance):
            course.change(*change)
        for _ in range(30):  # all are well again, and time passes
            course.clock.passes(400)
            course.look()
        outbox = course.told.alerting.outbox
        assert [one["waiting"] for one in outbox.receivers(course.clock())] == [0, 0]
        course.told.ended()
    for receiver in receivers:
        last: dict[str, dict[str, Any]] = {}
        for message in receiver.got:
            said = json.loads(message.body)
            assert said["sequence"] >= last.get(message.alert, said)["sequence"]
            last[message.alert] = said
        assert last.keys() == course.seen
        for key, said in last.items():
            now = course.incidents.get(key)
            if now is None or now["closed_at"] is not None:
                assert said["state"] == "resolved"
            else:
                assert said["state"] == "open"
                assert [said[name] for name in ("verdict", "update_id")] == [now["verdict"], now["update_id"]]
                assert now["evidence"]["hosts_crashed"] < 10 * max(said["hosts_hit"], 1)
    bodies: dict[str, set[str]] = {}
    for message in receivers[0].got + receivers[1].got:
        bodies.setdefault(message.message_id, set()).add(message.body)
    assert all(len(each) == 1 for each in bodies.values())
