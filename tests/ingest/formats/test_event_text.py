"""Windows events as text, in each of the forms that people keep, and the dates in them."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats.crashes import Told
from ingest.formats.event_dates import days_first, local_time, time_of_event
from ingest.formats.event_text import EVENT_TEXT as FORMAT
from ingest.formats.known import format_of
from tests.ingest.formats.conftest import TOLD, crashes_of, head
from tests.ingest.formats.damage import changed, survives

GUID = "5e1f0c2a-0b9e-4d0c-8f43-0d9f5f0f1001"
ERROR = f"""\
Faulting application name: relay.exe, version: 3.2.1.0, time stamp: 0x66aa0000
Faulting module name: queue.dll, version: 1.2.0.0, time stamp: 0x66bb0000
Exception code: 0xc0000005
Fault offset: 0x0000000000001b2c
Faulting process id: 0x1A2C
Faulting application start time: 0x0x1DAD98F2C1A0000
Faulting application path: C:\\Users\\rita\\relay.exe
Faulting module path: C:\\Program Files\\Relay\\queue.dll
Report Id: {GUID}
Faulting package full name:\x20
Faulting package-relative application ID:\x20
"""
RUNTIME = """\
Application: relay.exe
Framework Version: v4.0.30319
Description: The process was terminated due to an unhandled exception.
Exception Info: System.InvalidOperationException
   at Relay.Queue.Push(System.String)
   at Relay.Program.Main()
"""
WER = f"""\
Fault bucket , type 0
Event Name: APPCRASH
Response: Not available
Cab Id: 0

Problem signature:
P1: relay.exe
P2: 3.2.1.0
P3: 66aa0000
P4: queue.dll
P5: 1.2.0.0
P6: 66bb0000
P7: c0000005
P8: 0000000000001b2c
P9:\x20
P10:\x20

