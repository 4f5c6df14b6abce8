"""The monitor's document as values. Reads what the contract promises, and tolerates missing parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Any

from fleetcrash.attribution.expected.baseline import LAG_MINUTES
from fleetcrash.attribution.reporting.impact import State, is_silence
from fleetcrash.attribution.weighing.judgement import NAMING_PROBABILITY, Kind, are_tied

STATES: tuple[str, ...] = tuple(State)
HIT = (State.RECOVERED, State.DARK, State.CRASHED)  # states of hosts that crashed or went dark while exposed


@dataclass(frozen=True)
class Interval:
    """An estimate between its bounds; ``high`` is None when it is unbounded."""

    low: float
    estimate: float
    high: float | None


@dataclass(frozen=True)
class Candidate:
    """An update under suspicion and the probability that it did it."""

    update_id: str
    probability: float


@dataclass(frozen=True)
class Rival:
    """Another explanation that was considered."""

    name: str
    kind: str
    rate_ratio: Interval | None
    probability: float | None
    log_evidence: float | None


@dataclass(frozen=True)
class Where:
    """Where a rise is that no update is named for.

    Attributes:
        name: in words, such as "region amer"; empty where it is no part of the fleet.
        dimension: what the part is cut by, such as region; empty where it is not one.
        since: from when on.
        module: in which nearly all crashes are; may be empty.
    """

    name: str
    dimension: str
    since: datetime | None
    module: str


@dataclass(frozen=True)
class Turn:
    """One change of verdict, update or condition."""

    at: datetime | None
    verdict: str
    update_id: str | None
    condition: Mapping[str, str] | None


@dataclass(frozen=True)
class Incident:
    """One incident of the document, as of its tick.

    Attributes:
        lacks: why the likeliest update is not named, as part of a sentence; may be empty.
        where: the rise that explains it best, where that is no update's.
        told: all that the document says of it.
    """

    incident_id: str
    verdict: str
    alarm_at: datetime | None = None
    named_at: datetime | None = None
    closed_at: datetime | None = None
    update_id: str | None = None
    update_kind: str | None = None
    cause: str | None = None
    candidates: tuple[Candidate, ...] = ()
    condition: Mapping[str, str] | None = None
    evidence: Mapping[str, Any] = field(default_factory=dict)
    rate_ratio: Interval | None = None
    impact: Mapping[str, int] = field(default_factory=dict)
    summary: str = ""
    lacks: str = ""
    history: tuple[Turn, ...] = ()
    rivals: tuple[Rival, ...] = ()
    controls: Mapping[str, float] = field(default_factory=dict)
    where: Where | None = None
    told: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_open(self) -> bool:
        """Whether the incident is open."""
        return self.closed_at is None

    @property
    def since(self) -> datetime | None:
        """From when on crashes belong to it: those of the hour before its alarm do; None if that is not known."""
        return None if self.alarm_at is None else self.alarm_at - timedelta(minutes=LAG_MINUTES)

    @property
    def tied(self) -> tuple[Candidate, ...]:
        """The candidates that count as tied: the likeliest, and those that the monitor's summary is between."""
        tied = are_tied([each.probability for each in self.candidates])
        return self.candidates[:1] + tuple(compress(self.candidates[1:], tied[1:]))

    @property
    def unconfirmed(self) -> bool:
        """Whether one update is as likely as one that is named, and is not named for want of proof."""
        tied, elsewhere = self.tied, self.where is not None and self.where.name
        alone = self.verdict == "cannot_separate" and len(tied) == 1 and not elsewhere
        return alone and tied[0].probability >= NAMING_PROBABILITY

    @property
    def suspect(self) -> str | None:
        """The update that it is about: the named one, or of a tie the likeliest; None if it is about none."""
        if self.verdict == "cannot_separate" and self.tied:
            return self.tied[0].update_id
        return self.update_id

    @property
    def hosts_left(self) -> int | None:
        """Hosts that went offline soon after the update, if that is the evidence; else None."""
        found = self.evidence.get("hosts_left")
        return found if isinstance(found, int) else None

    @property
    def hosts_crashed(self) -> float:
        """Hosts that crashed; 0 if that is not known."""
        return _number(self.evidence.get("hosts_crashed")) or 0.0

    @property
    def hosts_dark(self) -> float:
        """Hosts that went dark, whether back or not; 0 if that is not known."""
        return _number(self.evidence.get("hosts_dark")) or 0.0

    @property
    def is_silence(self) -> bool:
        """Whether hosts fall silent, and hardly any crashes."""
        return self.hosts_left is not None or is_silence(self.hosts_crashed, self.hosts_dark)

    @property
    def probability(self) -> float | None:
        """Probability of the update that is named; None if none is."""
        if self.verdict != "update":
            return None
        return next((each.probability for each in self.candidates if each.update_id == self.update_id), None)


