"""Untold installs: of a long catalogue it is asked of few updates whom they struck, and the answer is that of all."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.attribution.hearing.missing_installs import untold
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.attribution.hypotheses.waves import Beginning
from fleetcrash.attribution.weighing.rivalry import EXPLAINED_SHARE
from fleetcrash.counts import clearly_more

TICK, ONSET, EVENTS = 10_000, 9_980, 40


class Catalogue:
    """What is known of many updates, most of them of long ago, and of hosts of which some tell of no install."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.size = 60
        self.known = random.integers(TICK - 40, TICK + 10, self.size)
        self.release = ONSET - random.choice([-3, -2, 0, 10, 14, 16, 60, 61, 500, 3000], self.size)
        self.again = {
            update: [ONSET - minutes for minutes in random.choice([-2, 30, 60, 61, 900], 2)]
            for update in random.choice(self.size, 20, replace=False).tolist()
        }
        self.tells = random.random(EVENTS) < random.choice([0.5, 0.8, 1.0])
        self.with_it = (random.random((self.size, EVENTS)) < random.choice([0.0, 0.5, 0.95, 1.0], (self.size, 1))) & (
            self.tells | (random.random(EVENTS) < 0.1)
        )
        self.with_it.setflags(write=False)
        most = [[0.0, 10.0, 900.0, 1000.0], [0.0, 10.0, 600.0, 800.0]][seed % 2]  # of every other one installs are lost
        self.hosts = random.choice(most, self.size)
        self.told_later = float(random.choice([0.0, 0.3]))
        self.asked: list[int] = []

    def events_with(self, update: int, tick: int) -> Any:
        self.asked.append(update)
        return self.with_it[update]

    def pushed(self, update: int) -> Any:
        return np.array([self.release[update], *self.again.get(update, [])])

    def inquiry(self) -> Inquiry:
        times = {
            update: SimpleNamespace(hosts=lambda update=update: np.array([self.hosts[update]]), is_idle=False)
            for update in self.again
        }
        told_later = lambda minutes: self.told_later  # noqa: E731
        return cast(
            Inquiry,
            SimpleNamespace(
                news=SimpleNamespace(
                    suspects=[SimpleNamespace(known_tick=tick) for tick in self.known.tolist()],
                    events=SimpleNamespace(minute=np.full(EVENTS, ONSET)),
                    ask=SimpleNamespace(share_that_tells=lambda *_: 0.3),
                    cells=[None],
                ),
                spots=SimpleNamespace(cells_of=lambda spot: np.ones(1, bool)),
                stands_apart=lambda _: np.zeros(1, bool),
                acquitting=lambda *_: np.zeros(1, bool),
                expected=SimpleNamespace(
                    time=SimpleNamespace(by_update=times, online=np.array([[1000.0]]), share_told_later=told_later),
                ),
                struck_by_wave=lambda *_: np.ones(EVENTS, bool),
                events_of_tellers=lambda tick: self.tells,
                released=lambda update: int(self.release[update]),
                pushed=self.pushed,
                events_with=self.events_with,
            ),
        )

    def of_all(self) -> tuple[int, ...]:
        """What is to be found, asked of every update."""
        mute = ~self.tells
        found = []
        for update in np.flatnonzero(self.known <= TICK).tolist():
            with_it, before = self.with_it[update], ONSET - self.pushed(update)
            lack, hosts = int((~with_it).sum()), self.hosts[update] if update in self.again else 0.0
            is_mute = mute.any() and mute.sum() > 0.5 * lack
            of_tellers = is_mute and (self.tells & with_it).sum() >= EXPLAINED_SHARE * self.tells.sum()
            if of_tellers and ((before >= -2) & (before <= 60)).any():
                found.append(update)
            elif -2 <= before[0] <= 60:
                others = [self.hosts[other] for other in self.again if other != update]
                is_lost = max(others) < 900 and not clearly_more(lack, (1.0 - hosts / 1000) * EVENTS)
                if lack <= 0.5 * EVENTS and is_lost:
                    may_be_it = True
                elif lack <= 0.3 * EVENTS:
                    may_be_it = hosts >= 800 and self.told_later * 1000 >= 0.25 * (1000 - hosts)
                else:
                    is_told = hosts >= 0.8 * (1000 - lack) or hosts < 20
                    may_be_it = lack >= 0.7 * EVENTS and before[0] <= 15 and is_told
                if may_be_it or self.told_later >= 0.25:
                    found.append(update)
        return tuple(found)


@pytest.mark.parametrize("seed", range(60))
def test_only_of_what_was_sent_out_just_before_it_or_hosts_have_it_is_asked_whom_it_struck(seed):
    catalogue = Catalogue(seed)
    found = untold(catalogue.inquiry(), TICK, np.ones(EVENTS, bool), Beginning(0, ONSET), is_early=False)
    assert found == catalogue.of_all()
    lately = set(np.flatnonzero((catalogue.release <= ONSET + 2) & (catalogue.release >= ONSET - 60)).tolist())
    assert set(catalogue.asked) <= lately | catalogue.again.keys()
    assert set(catalogue.asked) <= lately or not catalogue.tells.all()