Report Id: {GUID}
"""
BUGCHECK = (
    "The computer has rebooted from a bugcheck.  The bugcheck was: 0x00000050 (0xffffffffffffff10, 0x0000000000000000, "
    "0xfffff80211223344, 0x0000000000000000). A dump was saved in: C:\\Windows\\MEMORY.DMP. Report Id: "
    "071924-1234-01.\n"
)
HANG = "The program relay.exe version 3.2.1.0 stopped interacting with Windows and was closed.\n Process ID: 1a\n"


def viewer(said: str, source: str = "Application Error", number: int = 1000, at: str = "7/19/2024 4:10:02 AM") -> str:
    return (
        f"Log Name:      Application\nSource:        {source}\nDate:          {at}\nEvent ID:      {number}\n"
        "Task Category: (100)\nLevel:         Error\nKeywords:      Classic\nUser:          N/A\n"
        f"Computer:      PC-17\nDescription:\n{said}"
    )


def wevtutil(said: str, source: str = "Application Error", number: int = 1000) -> str:
    return (
        f"Event[0]:\n  Log Name: Application\n  Source: {source}\n  Date: 2024-07-19T04:10:02.1234567Z\n"
        f"  Event ID: {number}\n  Task: N/A\n  Level: Error\n  Opcode: Info\n  Keyword: Classic\n  User: N/A\n"
        f"  User Name: N/A\n  Computer: PC-17\n  Description: \n{said}\n"
    )


def listed(said: str, source: str = "Application Error", number: int = 1000) -> str:
    body = said.rstrip("\n").replace("\n", "\n               ")
    head = f"\n\nTimeCreated  : 19.07.2024 04:10:02\nProviderName : {source}\nId           : {number}\n"
    return f"{head}Message      : {body}\n"


def listed_all(said: str, source: str = "Application Error", number: int = 1000) -> str:
    body = said.rstrip("\n").replace("\n", "\n                       ")
    return (
        f"\nMessage              : {body}\nId                   : {number}\nLevel                : 2\n"
        f"ProviderName         : {source}\nLogName              : Application\nMachineName          : PC-17\n"
        "TimeCreated          : 2024/07/19 4:10:02\nLevelDisplayName     : Error\n"
    )


def older_viewer(said: str, source: str = "Application Error", number: int = 1000) -> str:
    return (
        f"Event Type:\tError\nEvent Source:\t{source}\nEvent Category:\tNone\nEvent ID:\t{number}\nDate:\t\t7/19/2024\n"
        f"Time:\t\t4:10:02 AM\nUser:\t\tN/A\nComputer:\tPC-17\nDescription:\n{said}"
    )


def saved(said: str, source: str = "Application Error", number: int = 1000) -> str:
    """As a list of events that the Viewer saves as text."""
    others = "Information\t7/19/2024 4:10:09 AM\tService Control Manager\t7036\tNone\tIt runs.\n"
    head = "Level\tDate and Time\tSource\tEvent ID\tTask Category\n"
    row = f'Error\t7/19/2024 4:10:02 AM\t{source}\t{number}\t(100)\t"{said.rstrip()}"\n'
    return head + others + row + others


FORMS = {
    "saved": saved, "viewer": viewer, "wevtutil": wevtutil, "list": listed, "list of all": listed_all,
    "older viewer": older_viewer,
    "crlf": lambda *of: viewer(*of).replace("\n", "\r\n"),
}  # fmt: skip


def record(said: str) -> dict[str, Any]:
    (found,) = crashes_of(FORMAT, said.encode())
    return found


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_an_error_in_each_form(form):
    found = record(form(ERROR))
    assert found == {
        "record": "crash",
        "crash_id": GUID,
        "host_id": "h-told" if form in (listed, saved) else "PC-17",
        "occurred_at": "2024-07-19T04:10:02.123456Z" if form is wevtutil else "2024-07-19T04:10:02Z",
        "time_quality": "exact" if form is wevtutil else "log",
        "os_type": "windows",
        "domain": "user",
        "code": "0xc0000005",
        "module": "queue.dll",
        "module_version": "1.2.0.0",
        "module_offset": 0x1B2C,
        "tags": {"exe": "relay.exe", "exe_version": "3.2.1.0", "report_id": GUID},
    }


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_others_in_each_form(form):
    kernel = record(form(BUGCHECK, "BugCheck", 1001))
    assert (kernel["domain"], kernel["code"], kernel["time_quality"]) == ("kernel", "0x50", "reboot")
    assert kernel["tags"]["argument3"] == "0xfffff80211223344"
    assert (kernel["tags"]["dump"], kernel["tags"]["report_id"]) == ("MEMORY.DMP", "071924-1234-01")
    runtime = record(form(RUNTIME, ".NET Runtime", 1026))
    assert (runtime["code"], runtime["module"]) == ("System.InvalidOperationException", "relay.exe")
    assert [one["function"] for one in runtime["frames"]] == ["Push", "Main"]
    report = record(form(WER, "Windows Error Reporting", 1001))
    assert (report["crash_id"], report["module"], report["module_offset"]) == (GUID, "queue.dll", 0x1B2C)
    hang = record(form(HANG, "Application Hang", 1002))
    assert (hang["domain"], hang["module"], hang["module_version"]) == ("hang", "relay.exe", "3.2.1.0")
    power = record(form("It rebooted.\n", "Microsoft-Windows-Kernel-Power", 41))
    assert (power["domain"], power["code"]) == ("kernel", "KERNEL_POWER_41")


def test_a_text_without_a_header_tells_neither_host_nor_time():
    found = record(f"Seen today:\n\n{ERROR}")
    assert (found["host_id"], found["occurred_at"], found["time_quality"]) == ("h-told", "2026-11-25T12:00:00Z", "log")
    assert record(BUGCHECK)["code"] == "0x50"


def test_a_hang_is_told_by_its_description_alone():
    said = HANG.replace("relay.exe", "my relay.exe")
    for one in (said, f"It stops now and then.\n{said}"):
        found = record(one)
        assert (found["domain"], found["module"], found["module_version"]) == ("hang", "my relay.exe", "3.2.1.0")
    assert len(crashes_of(FORMAT, (said + HANG).encode())) == 2


LANGUAGES = {
    "de": """\
Name der fehlerhaften Anwendung: relay.exe, Version: 3.2.1.0, Zeitstempel: 0x66aa0000
Name des fehlerhaften Moduls: queue.dll, Version: 1.2.0.0, Zeitstempel: 0x66bb0000
Ausnahmecode: 0xc0000005
Fehleroffset: 0x00001b2c
""",
    "fr": """\
Nom de l’application défaillante relay.exe, version : 3.2.1.0, horodatage : 0x66aa0000
Nom du module défaillant : queue.dll, version : 1.2.0.0, horodatage : 0x66bb0000
Code d’exception : 0xc0000005
Décalage d’erreur : 0x0000000000001b2c
""",
    "it": """\
Nome dell'applicazione che ha generato l'errore: relay.exe, versione: 3.2.1.0, timestamp: 0x66aa0000
Nome del modulo che ha generato l'errore: queue.dll, versione: 1.2.0.0, timestamp: 0x66bb0000
Codice eccezione: 0xc0000005
Offset errore 0x0000000000001b2c
""",
    "ru": """\
