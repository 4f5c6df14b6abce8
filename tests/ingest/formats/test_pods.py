"""Containers that a fault ended, as Kubernetes and docker tell of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of
from ingest.formats.pods import PODS as FORMAT
from tests.ingest.formats.conftest import crashes_before_damage, crashes_of, head
from tests.ingest.formats.damage import changed, survives

AT = "2024-07-19T04:10:02Z"


def pod(code: int = 139, state: str = "lastState", **more: Any) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": "Error", "finishedAt": AT, "containerID": "containerd://a1", **more}
    container = {"name": "relay", "image": "acme/relay:3.2", "state": {"running": {}}, state: {"terminated": ended}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "relay-7", "namespace": "web", "uid": "u-7"},
        "spec": {"nodeName": "node-3", "containers": [{"env": [{"name": "TOKEN", "value": "squeamish"}]}]},
        "status": {"containerStatuses": [container, {"name": "quiet", "state": {"running": {}}}]},
    }


def container(code: int = 139, **more: Any) -> dict[str, Any]:
    state = {"Status": "exited", "Running": False, "OOMKilled": False, "ExitCode": code, "FinishedAt": AT, **more}
    return {"Id": "a1" * 32, "State": state, "Name": "/relay", "Config": {"Image": "acme/relay:3.2", "Env": ["A=b"]}}


def listed(*pods: dict[str, Any]) -> bytes:
    return json.dumps({"apiVersion": "v1", "items": pods, "kind": "List"}, indent=4).encode()


def task(code: int = 139, at: Any = AT) -> dict[str, Any]:
    containers = [{"name": "relay", "image": "acme/relay:3.2", "exitCode": code}, {"name": "quiet", "exitCode": 0}]
    return {"taskArn": "arn:aws:ecs:eu:1:task/c/a1", "stoppedAt": at, "containers": containers}


LISTS = {
    "pods": listed(pod(0), pod()),
    "a pod": json.dumps(pod(containerID="containerd://a2"), indent=4).encode(),
    "ecs": json.dumps({"tasks": [task(0), task()], "failures": []}, indent=4).encode(),
    "docker": json.dumps([container(0), container()], indent=4).encode(),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_container_that_a_fault_ended(name):
    assert format_of(head(LISTS[name])) is FORMAT
    (crash,) = crashes_of(FORMAT, LISTS[name])
    assert (crash["code"], crash["module"], crash["occurred_at"]) == ("SIGSEGV", "relay", AT)
    assert crash["host_id"] == ("h-told" if name in ("docker", "ecs") else "node-3")
    assert crash["tags"]["image"] == "acme/relay:3.2"
    assert "squeamish" not in str(crash)
    assert crashes_of(FORMAT, LISTS[name], block_bytes=7) == [crash]


@pytest.mark.parametrize(
    ("code", "more", "expected"),
    [
        (134, {}, "SIGABRT"),
        (0, {"signal": 11}, "SIGSEGV"),
        (3221225477, {}, "0xc0000005"),
        (-1073741819, {}, "0xc0000005"),
        (137, {"reason": "OOMKilled"}, None),
        (143, {}, None),
        (1, {}, None),
        (255, {}, None),
        (-1, {}, None),
    ],
)
def test_the_code_shows_what_ended_it(code, more, expected):
    for state in ("lastState", "state"):
        found = crashes_of(FORMAT, listed(pod(code, state, **more)))
        assert [crash["code"] for crash in found] == ([expected] if expected else [])
    assert not found or found[0]["os_type"] == ("windows" if expected.startswith("0x") else "linux")


def test_a_container_that_runs_again_is_no_crash():
    for more in ({"Running": True}, {"OOMKilled": True}):
        assert crashes_of(FORMAT, json.dumps([container(**more)]).encode()) == []


def test_the_same_end_is_one_crash_in_each_list():
    first, again = (crashes_of(FORMAT, listed(pod())) for _ in range(2))
    assert first == again
    later = pod(finishedAt="2024-07-19T05:10:02Z")
    assert crashes_of(FORMAT, listed(later))[0]["crash_id"] != first[0]["crash_id"]


@pytest.mark.parametrize(
    "data", [b"{}", b"[]", b'{"items": [{"kind": "Service"}]}', b'{"items": [1]}', b'[{"Id": "a"}]']
)
def test_other_documents_are_not_of_it(data):
    assert not FORMAT.recognises(head(data))
    assert crashes_of(FORMAT, data) == []


def test_damage_leaves_what_is_before_it():
    data = listed(pod(), pod())
    found, damage = crashes_before_damage(FORMAT, data[: data.rindex(b'"metadata"')])
    assert damage.code == "bad_list"
    assert len(found) == 1


@given(st.sampled_from(list(LISTS.values())).flatmap(changed))
def test_no_changed_list_breaks_its_reader(data):
    survives(FORMAT, data)
