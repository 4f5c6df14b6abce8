"""Containers that a fault ended, as kubectl describes their pod or writes it in YAML."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.known import format_of
from ingest.formats.pod_text import POD_TEXT as FORMAT
from ingest.formats.pods import PODS
from ingest.formats.sanitizer import SANITIZER
from tests.ingest.effort import costs_at_most
from tests.ingest.formats.conftest import crashes_of, head
from tests.ingest.formats.damage import changed, survives
from tests.ingest.formats.test_pods import pod

DESCRIBED = """\
Name:             relay-7
Namespace:        web
Node:             node-3/10.0.0.3
Start Time:       Fri, 19 Jul 2024 05:00:00 +0200
Labels:           app=relay
Containers:
  relay:
    Container ID:   containerd://a1
    Image:          acme/relay:3.2
    Image ID:       acme/relay@sha256:0a
    Port:           80/TCP
    State:          Waiting
      Reason:       CrashLoopBackOff
    Last State:     Terminated
      Reason:       Error
      Exit Code:    139
      Started:      Fri, 19 Jul 2024 06:10:00 +0200
      Finished:     Fri, 19 Jul 2024 06:10:02 +0200
    Ready:          False
    Restart Count:  4
    Environment:
      TOKEN:        squeamish
  quiet:
    Container ID:   containerd://b2
    Image:          acme/quiet:1
    State:          Running
      Started:      Fri, 19 Jul 2024 05:00:02 +0200
    Last State:     Terminated
      Reason:       OOMKilled
      Exit Code:    137
      Finished:     Fri, 19 Jul 2024 05:50:02 +0200
    Restart Count:  1
Events:
  Type     Reason   Age   From     Message
  Warning  BackOff  1m    kubelet  Back-off restarting failed container relay in pod relay-7_web
"""
YAML = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    note: |
      status:
        containerStatuses:
    other: "a: b"
  name: relay-7
  namespace: web
  uid: u-7
spec:
  containers:
  - env:
    - name: TOKEN
      value: squeamish
    name: relay
    args: []
  nodeName: node-3
status:
  conditions:
  - lastProbeTime: null
    status: "False"
  containerStatuses:
  - containerID: containerd://a9
    image: acme/relay:3.2
    lastState:
      terminated:
        containerID: containerd://a1
        exitCode: 139
        finishedAt: "2024-07-19T04:10:02Z"
        reason: Error
    name: relay
    state:
      waiting:
        reason: CrashLoopBackOff
  - name: quiet
    state:
      running: {}
"""
LIST = "apiVersion: v1\nitems:\n" + "".join(
    f"- {one[0]}\n" + "".join(f"  {line}\n" for line in one[1:])
    for one in (YAML.replace("139", "0").splitlines(), YAML.splitlines())
)


@pytest.mark.parametrize(
    "said", [DESCRIBED, YAML, LIST + "kind: List\n", f"---\n{YAML}---\n{YAML.replace('139', '1')}"]
)
def test_a_container_that_a_fault_ended(said):
    assert format_of(head(said.encode())) is FORMAT
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["code"], crash["module"], crash["host_id"]) == ("SIGSEGV", "relay", "node-3")
    assert crash["occurred_at"] == "2024-07-19T04:10:02Z"
    assert crash["tags"] | {"image": "acme/relay:3.2", "pod": "relay-7", "namespace": "web"} == crash["tags"]
    assert "squeamish" not in str(crash)
    assert crashes_of(FORMAT, said.encode(), block_bytes=7) == [crash]


def test_yaml_and_json_tell_of_the_same_crash():
    (crash,) = crashes_of(FORMAT, YAML.encode())
    (other,) = crashes_of(PODS, json.dumps(pod()).encode())
    assert crash == other


def test_a_page_may_have_lost_the_blanks():
    bare = "\n".join(" ".join(line.split()) for line in DESCRIBED.splitlines())
    assert format_of(head(bare.encode())) is FORMAT
    (crash,) = crashes_of(FORMAT, bare.encode())
    assert (crash["code"], crash["module"], crash["host_id"]) == ("SIGSEGV", "relay", "node-3")


def test_the_states_of_a_container_tell_it_without_its_name():
    (whole,) = crashes_of(FORMAT, DESCRIBED.encode())
    said = DESCRIBED[DESCRIBED.index("    State:") : DESCRIBED.index("    Environment:")]
    assert FORMAT.recognises(head(said.encode()))
    (found,) = crashes_of(FORMAT, said.encode())
    assert (found["code"], found["occurred_at"]) == (whole["code"], whole["occurred_at"])
    assert "module" not in found
    assert crashes_of(FORMAT, said.replace("139", "137").encode()) == []


def test_pods_one_behind_the_other_are_apart():
    other = DESCRIBED.replace("relay-7", "relay-8").replace("node-3/10.0.0.3", "<none>").replace("139", "3221225477")
    first, then = crashes_of(FORMAT, (DESCRIBED + "\n\n" + other).encode())
    assert (first["tags"]["pod"], then["tags"]["pod"]) == ("relay-7", "relay-8")
    assert (then["host_id"], then["code"], then["os_type"]) == ("h-told", "0xc0000005", "windows")


def test_what_the_program_printed_counts_where_it_stands_beside_it():
    panic = "panic: queue\n\ngoroutine 1 [running]:\nmain.push()\n\t/src/main.go:12 +0x2a\n"
    assert format_of(head((DESCRIBED + panic).encode())) is SANITIZER


@pytest.mark.parametrize(
    "said",
    [
        DESCRIBED.replace("Terminated", "Running"),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: relay\nspec:\n  containers:\n  - command: [sh, -c, exit 139]\n",
        "apiVersion: v1\nkind: Service\nstatus:\n  loadBalancer: {}\n",
        "State:  Terminated\nExit Code: 139\n",
    ],
)
def test_others_are_not(said):
    assert not FORMAT.recognises(head(said.encode()))


@pytest.mark.parametrize("code", ["0", "1", "137", "143"])
def test_who_was_stopped_did_not_crash(code):
    assert crashes_of(FORMAT, DESCRIBED.replace("139", code).encode()) == []
    assert crashes_of(FORMAT, YAML.replace("139", code).encode()) == []


@given(changed(DESCRIBED.encode()) | changed(YAML.encode()) | changed(LIST.encode()) | st.binary(max_size=100))
def test_no_bytes_break_it(data):
    FORMAT.recognises(head(data))
    survives(FORMAT, data)


@pytest.mark.parametrize("piece", ["- ", "  a:\n", "- a:\n ", "Name: a\n", " " * 50 + "- a: b\n", "a:" * 500])
def test_hostile_text_takes_little_time(piece):
    data = (YAML + piece * (400_000 // len(piece))).encode()
    costs_at_most(150, lambda: crashes_of(FORMAT, data))
