"""Windows events as JSON objects or rows of a table, as shippers and PowerShell write them.

Winlogbeat and Elastic's agent, NXLog, Fluent Bit, Wazuh, Splunk, OpenTelemetry's receiver, Promtail, Graylog, Amazon's
agent, Azure's table of events, ``evtx_dump``, Chainsaw,
EvtxECmd, osquery's table ``windows_eventlog``; ``Get-WinEvent``,
``Get-EventLog`` and the reliability records through ``ConvertTo-Json`` or ``Export-Csv``. Where an event has its
values, these count, else its description as in ``event_text``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from ingest.formats import splunk
from ingest.formats.crashes import NotJson, Records, Told, Unfit, mapping, parsed, sequence, text, time_of, whole
from ingest.formats.event_dates import days_first
from ingest.formats.event_text import Block, dated, event_in
from ingest.formats.format import Head, Log, until_broken
from ingest.formats.json_lists import Elements
from ingest.formats.lines import text_lines_in
from ingest.formats.windows_events import PROVIDERS, Crashes, Event

_LONGEST_ELEMENT_BYTES = 1 << 20
_LONGEST_LINE = 32 << 10
_MOST_EVENTS = 20_000  # kept until a date shows which of its numbers is the day
_RECORDS_AT_ONCE = 1000
_LEAST_BYTES = 300  # that show what it is
_LOOKED_AT = 20
_LONGEST_SAID = 32 << 10
_NUMBER = 0xFFFF  # of an event; the other bits of its identifier tell how bad it is

# A list of objects, alone or in an answer of a search; or objects one behind the other.
_LISTS = rb'"(?:hits|value|results|events|Events)"'
_BEGINS = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s{0,99}\[(?=\s{0,99}\{)|" + _LISTS + rb"\s{0,9}:\s{0,9}\[(?=\s{0,99}\{)"
    rb"|\A(?:\xef\xbb\xbf)?(?=\s{0,99}(?:Record \d{1,9}\s{1,9})?\{(?!\s{0,99}(?:" + _LISTS + rb'|"took"|"@odata)))'
)
_PROVIDER = ("provider_name", "providerName", "ProviderName", "SourceName", "Source", "source_name", "Provider",
             "provider", "source")  # fmt: skip
_ID = ("event_id", "eventID", "EventID", "Id", "EventId", "eventid", "EventIdentifier", "InstanceId",
       "EventCode")  # fmt: skip
_HOST = ("computer_name", "computer", "Computer", "ComputerName", "MachineName", "Hostname")
_AT = (
    "systemTime",
    "system_time",
    "TimeCreated",
    "timeCreated",
    "TimeGenerated",
    "_time",
    "EventTime",
    "@timestamp",
    "datetime",
)
_SAID = ("full_message", "message", "Message", "RenderedDescription")
_DATA = ("event_data", "eventdata", "EventData", "Properties", "ReplacementStrings", "InsertionStrings",
         "StringInserts")  # fmt: skip
_BESIDE = ("channel", "Channel", "LogName", "EventLog", "Logfile", "Level", "LevelDisplayName", "EntryType",
           "event_data", "EventRecordID", "RecordNumber", "RecordId", "Version", "severityValue",
           "EventData")  # fmt: skip
_PLACED = re.compile(r"[pP]aram(\d{1,2})")
_OF_AMAZON = re.compile(  # as its agent puts an event into a line
    r"\[(?P<channel>[^\[\]]{1,100})\] \[[A-Z]{3,20}\] \[(?P<EventID>\d{1,5})\] \[(?P<Source>[^\[\]]{1,100})\] "
    r"\[(?P<Computer>[^\[\]]{1,255})\] \[(?P<Message>.*)\]\s*",
    re.DOTALL,
)
_FLAT = "winlog."  # before the names of values, where a shipper made one object of several
_APART = "_attributes"  # behind the name of an element, where its attributes are no part of it
_ATTRIBUTES = ("#attributes", "@attributes", "_attributes")
_NAMED = ("Name", "name", "id", "", "@Name", "SystemTime", "@SystemTime", "#text", "value", "Value")
_ONE_VALUE = (".NET Runtime",)  # the others have several
_OF_A_TABLE = re.compile(r'(?:\ufeff)?"?[A-Za-z]\w{1,40}"?(?P<mark>[,;\t])"?[A-Za-z].*')


def _recognises(head: Head) -> bool:
    start = head.data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"[", b"{", b"Record ")):
        try:
            found = Elements(_BEGINS, _LONGEST_ELEMENT_BYTES).of(iter([start]))
            return any(_is_event(parsed(raw)) for raw in islice(found, _LOOKED_AT))
        except (NotJson, Unfit):
            return False
    lines = head.text.splitlines()
    columns = _columns(next((line for line in lines if _is_of_table(line)), ""))
    return bool(columns) and not columns.isdisjoint(_PROVIDER) and not columns.isdisjoint(_ID) and "Message" in columns


def _is_of_table(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#TYPE ")  # as PowerShell begins


def _columns(line: str) -> set[str]:
    found = _OF_A_TABLE.fullmatch(line)
    return {name.strip('" \ufeff') for name in line.split(found["mark"])} if found else set()


def _read(blocks: Iterator[bytes], told: Told) -> Iterator[Records]:
    crashes = Crashes(told)
    held: list[tuple[Block, Event]] = []

    def settle() -> Iterator[Records]:
        day_first = days_first(block.told["at"] for block, _ in held)
        for block, event in held:
            crashes.add(dated(block, event, told.at, day_first))
            if crashes.records.read >= _RECORDS_AT_ONCE:
                yield crashes.taken()
        held.clear()

    damage: Unfit | None = None
    try:
        for fields in _objects(blocks):
            if isinstance(fields, bytes):
                crashes.records.as_it_came(fields)
            elif (found := event_of(fields)) is not None:
                held.append(found)
            if len(held) >= _MOST_EVENTS:
                yield from settle()
    except Unfit as error:
        damage = error
    yield from settle()
    crashes.end()
    yield crashes.taken()
    if damage is not None:
        raise damage


def _objects(blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any] | bytes]:
    """The objects of a document, or as bytes what is none; or the rows of a table.

    Raises:
        Unfit: it breaks off, or a row has no end.
    """
    start, blocks = b"", until_broken(blocks)
    for block in blocks:
        start += block
        if len(start.lstrip()) > _LEAST_BYTES:
            break
    blocks = chain([start], blocks)
    if not start.removeprefix(b"\xef\xbb\xbf").lstrip().startswith((b"[", b"{", b"Record ")):
        yield from _rows(blocks)
        return
    elements = Elements(_BEGINS, _LONGEST_ELEMENT_BYTES)
    for raw in elements.of(blocks):
        try:
            yield mapping(parsed(raw))
        except NotJson:
            yield raw
    if elements.is_open and elements.before.endswith(b"["):
        raise Unfit("bad_log", "It breaks off within its list of events")


def _rows(blocks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    lines = text_lines_in(blocks, _LONGEST_LINE)
    first = next((line for line in lines if _is_of_table(line)), "")
    found = _OF_A_TABLE.fullmatch(first)
    names = [name.strip('" \ufeff') for name in first.split(found["mark"])] if found else []
    try:
        for row in csv.reader((f"{line}\n" for line in lines), delimiter=found["mark"] if found else ","):
            yield dict(zip(names, row, strict=False))
    except csv.Error as error:
        raise Unfit("bad_log", f"A row of the table cannot be read: {error}") from error


def _parts(fields: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The object, and those within that tell of the event."""
    fields = mapping(fields.get("_source")) or mapping(fields.get("result")) or fields
    if isinstance(raw := fields.get("_raw"), str) and splunk.has_events(raw):
        fields = splunk.fields_of(raw) | dict(fields)
    if isinstance(said := fields.get("message"), str) and (amazons := _OF_AMAZON.fullmatch(said)):
        return [{**amazons.groupdict(), "systemTime": time_of(fields.get("timestamp"))}]
    if "short_message" in fields:  # of Graylog, whose additional values have a mark
        return [{name.removeprefix("_"): value for name, value in fields.items()}]
    if any(name.startswith(_FLAT) for name in fields):
        named = {name.removeprefix(_FLAT): value for name, value in fields.items()}
        data = {name[11:]: value for name, value in named.items() if name.startswith("event_data.")}
        return [named | ({"event_data": data} if data else {})]
    wazuhs, dumps = mapping(mapping(fields.get("data")).get("win")), mapping(fields.get("Event"))
    dumps = dumps or mapping(mapping(mapping(fields.get("document")).get("data")).get("Event"))
    within = (fields.get("winlog"), wazuhs.get("system"), wazuhs, _whole(mapping(dumps.get("System"))), dumps, fields)
    texts = (_within(fields.get(name)) for name in ("Payload", "data"))
    return [part for part in map(mapping, (*within, *texts)) if part]