@dataclass(frozen=True)
class Judgement:
    """The findings of the newest tick.

    Attributes:
        as_of: the instant that was judged. ticked_at: when, by our clock.
        unreadable: why the document could not be read; empty when it could.
    """

    as_of: datetime | None
    ticked_at: datetime | None
    incidents: tuple[Incident, ...] = ()
    exposure_source: str = ""
    presence_source: str = ""
    unreadable: str = ""

    @property
    def open(self) -> tuple[Incident, ...]:
        """Open incidents, named updates first, then the newest alarm."""
        return tuple(sorted((each for each in self.incidents if each.is_open), key=_urgency))

    @property
    def faults(self) -> tuple[tuple[Incident, ...], ...]:
        """Open incidents, in their order, those about one and the same update together: it strikes again, but is one.

        What is tied is only with those of an update if it is that update's alone, and likely enough to be named.
        """
        together: dict[tuple[str, str], list[Incident]] = {}
        for each in self.open:
            is_of_one = each.suspect is not None and (each.verdict == "update" or each.unconfirmed)
            place = ("update", each.suspect or "") if is_of_one else ("incident", each.incident_id)
            together.setdefault(place, []).append(each)
        return tuple(map(tuple, together.values()))

    @property
    def closed(self) -> tuple[Incident, ...]:
        """Closed incidents, the last closed first."""
        return tuple(
            sorted(
                (each for each in self.incidents if each.closed_at is not None),
                key=lambda each: each.closed_at or _LONG_AGO,
                reverse=True,
            )
        )

    def about_the_same(self, incident: Incident) -> tuple[Incident, ...]:
        """The other incidents about the update that this one is about, by their alarms."""
        update_id = incident.suspect
        found = [
            each
            for each in self.incidents
            if update_id is not None and each.suspect == update_id and each.incident_id != incident.incident_id
        ]
        return tuple(sorted(found, key=lambda each: each.alarm_at or _LONG_AGO))

    def find(self, incident_id: str) -> Incident | None:
        """The incident of that id."""
        return next((each for each in self.incidents if each.incident_id == incident_id), None)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def read_judgement(as_of: datetime | None, ticked_at: datetime | None, document: str | None) -> Judgement:
    """Read one row of the lake's incident table; never raises on what a document holds."""
    try:
        read = json.loads(document or "")
        if not isinstance(read, dict):
            raise TypeError("the document is no JSON object")
        incidents = tuple(_incident(each) for each in read.get("incidents") or [])
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, RecursionError) as error:
        return Judgement(as_of, ticked_at, unreadable=str(error) or type(error).__name__)
    return Judgement(
        as_of=as_of,
        ticked_at=ticked_at,
        incidents=incidents,
        exposure_source=str(read.get("exposure_source") or ""),
        presence_source=str(read.get("presence_source") or ""),
    )


def _incident(read: Mapping[str, Any]) -> Incident:
    evidence = read.get("evidence") or {}
    impact = read.get("impact") or {}
    controls = read.get("controls") or {}
    verdict = str(read.get("verdict") or "undetermined")
    return Incident(
        incident_id=str(read["incident_id"]),
        verdict=verdict if verdict in tuple(Kind) else "undetermined",
        alarm_at=_instant(read.get("alarm_at")),
        named_at=_instant(read.get("named_at")),
        closed_at=_instant(read.get("closed_at")),
        update_id=_text(read.get("update_id")),
        update_kind=_text(read.get("update_kind")),
        cause=_text(read.get("cause")),
        candidates=tuple(
            Candidate(str(each["update_id"]), float(each.get("probability") or 0.0))
            for each in read.get("candidates") or []
        ),
        condition=_condition(read.get("condition")),
        evidence=evidence,
        rate_ratio=_interval(evidence.get("rate_ratio")),
        impact={name: int(value) for name, value in impact.items() if isinstance(value, int | float)},
        summary=str(read.get("summary") or ""),
        lacks=str(read.get("lacks") or ""),
        history=tuple(
            Turn(
                at=_instant(each.get("at")),
                verdict=str(each.get("verdict") or ""),
                update_id=_text(each.get("update_id")),
                condition=_condition(each.get("condition")),
            )
            for each in read.get("history") or []
        ),
        rivals=tuple(_rival(each) for each in read.get("rivals") or [] if isinstance(each, dict)),
        controls={name: value for name, value in controls.items() if _number(value) is not None},
        where=_where(read.get("where")),
        told=read,
    )


def _where(read: Any) -> Where | None:
    if not isinstance(read, dict):
        return None
    name, dimension, module = (str(read.get(key) or "") for key in ("name", "dimension", "module"))
    return Where(name, dimension, _instant(read.get("since")), module)


def _rival(read: Mapping[str, Any]) -> Rival:
    return Rival(
        name=str(read.get("name") or "unnamed"),
        kind=str(read.get("kind") or ""),
        rate_ratio=_interval(read.get("rate_ratio")),
        probability=_number(read.get("probability")),
        log_evidence=_number(read.get("log_evidence")),
    )


def _urgency(incident: Incident) -> tuple[int, float]:
    alarmed = incident.alarm_at or _LONG_AGO
    order = ("update", "cannot_separate", "undetermined", "no_update")
    return order.index(incident.verdict), -alarmed.timestamp()


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, str) or not value:
        return None
    read = datetime.fromisoformat(value)
    return read.astimezone(UTC) if read.tzinfo is not None else read.replace(tzinfo=UTC)


def _interval(value: Any) -> Interval | None:
    if not isinstance(value, dict) or _number(value.get("estimate")) is None:
        return None
    return Interval(
        low=_number(value.get("low")) or 0.0,
        estimate=float(value["estimate"]),
        high=_number(value.get("high")),
    )


def _condition(value: Any) -> Mapping[str, str] | None:
    return {str(key): str(wanted) for key, wanted in value.items()} if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
