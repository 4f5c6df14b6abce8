"""How often hosts of each operating system crash without an update, held against the baseline.

A baseline that is a half too high for Linux and too low for Windows is no matter where a fault crashes a hundred times
as many hosts as usual. Where it crashes thrice as many, such a baseline makes a fault of all systems look like one of
Windows. The hosts beside those with the update tell what was usual meanwhile.
"""

from __future__ import annotations

import numpy as np

from fleetcrash.arrays import Floats, Mask
from fleetcrash.attribution.expected.baseline import OUTCOMES
from fleetcrash.attribution.facts.exposure import AGES
from fleetcrash.attribution.hypotheses.inquiry import Inquiry
from fleetcrash.times import DAY

_ENOUGH = 10.0  # events; of fewer, rather the baseline's word than theirs
# The baseline errs no further. And hosts that never told of an install are struck as well: no more is usual for that.
_LEAST, _MOST = 0.25, 2.0


def as_usual_beside(inquiry: Inquiry, update: int, tick: int, mine: Mask) -> Floats:
    """(OUTCOMES, cells) how many times as much as the baseline expects is usual for hosts of the system of each cell.

    Args:
        mine: (events,) those that count.
    """
    news, cells = inquiry.news, len(inquiry.news.cells)
    usual = np.ones((OUTCOMES, cells))
    if not news.installs_told:  # nobody is known to lack it
        return usual
    since = max(inquiry.released(update), tick - DAY + 1)
    events = news.events
    beside = mine & ~inquiry.events_with(update, tick) & (events.tick <= tick) & (events.minute >= since)
    counts = np.bincount(events.outcome[beside] * cells + events.cell[beside], minlength=OUTCOMES * cells)
    seen = counts.reshape(OUTCOMES, cells)
    with_it = inquiry.expected.of_hosts_with(update, tick)[:, :AGES].sum(1)
    everywhere = inquiry.expected.of_slices_since(since)
    for number, part in enumerate(inquiry.spots.slices.slices):
        if part.key != "os_type":
            continue
        inside = inquiry.spots.slices.members[number] > 0
        mean = np.maximum(everywhere[:, number] - with_it[:, inside].sum(1), 0.0)
        ratio = (seen[:, inside].sum(1) + _ENOUGH) / (mean + _ENOUGH)
        usual[:, inside] = np.clip(ratio, _LEAST, _MOST)[:, None]
    return usual
