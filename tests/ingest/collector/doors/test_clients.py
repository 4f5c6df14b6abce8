"""Clients as their makers ship them, each bringing a crash that is then in the lake, in its cluster."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import sentry_sdk
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from fleetcrash.clustering.documents import clusters_document
from ingest.collector.tokens import Tokens
from tests.ingest.collector.conftest import serving
from tests.ingest.collector.doors.conftest import NOW
from tests.ingest.conftest import rows_of


def scan(channel: str) -> None:
    """What crashes."""
    json.loads(channel)


def crashed() -> BaseException:
    try:
        scan("no JSON")
    except json.JSONDecodeError as error:
        return error
    raise AssertionError


def by_sentry(url: str, token: str) -> None:
    host = url.removeprefix("http://")
    sentry_sdk.init(f"http://{token}@{host}/1", release="agent@7.11.18110", default_integrations=False)
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("host_id", "h1")
        sentry_sdk.capture_message("only a message")
        sentry_sdk.capture_exception(crashed())  # handled: no crash
        scope.set_level("fatal")
        sentry_sdk.capture_exception(crashed())
    sentry_sdk.flush(timeout=30)
    sentry_sdk.get_client().close()


def by_opentelemetry(url: str, token: str) -> None:
    exporter = OTLPLogExporter(
        f"{url}/v1/logs", headers={"Authorization": f"Bearer {token}"}, compression=Compression.Gzip, timeout=30
    )
    resource = Resource({"host.id": "h1", "os.type": "linux", "service.version": "7.11.18110"})
    provider = LoggerProvider(resource, shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("agent")
    logger.emit(severity_number=SeverityNumber.ERROR, exception=crashed())  # no crash
    logger.emit(severity_number=SeverityNumber.FATAL, severity_text="FATAL", body="gone", exception=crashed())
    provider.shutdown()


@pytest.mark.parametrize("client", [by_sentry, by_opentelemetry])
def test_a_crash_is_in_the_lake_and_in_its_cluster(lake, client: Callable[[str, str], None]):
    token = Tokens(lake.root).add("agents", now=NOW)
    with serving(lake) as collector:
        client(f"http://127.0.0.1:{collector.port}", token)
    (crash,) = rows_of(lake, "crash")
    assert (crash["host_id"], crash["os_type"], crash["domain"]) == ("h1", "linux", "user")
    assert (crash["agent_version"], crash["time_quality"]) == ("7.11.18110", "exact")
    assert crash["code"] in ("JSONDecodeError", "json.decoder.JSONDecodeError")
    functions = [frame["function"] for frame in crash["frames"]]
    assert functions[0] == "raw_decode"
    assert functions[-2:] == ["scan", "crashed"]
    (cluster,) = clusters_document(lake)["clusters"]
    assert (cluster["crashes"], cluster["hosts"]) == (1, 1)
    assert "JSONDecodeError" in cluster["title"]
    assert rows_of(lake, "quarantine") == []


def test_a_client_without_a_valid_token_is_not_let_in(lake):
    Tokens(lake.root).add("agents", now=NOW)
    with serving(lake) as collector:
        by_sentry(f"http://127.0.0.1:{collector.port}", "fc_wrong")
    assert rows_of(lake, "crash") == []
