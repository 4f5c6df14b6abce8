"""The settings of the gate, and a hash of all of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from fleetcrash.errors import BadArgument

# To rule out even this share takes three billion hosts without a hit: below it no fleet could ever get a go.
_LEAST_EXCESS = 1e-9

# Counts up whenever the same records and settings may get another answer; part of ``config_hash``.
METHOD = 13


@dataclass(frozen=True)
class Settings:
    """What a decision depends on besides the records.

    Attributes:
        max_excess: share of hosts, above the baseline, that may crash or go dark.
        soak_minutes: how long a ring has the update before it may go. After two hours, a ring of 4,000 hosts that took
            half an hour to fill, and not two minutes, is through its first minutes and its reports are in; and most
            faults that take half an hour to strike have struck. Measured in ``bench/gate.py``.
        false_halt_rate: chance that a harmless rollout is ever halted, over all looks and rings.
        confidence: of the bounds, over all looks together.
        fresh_minutes: older telemetry decides nothing. A gap of two and a half intervals of five minutes ends a
            session; after that nobody knows whether the hosts are alive.
    """

    max_excess: float = 0.001
    soak_minutes: int = 120
    false_halt_rate: float = 0.01
    confidence: float = 0.95
    fresh_minutes: float = 12.5

    def __post_init__(self) -> None:
        if not 0.0 < self.max_excess < 1.0:
            raise BadArgument(f"--max-excess {self.max_excess} is no share of hosts; wanted one between 0 and 1.")
        if self.max_excess < _LEAST_EXCESS:
            raise BadArgument(f"--max-excess {self.max_excess} is too small a share; the least is {_LEAST_EXCESS}.")
        if self.soak_minutes < 1:
            raise BadArgument(f"A soak of {self.soak_minutes} minutes is too short; the least is one minute.")

    @property
    def config_hash(self) -> str:
        """Identifies the settings and the version of the method: answers with one hash differ only by their records."""
        told = json.dumps({"method": METHOD, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]