Имя сбойного приложения: relay.exe, версия: 3.2.1.0, отметка времени: 0x66aa0000
Имя сбойного модуля: queue.dll, версия: 1.2.0.0, отметка времени 0x66bb0000
Код исключения: 0xc0000005
Смещение ошибки: 0x00001b2c
""",
    "zh": """\
错误应用程序名称: relay.exe，版本: 3.2.1.0，时间戳: 0x66aa0000
错误模块名称: queue.dll，版本: 1.2.0.0，时间戳: 0x66bb0000
异常代码: 0xc0000005
错误偏移量: 0x0000000000001b2c
""",
    "ko": """\
오류 있는 응용 프로그램 이름: relay.exe, 버전: 3.2.1.0, 타임스탬프: 0x66aa0000
오류 있는 모듈 이름: queue.dll, 버전: 1.2.0.0, 타임스탬프: 0x66bb0000
예외 코드: 0xc0000005
오류 오프셋: 0x0000000000001b2c
""",
    "tw": """\
失敗的應用程式名稱: relay.exe，版本: 3.2.1.0，時間戳記: 0x66aa0000
失敗的模組名稱: queue.dll，版本: 1.2.0.0，時間戳記: 0x66bb0000
例外狀況代碼: 0xc0000005
錯誤位移: 0x0000000000001b2c
""",
    "tr": """\
Hatalı uygulama adı: relay.exe, sürüm: 3.2.1.0, zaman damgası: 0x66aa0000
Hatalı modül adı: queue.dll, sürüm: 1.2.0.0, zaman damgası: 0x66bb0000
Özel durum kodu: 0xc0000005
Hata uzaklığı: 0x0000000000001b2c
""",
    "ja": """\