def _whole(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """The elements of an event, also those of which only the attributes tell."""
    apart = {name.removesuffix(_APART): one for name, one in part.items() if name.endswith(_APART)}
    return {**apart, **part}


def _within(said: Any) -> Any:
    """What a text has that is JSON; None for anything else."""
    try:
        return parsed(said.encode()) if isinstance(said, str) and said.startswith("{") else None
    except (NotJson, UnicodeEncodeError):
        return None


def _value(parts: list[Mapping[str, Any]], names: tuple[str, ...]) -> str | None:
    return next((said for part in parts for name in names if (said := _plain(part.get(name))) is not None), None)


def _plain(value: Any) -> str | None:
    """A text, or the one in an object with attributes."""
    if isinstance(value, dict):
        within = next((found for name in _ATTRIBUTES if (found := mapping(value.get(name)))), value)
        both = (one.get(name) for one in (within, value) for name in _NAMED)
        return next((said for one in both if (said := text(one, _LONGEST_SAID)) is not None), None)
    return text(value, _LONGEST_SAID)


def _is_event(fields: Any) -> bool:
    parts = _parts(mapping(fields))
    provider, host, at = (_value(parts, names) for names in (_PROVIDER, _HOST, _AT))
    if not (provider and at) or whole(_value(parts, _ID)) is None:
        return False
    return provider in PROVIDERS or bool(host and any(name in part for part in parts for name in _BESIDE))


def event_of(fields: Mapping[str, Any]) -> tuple[Block, Event] | None:
    """An event with its header; None if its provider reports no crashes."""
    parts = _parts(fields)
    provider, number = _value(parts, _PROVIDER), whole(_value(parts, _ID))
    if provider not in PROVIDERS or number is None:
        return None
    host = _value(parts, _HOST)
    at = _value(parts, _AT) or ""
    at = at.replace(" ", "T", 1).replace(" ", "") if at[4:5] == "-" else at
    header = {"provider": provider, "number": str(number & _NUMBER), "at": at, "host": host or ""}
    block = Block(header, (_value(parts, _SAID) or "").replace("\r", "").split("\n"))
    data = _data(parts)
    if len(data) > 1 or (data and provider in _ONE_VALUE):
        return block, Event(provider, number & _NUMBER, None, host, data)
    found = event_in(block)
    if found is None and data:  # as EvtxECmd joins values without names
        found = Event(provider, number & _NUMBER, None, host, [("", one) for one in data[0][1].split(", ")])
    return None if found is None else (block, found)


def _data(parts: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The values of an event, in their order where they have no names of their own."""
    given = next((part[name] for part in parts for name in _DATA if part.get(name)), None)
    if isinstance(given, dict) and (within := given.get("Data", given.get("data"))) is not None:
        given = mapping(within).get("#text", within)
    if isinstance(given, list) and any("#text" in mapping(one) for one in given):
        pairs = ((text(mapping(one).get("@Name")), text(mapping(one).get("#text"))) for one in given)
        return [(name or "", value or "") for name, value in pairs]
    if isinstance(given, dict):
        named = [(name[:1].upper() + name[1:], _plain(value) or "") for name, value in given.items()]
        placed = {int(found[1]): value for name, value in named if (found := _PLACED.fullmatch(name))}
        if placed:
            return [("", placed.get(at, "")) for at in range(1, max(placed) + 1)]
        return named
    if isinstance(given, str):
        return [("", given)]
    return [("", _plain(one) or "") for one in sequence(given) if not isinstance(one, list)]


EVENT_ROWS = Log("Windows events, as JSON or as a table", _recognises, _read)
