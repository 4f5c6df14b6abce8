"""The file that says who is told: what it may say, and one line on whatever else it says."""

from __future__ import annotations

import pytest

from fleetcrash.errors import BadArgument
from monitor.alerts.config import Config, DeadMan, files_of, read_config
from monitor.alerts.receivers import Alertmanager, Apprise, Endpoint, Webhook

ALL = """
dashboard = "https://fleet.example/"

[receivers.oncall]
type = "webhook"
url = "https://hooks.example/fleet"
secret_env = "ONCALL_SECRET"

[receivers.alertmanager]
type = "alertmanager"
url = "http://127.0.0.1:9093"
labels = { team = "endpoint" }
authorization_file = "token"

[receivers.chat]
type = "apprise"
url_env = "CHAT_URL"

[dead_man]
records_min = 30
url_file = "ping"
method = "POST"
"""
ENVIRONMENT = {"ONCALL_SECRET": "hush", "CHAT_URL": "json://127.0.0.1/x", "UMLAUT": "Bearer ä"}


@pytest.fixture
def file(tmp_path):
    def write(text: str):
        (tmp_path / "token").write_text("Bearer abc\n")
        (tmp_path / "ping").write_text("https://ping.example/uuid\n")
        (tmp_path / "empty").write_text("\n")
        (tmp_path / "two").write_text("Bearer abc\nBearer def\n")
        path = tmp_path / "alerts.toml"
        path.write_text(text)
        return path

    return write


def test_a_whole_file(file):
    assert read_config([file(ALL)], ENVIRONMENT) == Config(
        (
            Webhook("oncall", Endpoint("https://hooks.example/fleet"), b"hush"),
            Alertmanager(
                "alertmanager", Endpoint("http://127.0.0.1:9093/api/v2/alerts", "Bearer abc"), {"team": "endpoint"}
            ),
            Apprise("chat", "json://127.0.0.1/x"),
        ),
        "https://fleet.example",
        DeadMan(30.0, 5.0, "https://ping.example/uuid", "POST"),
    )


@pytest.mark.parametrize(
    ("url", "posted_to"),
    [
        ("https://am.example/", "https://am.example/api/v2/alerts"),
        ("https://am.example/eu/?tenant=1", "https://am.example/eu/api/v2/alerts?tenant=1"),
        ("https://am.example/api/v2/alerts?tenant=1", "https://am.example/api/v2/alerts?tenant=1"),
    ],
)
def test_an_alertmanager_is_posted_to_by_its_api(file, url, posted_to):
    (receiver,) = read_config([file(f'[receivers.am]\ntype = "alertmanager"\nurl = "{url}"\n')]).receivers
    assert receiver == Alertmanager("am", Endpoint(posted_to))


