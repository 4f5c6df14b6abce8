"""What waiting cost: the hosts of the incident that a halt at a minute of the viewer's choice would have spared."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import escape

import streamlit as st

from dashboard.data import Feed
from dashboard.delay_chart import delay_chart
from dashboard.export import export
from dashboard.incidents import Incident
from dashboard.markup import Card, cards, legend, notice
from dashboard.pages import is_dark
from dashboard.theme import palette
from dashboard.wording import NOT_TOLD, clock, condition_words, count
from fleetcrash.attribution.reporting.delay import RING_MINUTES, RING_SHARE, Delay, Range, Spared

_TITLE = "What waiting cost"
_FEW_HITS = 3  # with fewer, the gate's test cannot be relied on to halt a small ring; see docs/rollout.md


def what_waiting_cost(feed: Feed, incident: Incident) -> None:
    """Draw the panel of an incident that names an update.

    Raises:
        QueryFailed: the lake or the query failed.
    """
    if incident.update_id is None:
        return
    delay = feed.delay(incident.update_id, incident.condition)
    if delay is None or len(delay.halts) < 2:
        st.html(f'<div class="fc"><h3>{_TITLE}</h3></div>')
        if feed.snapshot().only_crashes:
            st.html(notice("Not known", f"Nothing tells when the update reached which host: {NOT_TOLD}."))
        else:
            said = "The update has reached no host of this incident, or just begun to."
            st.html(notice("Nothing to count yet", said))
        return
    begun = delay.halts[0].halted_at
    whom = condition_words(incident.condition)
    st.html(f'<div class="fc"><h3>{_TITLE}</h3><p class="fc-note">{escape(_said(delay, whom))}</p></div>')
    last = (len(delay.halts) - 1) * delay.step_min
    minute = st.slider(
        "Halted so many minutes after the release",
        0,
        last,
        _asked(last, delay.step_min, otherwise=_minute_of(delay, incident.alarm_at or begun)),
        step=delay.step_min,
        key="halt",
        on_change=_keep,
        format="%d min",
    )
    chosen = delay.halts[minute // delay.step_min]
    st.html(cards(_cards(delay, chosen)))
    dark = is_dark()
    colours = palette(dark=dark)
    strokes = [("exposed fewer", colours.ink, "dash"), ("hit fewer, with its range", colours.culprit, "solid")]
    st.html(f'<div class="fc fc-over-chart"><span></span><span>{legend(strokes)}</span></div>')
    marks = [(name, at) for name, at in (("alarm", incident.alarm_at), ("named", incident.named_at)) if at]
    st.plotly_chart(
        delay_chart(delay, chosen.halted_at, marks, dark=dark),
        theme=None,
        key="delay",
        config={"displayModeBar": False},
        alt=f"Halted {clock(chosen.halted_at)}: {count(chosen.exposed)} hosts exposed fewer, "
        f"{count(round(chosen.because.estimate))} hit fewer.",
    )
    export(
        feed,
        _TITLE,
        lambda: delay.table().to_pandas(),
        question=("hits_around_install", "host_states"),
        parameters={"update_id": incident.update_id, "condition": incident.condition},
    )


def _asked(last: int, step: int, *, otherwise: int) -> int:
    """The minute in the URL. A slider bound to it would forget the choice whenever its range grows."""
    asked = st.query_params.get("halt", "")
    is_one = re.fullmatch("[0-9]{1,8}", asked) and int(asked) <= last
    return int(asked) // step * step if is_one else otherwise


def _keep() -> None:
    st.query_params["halt"] = str(st.session_state["halt"])


def _minute_of(delay: Delay, instant: datetime) -> int:
    passed = (instant - delay.halts[0].halted_at) // timedelta(minutes=delay.step_min)
    return min(max(passed, 0), len(delay.halts) - 1) * delay.step_min


def _said(delay: Delay, whom: str) -> str:
    reached = (
        "No install is on record: a host counts as reached when it was first online after the release. "
        if delay.is_assumed
        else ""
    )
    return (
        f"{reached}Hosts ({whom}) that a halt of the rollout would have spared. Hit: crashed, or a server gone dark, "
        "while it had the update; less those that would have been hit anyway, as many as in an equal time before each "
        "install. The range is the 95 % interval of these."
    )


def _cards(delay: Delay, chosen: Spared) -> list[Card]:
    ring = delay.ring
    few = ring.hit.estimate < _FEW_HITS
    then = "too few to be sure that the gate would have halted it" if few else "if the gate halts it by then"
    anyway = "none" if chosen.hit == 0 else _between(chosen.because)
    return [
        Card(
            f"Halted {clock(chosen.halted_at, beside=delay.halts[0].halted_at)}",
            count(chosen.exposed),
            unit="fewer exposed",
            more=f"it would have reached {count(delay.exposed - chosen.exposed)} of {count(delay.exposed)}",
        ),
        Card(
            "Of those, hit",
            count(round(chosen.because.estimate)),
            unit="fewer",
            more=f"range {anyway}; {count(delay.hit - chosen.hit)} of {count(delay.hit)} hit all the same",
        ),
        Card(
            f"A first ring of {100 * RING_SHARE:.0f} % instead",
            count(round(ring.hit.estimate)),
            unit=f"of {count(ring.hosts)} {'host' if ring.hosts == 1 else 'hosts'} hit",
            more=f"range {_between(ring.hit)}, in {RING_MINUTES} minutes; {then}",
        ),
    ]


def _between(each: Range) -> str:
    low, high = count(round(each.low)), count(round(each.high))
    return low if low == high else f"{low} to {high}"
