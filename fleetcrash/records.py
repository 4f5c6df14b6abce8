"""The records: every kind, every column, documented once.

Code, docs and tooltips read the same list. A column's type is its DuckDB type; times are UTC.
The contract's names follow the OpenTelemetry semantic conventions in snake_case where one exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MAX_ID_LENGTH = 128  # characters; the contract's bound on crash_id and host_id, applied to update_id as well

TEXT = "VARCHAR"
TIME = "TIMESTAMPTZ"
NUMBER = "DOUBLE"
WHOLE = "BIGINT"
FLAG = "BOOLEAN"
TEXTS = "VARCHAR[]"
TEXT_MAP = "MAP(VARCHAR, VARCHAR)"
FRAMES = 'STRUCT(module VARCHAR, "function" VARCHAR, "offset" BIGINT)[]'


class Kind(StrEnum):
    """The kinds of record that the contract knows; each is a table of the lake."""

    CRASH = "crash"
    INSTALL = "install"
    UPDATE = "update"
    HOST = "host"
    HEARTBEAT = "heartbeat"
    SESSION = "session"


@dataclass(frozen=True)
class Column:
    """One column of a record.

    Attributes:
        name: as in the contract.
        type: DuckDB type of the stored value.
        doc: what it means, with its unit; shown in docs and tooltips.
        required: a record without it is quarantined as ``missing_field:<name>``.
        values: the values that are allowed; others are ``bad_value:<name>``. Empty: any.
        default: stored where the record says nothing.
        max_length: characters; longer is ``too_long:<name>``. None: unbounded but for the record itself.
        minimum: least value of a number; less is ``bad_value:<name>``.
    """

    name: str
    type: str
    doc: str
    required: bool = False
    values: tuple[str, ...] = ()
    default: str | bool | None = None
    max_length: int | None = None
    minimum: float | None = None


def _id(name: str, doc: str) -> Column:
    return Column(name, TEXT, doc, required=True, max_length=MAX_ID_LENGTH)


OS_TYPES = ("windows", "darwin", "linux")
UPDATE_KINDS = ("content", "agent", "os_patch", "driver", "policy")
_OS_TYPE = Column("os_type", TEXT, "operating system family", required=True, values=OS_TYPES)
_OS_VERSION = Column("os_version", TEXT, "version of the operating system, such as 10.0.22631")
_OS_BUILD = Column("os_build", TEXT, "build of the operating system, such as 22631.3880")
_AGENT_VERSION = Column("agent_version", TEXT, "version of the security agent, such as 7.11.18110")
_RECEIVED_AT = Column("received_at", TIME, "when we received the record, by our clock")

COLUMNS: Mapping[Kind, tuple[Column, ...]] = {
    Kind.CRASH: (
        _id("crash_id", "idempotency key of the crash report"),
        _id("host_id", "opaque and stable name of the host"),
        Column("occurred_at", TIME, "when the crash happened, by the host's clock", required=True),
        Column(
            "time_quality",
            TEXT,
            "how occurred_at is known; reboot: noticed at the next boot",
            values=("exact", "reboot", "log", "received"),
            default="exact",
        ),
        _OS_TYPE,
        _OS_VERSION,
        _OS_BUILD,
        _AGENT_VERSION,
        Column(
            "domain",
            TEXT,
            "what crashed: the kernel, a process, or a hang",
            values=("kernel", "user", "hang"),
            default="kernel",
        ),
        Column("code", TEXT, "bugcheck, signal or exception name, such as 0x50 or SIGSEGV"),
        Column("module", TEXT, "faulting module, such as csagent.sys"),
        Column("module_version", TEXT, "version of the faulting module"),
        Column("module_offset", WHOLE, "bytes from the base of the faulting module", minimum=0),
        Column("frames", FRAMES, "stack, innermost frame first; any part may be null"),
        Column("uptime_s", NUMBER, "seconds since boot at the crash", minimum=0),
        Column("content", TEXT_MAP, "channel to version of the content on the host, where the host says"),
        Column("tags", TEXT_MAP, "anything else that the host says; searchable"),
        _RECEIVED_AT,
    ),
    Kind.INSTALL: (
        _id("host_id", "host on which the update took effect"),
        _id("update_id", "update that took effect"),
        Column("applied_at", TIME, "when it took effect, by the host's clock", required=True),
        Column("action", TEXT, "installed or removed", values=("installed", "removed"), default="installed"),
        _RECEIVED_AT,
    ),
    Kind.UPDATE: (
        _id("update_id", "name of the update in the release catalogue"),
        Column("kind", TEXT, "what kind of change it is; all are suspects", required=True, values=UPDATE_KINDS),
        Column("released_at", TIME, "when it was released", required=True),
        Column("channel", TEXT, "channel it was released on; a later install there replaces it"),
        Column("version", TEXT, "its version; of an agent or OS patch, what the host then runs"),
        Column("reverted_at", TIME, "when it was withdrawn; ends no exposure by itself"),
        _RECEIVED_AT,
    ),
    Kind.HOST: (
        _id("host_id", "opaque and stable name of the host"),
        _OS_TYPE,
        _OS_VERSION,
        _OS_BUILD,
        _AGENT_VERSION,
        Column("model", TEXT, "hardware model"),
        Column("region", TEXT, "region in which the host is"),
        Column("ring", TEXT, "rollout ring"),
        Column("group", TEXT, "group of hosts, by whatever the owner groups"),
        Column("site", TEXT, "site in which the host is"),
        Column("customer", TEXT, "customer who owns the host"),
        Column("criticality", TEXT, "how much the host matters, in the owner's words"),
        Column("owner", TEXT, "who looks after the host"),
        Column("always_on", FLAG, "a server: its silence is news", default=False),
        Column("seen_at", TIME, "when this row was true; a row without it is known from the start"),
        _RECEIVED_AT,
    ),
    Kind.HEARTBEAT: (
        _id("host_id", "host that was online"),
        Column("at", TIME, "when it was online, by the host's clock", required=True),
        Column("uptime_s", NUMBER, "seconds since boot at the beat", minimum=0),
        _RECEIVED_AT,
    ),
    Kind.SESSION: (
        _id("host_id", "host that was online"),
        Column("online_from", TIME, "start of a stretch online", required=True),
        Column("online_until", TIME, "its end; null while the host is still online"),
        _RECEIVED_AT,
    ),
}

# The time that a record states of itself; ``known_at`` is received_at or, where that is missing, this one.
OWN_TIME: Mapping[Kind, str] = {
    Kind.CRASH: "occurred_at",
    Kind.INSTALL: "applied_at",
    Kind.UPDATE: "released_at",
    Kind.HOST: "seen_at",
    Kind.HEARTBEAT: "at",
    Kind.SESSION: "online_from",
}

# Columns that identify a record: another with the same values is a duplicate. Of update, host and session rows only an
# identical row is one.
SAME_RECORD: Mapping[Kind, tuple[str, ...]] = {
    Kind.CRASH: ("crash_id",),
    Kind.INSTALL: ("host_id", "update_id", "applied_at", "action"),
    Kind.HEARTBEAT: ("host_id", "at"),
}

KNOWN_AT = Column("known_at", TIME, "when this record was known to us: received_at or else its own time")
BATCH_ID = Column("batch_id", TEXT, "batch of the load that brought the record")

# ``known_at`` of a host row that states no time.
KNOWN_FROM_THE_START = "1970-01-01T00:00:00Z"

# ``source``, in the books, of a batch from a collector that stamped the records with its own clock. The name is
# reserved: no file and no door has it. A replay from the quarantine goes by it.
COLLECTOR = "collector"

# The same for a collector that kept the times of the senders.
REPLAYING_COLLECTOR = "collector, replaying"

# Prefix of the source of a batch in which a replay took in records that were put aside; the first source follows.
FROM_QUARANTINE = "quarantine of "

QUARANTINE: tuple[Column, ...] = (
    Column("source", TEXT, "file or door that the record came by"),
    Column("line", WHOLE, "line of the source, from 1; row for Parquet"),
    Column("reason", TEXT, "why it was not accepted, such as missing_field:host_id, not_json, not_csv"),
    Column("raw", "BLOB", "the record as it came, byte for byte; of CSV the header line and the row"),
    KNOWN_AT,
    BATCH_ID,
    Column("replayed_by", TEXT, "batch of the replay that took the record in; null while it is put aside"),
)

BATCH: tuple[Column, ...] = (
    BATCH_ID,
    Column("source", TEXT, "file or door that the batch came by"),
    Column("read", WHOLE, "records read"),
    Column("accepted", WHOLE, "records accepted"),
    Column("duplicates", WHOLE, "records that were here already"),
    Column("quarantined", WHOLE, "records kept aside with a reason"),
    Column("loaded_at", TIME, "when the batch was committed, by our clock"),
    Column("leans_on", TEXTS, "unfinished batches whose rows made records of this one duplicates; null for none"),
)

INCIDENT: tuple[Column, ...] = (
    Column("as_of", TIME, "the tick that judged"),
    Column("ticked_at", TIME, "when the monitor ticked, by our clock"),
    Column("document", TEXT, "the contract's incidents document of that tick, JSON"),
)


def table_columns() -> dict[str, tuple[Column, ...]]:
    """Every table of the lake with its columns, in stored order."""
    tables = {kind.value: (*columns, KNOWN_AT, BATCH_ID) for kind, columns in COLUMNS.items()}
    return {**tables, "quarantine": QUARANTINE, "batch": BATCH, "incident": INCIDENT}


def columns_markdown() -> str:
    """The columns of every table as a Markdown page, which is docs/records.md."""
    parts = [
        "# Tables and columns of the lake",
        "",
        "Times are RFC 3339 with an offset, such as 2024-07-19T04:09:00Z; more than a day ahead is refused. They are",
        "kept in UTC. A record without a required column, or with a value outside its rule, goes to the quarantine.",
        "`known_at` and `batch_id` are ours, whatever a record says; so are the tables quarantine, batch and incident.",
        "This page is made from `fleetcrash/records.py`: `python -m fleetcrash.records > docs/records.md`.",
    ]
    for table, columns in table_columns().items():
        parts += ["", f"## {table}", "", "| column | type | required | meaning |", "|---|---|---|---|"]
        for column in columns:
            kind = {
                FRAMES: "list of {module, function, offset}",
                TEXT_MAP: "map of text to text",
                TEXTS: "list of text",
            }.get(column.type)
            rule = f"; one of {', '.join(column.values)}" if column.values else ""
            rule += f"; at most {column.max_length} characters" if column.max_length else ""
            rule += f"; at least {column.minimum:g}" if column.minimum is not None else ""
            rule += f" (default {column.default})" if column.default is not None else ""
            required = "yes" if column.required else ""
            parts.append(f"| {column.name} | {kind or column.type} | {required} | {column.doc}{rule} |")
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    print(columns_markdown(), end="")
