"""The words of the gate: counts, bounds and times as a reason tells them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from math import ceil, floor, isfinite, log10

from fleetcrash.attribution.expected.baseline import DARK
from fleetcrash.gate.evidence import Evidence, SlowFault
from fleetcrash.gate.reading import Ring
from fleetcrash.times import time_text

# Where hosts beside it are hit ten times as often as usual, at most one hit in ten is of what is usual, and one or two
# by chance do not make that: it is said of no less, as it sounds like an excuse.
_MOSTLY_BESIDE = 10.0

_NO_NAMES = ("all", "none", "null", "unknown")


def ring_text(name: str | None) -> str:
    """A ring as a sentence has it."""
    return "hosts without a ring" if name is None else f"ring {quoted(name)}"


def quoted(name: str) -> str:
    """The name of a ring, in quotes where it might be taken for something else, or not be seen."""
    is_plain = re.fullmatch(r"\w([\w /.:+&–-]*\w)?", name) and name.lower() not in _NO_NAMES
    return name if is_plain else json.dumps(name, ensure_ascii=False)


def slow_text(fault: SlowFault, whole: Evidence) -> str:
    """Why a slow fault is not ruled out, and what would rule it out."""
    befell, events = ("went dark", "silences") if fault.outcome == DARK else ("crashed", "crashes")
    times = f"{fault.ratio:.1f} times" if isfinite(fault.ratio) else "many times"
    wanted = "more host-hours will tell"
    if isfinite(fault.host_hours):
        wanted = f"about {max(ceil(fault.host_hours), 1):,} more host-hours without a hit would do"
    beside = int((whole.hits.beside[whole.hits.outcome == fault.outcome] >= _MOSTLY_BESIDE).sum())
    alike = f" ({beside:,} of them while hosts without it did, too, which hardly count)" if beside else ""
    return (
        f"a slow fault is not ruled out: {fault.hits:,} of {whole.exposed:,} hosts {befell} where "
        f"{_about(fault.expected)} were expected{alike}, so {events} may be {times} as frequent as usual; from the "
        f"second ring on that must be below {_about(fault.limit)}, and {wanted}"
    )


def counted(rings: Sequence[Ring]) -> str:
    """How many hosts of some rings were hit, how many were to be expected, and which hits count for less."""
    hit, exposed = sum(ring.hit for ring in rings), sum(ring.exposed for ring in rings)
    expected = sum(ring.expected for ring in rings)
    alike = sum(int((ring.evidence.hits.beside >= _MOSTLY_BESIDE).sum()) for ring in rings)
    said = f"{hit:,} of {exposed:,} hosts crashed or went dark where {_about(expected)} were expected"
    said = f"{said}, {alike:,} of them while hosts without it did, too" if alike else said
    if relapsed := sum(ring.relapsed for ring in rings):
        said = f"{said}, {relapsed:,} of them hosts that had crashed in the day before they got it, too"
    shared = sum(ring.shared for ring in rings)
    return f"{said}, {shared:,} of them with another update as well that is named" if shared else said


def bound_text(bound: float) -> str:
    """A bound to four decimals, or to two significant digits where that is more, as for a large ring."""
    return f"{bound:.{max(4, 1 - floor(log10(max(bound, 1e-12))))}f}"


def _about(count: float) -> str:
    return f"{count:.2g}" if count < 99.5 else f"{count:,.0f}"


def minutes_text(microseconds: float) -> str:
    """A time in minutes, or in hours where that is more than two hundred minutes."""
    if microseconds > 200 * 60e6:
        return f"{microseconds / 3600e6:.1f} hours"
    count = max(ceil(microseconds / 60e6), 1)
    return f"{count} minute{'s' * (count > 1)}"


def clock_text(microseconds: int) -> str:
    """An instant since 1970 as time."""
    return time_text(datetime.fromtimestamp(microseconds // 1_000_000, tz=UTC))
