"""What the views say, against the plain reading of the contract, and at the edges one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from fleetcrash.store import Engine, Lake
from tests.dashboard.fleet import append_rows
from tests.fleetcrash.reference import FOREVER, Known
from tests.fleetcrash.worlds import HOSTS, LAST_MINUTE, UPDATES, answers, at, instants, lake_of, told_worlds


@settings(max_examples=20, deadline=None, derandomize=True)
@given(told_worlds(), instants())
def test_the_views_say_what_the_contract_says(empty_lake, world, when):
    with lake_of(world, empty_lake) as lake, Engine(lake) as engine:
        for instant in when:
            engine.as_of = instant
            found, known = answers(engine), Known(world, instant)
            assert _exposures(found["exposures"]) == sorted(
                (host, update, *exposure)
                for host in HOSTS
                for update in UPDATES
                for exposure in known.exposures_with_known_end(host, update)
            )
            assert _presence(found["presence"]) == sorted(
                (host, begins, ends or FOREVER) for host in HOSTS for begins, ends in known.online(host)
            )
            assert sorted((row["crash_id"], row["known_at"]) for row in found["crashes"]) == sorted(
                (row["crash_id"], row.get("received_at") or row["occurred_at"]) for row in known.crashes()
            )
            for host in HOSTS:
                for minute in range(0, LAST_MINUTE + 1, 5):
                    moment = at(minute)
                    assert _span_at(found["host_spans"], host, moment) == _attributes(known.attributes(host, moment))


def _exposures(rows):
    return sorted(
        (row["host_id"], row["update_id"], row["exposed_from"], row["exposed_until"] or FOREVER, row["until_known"])
        for row in rows
        if row["host_id"] in HOSTS
    )


def _presence(rows):
    return sorted(
        (row["host_id"], row["online_from"], row["online_until"] or FOREVER) for row in rows if row["host_id"] in HOSTS
    )


_ATTRIBUTES = ("os_type", "os_build", "agent_version", "region", "always_on")


def _attributes(row):
    return None if row is None else {name: row[name] for name in _ATTRIBUTES}


def _span_at(rows, host, moment):
    covering = [
        row
        for row in rows
        if row["host_id"] == host and row["valid_from"] <= moment < (row["valid_until"] or FOREVER)
    ]
    assert len(covering) <= 1
    return _attributes(covering[0]) if covering else None
