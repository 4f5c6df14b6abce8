"""The file that says who is told: TOML in which unknown keys are errors, each mistake reported in one line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetcrash.errors import BadArgument
from fleetcrash.toml_file import NOT_STARTED, read_toml
from monitor.alerts.posting import check_address
from monitor.alerts.receivers import Alertmanager, Apprise, Endpoint, Receiver, Webhook, apprise_service

# Name of the file that is read from the lake's folder unless others are named.
FILE = "alerts.toml"

_TYPES = ("webhook", "alertmanager", "apprise")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN_LABELS = ("alertname", "incident_id")
_KEYS = {
    "webhook": {"url", "url_env", "url_file", "secret_env", "secret_file", "authorization_env", "authorization_file",
                "ca_file"},
    "alertmanager": {"url", "url_env", "url_file", "authorization_env", "authorization_file", "ca_file", "labels"},
    "apprise": {"url", "url_env", "url_file"},
}  # fmt: skip


@dataclass(frozen=True)
class DeadMan:
    """When silence raises an alarm.

    Attributes:
        records_min: minutes without records from a fleet that sent some. ticks_min: minutes without a finished look.
        address: requested every minute while all is well; None: none.
        method: GET or POST.
    """

    records_min: float = 15.0
    ticks_min: float = 5.0
    address: str | None = field(default=None, repr=False)
    method: str = "GET"


@dataclass(frozen=True)
class Config:
    """Who is told of what.

    Attributes:
        dashboard: base address of links, without a slash at its end; None: no links.
    """

    receivers: tuple[Receiver, ...]
    dashboard: str | None = None
    dead_man: DeadMan = DeadMan()


def files_of(lake_root: Path, named: Sequence[str | Path] | None) -> list[Path]:
    """The files to read: those that are named, else the lake's own if there is one."""
    if named:
        return [Path(one) for one in named]
    own = lake_root / FILE
    return [own] if own.exists() else []


def read_config(paths: Sequence[Path], environment: Mapping[str, str] = os.environ) -> Config:
    """Read and combine files.

    Args:
        environment: has the secrets that ``..._env`` keys name.
    Raises:
        BadArgument: a file cannot be read or is not valid; says what was found and wanted.
    """
    receivers: list[Receiver] = []
    dashboard, dead_man = None, DeadMan()
    for path in paths:
        section = _Section(path, "", read_toml(path), environment)
        section.only({"dashboard", "receivers", "dead_man"})
        if "dashboard" in section.values:
            dashboard = section.address("dashboard").rstrip("/")
        for name, one in section.tables("receivers").items():
            if not _NAME.fullmatch(name):
                raise one.wrong("has a name of other than letters, digits, '_', '.', '-'")
            if any(known.name == name for known in receivers):
                raise one.wrong("was named before, in another file")
            receivers.append(_receiver(name, one))
        if "dead_man" in section.values:
            dead_man = _dead_man(section.table("dead_man"))
    if not receivers:
        shown = " and ".join(map(str, paths)) or FILE
        raise BadArgument(f"{shown} names no receiver; wanted one such as [receivers.oncall].{NOT_STARTED}")
    return Config(tuple(receivers), dashboard, dead_man)


def _receiver(name: str, section: _Section) -> Receiver:
    kind = section.text("type")
    if kind not in _TYPES:
        raise section.wrong(f"has type = {kind!r}; wanted one of {', '.join(_TYPES)}")
    section.only({"type", *_KEYS[kind]})
    address = section.secret("url")
    if address is None:
        raise section.wrong("has no url, url_env or url_file; wanted one of them")
    if kind == "apprise":
        try:
            apprise_service(address)
        except ValueError as error:
            raise section.wrong("has a url that apprise does not know") from error
        return Apprise(name, address)
    try:
        parts = check_address(address)
    except BadArgument as error:
        raise section.wrong(f"has a url that {error}") from None
    ca_file = section.values.get("ca_file")
    if ca_file is not None:
        ca_file = str(section.path_of("ca_file"))
        if not os.access(ca_file, os.R_OK):
            raise section.wrong(f"has ca_file = {ca_file!r}, which cannot be read")
    authorization = section.secret("authorization")
    if authorization is not None and not (authorization.isascii() and authorization.isprintable()):
        raise section.wrong("has an authorization that no header can hold; wanted one line such as 'Bearer ...'")
    if kind == "webhook":
        secret = section.secret("secret")
        return Webhook(name, Endpoint(address, authorization, ca_file), None if secret is None else secret.encode())
    if not parts.path.endswith("/api/v2/alerts"):
        address = parts._replace(path=parts.path.rstrip("/") + "/api/v2/alerts").geturl()
    return Alertmanager(name, Endpoint(address, authorization, ca_file), _labels(section))


