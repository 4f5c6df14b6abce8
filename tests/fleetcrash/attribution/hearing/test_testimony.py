"""What hosts say of an update on trial, where it strikes hours after its installs and many of the struck lack it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES, WINDOWS
from fleetcrash.attribution.hearing import doubts, testimony
from fleetcrash.attribution.hypotheses.suspects import Trial
from fleetcrash.attribution.weighing.odds import LOG_BY_DELAY
from fleetcrash.attribution.weighing.rivalry import LOG_HINT

UPDATE = 7
SOON, LATE = 1, AGES - 1
LITTLE, MUCH, VERY_MUCH = LOG_THOUSAND - 0.1, LOG_THOUSAND + 0.1, 2.0 * LOG_THOUSAND + 0.1


def of_hosts_struck(
    *, age: int, says: float, by_delay: float = 0.0, installs_told: bool = True, known: tuple[int, ...] = ()
) -> Any:
    """Of an update whose hosts were struck at one age of the install."""
    events = np.zeros((OUTCOMES, 1, WINDOWS, 1))
    events[0, 0, age, 0] = 20.0
    one = np.zeros(1)
    trial = Trial(np.array([UPDATE]), events, events, log_evidence=one, log_test=one, log_by_slice=np.zeros((1, 1)))
    inquiry: Any = SimpleNamespace(
        pushed=lambda _: np.array([0]),
        news=SimpleNamespace(installs_told=installs_told),
        first_tick=0,
        events_with=lambda *_: np.zeros(0, bool),
    )
    case: Any = SimpleNamespace(
        tick=100, events=np.zeros(0, bool), incident=None, blamed=(), named_elsewhere=frozenset(known)
    )
    told = testimony.Testimony(inquiry, case, trial)
    told.of_hosts = cast(Any, lambda _: says)
    told.by_delay = cast(Any, lambda _: by_delay)
    return told


@pytest.mark.parametrize(
    ("lack", "says", "how", "is_doubtful"),
    [
        (6, LITTLE, {}, False),
        (7, LITTLE, {}, True),
        (7, MUCH, {}, False),
        (11, MUCH, {}, True),
        (11, VERY_MUCH, {}, False),
        (11, LITTLE, {"by_delay": LOG_BY_DELAY}, False),
        (11, LITTLE, {"age": SOON}, False),
        (11, LITTLE, {"installs_told": False}, False),
    ],
    ids=[
        "three in ten installs are lost",
        "more lack it",
        "hosts say so a thousand to one",
        "most lack it",
        "hosts say so a million to one",
        "the time since the installs tells",
        "it strikes soon",
        "nobody knows who has it",
    ],
)
def test_an_update_that_strikes_late_is_doubted_where_many_of_the_struck_lack_it(
    monkeypatch, lack, says, how, is_doubtful
):
    monkeypatch.setattr(doubts, "struck_beside", lambda *_: np.arange(20) < lack)
    monkeypatch.setattr(doubts, "is_doubtful", lambda *_, **__: False)
    monkeypatch.setattr(testimony, "log_odds", lambda *_: np.inf)
    assert of_hosts_struck(says=says, **({"age": LATE} | how)).is_doubtful(UPDATE, None) is is_doubtful


@pytest.mark.parametrize(
    ("how", "is_doubtful"),
    [
        ({"known": (UPDATE + 1,)}, True),
        ({"known": (UPDATE,)}, False),
        ({}, False),
        ({"known": (UPDATE + 1,), "says": LOG_HINT}, False),
        ({"known": (UPDATE + 1,), "age": SOON}, False),
        ({"known": (UPDATE + 1,), "installs_told": False}, False),
    ],
    ids=["another", "the same", "none", "hosts say something for it", "it strikes soon", "nobody knows who has it"],
)
def test_what_strikes_late_is_doubted_while_another_fault_goes_on_and_hosts_say_nothing_for_it(
    monkeypatch, how, is_doubtful
):
    monkeypatch.setattr(doubts, "struck_beside", lambda *_: np.zeros(20, bool))
    monkeypatch.setattr(doubts, "is_doubtful", lambda *_, **__: False)
    monkeypatch.setattr(testimony, "log_odds", lambda *_: np.inf)
    usual: dict[str, Any] = {"age": LATE, "says": 0.0}
    assert of_hosts_struck(**(usual | how)).is_doubtful(UPDATE, None) is is_doubtful
