"""The names of an event's values, as Windows' Event Viewer copies them in twenty languages, and as others print."""

from __future__ import annotations

from collections.abc import Mapping

LABELS: Mapping[str, str] = {
    label: role
    for role, labels in {
        "log": "log name|protokollname|nom du journal|nombre de registro|nome registro|nome do log|nome do registo"
        "|имя журнала|ім'я журналу|ログの名前|日志名称|記錄檔名稱|로그 이름|nazwa dziennika|logboeknaam|loggnamn"
        "|lognavn|loggnavn|lokin nimi|název protokolu|názov denníka|napló neve|günlük adı|nume jurnal|logname"
        "|event type|index|entrytype",
        "provider": "source|event source|quelle|origen|origine|origem|fonte|источник|джерело|ソース|来源|來源|원본"
        "|źródło|bron|källa|kilde|lähde|zdroj|forrás|kaynak|sursă|providername|sourcename|provider",
        "at": "date|datum|fecha|data|dato|dată|дата|日付|日期|날짜|päivämäärä|dátum|tarih|timecreated|timegenerated"
        "|event time",
        "time": "time",  # in Windows XP, beside the date
        "number": "event id|eventid|ereignis-id|id de l’événement|id de l'événement|id. del evento|id evento"
        "|id do evento|identificação do evento|код события|ідентифікатор події|イベント id|事件 id|事件識別碼|이벤트 id"
        "|identyfikator zdarzenia|gebeurtenis-id|händelse-id|hændelses-id|hendelses-id|tapahtumatunnus|id události"
        "|identifikácia udalosti|eseményazonosító|olay kimliği|id eveniment|eventidentifier",
        "id": "id|instanceid",
        "host": "computer|ordinateur|equipo|computador|компьютер|комп'ютер|コンピューター|计算机|電腦|컴퓨터|komputer"
        "|dator|datamaskin|tietokone|počítač|számítógép|bilgisayar|machinename|computername",
        "said": "description|beschreibung|descripción|descrizione|descrição|описание|опис|説明|描述|설명|opis"
        "|beschrijving|beskrivning|beskrivelse|kuvaus|popis|leírás|açıklama|descriere|message",
    }.items()
    for label in labels.split("|")
}
