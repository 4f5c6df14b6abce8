"""Whether a few hosts have a large part of the crashes: then the page tells more of them than of the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from dashboard import links
from dashboard.markup import text
from dashboard.wording import count

MOST = 8  # hosts to name: more are not few, and no longer fit on two lines

# Together; with less of the crashes they do not make the curve.
_LEAST_SHARE = 0.25

# Of each of them, and as a multiple of what the other hosts have on average: of a handful of crashes anybody has a
# large share, and many hosts crash a second time.
_LEAST_CRASHES = 5
_LEAST_TIMES = 5

# Of the one with most: beside five with fifty crashes one with seven is no sixth of them.
_LEAST_OF_MOST = 0.25


@dataclass(frozen=True)
class FewHosts:
    """Hosts with far more crashes than the others.

    Attributes:
        hosts: (name, crashes), most crashes first. share: of all crashes, 0 to 1.
    """

    hosts: Sequence[tuple[str, int]]
    share: float


def can_be(hit: pd.Series) -> bool:
    """Whether there may be such hosts: as each other host has one crash at least, often there cannot.

    Args:
        hit: crashes and hosts_crashed, as for ``few_hosts``.
    """
    others = hit["hosts_crashed"] - MOST
    return bool(hit["crashes"] >= _LEAST_CRASHES and others <= (1 - _LEAST_SHARE) * hit["crashes"])


def few_hosts(most: pd.DataFrame, hit: pd.Series) -> FewHosts | None:
    """The hosts, at most MOST, that have a large part of the crashes; None if there are none.

    Args:
        most: host_id and crashes of the MOST hosts with most crashes, most first.
        hit: crashes and hosts_crashed of all that is selected.
    """
    alike = most[most["crashes"] >= _LEAST_OF_MOST * most["crashes"].max()]
    ranked = [(str(each.host_id), int(each.crashes)) for each in alike.head(MOST).itertuples()]
    crashes, hosts = int(hit["crashes"]), int(hit["hosts_crashed"])
    for number in range(len(ranked), 0, -1):
        theirs, others = sum(each for _, each in ranked[:number]), hosts - number
        if others <= 0 or theirs < _LEAST_SHARE * crashes:
            continue
        if ranked[number - 1][1] >= max(_LEAST_CRASHES, _LEAST_TIMES * (crashes - theirs) / others):
            return FewHosts(ranked[:number], theirs / crashes)
    return None


def few_hosts_line(found: FewHosts | None) -> str:
    """A line that says so, each host linked to its page; empty if there are none."""
    if found is None:
        return ""
    leading_to = links.leading("host", "id")
    named = ", ".join(
        f'<a href="{escape(leading_to(host_id))}">{text(host_id, 32)}</a> {escape(count(crashes))}'
        for host_id, crashes in found.hosts
    )
    who = "1 host has" if len(found.hosts) == 1 else f"{len(found.hosts)} hosts have"
    return f'<p class="fc fc-few"><b>{who} {100 * found.share:.0f} % of the crashes:</b> {named}</p>'
