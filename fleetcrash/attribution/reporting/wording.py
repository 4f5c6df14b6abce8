"""Parts of the fleet in words: what a condition selects, and the narrowest that nearly all hosts of a rise are in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.conditions.finding import cells_that_may_meet
from fleetcrash.attribution.conditions.grammar import KEY_NAMES, SYSTEM_NAMES, Condition, in_words
from fleetcrash.attribution.detection.detector import Detector
from fleetcrash.attribution.evidence import LOG_THOUSAND
from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, PLACES, Cell
from fleetcrash.attribution.incidents.incident import Incident

_NEARLY_ALL = 0.85  # of the hosts: some crash on any day
_TOGETHER = 2  # values of an attribute that are named at once, not more
_COMMONEST = 8  # values of an attribute that are asked about: there may be a thousand sites
_SPARED = 0.25  # of what is to be expected of a part, or less, is so much less that it is not the whole fleet ...
_LEAST_SHARE = 0.05  # ... if it is as much of the fleet
_KEYS = ("os_type", "agent_version", "os_build", "model", "region", "ring")

_PARTING_SYSTEMS = {"os_version", "os_build"}

Shares = Mapping[str, Mapping[str, float]]


def selected_in_words(cells: Sequence[Cell], condition: Condition) -> str:
    """Whom a condition selects; where it is some systems and no others, by a bound that parts them, by their names.

    Args:
        cells: those of the fleet.
    """
    told = in_words(condition)
    if len(condition) != 1 or not condition.keys() <= _PARTING_SYSTEMS:
        return told
    meets = cells_that_may_meet(cells, condition)
    of_system: dict[str, set[bool]] = {}
    for cell, may in zip(cells, meets.tolist(), strict=True):
        if cell.os_type is not None:
            of_system.setdefault(cell.os_type, set()).add(may)
    hit = sorted(system for system, may in of_system.items() if may == {True})
    spared = [system for system, may in of_system.items() if may == {False}]
    if len(hit) < _TOGETHER or not spared or len(hit) + len(spared) < len(of_system):
        return told
    return f"{_in_words('os_type', hit)} ({told})"


def followed(detector: Detector, incident: Incident, spot: int | None = None) -> str | None:
    """What the rise of an incident follows, in words; None where it is not the whole fleet, and no part of it either.

    A wave of the whole fleet is one that no slice explains better. It may still be all in two systems of three, say.

    Args:
        spot: that of the wave; None: of the one that it is said to follow.
    """
    spot = incident.wave_spot if spot is None else spot
    if spot != 0:
        return detector.spots.describe(spot)
    struck, shares = _struck(detector, incident), _shares(detector)
    part = narrowest(struck, shares)
    if part is not None:
        return part
    return None if spares_some(struck, shares) else detector.spots.describe(0)


def narrowest(struck: Mapping[str, Sequence[str | None]], shares: Shares) -> str | None:
    """One value of an attribute, or two, that nearly all of some hosts have and by far not as many of the fleet.

    Args:
        struck: the value that each host has, by attribute.
        shares: what is to be expected of the hosts with each value, of all; by attribute.
    """
    found = []
    for key, of_key in shares.items():
        counts = Counter(value for value in struck[key] if value is not None and value in of_key)
        commonest = sorted(value for value, _ in counts.most_common(_COMMONEST))
        for size in range(1, _TOGETHER + 1):
            # All values there are would be the whole fleet.
            for values in combinations(commonest, size) if len(of_key) > size else ():
                share = sum(of_key[value] for value in values)
                held = sum(counts[value] for value in values) / len(struck[key])
                looked_at = np.log(comb(len(of_key), size) * len(shares))
                if held >= _NEARLY_ALL and len(struck[key]) * _divergence(held, share) >= LOG_THOUSAND + looked_at:
                    found.append((share, size, _in_words(key, values)))
    return min(found)[2] if found else None


def spares_some(struck: Mapping[str, Sequence[str | None]], shares: Shares) -> bool:
    """Whether some part of the fleet has clearly less than its share of some hosts; see ``narrowest``."""
    for key, of_key in shares.items():
        counts, hosts = Counter(struck[key]), len(struck[key])
        for value, share in of_key.items():
            held = counts[value] / max(hosts, 1)
            is_less = share >= _LEAST_SHARE and held <= _SPARED * share
            if is_less and hosts * _divergence(held, share) >= LOG_THOUSAND + np.log(len(of_key) * len(shares)):
                return True
    return False


def _divergence(held: float, share: float) -> float:
    """How much each host says that they are drawn with one chance rather than another, as a natural logarithm."""
    parts = [(held, share), (1.0 - held, 1.0 - share)]
    return sum(part * float(np.log(part / max(chance, 1e-9))) for part, chance in parts if part > 0.0)


def _in_words(key: str, values: Sequence[str]) -> str:
    if key == "os_type":
        return " and ".join(sorted((SYSTEM_NAMES.get(value, value) for value in values), key=str.lower))
    return f"{KEY_NAMES.get(key, key)} {' and '.join(values)}"


def _struck(detector: Detector, incident: Incident) -> dict[str, list[str | None]]:
    """By attribute, what each host has that crashed in an incident, or went dark where none did; at its first event."""
    events, cells = detector.news.events, detector.news.cells
    mine = incident.claim(len(events))
    crashed = mine & (events.outcome != DARK)
    picked = np.flatnonzero(crashed if crashed.any() else mine)
    first = picked[np.unique(events.host[picked].astype(str), return_index=True)[1]]
    of_cells = [cells[cell].attributes for cell in events.cell[first].tolist()]
    struck = {key: [one[CELL_ATTRIBUTES.index(key)] for one in of_cells] for key in _KEYS}
    return struck | {key: of_place[first].tolist() for key, of_place in zip(PLACES, events.places, strict=True)}


def _shares(detector: Detector) -> dict[str, dict[str, float]]:
    """By attribute, what was to be expected so far of the hosts with each value, of all hosts."""
    expected: NDArray[np.float64] = detector.expected.sum(0)
    shares: dict[str, dict[str, float]] = {}
    for key, value, spot in _valued(detector):
        of_key = shares.setdefault(key, {})
        of_key[value] = of_key.get(value, 0.0) + float(expected[spot] / max(expected[0], 1e-9))
    return {key: of_key for key, of_key in shares.items() if len(of_key) > 1}


def _valued(detector: Detector) -> Iterator[tuple[str, str, int]]:
    """Attribute, value and number of every spot that is cut by one value; the agent's are cut within each system."""
    spots = detector.spots
    for number, part in enumerate(spots.slices.slices):
        if part.key in _KEYS and not part.threshold:
            yield part.key, part.condition[part.key], number
    for number in range(len(spots.slices), len(spots)):
        yield *spots.name(number), number