def _labels(section: _Section) -> dict[str, str]:
    labels = section.values.get("labels", {})
    if not isinstance(labels, dict):
        raise section.wrong('has labels that are no table; wanted one such as { team = "endpoint" }')
    for key, value in labels.items():
        if not _LABEL.fullmatch(key) or key in _OWN_LABELS or not isinstance(value, str):
            raise section.wrong(f"has a label {key!r} that Alertmanager does not take or that is ours; wanted text")
    return labels


def _dead_man(section: _Section) -> DeadMan:
    section.only({"records_min", "ticks_min", "method", "url", "url_env", "url_file"})
    address = section.secret("url")
    if address is not None:
        try:
            check_address(address)
        except BadArgument as error:
            raise section.wrong(f"has a url that {error}") from None
    method = section.values.get("method", DeadMan.method)
    if method not in ("GET", "POST"):
        raise section.wrong(f"has method = {method!r}; wanted GET or POST")
    records_min = section.minutes("records_min", DeadMan.records_min)
    ticks_min = section.minutes("ticks_min", DeadMan.ticks_min)
    return DeadMan(records_min, ticks_min, address, method)


@dataclass(frozen=True)
class _Section:
    """A table of a file, with its place for error messages."""

    path: Path
    name: str
    values: Mapping[str, Any]
    environment: Mapping[str, str] = field(repr=False)

    def wrong(self, what: str) -> BadArgument:
        where = f"{self.path}: [{self.name}]" if self.name else f"{self.path}"
        return BadArgument(f"{where} {what}.{NOT_STARTED}")

    def only(self, wanted: set[str]) -> None:
        for key in self.values:
            if key not in wanted:
                raise self.wrong(f"has a key {key!r}; wanted {', '.join(sorted(wanted))}")

    def table(self, key: str) -> _Section:
        inner, name = self.values.get(key, {}), f"{self.name}.{key}" if self.name else key
        if not isinstance(inner, dict):
            raise self.wrong(f"has {key} that is no table; wanted [{name}]")
        return _Section(self.path, name, inner, self.environment)

    def tables(self, key: str) -> dict[str, _Section]:
        outer = self.table(key)
        return {name: outer.table(name) for name in outer.values}

    def text(self, key: str) -> str:
        value = self.values.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"has no {key}; wanted text" if value is None else f"has a {key} that is no text")
        return value

    def address(self, key: str) -> str:
        value = self.text(key)
        try:
            check_address(value)
        except BadArgument as error:
            raise self.wrong(f"has a {key} that {error}") from None
        return value

    def path_of(self, key: str) -> Path:
        return self.path.parent / self.text(key)  # an absolute one stays as it is

    def minutes(self, key: str, default: float) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 7 * 1440:
            raise self.wrong(f"has {key} = {value!r}; wanted minutes, from 1 to {7 * 1440}")
        return float(value)

    def secret(self, key: str) -> str | None:
        """A text given directly, by an environment variable or by a file; None where it is not given."""
        given = [name for name in (key, f"{key}_env", f"{key}_file") if name in self.values]
        if not given:
            return None
        if len(given) > 1:
            raise self.wrong(f"has {' and '.join(given)}; wanted one of them")
        if given[0] == key:
            return self.text(key)
        if given[0].endswith("_env"):
            variable = self.text(given[0])
            value = self.environment.get(variable, "").strip()
            if not value:
                raise self.wrong(f"reads {given[0]} = {variable!r}, and that variable is not set or is empty")
            return value
        path = self.path_of(given[0])
        try:
            value = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            said = getattr(error, "strerror", None) or "it is no text"
            raise self.wrong(f"reads {given[0]} = {str(path)!r}, and that file cannot be read: {said}") from None
        if not value:
            raise self.wrong(f"reads {given[0]} = {str(path)!r}, and that file is empty")
        return value