HOOK = '[receivers.oncall]\ntype = "webhook"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no receiver; wanted one such as [receivers.oncall]"),
        ("receivers = 3", "has receivers that is no table; wanted [receivers]"),
        ("[receivers]\noncall = 'x'", "[receivers] has oncall that is no table; wanted [receivers.oncall]"),
        ("[receiver.x]", "has a key 'receiver'; wanted dashboard, dead_man, receivers"),
        ("[receivers.x", "is no TOML: "),
        ("[receivers.'a b']\ntype='webhook'", "has a name of other than letters"),
        ("[receivers.x]", "[receivers.x] has no type; wanted text"),
        ("[receivers.x]\ntype = 'pager'", "has type = 'pager'; wanted one of webhook, alertmanager, apprise"),
        (HOOK, "[receivers.oncall] has no url, url_env or url_file; wanted one of them"),
        (HOOK + "url = 5", "has a url that is no text"),
        (HOOK + "url = 'hooks.example'", "has a url that is no address that begins with http:// or https://"),
        (HOOK + "url = 'file:///etc/passwd'", "has a url that is no address that begins with http"),
        (HOOK + "url = 'https://a:b@x.example'", "has a url that holds a user or a password"),
        (HOOK + "url = 'https://x.example:99999/'", "has a url that is no address"),
        (HOOK + "url = 'https://x.example/ a'", "has a url that is no address"),
        (HOOK + "url = 'https://x.example'\nsecret = 'inline'", "has a key 'secret'; wanted authorization_env"),
        (HOOK + "url = 'https://x.example'\nurl_env = 'CHAT_URL'", "has url and url_env; wanted one of them"),
        (HOOK + "url = 'https://x.example'\nsecret_env = 'NOPE'", "'NOPE', and that variable is not set"),
        (HOOK + "url = 'https://x.example'\nsecret_file = 'nope'", "cannot be read: No such file"),
        (HOOK + "url = 'https://x.example'\nsecret_file = 'empty'", "and that file is empty"),
        (HOOK + "url = 'https://x.example'\nauthorization_file = 'two'", "an authorization that no header can hold"),
        (HOOK + "url = 'https://x.example'\nauthorization_env = 'UMLAUT'", "an authorization that no header can hold"),
        (HOOK + "url = 'https://x.example'\nca_file = 'nope'", "which cannot be read"),
        (HOOK + "url = 'https://x.example'\nlabels = {}", "has a key 'labels'"),
        ("[receivers.x]\ntype='alertmanager'\nurl='http://x'\nlabels='a'", "has labels that are no table"),
        ("[receivers.x]\ntype='alertmanager'\nurl='http://x'\nlabels={alertname='a'}", "has a label 'alertname'"),
        ("[receivers.x]\ntype='alertmanager'\nurl='http://x'\nlabels={'a-b'='a'}", "has a label 'a-b'"),
        ("[receivers.x]\ntype='apprise'\nurl='nonsense'", "has a url that apprise does not know"),
        (HOOK + "url = 'https://x.example'\n[dead_man]\nrecords_min = 0", "records_min = 0; wanted minutes, from 1"),
        (HOOK + "url = 'https://x.example'\n[dead_man]\nticks_min = true", "ticks_min = True; wanted minutes"),
        (HOOK + "url = 'https://x.example'\n[dead_man]\nmethod = 'PUT'", "method = 'PUT'; wanted GET or POST"),
        (HOOK + "url = 'https://x.example'\n[dead_man]\nurl = 'x'", "[dead_man] has a url that is no address"),
        ("dashboard = 'fleet.example'", "has a dashboard that is no address"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(file, text, said):
    path = file(text)
    with pytest.raises(BadArgument) as raised:
        read_config([path], ENVIRONMENT)
    message = str(raised.value)
    assert message.startswith(str(path))
    assert said in message
    assert "\n" not in message
    assert message.endswith("Nothing was started.")


def test_a_wrong_secret_is_not_shown(file):
    for text in (HOOK + "url = 'htps://x.example/s3cr3t'", "[receivers.x]\ntype='apprise'\nurl='s3cr3t'"):
        with pytest.raises(BadArgument) as raised:
            read_config([file(text)], ENVIRONMENT)
        assert "s3cr3t" not in str(raised.value)


def test_several_files_are_one_and_no_name_comes_twice(file, tmp_path):
    first = file(HOOK + "url = 'https://x.example'")
    second = tmp_path / "more.toml"
    second.write_text("[receivers.second]\ntype='webhook'\nurl='https://y.example'\n[dead_man]\nrecords_min=20\n")
    found = read_config([first, second])
    assert [one.name for one in found.receivers] == ["oncall", "second"]
    assert found.dead_man.records_min == 20
    with pytest.raises(BadArgument, match="was named before"):
        read_config([first, first])


def test_the_lake_has_a_file_of_its_own_unless_others_are_named(file, tmp_path):
    assert files_of(tmp_path, None) == []
    path = file(HOOK)
    assert files_of(tmp_path, None) == [path]
    assert files_of(tmp_path, ["other.toml"]) != [path]
    with pytest.raises(BadArgument, match="cannot be read: No such file"):
        read_config(files_of(tmp_path, ["other.toml"]))
