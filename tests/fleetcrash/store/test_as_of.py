"""As of T only what was known at T exists: the answer on the whole lake is that of a lake that holds nothing else."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetcrash.store import Engine
from tests.fleetcrash.worlds import answers, instants, known_by, lake_of, worlds


@pytest.mark.slow
@settings(max_examples=4, deadline=None, derandomize=True)
@given(worlds(), instants(), st.randoms(use_true_random=False))
def test_no_view_depends_on_what_came_later_or_on_the_order_of_loads(empty_lake, world, when, random: Random):
    with lake_of(world, empty_lake) as whole, Engine(whole) as engine:
        for instant in when:
            engine.as_of = instant
            found = answers(engine)
            with (
                lake_of(known_by(world, instant), empty_lake, shuffled=random, loads=2) as then,
                Engine(then, as_of=instant) as engine_then,
            ):
                expected = answers(engine_then)
            for view, rows in expected.items():
                assert found[view] == rows, view
