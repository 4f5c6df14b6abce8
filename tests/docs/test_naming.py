"""The page about naming an update speaks of modules and thresholds that the detector has."""

import math
import re
from pathlib import Path

import fleetcrash.attribution
from fleetcrash.attribution.facts.exposure import AGE_MINUTES
from fleetcrash.attribution.hypotheses import suspects
from fleetcrash.attribution.weighing import judgement

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "naming.md").read_text(encoding="utf-8")


def test_every_module_that_is_named_exists():
    folder = Path(fleetcrash.attribution.__file__).parent
    named = set(re.findall(r"`(\w+\.py)`", PAGE))
    assert len(named) > 20
    assert named <= {path.name for path in folder.rglob("*.py")}


def test_the_thresholds_are_those_of_the_code():
    assert f"{judgement.NAMING_PROBABILITY}; {judgement.KEEPING_PROBABILITY} to keep the name" in PAGE
    assert f"| {math.exp(suspects.LOG_THRESHOLD):,.0f} |" in PAGE
    assert ", ".join(f"{minutes:,}" for minutes in AGE_MINUTES) + " minutes" in PAGE
