"""An override that is taken back: the gate's own answer holds again."""

from __future__ import annotations

import pytest

from fleetcrash.errors import BadArgument
from fleetcrash.gate.decision import overrule
from fleetcrash.gate.overrides import BOOK
from tests.dashboard import fleet
from tests.fleetcrash.gate.rollouts import quiet_lake
from tests.fleetcrash.gate.test_decision import ask


@pytest.mark.slow
def test_an_override_is_taken_back_and_the_gates_own_answer_holds_again(tmp_path):
    lake = quiet_lake(tmp_path / "lake")
    own = ask(lake)
    for one in ("halt", "go"):
        overruled = overrule(lake, own, decision=one, reason="the wrong update", by="ann", now=fleet.NOW)
        assert overruled["decision"] == one
        told = overrule(lake, overruled, decision="none", reason="a slip.", by="bob", now=fleet.NOW)
        said = f"{own['reason']} (bob took back what overrode this: a slip.)"
        assert (told["decision"], told["reason"]) == (own["decision"], said) == ("hold", said)
        assert (told["override"]["decision"], told["override"]["in_force"]) == ("none", False)
    assert ask(lake) == told
    assert len((lake.root / BOOK).read_text().splitlines()) == 4
    for before in (told, own):
        with pytest.raises(BadArgument, match=r"^Nobody overrides the gate for 'u1' as of .* Nothing was written\.$"):
            overrule(lake, before, decision="none", reason="a slip", by="bob", now=fleet.NOW)
    assert len((lake.root / BOOK).read_text().splitlines()) == 4
