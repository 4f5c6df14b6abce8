"""Lateness: what an update spared for as long as it took to strike others is not struck by it later."""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.facts.exposure import AGE_MINUTES, AGES
from fleetcrash.attribution.facts.news import CELL_ATTRIBUTES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.counts import upper_tail

_LEAST_EVENTS = 3  # fewer do not say when a part of the fleet was struck

# An update most of whose events come within an hour of an install does not wait for anything.
_SOON_AGES = int(np.searchsorted(AGE_MINUTES, 60, side="right"))
_MOSTLY_SOON = 0.8

# At most so many of those that were due by some age may have come by then, and that few by chance as seldom as this;
# looked at with every event. Of thousands hardly fewer are unlikely, too.
_SPARED = 0.5
_LATE = 1e-4

_VERSION = CELL_ATTRIBUTES.index("os_version")


def are_late(
    inquiry: Inquiry, update: int, tick: int, mine: Mask, cells: Mask, others: Mask, other_cells: Mask
) -> bool:
    """Whether events came too long after the install of an update to be its doing.

    At which ages of the install it crashes hosts, other events tell. Not where it waits for something, as for a boot,
    which may come to some hosts later.

    Args:
        mine: (events,) those asked about. cells: (cells,) where they may be.
        others: (events,) those that are its doing. other_cells: (cells,) where they may be.
    """
    time = _host_minutes(inquiry, update, tick)
    seen, told = (by_age(inquiry, update, tick, some) for some in (mine, others))
    return _came_late(seen, time[:, cells].sum(1), told, time[:, other_cells].sum(1))


def in_late_versions(inquiry: Inquiry, update: int, tick: int, mine: Mask) -> Mask:
    """(events,) those of some events in OS versions that an update struck too late to have done so.

    Two faults in two versions of a system look like one in both; but the second does not follow the install of the
    first as the first does.

    Args:
        mine: (events,) the events.
    """
    news, time = inquiry.news, _host_minutes(inquiry, update, tick)
    seen = inquiry.exposed_counts(tick, mine, update)[:, :AGES].sum(0)
    struck = seen.sum(0)
    versions = np.array([cell.attributes[_VERSION] or "" for cell in news.cells])
    late = np.zeros(len(news.cells), bool)
    for version in np.unique(versions[struck > 0]).tolist():
        cells = versions == version
        if _LEAST_EVENTS <= struck[cells].sum() < struck.sum():
            its, told = (seen[:, some].sum(1) for some in (cells, ~cells))
            late |= cells & _came_late(its, time[:, cells].sum(1), told, time[:, ~cells & (struck > 0)].sum(1))
    return mine & late[news.events.cell]


def _came_late(seen: Floats, time: Floats, told: Floats, at_risk: Floats) -> bool:
    """Whether hosts were spared at first, by what others tell.

    Args:
        seen: (AGES,) events of the hosts, by the age of the install. time: (AGES,) host-minutes of theirs.
        told, at_risk: (AGES,) of the others.
    """
    if not is_soon(told) or not at_risk.sum():
        return False
    told = told + at_risk / at_risk.sum()  # at any age there may be one that is none of its doing
    due = told / np.maximum(at_risk, 1.0) * time
    if not due.sum():
        return False
    by_then, struck = np.cumsum(due) / due.sum(), np.cumsum(seen)
    return any(
        few <= _SPARED * share * struck[-1] and _so_few(int(few), int(struck[-1]), float(share)) < _LATE
        for few, share in zip(struck[:-1], by_then[:-1], strict=True)
    )


def _host_minutes(inquiry: Inquiry, update: int, tick: int) -> Floats:
    """(AGES, cells) of hosts with an update, by the age of its install."""
    return inquiry.expected.time.by_update[update].host_minutes(tick)[:, :, :AGES].sum(1).T


def by_age(inquiry: Inquiry, update: int, tick: int, mine: Mask) -> Floats:
    """(AGES,) some events of hosts with an update, by the age of its install."""
    return inquiry.exposed_counts(tick, mine, update).sum((0, 2))[:AGES]


def is_soon(of_age: Floats) -> bool:
    """Whether most events (AGES,) come within an hour of the install."""
    return float(of_age[:_SOON_AGES].sum()) >= _MOSTLY_SOON * float(of_age.sum())


def _so_few(at_most: int, of: int, share: float) -> float:
    """How likely at most so many of some are, fewer than a share of them."""
    others = 1.0 - share
    if not 0.0 < others < 1.0:
        return others
    return upper_tail(of - at_most, of, others)
