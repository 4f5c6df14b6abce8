"""The OpenAPI document: every door is in it, and a real server answers as it says, whatever comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from fleetcrash.store import Lake
from ingest.collector.app import CLIENTS
from ingest.collector.doors import journal
from ingest.collector.doors.records import RECORDS
from ingest.collector.limits import Limits
from ingest.collector.openapi import document
from tests.ingest.collector.conftest import Client, serving

DOCUMENT: dict[str, Any] = json.loads(document())
_METHODS = [(path, method) for path, item in DOCUMENT["paths"].items() for method in item]


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    with serving(Lake.create(tmp_path_factory.mktemp("openapi") / "lake"), limits=Limits(commit_every_s=0.5)) as one:
        yield one


def test_it_is_served_to_anybody_and_names_every_door(client):
    answer = client.get("/openapi.json")
    assert (answer.status, answer.document) == (200, DOCUMENT)
    for door in (RECORDS, journal.UPLOAD, *CLIENTS):
        item = DOCUMENT["paths"][door.path]
        assert {method.upper() for method in item} == set(door.methods)
        assert list(item["post"]["requestBody"]["content"]) == list(dict.fromkeys(door.types))


def test_each_operation_has_the_error_model_and_names_who_may():
    for path, method in _METHODS:
        operation = DOCUMENT["paths"][path][method]
        assert operation["security"]
        for status, reply in operation["responses"].items():
            if int(status) >= 400:
                assert reply["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def test_a_record_of_each_kind_is_as_the_columns_say():
    crash = DOCUMENT["components"]["schemas"]["crash"]
    assert crash["required"] == ["record", "crash_id", "host_id", "occurred_at", "os_type"]
    assert crash["properties"]["os_type"]["enum"] == ["windows", "darwin", "linux"]
    assert crash["properties"]["domain"]["enum"] == ["kernel", "user", "hang", None]
    assert crash["properties"]["uptime_s"]["minimum"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method"), _METHODS)
def test_the_server_answers_as_the_document_says(client, path, method):
    import schemathesis
    from schemathesis import GenerationMode
    from schemathesis.specs.openapi import checks

    kinds = {kind for door in (RECORDS, journal.UPLOAD, *CLIENTS) for kind in door.types}
    known = ("application/json", "multipart/form-data", "application/x-www-form-urlencoded", "text/plain")
    schemathesis.serializer.alias([kind for kind in kinds if kind not in known], "application/octet-stream")
    schema = schemathesis.openapi.from_dict(json.loads(document()))
    operation = schema[path][method]
    wanted = [
        schemathesis.checks.not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=f"http://127.0.0.1:{client.port}", checks=wanted)

    how = settings(
        max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate], database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    # Where nothing is sent nothing can be sent wrongly.
    takes_nothing = not {"parameters", "requestBody"} & set(DOCUMENT["paths"][path][method])
    for mode in [GenerationMode.POSITIVE] if takes_nothing else GenerationMode:
        strategy = operation.as_strategy(generation_mode=mode)
        how(seed(1)(given(case=strategy)(ask)))()
