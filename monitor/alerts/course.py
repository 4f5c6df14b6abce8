"""The course of an incident for alerts: which changes are news, and which only flicker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from monitor.alerts.message import Event, hosts_hit

FIRST_WAIT_S = 300.0
# Messages that update an alert are five minutes apart, then ten, twenty, forty, and an hour: a verdict that is in doubt
# all night is told some ten times and not a thousand. Five minutes are what somebody needs to read the first one.
LONGEST_WAIT_S = 3600.0

# When this many times the hosts last reported are hit, that is news by itself: another order of magnitude is another
# kind of night.
GROWTH = 10

_VERDICT = ("verdict", "update_id", "condition")


@dataclass(frozen=True)
class Told:
    """What was last sent about an incident, delivered or not.

    Attributes:
        is_open: whether the incident was open.
        verdict, update_id, condition: as in the contract.
        hosts_hit: crashed or dark.
        at: seconds since 1970, by our clock.
        updates: number of messages since it opened.
        named: every update that was ever named in it.
    """

    is_open: bool
    verdict: str
    update_id: str | None
    condition: Mapping[str, str] | None
    hosts_hit: int
    at: float
    updates: int = 0
    named: tuple[str, ...] = ()

    def as_text(self) -> str:
        """For the outbox."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Told:
        """Read what ``as_text`` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            read = json.loads(text)
            told = cls(**{**read, "named": tuple(read["named"])})
            _ = told.hosts_hit + told.at + told.updates  # fails unless they are numbers
        except (KeyError, TypeError) as error:
            raise ValueError(f"nothing that was told: {text[:200]!r}") from error
        return told


@dataclass(frozen=True)
class News:
    """Something to send.

    Attributes:
        changed: keys whose values have changed since the last message; empty unless this is an update.
        told: the state that the message reports.
    """

    event: Event
    changed: tuple[str, ...]
    told: Told


def news_of(incident: Mapping[str, Any], told: Told | None, *, now: float) -> News | None:
    """What to send about an incident, if anything.

    Args:
        incident: from the contract's ``incidents`` document.
        told: what was last sent; None: nothing yet.
        now: seconds since 1970, by our clock.
    """
    is_open = incident["closed_at"] is None
    named = told.named if told is not None and told.is_open else ()
    update_id = incident["update_id"]
    if update_id is not None and update_id not in named:
        named = (*named, update_id)
    state = Told(
        is_open, incident["verdict"], update_id, incident["condition"], hosts_hit(incident), now, 0, named
    )  # fmt: skip
    if told is None or not told.is_open:
        if is_open:
            return News(Event.OPENED, (), state)
        return News(Event.RESOLVED, (), state) if told is None else None
    if not is_open:
        return News(Event.RESOLVED, (), state)
    changed = tuple(key for key in _VERDICT if incident[key] != getattr(told, key))
    if state.hosts_hit >= GROWTH * max(told.hosts_hit, 1):
        changed += ("impact",)
    is_new_name = named != told.named
    is_soon = 0.0 <= now - told.at < _wait_s(told.updates)  # a negative time means that our clock was set back
    if not changed or (is_soon and not is_new_name):
        return None
    return News(Event.UPDATED, changed, replace(state, updates=told.updates + 1))


def _wait_s(updates: int) -> float:
    """Seconds from the last message to the next update."""
    return min(FIRST_WAIT_S * 2.0 ** min(updates, 10), LONGEST_WAIT_S)
