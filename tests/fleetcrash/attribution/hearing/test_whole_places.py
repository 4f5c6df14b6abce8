"""How unlikely it is that only places were struck where an update went, if they are in trouble by chance."""

from __future__ import annotations

from math import comb, inf, log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.facts.exposure import BOOTS, kind_of
from fleetcrash.attribution.hearing.whole_places import log_odds

WINDOWS, DARWIN = 0, 1
TICK = 50


def inquiry(with_it: list[int], struck: list[str | None], online: int = 100, *, key: str = "customer") -> Any:
    """A fleet with so many hosts at each of some places, of which so many got the update; and macOS hosts that did not.

    Args:
        struck: the place of each event.
    """
    places = len(with_it)
    number = np.arange(places)
    systems = np.array([WINDOWS] * places + [DARWIN] * places + [WINDOWS])
    unknown = np.array([None] * len(struck), object)
    told = {"group": unknown, "site": unknown, "customer": unknown} | {key: np.array(struck, object)}
    news = SimpleNamespace(
        cells=[SimpleNamespace(always_on=False)] * 2,
        systems=np.array([WINDOWS, DARWIN]),
        events=SimpleNamespace(cell=np.zeros(len(struck), np.int64), places=tuple(told.values())),
        places=SimpleNamespace(
            names=tuple((key, f"p{n}") for n in range(places)),
            minute=np.array([0] * places * 2 + [TICK + 1]),
            place=np.concatenate([number, number, [0]]),
            stratum=kind_of(systems, np.zeros_like(systems), BOOTS - 1),
            change=np.array([online] * places * 2 + [900]),
        ),
        ask=SimpleNamespace(
            exposed_at=lambda _: SimpleNamespace(
                tick=np.array([*[0] * places, 0, TICK + 1]),
                place=np.array([*number, -1, places - 1]),
                cell=np.zeros(places + 2, np.int64),
                hosts=np.array([*with_it, sum(with_it), 900]),
            )
        ),
    )
    return SimpleNamespace(news=news)


@pytest.mark.parametrize(
    ("with_it", "struck", "expected"),
    [
        ([80, 80, 80, 0, 0, 0, 0, 0], ["p0", "p1", "p0", "p2"], log(comb(8, 3))),
        ([80, 80, 80, 0, 0, 0, 0, 0], ["p1"] * 9, log(8 / 3)),
        ([80, 80, 80, 10, 0, 0, 0, 0], ["p1"] * 9, log(8 / 3)),
        ([80, 80, 80, 0, 0, 0, 0, 0], [None] * 9, 0.0),
        ([100] * 8, ["p1"] * 9, inf),
        ([60] * 8, ["p1"] * 9, inf),
        ([40] * 8, ["p1"] * 9, inf),
        ([60, 60, 60, 60, 60, 60, 60, 0], ["p1"] * 9, inf),
        ([100] * 20 + [0] * 20, [f"p{n}" for n in range(12)], log(comb(40, 12)) - log(comb(20, 12))),
    ],
    ids=[
        "all three of eight",
        "one of three",
        "a few strays",
        "nobody knows where",
        "everybody got it",
        "some at each",
        "fewer at each",
        "most that lack it are beside",
        "twelve of twenty",
    ],
)
@pytest.mark.parametrize("key", ["customer", "site"])
def test_places_that_got_it_are_as_many_witnesses_as_they_are(key, with_it, struck, expected):
    found = log_odds(inquiry(with_it, struck, key=key), 7, TICK, np.arange(len(struck)))
    assert found == {"customer": inf, "site": inf} | {key: pytest.approx(expected)}


def test_places_where_hardly_anybody_is_online_count_for_nothing():
    found = log_odds(inquiry([4, 4, 0, 0], ["p0"], 4), 7, TICK, np.arange(1))
    assert found["customer"] == inf
