"""Values in words: conditions, probabilities, counts, times. Plain text, to be escaped by the markup."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from fleetcrash.attribution.conditions.grammar import SYSTEM_NAMES, in_words

KIND_NAMES = {
    "content": "content update",
    "agent": "agent release",
    "os_patch": "OS patch",
    "driver": "driver",
    "policy": "policy",
}
CAUSE_NAMES = {
    "region": "a region",
    "site": "a site",
    "host": "single hosts",
    "module": "a module that no update brought",
    "backlog": "a backlog of old reports arriving at once",
    "clock": "clocks that are wrong",
    "other": "something that is no update",
}
VERDICT_NAMES = {
    "update": "an update did it",
    "no_update": "no update did it",
    "cannot_separate": "cannot be told apart",
    "undetermined": "still being judged",
}
STATE_NAMES = {
    "recovered": "Recovered",
    "dark": "Dark",
    "crashed": "Crashed",
    "cleared": "Cleared",
    "at_risk": "At risk",
    "pending": "Pending",
}
CLUSTER_STATES = {
    "new": "new",
    "ongoing": "ongoing",
    "escalating": "escalating",
    "regressed": "back again",
    "quiet": "quiet",
}
# Why something about hosts is not known where there are only crashes.
NOT_TOLD = "no inventory, no installs, no presence"
MOST_TIED = 3  # updates that are named in a sentence or a card about a tie

_WHOLE_FLEET = "the whole fleet"  # as the monitor says it

_UNSEEN = ("Cc", "Cf", "Zl", "Zp")  # control characters, and other invisible ones
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def plain(text: object, limit: int = 48) -> str:
    """A string of the fleet for use in a sentence: one line, no control characters, cut in the middle.

    Text of another direction is isolated, so that it cannot reorder the text around it.
    """
    shown = "".join("\ufffd" if unicodedata.category(each) in _UNSEEN else each for each in str(text))
    if len(shown) > limit:
        tail = limit // 3
        shown = f"{shown[: limit - tail - 1]}…{shown[-tail:]}"
    if any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in shown):
        return f"{_FIRST_STRONG_ISOLATE}{shown}{_POP_ISOLATE}"
    return shown


def on_lake(command: str, root: Path) -> str:
    """A command for a lake, as it can be run from the folder in which the dashboard was started."""
    here = Path.cwd()
    where = root.relative_to(here) if root.is_relative_to(here) else root
    return command if str(where) == "lake" else f"{command} --lake {quote(str(where))}"


def hosts_command(update_id: str, root: Path, *, state: str = "") -> str:
    """The command that lists the hosts of an update; empty if the id has characters that cannot be typed as shown.

    Args:
        update_id: or that of an incident.
        state: only hosts in this state; empty for all.
    """
    if any(unicodedata.category(each) in _UNSEEN for each in update_id):
        return ""
    wanted = f"--state {state} --csv" if state else "--csv"
    if update_id.startswith("-"):  # it would be taken for an option
        return f"{on_lake(f'fleetcrash hosts {wanted}', root)} -- {quote(update_id)}"
    return on_lake(f"fleetcrash hosts {quote(update_id)} {wanted}", root)


def os_name(os_type: str) -> str:
    """The name of an operating system for people."""
    return SYSTEM_NAMES.get(os_type, plain(os_type))


def assumed_presence(systems: Sequence[str]) -> str:
    """On what presence rests where no host tells it, or none of some operating systems."""
    named = " or ".join(map(os_name, systems))
    why = f"No host of {named} tells its presence, so one" if systems else "No presence was recorded, so a host"
    return f"{why} counts as online for 24 hours after it was last seen."


def kind_name(kind: str | None) -> str:
    """The name of a kind of update for people."""
    return KIND_NAMES.get(kind or "", "update")


def whom(condition: Mapping[str, str] | None, *, is_open: bool = True) -> str:
    """The hosts that a condition selects, to follow "is crashing".

    Args:
        is_open: whether the incident still is, so that what is not known may yet come out.
    """
    have = "have" if is_open else "had"
    if condition is None:
        told = "is still open" if is_open else "could not be told"
        return f"hosts that {have} it (which ones in particular {told})"
    if not condition:
        return f"hosts of every kind that {have} it"
    rest = dict(condition)
    os_type = rest.pop("os_type", None)
    hosts = f"{os_name(os_type)} hosts" if os_type else "hosts"
    return f"{hosts}, {in_words(rest, _shown)}" if rest else hosts


def condition_words(condition: Mapping[str, str] | None) -> str:
    """A condition in words, such as "Windows, agent ≥ 7.11"."""
    return "not determined yet" if condition is None else in_words(condition, _shown)


def _shown(text: str) -> str:
    return plain(text, 60)


def wave_words(name: str, *, beside: datetime | None = None) -> str:
    """A wave, which is a rise that follows no update, in words; ``name`` is "<whom> from <time>"."""
    hit, _, since = name.rpartition(" from ")
    try:
        begun = clock(datetime.fromisoformat(since), beside=beside)
    except ValueError:  # it tells no time
        return f"{name} (wave)"
    return f"{hit} from {begun} (wave)"


def place_words(name: str, dimension: str) -> str:
    """A part of the fleet to follow what happens there, such as "in region amer".

    Args:
        name: in words. dimension: what it is cut by; empty where it is not cut by one thing.
    """
    at = {"site": "at", "group": "at", "customer": "at", "region": "in", "ring": "in"}.get(dimension, "on")
    if name == _WHOLE_FLEET:
        at = "across"
    elif not dimension and name.partition(" ")[0] in ("region", "ring", "site", "group", "customer"):
        at = "in"
    return f"{at} {plain(name, 60)}"


def one_of(names: Sequence[str]) -> str:
    """Some names, of which it is one: the first few, and how many more there are."""
    if len(names) <= MOST_TIED:
        return " or ".join(names)
    return f"{', '.join(names[:MOST_TIED])} or {count(len(names) - MOST_TIED)} more"


def and_more(names: Sequence[str]) -> str:
    """Some names, all of which are meant: the first few, and how many more there are."""
    if len(names) <= MOST_TIED:
        return " and ".join(names)
    return f"{', '.join(names[:MOST_TIED])} and {count(len(names) - MOST_TIED)} more"


def percent(share: float | None) -> str:
    """A probability; near certainty is not rounded up to certainty."""
    if share is None:
        return "–"
    if share > 0.999:
        return "> 99.9 %"
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def count(value: float | None) -> str:
    """A whole number with thin spaces between groups; a dash if it is unknown."""
    return "–" if value is None else f"{int(value):,}".replace(",", "\u202f")


def counted(value: float | None, thing: str) -> str:
    """So many of a thing, such as "1 crash" or "2 crashes"."""
    plural = "es" if thing.endswith("sh") else "s"
    return f"{count(value)} {thing}{'' if value == 1 else plural}"


def few(number: float) -> str:
    """A number of things to be expected: whole from ten on, with two digits below."""
    return count(round(number)) if number >= 10 else f"{number:.2g}"


def rate(per_host_hour: float | None) -> str:
    """A rate per 1,000 host-hours with three significant digits."""
    if per_host_hour is None or per_host_hour != per_host_hour:
        return "–"
    value = per_host_hour * 1000
    if value == 0:
        return "0"
    if value >= 100:
        return count(round(value))
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def times(ratio: float | None) -> str:
    """A ratio, such as "× 12"."""
    if ratio is None or ratio != ratio:
        return "–"
    return f"× {count(round(ratio))}" if ratio >= 10 else f"× {ratio:.1f}"


def clock(instant: datetime | None, *, beside: datetime | None = None) -> str:
    """A time of day in UTC, with the parts of its date that differ from ``beside``."""
    if instant is None:
        return "–"
    here = instant.astimezone(UTC)
    if beside is not None and here.date() == beside.astimezone(UTC).date():
        return f"{here:%H:%M} UTC"
    if beside is not None and here.year == beside.astimezone(UTC).year:
        return f"{here.day} {here:%b %H:%M} UTC"
    return f"{here.day} {here:%b %Y %H:%M} UTC"


def ago(seconds: float) -> str:
    """A stretch of time in its two largest units."""
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
