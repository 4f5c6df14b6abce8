"""Windows events in the form in which Splunk keeps them: a date, lines of ``Name=value``, and a message at the end."""

from __future__ import annotations

import re

_NAMES = {
    "LogName": "Log Name", "EventCode": "Event ID", "ComputerName": "Computer", "SourceName": "Source",
    "Message": "Description",
}  # fmt: skip
_NAMED = re.compile(rf"(?P<name>{'|'.join(_NAMES)})=(?P<value>.*)")
# It writes the month first, whatever the language of the system.
_DATE = re.compile(
    r"\s{0,9}(?P<month>[01]\d)/(?P<day>[0-3]\d)/(?P<year>20\d\d) (?P<hour>[01]\d):(?P<rest>[0-5]\d:[0-5]\d)"
    r"(?:\.\d{1,6})? (?P<half>[AP])M\s{0,9}"
)
_EVENT = re.compile(rf"^{_DATE.pattern}\r?\nLogName=", re.MULTILINE)


def has_events(said: str) -> bool:
    """Whether a text has such events."""
    return "LogName=" in said and _EVENT.search(said) is not None


def labelled(line: str) -> str:
    """A line as the Event Viewer writes it."""
    if found := _NAMED.fullmatch(line):
        return f"{_NAMES[found['name']]}: {found['value']}"
    if found := _DATE.fullmatch(line):
        return f"Date: {_time(found)}"
    return line


def fields_of(raw: str) -> dict[str, str]:
    """The values of one event by their names."""
    fields: dict[str, str] = {}
    lines = raw.replace("\r", "").split("\n")
    for at, line in enumerate(lines):
        name, _, value = line.partition("=")
        if name == "Message":
            fields[name] = "\n".join([value, *lines[at + 1 :]])
            break
        if found := _DATE.fullmatch(line):
            name, value = "EventTime", _time(found)
        fields.setdefault(name, value)
    return fields


def _time(found: re.Match[str]) -> str:
    hour = int(found["hour"]) % 12 + 12 * (found["half"] == "P")
    return f"{found['year']}-{found['month']}-{found['day']}T{hour:02d}:{found['rest']}"
