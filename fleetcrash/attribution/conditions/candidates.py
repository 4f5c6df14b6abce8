"""Candidates: the conditions that are weighed for a named update, with how likely each is before looking.

Every slice of the cells at hand by one or two attributes, and what is said of two operating systems at once. A bound on
a version says something only among versions of one line: those of an operating system by themselves, and those of the
agent where it is numbered alike on all of them. Between systems a bound would part what nobody would part so.

Of two attributes there are as many as their values and bounds make, hundreds of thousands where a fleet has hundreds of
models and builds. So these are counted without being made, and a ``Candidate`` is made of the few that matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.conditions.grammar import Condition, components, matcher, version_key
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES, Cell

_LOG_PRIOR_KEYS = np.log([0.2, 0.5, 0.3])  # none, one, two attributes
_BETWEEN_TWO = 0.2  # of what is cut by a version that has two bounds; most faults stay once they have come
# Bounds of which every pair is tried; of more versions only the first of each release are bounds.
_MOST_BETWEEN_TWO = 40
_TWO_SYSTEMS = 0.1  # of what an operating system has: a fault of two of three is in what these share
_KEYS = ("os_type", "os_version", "os_build", "agent_version", "model", "region", "ring")
_ORDERED = ("agent_version", "os_build", "os_version")
_TELL_SYSTEMS = ("os_version", "os_build")  # whose bounds may part some operating systems from the others
_RELEASE = 2  # leading components that number a release; the rest is its build


@dataclass(frozen=True)
class Candidate:
    """A condition that a fault may have.

    Attributes:
        told: in the contract's grammar; None where nothing in it selects these cells.
        mask: (C,) the cells that it selects.
        log_prior: how likely it is before looking.
    """

    told: Condition | None
    mask: Mask
    log_prior: float


@dataclass(frozen=True)
class _Atom:
    """One part of a condition.

    Attributes:
        bounds: how many of them the text has. log_share: of its key's prior.
        stands_alone: whether it says something without an operating system beside it.
        has_one_system: whether all that it selects is of one.
    """

    key: str
    text: str
    mask: Mask
    bounds: int
    log_share: float
    stands_alone: bool
    has_one_system: bool


@dataclass(frozen=True)
class Pairs:
    """Every part of a condition by one attribute with every one by another.

    Attributes:
        ones, others: (n,) and (m,) the parts. log_share: of any two of them, of what is likely before looking.
    """

    ones: Sequence[_Atom]
    others: Sequence[_Atom]
    log_share: float

    def sums(self, values: Floats) -> Floats:
        """(n, m, V) sums of (C, V) values over the cells that both parts select; zeros where both have bounds."""
        ones, others = (np.array([atom.mask for atom in atoms]) for atoms in (self.ones, self.others))
        sums = np.zeros((len(ones), len(others), values.shape[1]))
        # A value selects few cells and a bound half of them, so that all is looked at among the cells of values.
        for number, one in enumerate(self.ones):
            if not one.bounds:
                inside = np.flatnonzero(one.mask)
                sums[number] = others[:, inside].astype(float) @ values[inside]
        bounded = np.flatnonzero([one.bounds for one in self.ones])
        for number, other in enumerate(self.others):
            if not other.bounds and len(bounded):
                inside = np.flatnonzero(other.mask)
                sums[bounded, number] = ones[np.ix_(bounded, inside)].astype(float) @ values[inside]
        return sums

    def log_priors(self) -> Floats:
        """(n, m) how likely each is before looking; never, where two parts make no condition."""
        prior = np.add.outer(*([atom.log_share for atom in atoms] for atoms in (self.ones, self.others)))
        go_together = [[_go_together(one, other) for other in self.others] for one in self.ones]
        return np.where(go_together, self.log_share + prior, -np.inf)

    def candidate(self, one: int, other: int) -> Candidate:
        """Two parts together."""
        a, b = self.ones[one], self.others[other]
        return Candidate({a.key: a.text, b.key: b.text}, a.mask & b.mask, self.log_share + a.log_share + b.log_share)


def candidates_of(cells: Sequence[Cell]) -> tuple[list[Candidate], list[Pairs]]:
    """All that are tried on (C,) cells: those of one attribute at most, that of all hosts first; and those of two."""
    atoms = {key: _atoms(cells, key) for key in _KEYS}
    atoms = {key: found for key, found in atoms.items() if found}
    everyone = np.ones(len(cells), bool)
    found = [Candidate({}, everyone, float(_LOG_PRIOR_KEYS[0]))]
    prior = float(_LOG_PRIOR_KEYS[1] - np.log(max(len(atoms), 1)))
    for key, of_key in atoms.items():
        found += [Candidate({key: a.text}, a.mask, prior + a.log_share) for a in of_key if a.stands_alone]
    found += [Candidate(told, mask, prior + log_share) for told, mask, log_share in _of_two_systems(atoms)]
    pairs = list(combinations(atoms.values(), 2))
    log_share = float(_LOG_PRIOR_KEYS[2] - np.log(max(len(pairs), 1)))
    return found, [_of_both(ones, others, log_share) for ones, others in pairs]


def _of_both(ones: Sequence[_Atom], others: Sequence[_Atom], log_share: float) -> Pairs:
    if ones[0].key != "os_type":  # what has two bounds goes with an operating system alone
        ones, others = ([atom for atom in atoms if atom.bounds <= 1] for atoms in (ones, others))
    return Pairs(ones, others, log_share)


def _go_together(a: _Atom, b: _Atom) -> bool:
    """Whether two parts make a condition: any with an operating system; of others one has a bound, within a line."""
    if a.key == "os_type":
        return True
    return a.bounds + b.bounds <= 1 and all(one.stands_alone or one.has_one_system for one in (a, b))


def _of_two_systems(atoms: Mapping[str, Sequence[_Atom]]) -> list[tuple[Condition | None, Mask, float]]:
    """What selects two operating systems of three, with the share of a key's prior that it has.

    No value says it. A bound or prefix may, which then is about systems and not about versions; or nothing does.
    """
    systems = [atom.mask for atom in atoms.get("os_type", ())]
    together = [one | other for one, other in combinations(systems, 2)] if len(systems) > 2 else []
    found = list[tuple[Condition | None, Mask, float]]()
    for mask in together:
        said = [atom for key in _TELL_SYSTEMS for atom in atoms.get(key, ()) if (atom.mask == mask).all()]
        told = {said[0].key: said[0].text} if said else None
        found.append((told, mask, float(np.log(_TWO_SYSTEMS / len(together)))))
    return found


def _atoms(cells: Sequence[Cell], key: str) -> list[_Atom]:
    column = CELL_ATTRIBUTES.index(key)
    values = [cell.attributes[column] for cell in cells]
    present = sorted({value for value in values if value is not None}, key=lambda v: (version_key(v), v))
    if len(present) < 2 and key != "os_type":
        return []
    masks: dict[bytes, tuple[str, Mask, int]] = {}
    codes = np.array([present.index(value) if value is not None else len(present) for value in values])
    for text, bounds in _texts(present, key):
        mask = np.array([*map(matcher(text), present), False])[codes]
        if mask.any():
            masks.setdefault(mask.tobytes(), (text, mask, bounds))
    between = sum(bounds > 1 for _, _, bounds in masks.values())
    others = len(masks) - between
    share = _BETWEEN_TWO if between else 0.0
    in_line = key == "agent_version" and _are_one_product(cells, column)
    systems = np.array([cell.os_type or "" for cell in cells])
    return [
        _Atom(
            key,
            text,
            mask,
            bounds,
            float(np.log(share / between if bounds > 1 else (1.0 - share) / others)),
            stands_alone=in_line or not bounds,
            has_one_system=len(np.unique(systems[mask])) == 1,
        )
        for text, mask, bounds in masks.values()
    ]


def _texts(present: Sequence[str], key: str) -> list[tuple[str, int]]:
    """What may be said of an attribute with these values, and how many bounds each text has."""
    # A value that reads like a bound or a prefix cannot be told as an equality in the contract's grammar.
    texts = [(value, 0) for value in present if value and value[0] not in "<>" and not value.endswith(".*")]
    if key in _ORDERED:
        named = [value for value in present[1:] if re.fullmatch(r"[0-9A-Za-z][^\s<>]*", value)]
        bounds = [_short(value, present) for value in named]
        texts += [(f"{sign}{bound}", 1) for bound in bounds for sign in (">=", "<")]
        prefixes = {".".join(components(v)[:n]) for v in present for n in (1, 2) if len(components(v)) > n}
        texts += [(f"{prefix}.*", 0) for prefix in sorted(prefixes)]
        if len(bounds) >= _MOST_BETWEEN_TWO:
            bounds = [bound for bound in bounds if len(components(bound)) <= _RELEASE]
        if len(bounds) < _MOST_BETWEEN_TWO:
            texts += [(f">={low} <{high}", 2) for low, high in combinations(bounds, 2)]
    return texts


def _are_one_product(cells: Sequence[Cell], column: int) -> bool:
    """Whether versions order over several systems: at least half of the releases of each are another's as well.

    Where all cells are of one system, that is said with a bound.
    """
    releases: dict[str | None, set[tuple[str, ...]]] = {}
    for cell in cells:
        version = cell.attributes[column]
        if version is not None:
            releases.setdefault(cell.os_type, set()).add(tuple(components(version)[:_RELEASE]))
    if len(releases) < 2:
        return False
    for system, own in releases.items():
        elsewhere = set().union(*(others for other, others in releases.items() if other != system))
        if len(own & elsewhere) < len(own) / 2:
            return False
    return True


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