障害が発生しているアプリケーション名: relay.exe、バージョン: 3.2.1.0、タイム スタンプ: 0x66aa0000
障害が発生しているモジュール名: queue.dll、バージョン: 1.2.0.0、タイム スタンプ: 0x66bb0000
例外コード: 0xc0000005
障害オフセット: 0x0000000000001b2c
""",
}
HEADERS = {
    "de": "Protokollname: Application\nQuelle:        Application Error\nDatum:         19.07.2024 04:10:02\n"
    "Ereignis-ID:   1000\nEbene:         Fehler\nComputer:      PC-17\nBeschreibung:\n",
    "fr": "Nom du journal :Application\nSource :       Application Error\nDate :         19/07/2024 04:10:02\n"
    "ID de l’événement :1000\nOrdinateur :   PC-17\nDescription :\n",
    "it": "Nome registro: Application\nOrigine:       Application Error\nData:          19/07/2024 04:10:02\n"
    "ID evento:     1000\nComputer:      PC-17\nDescrizione:\n",
    "ru": "Имя журнала:   Application\nИсточник:      Application Error\nДата:          19.07.2024 04:10:02\n"
    "Код события:   1000\nКомпьютер:     PC-17\nОписание:\n",
    "zh": "日志名称:          Application\n来源:            Application Error\n日期:            2024/7/19 4:10:02\n"
    "事件 ID:         1000\n计算机:           PC-17\n描述:\n",
    "ko": "로그 이름:     Application\n원본:        Application Error\n날짜:        2024-07-19 오전 4:10:02\n"
    "이벤트 ID:        1000\n컴퓨터:           PC-17\n설명:\n",
    "tw": "記錄檔名稱:     Application\n來源:        Application Error\n日期:        2024/7/19 上午 04:10:02\n"
    "事件識別碼:         1000\n電腦:            PC-17\n描述:\n",
    "tr": "Günlük Adı:    Application\nKaynak:        Application Error\nTarih:         19.07.2024 04:10:02\n"
    "Olay Kimliği:  1000\nBilgisayar:    PC-17\nAçıklama:\n",
    "ja": "ログの名前:         Application\nソース:           Application Error\n日付:            2024/07/19 4:10:02\n"
    "イベント ID:       1000\nコンピューター:       PC-17\n説明:\n",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_other_languages_have_the_same_values_in_the_same_places(language):
    data = (HEADERS[language] + LANGUAGES[language]).encode("utf-16")
    assert FORMAT.recognises(head(data))
    assert FORMAT.recognises(head(LANGUAGES[language].encode()))
    (found,) = crashes_of(FORMAT, data)
    told = {**record(viewer(ERROR)), "crash_id": found["crash_id"]}
    del told["tags"]["report_id"]
    assert found == told


def test_a_report_is_known_by_its_values_in_any_language():
    said = (
        "Contenitore errato , tipo 0\nNome evento: APPCRASH\nRisposta: Non disponibile\n"
        "ID CAB: 0f8a1c1e-7d52-4be5-9c6a-2f0a64b1d001\n\nFirma problema:\n"
        + WER[WER.index("P1: ") :].replace("Report Id", "ID rapporto")
    )
    header = "日志名称:          Application\n来源:            Windows Error Reporting\n事件 ID:         1001\n描述:\n"
    for form in (said, header + said, said.replace("ID rapporto", "Report Id")):
        assert FORMAT.recognises(head(form.encode()))
        found = record(form)
        assert (found["code"], found["module"], found["tags"]["report_id"]) == ("0xc0000005", "queue.dll", GUID)
    assert len(crashes_of(FORMAT, (viewer(ERROR) + said).encode())) == 1, "the report of the same crash"
    assert not FORMAT.recognises(head(said.replace("P9:", "Q9:").encode()))


def test_a_description_may_begin_behind_columns_of_a_table_whose_tabs_were_lost():
    said = f'Fehler  2024-07-19 04:10:02 Application Error   1000    (100)   "{LANGUAGES["de"]}"\n'
    assert FORMAT.recognises(head(said.encode()))
    assert (record(said)["module"], record(said)["tags"]["exe"]) == ("queue.dll", "relay.exe")


def test_a_description_may_stand_on_one_line():
    said = f"Seit gestern: {' '.join(LANGUAGES['de'].split())}"
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found["module"], found["code"], found["module_offset"]) == ("queue.dll", "0xc0000005", 0x1B2C)
    assert (found["module_version"], found["tags"]["exe"]) == ("1.2.0.0", "relay.exe")


def test_descriptions_in_other_languages_one_behind_another_each_count():
    said = "20h47\n" + LANGUAGES["de"].partition("Berichtskennung")[0]
    found = crashes_of(FORMAT, (said + said.replace("0x1a2b", "0x1a2c").replace("1b2c", "1b2d")).encode())
    assert [one["module_offset"] for one in found] == [0x1B2C, 0x1B2D]


def test_events_of_one_crash_are_one():
    said = (
        viewer(ERROR)
        + "\n"
        + viewer(RUNTIME, ".NET Runtime", 1026)
        + "\n"
        + viewer(WER, "Windows Error Reporting", 1001)
    )
    found = record(said)
    assert (found["crash_id"], found["code"], len(found["frames"])) == (GUID, "System.InvalidOperationException", 2)


def test_a_hang_and_the_report_of_it_below_are_one():
    hang = f"{HANG} Report Id: {GUID}\n Faulting package full name: Acme.Relay_3.2.1.0_x64__8abc\n Hang type: Quiesce\n"
    report = WER.replace("APPCRASH", "MoAppHang").replace("P1: relay.exe", "P1: Acme.Relay_3.2.1.0_x64__8abc")
    found = record(f"{hang}\nBeside it:\n\n{report}")
    assert (found["crash_id"], found["domain"], found["module"]) == (GUID, "hang", "relay.exe")
    alone = record(report.replace("Fault bucket", " Hang type: Quiesce\nFault bucket"))
    assert (alone["crash_id"], alone["code"]) == (GUID, "MoAppHang")


def test_what_the_runtime_of_net_said_in_another_language_is_known_by_its_version():
    said = (
        "アプリケーション:relay.exe\nフレームワークのバージョン:v4.0.30319\n説明: 例外のため、中止されました。\n"
        "例外情報:System.InvalidOperationException\n"
        "   場所 Relay.Queue.Push(System.String)\n   場所 Relay.Program.Main()\n"
    )
    assert FORMAT.recognises(head(said.encode()))
    found, told = record(said), record(RUNTIME)
    assert (found["code"], found["module"], found["frames"]) == (told["code"], told["module"], told["frames"])
    assert not FORMAT.recognises(head(said.replace("v4.0.30319", "v4.1").encode()))


def test_a_table_of_powershell_has_the_provider_above_its_rows():
    def row(at: str, number: int, said: str) -> str:
        body = said.rstrip("\n").replace("\n", "\n" + " " * 45)
        return f"{at:22} {number:5} Error            {body}\n"

    head_of_table = "\nTimeCreated               Id LevelDisplayName Message\n-----------               -- ----\n"
    other = ERROR.replace(GUID, GUID.replace("3", "4")).replace("queue.dll", "other.dll")
    said = (
        f"\n   ProviderName: Application Error\n{head_of_table}{row('7/19/2024 4:10:02 AM', 1000, ERROR)}"
        f"{row('7/19/2024 4:11:02 AM', 1000, other)}\n\n   ProviderName: Windows Error Reporting\n{head_of_table}"
        f"{row('7/19/2024 4:10:05 AM', 1001, WER)}"
    )
    assert FORMAT.recognises(head(said.encode()))
    found = crashes_of(FORMAT, said.encode())
    assert [(one["module"], one["occurred_at"]) for one in found] == [
        ("queue.dll", "2024-07-19T04:10:02Z"),
        ("other.dll", "2024-07-19T04:11:02Z"),
    ]


def test_texts_one_behind_another_each_count():
    other = ERROR.replace(GUID, GUID.replace("3", "4")).replace("queue.dll", "other.dll")
    rows = saved(ERROR) + saved(other).partition("\n")[2]
    for said in (
        rows,
        rows.replace("\t", ","),
        f"{ERROR}\n{other}",
        f"{wevtutil(ERROR)}\n{wevtutil(other)}",
        f"{listed(ERROR)}{listed(other)}",
    ):
        found = crashes_of(FORMAT, said.encode(), block_bytes=101)
        assert [one["module"] for one in found] == ["queue.dll", "other.dll"]


def test_what_the_runtime_of_net_said_is_read_without_a_header_too():
    data = f"We saw this:\n\n{RUNTIME}\n{RUNTIME.replace('relay.exe', 'other.exe')}".encode()
    assert FORMAT.recognises(head(data))
    found = crashes_of(FORMAT, data)
    assert [one["module"] for one in found] == ["relay.exe", "other.exe"]
    assert {one["code"] for one in found} == {"System.InvalidOperationException"}
    marked = record(f"Broke:\n\n{RUNTIME.replace('Application:', '`Application:`').replace('Framework', 'CoreCLR')}")
    assert marked["tags"]["exe"] == "relay.exe"
    assert FORMAT.recognises(head(f"<details>\n\n{RUNTIME}\n</details>\n".encode()))


@pytest.mark.parametrize("before", ["", "web-7 MSWinEventLog\t1\tApplication\t3\t1026\t"])
def test_what_the_runtime_of_net_said_may_be_on_one_line(before):
    said = (
        f"{before}Application: relay.exe  Framework Version: v4.0.30319  Description: The process was terminated due "
    )
    said += "to an unhandled exception.  Exception Info: System.IO.IOException     at Relay.Queue.Push(System.String)"
    said += "     at Relay.Program.Main()\t77\n"
    assert FORMAT.recognises(head(said.encode()))
    crashes = crashes_of(FORMAT, (said * 2).encode())
    assert [(one["code"], one["module"]) for one in crashes] == [("System.IO.IOException", "relay.exe")] * 2
    assert [frame["function"] for frame in crashes[0]["frames"]] == ["Push", "Main"]


@pytest.mark.parametrize(
    ("before", "at"),
    [
        ("Feb 14 09:11:02 web-7 Application Error: 1000: ", "2026-02-14T09:11:02Z"),
        ("<11>Feb 14 09:11:02 web-7 MSWinEventLog#0111#011Application#0113#0111000#011", "2026-02-14T09:11:02Z"),
        ("<11>1 2024-02-14T09:11:02.5+01:00 web-7 Application_Error 77 - - ", "2024-02-14T09:11:02.5+01:00"),
    ],
)
def test_an_event_that_syslog_sent_on_has_its_host_and_time(before, at):
    said = "Faulting application name: relay.exe, version: 1.2.3.4, time stamp: 0x5fe0ab10  Faulting module name: "
    said += "queue.dll, version: 4.1.0.0, time stamp: 0x5fe0ab99  Exception code: 0xc0000005  Fault offset: 0x12345\n"
    other = "Feb 14 09:12:00 web-8 Service Control Manager: 7036: The Relay service entered the running state.\n"
    crashes = crashes_of(FORMAT, f"{before}{said}{other}{before.replace('web-7', 'web-9')}{said}".encode())
    assert [one["host_id"] for one in crashes] == ["web-7", "web-9"]
    assert [one["occurred_at"] for one in crashes] == [at, at]


@pytest.mark.parametrize("before", ["", "2024 Feb 20 08:00:00 (web) 192.0.2.7->WinEvtLog "])
def test_an_event_that_ossec_sent_on_has_its_host_and_time(before):
    other = "INFORMATION(7036): Service Control Manager: SYSTEM: NT AUTHORITY: web-8: The Relay service stopped."
    hang = "The program relay.exe version 1.2.3.4 stopped interacting with Windows and was closed."
    net = "Application: relay.exe Framework Version: v4.0.30319 Description: The process was terminated due to an "
    net += "unhandled exception. Exception Info: System.IO.IOException    at Relay.Queue.Push()"
    said = [
        f"Application: ERROR(1000): Application Error: (no user): no domain: web-7: {' '.join(ERROR.splitlines())}",
        f"System: {other}",
        f"Application: ERROR(1002): Application Hang: (no user): no domain: web-9: {hang}",
        f"Application: ERROR(1026): .NET Runtime: (no user): no domain: web-10: {net}",
    ]
    lines = [f"{before}2024 Feb 14 09:1{at}:02 WinEvtLog: {one}\n" for at, one in enumerate(said)]
    found = sorted(crashes_of(FORMAT, "".join(lines).encode()), key=lambda one: one["occurred_at"])
    assert [(one["host_id"], one["occurred_at"], one["domain"]) for one in found] == [
        ("web-7", "2024-02-14T09:10:02Z", "user"),
        ("web-9", "2024-02-14T09:12:02Z", "hang"),
        ("web-10", "2024-02-14T09:13:02Z", "user"),
    ]


def test_a_description_within_what_the_runtime_of_net_said_is_no_label():
    said = f"Source: .NET Runtime / Event ID:1026\n-----\n{RUNTIME}-----\n\nSource: Application Error / 1000\n{ERROR}"
    found = record(said)
    assert (found["crash_id"], found["code"], len(found["frames"])) == (GUID, "System.InvalidOperationException", 2)


def test_marks_of_bold_are_no_part_of_an_event():
    bold = "".join(f"**{line}**\n" if "code" in line else f"{line}\n" for line in ERROR.splitlines())
    assert FORMAT.recognises(head(bold.encode()))
    assert record(bold) == record(ERROR)


DETAILS = """\
+ System

  - Provider

   [ Name]  Microsoft-Windows-Kernel-Power

   EventID 41

  - TimeCreated

   [ SystemTime]  2024-07-19T04:12:02.1234567Z

   Computer PC-17

