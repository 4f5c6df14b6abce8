"""Controls of a verdict: comparisons that come out empty when the update did it, and that a person can check by hand.

*Before*: the same hosts, as long before the install as after it. *Placebo*: the same hosts and crashes, each with the
install time of a host drawn at random. Where everybody installs within minutes the placebo finds as many crashes as the
truth: then it is the moment that speaks, not which host had the update, and a reader should know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fleetcrash.arrays import Ints
from fleetcrash.attribution.facts.columns import as_microseconds
from fleetcrash.store.engine import Engine
from fleetcrash.times import US_A_MINUTE

_DEALS = 50


@dataclass(frozen=True)
class Controls:
    """Hosts that crashed within a while of the install, and what they are compared with.

    Attributes:
        window_min: how long the while is, minutes.
        after, before: hosts that crashed within it after the install, and before it.
        placebo: mean of the hosts that crashed within it after an install time drawn from all hosts'.
        placebo_as_many: share of the deals in which at least as many crashed as did.
    """

    window_min: int
    after: int
    before: int
    placebo: float
    placebo_as_many: float


def controls_of(engine: Engine, update_id: str, hosts: pa.Table, window_min: int) -> Controls:
    """The controls of a named update.

    Args:
        hosts: those that had it and that its condition selects: host_id, installed_at.
    """
    crashes = engine.table("detection/crashes_of_exposed", update_id=update_id)
    rows = pc.index_in(crashes["host_id"], hosts["host_id"])
    mine = pc.is_valid(rows).to_numpy(zero_copy_only=False)
    host = rows.drop_null().to_numpy().astype(np.int64)
    crashed = as_microseconds(crashes["crashed_at"])[mine]
    installed = as_microseconds(hosts["installed_at"])
    window = window_min * US_A_MINUTE
    after = _struck(host, crashed - installed[host], window)
    struck, which = np.unique(host, return_inverse=True)
    generator = np.random.default_rng(len(installed))  # the same hosts, the same deals
    deals = generator.integers(max(len(installed), 1), size=(_DEALS if len(installed) else 0, len(struck)))
    dealt = [_struck(host, crashed - installed[deal][which], window) for deal in deals]
    return Controls(
        window_min=window_min,
        after=after,
        before=_struck(host, installed[host] - crashed, window),
        placebo=round(float(np.mean(dealt)), 2) if dealt else 0.0,
        placebo_as_many=round(float(np.mean(np.array(dealt) >= after)), 3) if dealt else 1.0,
    )


def _struck(host: Ints, gap: Ints, window: int) -> int:
    """Hosts with a crash within the window."""
    return len(np.unique(host[(gap >= 0) & (gap <= window)]))
