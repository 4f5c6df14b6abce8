"""Who sees the pages: nothing is shown to whom no proxy vouches for, or who has not signed in."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

import cli
from dashboard import access
from dashboard.access import ALLOW_VARIABLE, HEADER_VARIABLE, SignIn, read_sign_in
from dashboard.serve import command, environment
from dashboard.sign_in import is_allowed
from fleetcrash.errors import BadArgument

GOOD = """
[auth]
redirect_uri = "https://fleet.example.com/oauth2callback"
cookie_secret = "c"
client_id = "i"
client_secret = "s"
server_metadata_url = "https://id.example.com/.well-known/openid-configuration"
[fleetcrash]
allow = ["@example.com"]
"""
ANN: dict[str, Any] = {"is_logged_in": True, "email": "Ann@example.com"}
UNVERIFIED: list[Any] = ["false", "", "no", 0, 1, None, [], {}]


def verified_as(said: object) -> dict[str, Any]:
    return {**ANN, "email_verified": said}


class Headers:
    def __init__(self, values: list[str]) -> None:
        self._values = values

    def get_all(self, name: str) -> list[str]:
        return self._values if name == "X-Forwarded-User" else []


def _page() -> None:
    import streamlit as st

    from dashboard.sign_in import check

    check()
    st.write("what only those may see")


@pytest.fixture
def run(monkeypatch) -> Callable[..., AppTest]:
    """A page that is checked, for a reader."""

    def run_it(*, header: str = "", allow: list[str] | None = None, sent: Any = (), user: Mapping[str, Any] = {}):
        monkeypatch.setenv(HEADER_VARIABLE, header)
        monkeypatch.setenv(ALLOW_VARIABLE, json.dumps(allow) if allow else "")
        monkeypatch.setattr(type(st.context), "headers", Headers(list(sent)))
        monkeypatch.setattr(st, "user", user)
        app = AppTest.from_function(_page).run()
        assert not app.exception
        return app

    return run_it


def sees(app: AppTest) -> bool:
    return [one.value for one in app.markdown] == ["what only those may see"]


def test_by_default_anybody_who_reaches_it_sees_it(run):
    assert sees(run())


@pytest.mark.parametrize(("sent", "shown"), [(["ann"], True), ([], False), ([" "], False), (["eve", "ann"], False)])
def test_behind_a_proxy_only_with_its_header_and_with_no_second_one(run, sent, shown):
    app = run(header="X-Forwarded-User", sent=sent)
    assert sees(app) is shown
    assert [one.value for one in app.error] == (
        [] if shown else ["These pages are shown through a proxy that says who you are, in X-Forwarded-User."]
    )


def test_who_has_not_signed_in_is_asked_to(run):
    app = run(allow=["*"])
    assert not sees(app)
    assert [one.label for one in app.button] == ["Sign in"]


def test_who_signed_in_sees_it_for_half_a_day(run):
    now = time.time()
    assert sees(run(allow=["@example.com"], user={**ANN, "iat": now - 11 * 3600}))
    for since in (now - 13 * 3600, None, "nan", float("nan")):
        app = run(allow=["@example.com"], user={**ANN, "iat": since})
        assert not sees(app)
        assert [one.label for one in app.button] == ["Sign in"]


def test_who_may_not_see_it_is_told_so_and_may_sign_out(run):
    app = run(allow=["@example.org"], user={**ANN, "iat": time.time()})
    assert not sees(app)
    assert [one.value for one in app.error] == ["Ann@example.com may not see these pages."]
    assert [one.label for one in app.button] == ["Sign out"]


@pytest.mark.parametrize(
    ("user", "allow", "may"),
    [
        (ANN, ["@example.com"], True),
        (ANN, ["ann@EXAMPLE.com"], True),
        (ANN, ["@ample.com"], False),
        (ANN, ["bob@example.com"], False),
        ({"email": "eve@notexample.com"}, ["@example.com"], False),
        ({"email": "ann@example.com", "email_verified": False}, ["@example.com"], False),
        *((verified_as(said), ["@example.com"], True) for said in (True, "true")),
        *((verified_as(said), ["@example.com"], False) for said in UNVERIFIED),
        ({}, ["@example.com"], False),
        ({}, ["*"], True),
    ],
)
def test_an_address_is_allowed_by_itself_or_by_its_domain(user, allow, may):
    assert is_allowed(user, allow) is may


def test_the_app_checks_before_it_shows_anything(page_of_app, monkeypatch):
    monkeypatch.setenv(HEADER_VARIABLE, "X-Forwarded-User")
    app = page_of_app()
    assert len(app.error) == 1
    assert not app.get("plotly_chart")
    assert not app.get("html")


@pytest.fixture
def page_of_app(tmp_path, monkeypatch) -> Callable[[], AppTest]:
    monkeypatch.setenv("FLEETCRASH_LAKE", str(tmp_path / "none"))
    return lambda: AppTest.from_file(str(Path(cli.__file__).parent / "dashboard" / "app.py"), default_timeout=30).run()


# -- the start


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "secrets.toml").write_text(text)
    return tmp_path / "secrets.toml"


def test_a_file_of_a_sign_in_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(access, "find_spec", lambda _: object())
    assert read_sign_in(write(tmp_path, GOOD)) == SignIn(tmp_path / "secrets.toml", ("@example.com",))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("cookie_secret", "cookie"), "has no cookie_secret in"),
        ("", "has no redirect_uri, cookie_secret, client_id, client_secret, server_metadata_url in"),
        (GOOD.replace("allow", "alow"), "does not say who may see the pages"),
        (GOOD.replace('["@example.com"]', "[]"), "does not say who may see the pages"),
        ("[auth", "is no TOML"),
    ],
)
def test_a_file_that_lacks_something_is_said(tmp_path, text, says):
    with pytest.raises(BadArgument, match=says):
        read_sign_in(write(tmp_path, text))


def test_without_authlib_the_start_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(access, "find_spec", lambda _: None)
    with pytest.raises(BadArgument, match=r"streamlit\[auth\]"):
        read_sign_in(write(tmp_path, GOOD))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "Whoever reaches 0.0.0.0 could see the pages"),
        (["--host", "fleet.example.com"], "nobody asks who is there"),
        (["--trusted-header", "X: y"], "is no name of a header"),
        (["--sign-in", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_what_would_show_the_pages_to_strangers_starts_nothing(tmp_path, capsys, options, says):
    lake = tmp_path / "lake"
    assert cli.main(["dashboard", "--lake", str(lake), *options]) == 2
    assert says in capsys.readouterr().err
    assert not lake.exists()


def test_the_app_is_told_who_may_see_it_and_nobody_else_tells_it(monkeypatch):
    monkeypatch.setenv(HEADER_VARIABLE, "X-Left-Over")
    assert environment("lake")[HEADER_VARIABLE] == environment("lake")[ALLOW_VARIABLE] == ""
    chosen = SignIn(Path("/etc/secrets.toml"), ("@example.com",))
    told = environment("lake", trusted_header="X-User", sign_in=chosen)
    assert (told[HEADER_VARIABLE], told[ALLOW_VARIABLE]) == ("X-User", '["@example.com"]')
    line = command("lake", port=1, host="0.0.0.0", address="https://fleet.example.com/", sign_in=chosen)
    options = dict(itertools.pairwise(line))
    assert options["--browser.serverAddress"] == "fleet.example.com"
    assert options["--secrets.files"] == "/etc/secrets.toml"
    assert "--secrets.files" not in command("lake", port=1)