- EventData

  BugcheckCode 80
  BugcheckParameter1 0xffffffffffffff10
  BugcheckParameter2 0x0
  BugcheckParameter3 0xfffff80211223344
  BugcheckParameter4 0x0
  SleepInProgress false
"""


def test_the_details_of_a_boot_tell_the_bugcheck_before_it():
    assert FORMAT.recognises(head(DETAILS.encode()))
    found = record(DETAILS)
    assert (found["code"], found["tags"]["argument1"]) == ("0x50", "0xffffffffffffff10")
    assert (found["host_id"], found["occurred_at"][:19]) == ("PC-17", "2024-07-19T04:12:02")
    below = viewer("It has rebooted.\n", "Microsoft-Windows-Kernel-Power", 41) + DETAILS[DETAILS.index("  Bugcheck") :]
    assert record(below)["code"] == "0x50"
    assert record(DETAILS.replace("Code 80", "Code 0"))["code"] == "KERNEL_POWER_41"
    assert not FORMAT.recognises(head(b"A BugcheckCode of 0 means that the power was lost.\n"))


@pytest.mark.parametrize(
    ("said", "version", "offset"),
    [
        ("name: relay.exe, version: 3.2.1.0\n{}Faulting module name: queue.dll, version: 1.2.0.0\n{}", "1.2.0.0", ""),
        ("name: My Relay.exe\n{}Faulting module name: queue.dll\n{}", None, " (access)\n{}Fault offset: 0x1b2c"),
        ("name: relay.exe, version: 3, time stamp: 0x66aa0000`\n{}`Faulting module name: queue.dll`\n{}`", None, ""),
    ],
)
@pytest.mark.parametrize("before", ["", "> ", "    "])
def test_an_error_of_which_people_kept_the_most_telling_is_read(said, version, offset, before):
    said = f"{{}}Faulting application {said}Exception code: 0xc0000005{offset}\n".replace("{}", before)
    assert FORMAT.recognises(head(said.encode()))
    found = record(said)
    assert (found["module"], found["code"], found.get("module_version")) == ("queue.dll", "0xc0000005", version)
    assert found.get("module_offset") == (0x1B2C if offset else None)


@pytest.mark.parametrize("at", range(4))
def test_an_error_may_have_lost_a_comma(at):
    parts = ERROR.split(",")
    said = ",".join([*parts[:at], parts[at] + parts[at + 1], *parts[at + 2 :]])
    assert FORMAT.recognises(head(said.encode()))
    assert record(said) == record(ERROR)
    other = ERROR.replace(GUID, GUID.replace("3", "4"))
    assert len(crashes_of(FORMAT, f"{other}\nAnd then:\n\n{said}".encode())) == 2


def test_lines_that_a_console_broke_are_read():
    broken = ERROR.replace("time stamp: 0x67", "time stamp:\n               0x67").replace(
        ", version: 1.2", ",\n               version: 1.2"
    )
    assert record(broken)["module_version"] == "1.2.0.0"
    assert record(" ".join(ERROR.split()))["crash_id"] == GUID


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (
            "Faulting application relay.exe, version 3.2.1.0, faulting module queue.dll, version 1.2.0.0, fault "
            "address 0x00001b2c.\n",
            None,
        ),
        (
            "Faulting application relay.exe, version 3.2.1.0, time stamp 0x66aa0001, faulting module queue.dll, "
            "version 1.2.0.0, time stamp 0x66bb0001, exception code 0xc0000005, fault offset 0x00001b2c.\n",
            "0xc0000005",
        ),
    ],
)
def test_older_systems(said, code):
    found = record(older_viewer(said))
    assert (found.get("code"), found["module"], found["module_offset"]) == (code, "queue.dll", 0x1B2C)


def test_no_home_and_no_user_is_kept():
    assert "rita" not in str(record(viewer(ERROR).replace("N/A", "PC-17\\rita")))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"record": "crash", "tags": {"message": "Faulting application name: x"}}\n',
        b"Look for `Faulting application name` and `Exception code` in event 1000 of Application Error.\n",
        b"Name: x, version: 2, time: 0x66aa0000\nName: y\n",
        b"name: relay\nversion: 1.0.0\nsource: .NET Runtime sources\n",
        b"Application: relay.exe\nVersion: 1.0.0\n",
        b"Application: C:\\relay.exe\nFramework Version: newest\n",
    ],
)
def test_others_are_not(data):
    assert not FORMAT.recognises(head(data))


@given(st.binary(max_size=300) | changed(viewer(ERROR).encode()) | changed(listed(WER).encode()))
def test_no_bytes_break_it(data):
    survives(FORMAT, data)


@given(st.text(max_size=60))
def test_no_text_breaks_the_dates(said):
    time_of_event(said)
    local_time(said, day_first=days_first([said]), after=None, before=TOLD.at)


@pytest.mark.variants
@pytest.mark.parametrize(
    "block", [b"x" * (1 << 18), b"Source: BugCheck\n" * 4000, b"P1: x\n" * 20_000, b"Date : \n" * 9000]
)
def test_memory_is_bounded_whatever_comes(block):
    tracemalloc.start()
    found = sum(records.read for records in FORMAT.read(iter([viewer(ERROR).encode(), *[block] * 3]), TOLD))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == 1
    assert peak < 8 << 20, "bytes"


BEFORE = datetime(2024, 9, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("7/19/2024 4:10:02 PM", "2024-07-19T16:10:02Z"),
        ("7/19/2024 12:10:02 AM", "2024-07-19T00:10:02Z"),
        ("19/07/2024 16:10:02", "2024-07-19T16:10:02Z"),
        ("08.07.2024 16:10:02", "2024-07-08T16:10:02Z"),
        ("08.07.2024, 16:10", "2024-07-08T16:10:00Z"),
        ("2024-07-08 16:10:02", "2024-07-08T16:10:02Z"),
        ("2024. 07. 08. 16:10:02", "2024-07-08T16:10:02Z"),
        ("7/7/2024 16:10:02", "2024-07-07T16:10:02Z"),
        ("19.07.24 16:10:02", "2024-07-19T16:10:02Z"),
        ("7/19/24 4:10:02 PM", "2024-07-19T16:10:02Z"),
        ("19-07-24 16:10:02", "2024-07-19T16:10:02Z"),
        ("Пт 19.07.24 16:10:02", "2024-07-19T16:10:02Z"),
        ("Fri, 7/19/2024 4:10:02 PM", "2024-07-19T16:10:02Z"),
        ("7/8/24 16:10:02", None),
        ("7/8/2024 16:10:02", None),  # the 7th of August, or the 8th of July
        ("8/12/2024 9:24:55 AM", "2024-08-12T09:24:55Z"),  # by December its file had been written
        ("31/31/2024 9:24:55", None),
        ("7/8/2024 午後 4:10:02", None),
        ("2024/7/8 下午 04:10:02", "2024-07-08T16:10:02Z"),
        ("2024-07-08 오전 12:10:02", "2024-07-08T00:10:02Z"),
        ("2024/7/8 下午 16:10:02", "2024-07-08T16:10:02Z"),
        ("", None),
    ],
)
def test_a_date_is_told_where_it_can_be_no_other(said, at):
    day_first = True if "." in said else None
    assert local_time(said, day_first=day_first, after=None, before=BEFORE) == at


def test_dates_beside_it_and_the_programs_start_tell_which_number_is_the_day():
    said = "7/8/2024 16:10:02"

    def month(of: str, day_first: bool | None, after: datetime | None) -> str:
        return (local_time(of, day_first=day_first, after=after, before=BEFORE) or "")[5:7]

    assert month(said, day_first=days_first(["7/19/2024 1:00", said]), after=None) == "07"
    assert month(said, day_first=days_first([said, "19/7/2024 1:00"]), after=None) == "08"
    assert month(said, day_first=None, after=datetime(2024, 8, 1, tzinfo=UTC)) == "08"
    assert month(said, day_first=None, after=datetime(2024, 7, 7, tzinfo=UTC)) == "07"
    assert month(said, day_first=None, after=datetime(2024, 6, 7, tzinfo=UTC)) == ""
    earlier = ERROR.replace("0x0x1DAD98F2C1A0000", "0x1a")
    both = viewer(earlier, at="7/8/2024 4:10:02 AM") + viewer(BUGCHECK, "BugCheck", 1001, at="7/19/2024 4:10:02 AM")
    told = Told(datetime(2026, 11, 25, tzinfo=UTC), "log", "h")
    assert {one["occurred_at"][:10] for one in crashes_of(FORMAT, both.encode(), told=told)} == {
        "2024-07-08",
        "2024-07-19",
    }


@pytest.mark.parametrize("start", ["0x0x1DAD0EB4DAE2000", "0x1DAD0EB4DAE2000", "0x01dad0eb4dae2000"])
def test_the_programs_start_in_each_of_its_forms_tells_which_number_is_the_day(start):
    said = ERROR.replace("0x0x1DAD98F2C1A0000", start)
    assert record(viewer(said, at="7/8/2024 4:10:02 AM"))["occurred_at"].startswith("2024-07-08")


def test_the_programs_start_tells_which_number_is_the_day_of_a_hang():
    said = f"{HANG} Start Time: 01dad0eb4dae2000\n Termination Time: 4294967295\n"
    found = record(viewer(said, "Application Hang", 1002, at="7/8/2024 4:10:02 AM"))
    assert found["occurred_at"].startswith("2024-07-08")


def test_splunk_writes_the_month_first_and_values_behind_their_names():
    said = (
        "07/09/2024 04:10:02 PM\nLogName=Application\nEventCode=1000\nComputerName=pc-17\n"
        "SourceName=Application Error\nType=Error\n"
        "Message=Faulting application name: relay.exe, version: 1.2.3.4, time stamp: 0x66a0b1c2\n"
        "Faulting module name: queue.dll, version: 1.2.0.0, time stamp: 0x66a0b1c3\nException code: 0xc0000005\n"
        "Fault offset: 0x0000000000001234\n"
    )
    assert format_of(head(said.encode())) is FORMAT
    first, other = crashes_of(FORMAT, (said + said.replace("pc-17", "pc-18")).encode())
    assert (first["host_id"], first["module"], first["occurred_at"]) == ("pc-17", "queue.dll", "2024-07-09T16:10:02Z")
    assert other["host_id"] == "pc-18"
    power = (
        "07/09/2024 12:10:02 AM\nLogName=System\nEventCode=41\nComputerName=pc-17\n"
        "SourceName=Microsoft-Windows-Kernel-Power\nMessage=The system has rebooted.\n"
    )
    assert format_of(head(power.encode())) is FORMAT
    (crash,) = crashes_of(FORMAT, power.encode())
    assert (crash["host_id"], crash["occurred_at"]) == ("pc-17", "2024-07-09T00:10:02Z")


def test_a_list_that_nirsofts_viewer_saves():
    said = (
        "Event Time        : 20-07-2024 04:10:02.123\nRecord ID         : 7\nEvent ID          : 1000\nLevel : Error\n"
        "Provider          : Application Error\nDescription       : Faulting application name: relay.exe, "
        "version: 1.2.3.4, time stamp: 0x66a0b1c2  "
        "Faulting module name: queue.dll, version: 1.2.0.0, time stamp: 0x66a0b1c3  "
        "Exception code: 0xc0000005  Fault offset: 0x0000000000001234\nComputer          : pc-17\n"
    )
    (crash,) = crashes_of(FORMAT, said.encode())
    assert (crash["host_id"], crash["occurred_at"][:19]) == ("pc-17", "2024-07-20T04:10:02")
