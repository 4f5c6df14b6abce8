"""What speaks against an update that leads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from fleetcrash.attribution.expected.baseline import CRASH, CRASH_AT_BOOT, DARK
from fleetcrash.attribution.hearing import doubts


@pytest.mark.parametrize(
    ("outcomes", "of"),
    [
        ([CRASH_AT_BOOT] * 8 + [CRASH] * 2, CRASH_AT_BOOT),
        ([CRASH_AT_BOOT] * 8 + [CRASH, DARK], CRASH_AT_BOOT),
        ([CRASH_AT_BOOT, *[CRASH] * 4], CRASH),
        ([CRASH_AT_BOOT] * 7 + [CRASH] * 3, None),
        ([DARK], DARK),
    ],
    ids=["at boots", "at boots, and two others", "not at boots", "both", "one"],
)
def test_of_what_nearly_all_happened_in_one_way_the_rest_is_left_out(outcomes, of):
    """A few crashes of hosts that have long been up, anywhere, would else hide that all at boots are one customer's."""
    events = SimpleNamespace(outcome=np.array([DARK, *outcomes]))
    inquiry = cast(Any, SimpleNamespace(news=SimpleNamespace(events=events)))
    struck = np.arange(1, len(outcomes) + 1)
    kept = [number for number, outcome in enumerate(outcomes, 1) if of is None or outcome == of]
    assert doubts._mostly_alike(inquiry, struck).tolist() == kept
