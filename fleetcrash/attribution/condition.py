"""The condition of a named update: which of its exposed hosts it hits.

Every slice by one or two attributes is tried on the crashes of exposed hosts against the host-time of exposed hosts.
Slices that select the same exposed hosts are one answer. The answer is given once it holds nine tenths of the
posterior; until then the condition is undetermined. A fault may need another update as well: those that some of the
exposed hosts had are tried too, each with one attribute at the most.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from fleetcrash.attribution.conditions import Condition, components, matcher, version_key
from fleetcrash.attribution.evidence import log_raised
from fleetcrash.attribution.news import CELL_ATTRIBUTES, Cell

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

EARNED_PROBABILITY = 0.9
LEAST_EVENTS = 30
"""With fewer, the hosts that happened to be first look like the hosts that are hit."""
_UNKNOWN_SHARE = 0.5
# With less of the fleet than that in the inventory, nobody can say whom the fault leaves alone.
_LOG_PRIOR_KEYS = np.log([0.2, 0.5, 0.3])  # none, one, two attributes
_LOG_PRIOR_WITH = float(np.log(0.01))  # a fault seldom needs another update
_KEYS = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
_ORDERED = ("agent_version", "os_build", "os_version")
_WITHIN_ONE_OS = ("os_build", "os_version", "agent_version")
# Their versions order only within one OS: a bound on one is tried together with an os_type alone.


@dataclass(frozen=True)
class _Atom:
    key: str
    text: str
    mask: Mask
    ordered: bool


@dataclass(frozen=True)
class Companion:
    """Another update that some of the exposed hosts had when they got the one in question.

    Attributes:
        events: (K, C) events of those that had it; of an outcome that says nothing of it, all.
        share: (K, C) of the exposed hosts of each cell that had it; of such an outcome, one.
    """

    update_id: str
    events: Floats
    share: Floats


def find_condition(
    cells: Sequence[Cell], events: Floats, expected: Floats, companions: Sequence[Companion] = ()
) -> Condition | None:
    """The condition that the events have earned, or None.

    Args:
        cells: (C,) the cells.
        events: (K, C) events of hosts exposed to the update, by outcome and age of the install.
        expected: (K, C) at the baseline; cells without exposure are zero and do not count.
        companions: other updates that the fault may need.
    """
    unknown = np.array([cell.os_type is None for cell in cells])
    if events.sum() < LEAST_EVENTS or expected[:, unknown].sum() > _UNKNOWN_SHARE * expected.sum():
        return None
    support = np.flatnonzero(expected.sum(0) + events.sum(0) > 0).tolist()
    candidates = _candidates([cells[number] for number in support])
    answers = _weigh(candidates, events[:, support], expected[:, support])
    plainer = [one for one in candidates if len(one[0]) < 2]
    for other in companions:
        with_it = [({**told, "with_update": other.update_id}, mask, prior) for told, mask, prior in plainer]
        found = _weigh(with_it, other.events[:, support], expected[:, support] * other.share[:, support])
        answers += [(told, key, weight + _LOG_PRIOR_WITH - np.log(len(companions))) for told, key, weight in found]
    total = np.logaddexp.reduce([weight for _, _, weight in answers])
    by_hosts: dict[tuple[str | None, bytes], tuple[float, list[Condition]]] = {}
    for told, key, weight in answers:
        if weight > total - 20.0:  # the others are out of reach of nine tenths
            so_far, same = by_hosts.get(key, (-np.inf, []))
            by_hosts[key] = (float(np.logaddexp(so_far, weight)), [*same, told])
    most, same = max(by_hosts.values(), key=lambda answer: answer[0])
    return min(same, key=_plainness) if most - total >= np.log(EARNED_PROBABILITY) else None


def _weigh(
    candidates: Sequence[tuple[Condition, Mask, float]], events: Floats, expected: Floats
) -> list[tuple[Condition, tuple[str | None, bytes], float]]:
    """Each condition, what tells the hosts that it selects, and the log of its posterior weight.

    Args:
        events, expected: (K, C) of the hosts that may meet it.
    """
    masks = np.array([mask for _, mask, _ in candidates], dtype=np.float32)
    seen, mean = np.split((masks @ np.concatenate([events, expected]).T).T, 2)
    weights = log_raised(seen, mean).sum(0) + np.array([prior for _, _, prior in candidates])
    return [
        (told, (told.get("with_update"), mask.tobytes()), float(weight))
        for (told, mask, _), weight in zip(candidates, weights, strict=True)
    ]


def cells_that_may_meet(cells: Sequence[Cell], condition: Condition) -> Mask:
    """(C,) the cells that meet a condition, or of which too little is known to say that they do not."""
    meets = np.ones(len(cells), bool)
    for key, text in condition.items():
        if key not in CELL_ATTRIBUTES:
            continue  # of another update a cell says nothing
        column, accepts = CELL_ATTRIBUTES.index(key), matcher(text)
        values = [cell.attributes[column] for cell in cells]
        may = {value: value is None or accepts(value) for value in set(values)}
        meets &= np.array([may[value] for value in values], bool)
    return meets


def _candidates(cells: Sequence[Cell]) -> list[tuple[Condition, Mask, float]]:
    atoms = {key: _atoms(cells, key) for key in _KEYS}
    atoms = {key: found for key, found in atoms.items() if found}
    everyone = np.ones(len(cells), bool)
    found: list[tuple[Condition, Mask, float]] = [({}, everyone, float(_LOG_PRIOR_KEYS[0]))]
    for key, of_key in atoms.items():
        prior = _LOG_PRIOR_KEYS[1] - np.log(len(atoms)) - np.log(len(of_key))
        found += [({key: a.text}, a.mask, float(prior)) for a in of_key if not (a.ordered and key in _WITHIN_ONE_OS)]
    pairs = list(combinations(atoms, 2))
    for one, other in pairs:
        prior = _LOG_PRIOR_KEYS[2] - np.log(len(pairs)) - np.log(len(atoms[one])) - np.log(len(atoms[other]))
        for a in atoms[one]:
            for b in atoms[other]:
                if b.ordered and b.key in _WITHIN_ONE_OS and a.key != "os_type":
                    continue
                mask = a.mask & b.mask
                if mask.any():
                    found.append(({a.key: a.text, b.key: b.text}, mask, float(prior)))
    return found


def _atoms(cells: Sequence[Cell], key: str) -> list[_Atom]:
    column = CELL_ATTRIBUTES.index(key)
    values = [cell.attributes[column] for cell in cells]
    present = sorted({value for value in values if value is not None}, key=lambda v: (version_key(v), v))
    # A value that reads like a bound or a prefix cannot be told as an equality in the contract's grammar.
    texts = [(value, False) for value in present if value and value[0] not in "<>" and not value.endswith(".*")]
    if key in _ORDERED:
        bounds = [value for value in present[1:] if re.fullmatch(r"[0-9A-Za-z][^\s<>]*", value)]
        texts += [(f"{sign}{_short(value, present)}", True) for value in bounds for sign in (">=", "<")]
        prefixes = {".".join(components(v)[:n]) for v in present for n in (1, 2) if len(components(v)) > n}
        texts += [(f"{prefix}.*", False) for prefix in sorted(prefixes)]
    if len(present) < 2 and key != "os_type":
        return []
    masks: dict[bytes, _Atom] = {}
    codes = np.array([present.index(value) if value is not None else len(present) for value in values])
    for text, ordered in texts:
        accepts = matcher(text)
        mask = np.array([*map(accepts, present), False])[codes]
        if mask.any():
            masks.setdefault(mask.tobytes(), _Atom(key, text, mask, ordered))
    return list(masks.values())


def _short(version: str, present: Sequence[str]) -> str:
    """The fewest leading components of a version that still part the versions at hand in the same place."""
    below = [other for other in present if version_key(other) < version_key(version)]
    parts = components(version)
    for length in range(1, len(parts)):
        shorter = ".".join(parts[:length])
        same_separators = version.startswith(shorter)
        if same_separators and all(version_key(other) < version_key(shorter) for other in below):
            return shorter
    return version


def _plainness(condition: Condition) -> tuple[int, int, int, str]:
    rank = sum(_KEYS.index(key) if key in _KEYS else len(_KEYS) for key in condition)
    return len(condition), rank, sum(map(len, condition.values())), str(condition)
