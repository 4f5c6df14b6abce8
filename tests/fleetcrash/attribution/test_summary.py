"""The sentence of an incident that names no update."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fleetcrash.attribution.incidents.incident import Incident
from fleetcrash.attribution.incidents.statement import Turn
from fleetcrash.attribution.reporting.report import _summary
from fleetcrash.attribution.weighing.judgement import Judgement, Kind, Lack

EVENTS, ALARM, ENDED = 14, 500, 580
NO_IMPACT = None


def incident(alarm: int, *mine: int, kind: Kind = Kind.CANNOT_SEPARATE) -> Incident:
    """One that accounts for some of the events."""
    opened = Incident.opened(alarm, 0)
    opened.said.kind = kind
    claim(opened, *mine)
    return opened


def claim(one: Incident, *mine: int) -> None:
    one.set_claim(np.isin(np.arange(EVENTS), mine))


def said(
    one: Incident,
    *others: Incident,
    crashed: int,
    candidates: dict[str, float] | None = None,
    updates: tuple[str, ...] = (),
    judged: int | None = None,
) -> str:
    suspects = [SimpleNamespace(update_id=name) for name in updates]
    detector: Any = SimpleNamespace(
        news=SimpleNamespace(events=SimpleNamespace(minute=np.full(EVENTS, ALARM)), suspects=suspects),
        incidents=[one, *others],
        spots=SimpleNamespace(describe=lambda _: "region a"),
    )
    listed = [{"update_id": name, "probability": weight} for name, weight in (candidates or {"bad": 0.9}).items()]
    counted = {"events_judged": crashed if judged is None else judged, "events_expected": 0.04}
    return _summary(detector, one, NO_IMPACT, listed, {"hosts_crashed": crashed, "hosts_dark": 0, **counted})


@pytest.mark.parametrize(
    ("judged", "kind", "of_those"),
    [
        (4, Kind.CANNOT_SEPARATE, ", 4 of them where 0.0 were expected"),
        (9, Kind.CANNOT_SEPARATE, ""),
        (4, Kind.UNDETERMINED, ""),
    ],
)
def test_a_tie_about_a_few_of_all_that_happened_says_how_many(judged, kind, of_those):
    told = said(incident(ALARM, *range(EVENTS), kind=kind), crashed=14, judged=judged)
    assert told.startswith(f"14 hosts crashed and 0 went dark{of_those}, alarm 08:20 UTC: ")


def test_what_another_incident_took_over_is_said_to_be_its():
    one, other = incident(ALARM, *range(EVENTS)), incident(ALARM + 100)
    assert said(one, other, crashed=14).startswith(
        "14 hosts crashed and 0 went dark, alarm 08:20 UTC: cannot separate bad"
    )
    one.end(ENDED)
    claim(one, 0)
    claim(other, *range(1, EVENTS))
    assert said(one, other, crashed=1) == (
        "Alarm 08:20 UTC: most of what raised it is part of inc-19700101t1000 by what is known now; "
        "beside that 1 host crashed and 0 went dark."
    )
    claim(one)
    assert said(one, other, crashed=0) == (
        "Alarm 08:20 UTC: what raised it is part of inc-19700101t1000 by what is known now."
    )


@pytest.mark.parametrize(
    ("lacks", "told"),
    [
        (Lack.ALONE, f"cannot separate bad from other, because {Lack.ALONE}."),
        (Lack.BESIDE, f"cannot separate bad from a rise of its own, because {Lack.BESIDE}."),
    ],
)
def test_an_update_that_another_one_explains_nearly_as_much_as_is_not_told_from_that(lacks, told):
    one = incident(ALARM, *range(EVENTS))
    one.judgement = Judgement(Kind.CANNOT_SEPARATE, None, np.array([0.0, 0.99]), None, 5.0, (0, 1), lacks=lacks)
    assert said(one, crashed=14, candidates={"bad": 0.99}, updates=("other", "bad")).endswith(told)


def test_what_goes_on_beside_another_incident_is_its_own():
    one, other = incident(ALARM, 0), incident(ALARM - 100, *range(1, EVENTS))
    assert said(one, other, crashed=1).startswith(
        "1 host crashed and 0 went dark, alarm 08:20 UTC: cannot separate bad"
    )


@pytest.mark.parametrize(
    ("candidates", "between"),
    [
        ({"a": 0.5, "b": 0.4, "c": 0.01}, "a or b from one another or from a rise of its own"),
        ({"a": 0.04}, "an update from a rise of its own"),
        ({"a": 0.3, "b": 0.2, "c": 0.2, "d": 0.2}, "a, b, c and 1 more from one another or from a rise of its own"),
    ],
)
def test_no_tie_is_said_to_be_with_an_update_that_is_hardly_likely(candidates, between):
    assert said(incident(ALARM, 0, 1), crashed=2, candidates=candidates).endswith(f"cannot separate {between}.")


@pytest.mark.parametrize("kind", [Kind.CANNOT_SEPARATE, Kind.UNDETERMINED])
def test_a_tie_says_what_a_name_would_have_taken(kind):
    one = incident(ALARM, 0, 1, kind=kind)
    one.judgement = Judgement(kind, None, np.zeros(0), None, 0.0, lacks=Lack.BESIDE)
    why = "from a rise of its own, because too few hosts without the update were there to compare with."
    assert said(one, crashed=2).endswith(why) == (kind is Kind.CANNOT_SEPARATE)


def test_of_what_is_over_nobody_says_that_it_is_still_being_judged():
    one = incident(ALARM, 0, 1, kind=Kind.UNDETERMINED)
    likely, even = {"a": 0.6, "b": 0.2}, {"a": 0.5, "b": 0.5}
    assert said(one, crashed=2, candidates=likely).endswith("is still being judged, a is likeliest so far.")
    assert said(one, crashed=2, candidates=even).endswith("which change did it is still being judged.")
    one.end(ENDED)
    assert said(one, crashed=2).endswith("nothing tells which change did it, if any.")


@pytest.mark.parametrize(("crashed", "does"), [(0, "silences"), (1, "silences"), (2, "crashes")])
def test_an_update_after_which_hardly_any_crash_is_said_to_silence_them(crashed, does):
    one = incident(ALARM, 0, kind=Kind.UPDATE)
    one.said.update = 0
    one.said.history.append(Turn(ALARM, Kind.UPDATE, 0, None))
    detector: Any = SimpleNamespace(
        news=SimpleNamespace(suspects=[SimpleNamespace(update_id="bad", kind="content")]), incidents=[one]
    )
    impact: Any = SimpleNamespace(count=lambda _: 7)
    listed = [{"update_id": "bad", "probability": 1.0}]
    evidence = {"hosts_crashed": crashed, "hosts_exposed": 20, "hosts_dark": 20}
    text = _summary(detector, one, impact, listed, evidence)
    assert text.startswith(f"bad (content) {does} some of its hosts: {crashed} of 20 exposed hosts crashed, 7 dark")
    one.said.condition = {}
    assert f" {does} hosts of every kind: {crashed} of " in _summary(detector, one, impact, listed, evidence)
