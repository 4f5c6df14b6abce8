"""Every door of the collector is told of: what it takes for a crash, and how a client is set up for it."""

from pathlib import Path

import pytest

from ingest.collector.app import CLIENTS
from ingest.collector.doors.journal import UPLOAD

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = {
    "/api/{project}/envelope/": "sentry_sdk.init(",
    "/api/{project}/store/": "sentry_sdk.init(",
    "/api/{project}/minidump/": "sentry_options_set_dsn",
    "/api/{project}/minidump": "/api/1/minidump?sentry_key=TOKEN",
    "/v1/logs": "http://collector:8510/v1/logs",
    "/upload": "journal-upload.conf",
    "/_bulk": "omelasticsearch",
    "/{index}/_bulk": "omelasticsearch",
    "/v1/minidump": "http://collector:8510/v1/minidump",
}


@pytest.mark.parametrize("path", [door.path for door in (*CLIENTS, UPLOAD)])
def test_a_door_has_its_decision_and_its_recipe(path):
    decided = (DOCS / "adr" / "20261125-doors.md").read_text(encoding="utf-8")
    assert path.removeprefix("/api/{project}") in decided
    assert RECIPES[path] in (DOCS / "operating.md").read_text(encoding="utf-8")
