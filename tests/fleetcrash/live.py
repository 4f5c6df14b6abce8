"""A monitor that reads on: what it says at one moment after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.facts.reading import read_news
from fleetcrash.attribution.reporting.report import document
from fleetcrash.store import Engine, Lake


def followed(lake: Lake, moments: Sequence[datetime]) -> Iterator[dict[str, Any]]:
    """The documents of a detector that goes on from moment to moment with what is new."""
    detector, ticked = None, -1
    with Engine(lake, as_of=moments[0]) as engine:
        for moment in moments:
            engine.as_of = moment
            news = read_news(engine, after_tick=ticked)
            if detector is None:
                detector, ticked = Detector(news), news.first_tick - 1
            else:
                detector.extend(news)
            for tick in range(ticked + 1, news.last_tick + 1):
                detector.tick(tick)
            ticked = news.last_tick
            yield document(engine, detector, moment, detector.incidents)
