"""The tables of the page Data health: from answers of the core to markup."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from dashboard.markup import Column, Row, table
from dashboard.wording import ago, clock, count, plain

_FEEDS = {
    "crash": "Crashes",
    "heartbeat": "Heartbeats",
    "session": "Sessions",
    "install": "Installs",
    "update": "Releases",
    "host": "Inventory",
}
_HEX_BYTES = 32  # shown of a record that is not text


def feeds_table(delays: pd.DataFrame, beside: datetime) -> str:
    """Each kind of record: how many, the newest, and how late they arrive."""
    by_kind = delays.set_index("kind")
    rows = []
    for kind, name in _FEEDS.items():
        if kind not in by_kind.index:
            rows.append(Row([name, "–", "–", "none", "0", "–", "–"]))
            continue
        of_kind = by_kind.loc[kind]
        rows.append(
            Row(
                [
                    name,
                    _time(of_kind["newest_own_at"], beside),
                    _time(of_kind["newest_known_at"], beside),
                    count(of_kind["records"]),
                    count(of_kind["records_1h"]),
                    delay(of_kind["delay_p50_s"]),
                    delay(of_kind["delay_p95_s"]),
                ]
            )
        )
    columns = [
        Column("Feed"),
        Column("Newest, own time", time=True, wide=True),
        Column("Newest, received", time=True),
        Column("Records", number=True),
        Column("Last hour", number=True, wide=True),
        Column("Median delay", number=True),
        Column("95 % within", number=True),
    ]
    note = (
        "UTC; delay: from a record's own time to its receipt, over those received in the last hour to "
        f"{clock(beside)}; – where none was, or where none says when"
    )
    return table("Lag by feed", columns, rows, note=note)


def gaps_table(gaps: pd.DataFrame, beside: datetime, *, most: int, only_crashes: bool = False) -> str:
    """Stretches without any record.

    Args:
        only_crashes: whether the lake has only crashes.
    """
    rows = [
        Row([_time(each.silent_from, beside), _time(each.silent_until, beside), ago(each.lasted_s)])
        for each in gaps.head(most).itertuples()
    ]
    columns = [Column("From, UTC", time=True), Column("Until, UTC", time=True), Column("Lasted", number=True)]
    note = "no record of any kind was received for more than 10 min, in the day to the newest record"
    if not rows:
        note = "None: in the day to the newest record, some record was received at least every 10 min."
    elif len(gaps) > most:
        note += f"; the newest {most} of {count(len(gaps))}"
    if rows and only_crashes:
        note += "; nothing but crashes is told here, so it may be that nobody crashed"
    return table("Gaps", columns, rows, note=note)


def books_table(books: pd.Series) -> str:
    """How many records were read, what became of them, and whether it adds up."""
    names = {"read": "Read", "accepted": "Accepted", "duplicates": "Duplicates", "quarantined": "Quarantined"}
    read = books["read"]
    rows = [
        Row(
            [name, count(_known(books[key])), "" if key == "read" else _share(books[key], read)],
            share=_part(books[key], read),
        )
        for key, name in names.items()
    ]
    columns = [Column("Records"), Column("Count", number=True), Column("Of those read", number=True)]
    return table("What became of the records", columns, rows, bar=1, note=_adds_up(books))


def _adds_up(books: pd.Series) -> str:
    batches = count(books["batches"])
    if not books["batches"]:
        return "Nothing was ever loaded."
    if books["unbalanced"]:
        return (
            f"This does not add up: in {count(books['unbalanced'])} of {batches} batches, "
            "read is not accepted + duplicates + quarantined. Run fleetcrash doctor."
        )
    said = f"read = accepted + duplicates + quarantined, in {_each(books)}"
    if books["replayed"]:
        said += f"; {count(books['replayed'])} of those quarantined were taken in by a replay since"
    return said


def _each(books: pd.Series) -> str:
    if books["uncounted"]:
        return f"the batches that tell all four ({count(books['uncounted'])} of {count(books['batches'])} do not)"
    return "the only batch" if books["batches"] == 1 else f"each of {count(books['batches'])} batches"


def reasons_table(reasons: pd.DataFrame, beside: datetime) -> str:
    """How many records are put aside, by reason."""
    most = int(reasons["records"].max()) if len(reasons) else 0
    rows = [
        Row(
            [plain(each.reason, 64), count(each.records), count(each.sources), _time(each.last_at, beside)],
            share=each.records / most,
        )
        for each in reasons.itertuples()
    ]
    columns = [
        Column("Reason", id=True),
        Column("Records", number=True),
        Column("Sources", number=True, wide=True),
        Column("Last, UTC", time=True),
    ]
    note = "records that broke a rule, kept byte for byte" if rows else "Nothing is put aside."
    return table("Quarantine by reason", columns, rows, bar=1, note=note)


def samples_table(samples: pd.DataFrame, reason: str, *, limit: int) -> str:
    """Some records that were put aside for a reason, as they came."""
    rows = [
        Row(
            [
                f"{plain(each.source, 60)}, line {count(each.line)}"
                if each.line == each.line
                else plain(each.source, 60),
                count(each.size_bytes),
                raw_words(each.raw, cut=each.size_bytes > len(each.raw), limit=limit),
            ]
        )
        for each in samples.itertuples()
    ]
    columns = [Column("Source", id=True), Column("Bytes", number=True, wide=True), Column("As it came", id=True)]
    note = f"the newest that were put aside as {plain(reason, 64)}; at most {limit} bytes of each"
    return table("Samples", columns, rows, note=note)


def batches_table(batches: pd.DataFrame, beside: datetime, *, most: int) -> str:
    """The newest batches."""
    rows = [
        Row(
            [
                _time(each.loaded_at, beside),
                plain(each.source, 80) if isinstance(each.source, str) else "–",
                *(count(_known(getattr(each, key))) for key in ("read", "accepted", "duplicates", "quarantined")),
            ]
        )
        for each in batches.head(most).itertuples()
    ]
    columns = [
        Column("Loaded, UTC", time=True),
        Column("Source", id=True),
        Column("Read", number=True),
        Column("Accepted", number=True, wide=True),
        Column("Duplicates", number=True, wide=True),
        Column("Quarantined", number=True),
    ]
    known = int(batches["batches"].iloc[0]) if len(batches) else 0
    note = "by our clock" + (f"; the newest {len(rows)} of {count(known)}" if known > len(rows) else "")
    return table("Batches", columns, rows, note=note if rows else "Nothing was ever loaded.")


def raw_words(raw: bytes, *, cut: bool, limit: int) -> str:
    """Bytes of a record as text if they are UTF-8, else as hex, with a note if some are cut off.

    Args:
        raw: the first bytes of the record. cut: whether it has more.
    """
    for missing in range(4 if cut else 1):  # a cut may fall inside a character of up to four bytes
        try:
            read = raw[: len(raw) - missing].decode()
        except UnicodeDecodeError:
            continue
        return plain(read, limit + 1) + (" … cut" if cut else "")
    more = f" … {count(len(raw) - _HEX_BYTES)}{'+' if cut else ''} more bytes" if len(raw) > _HEX_BYTES else ""
    return f"hex {raw[:_HEX_BYTES].hex(' ')}{more}"


def delay(seconds: float) -> str:
    """A delay in words; negative if the sender's clock is ahead of ours."""
    if seconds != seconds:
        return "–"
    if seconds < 0:
        return f"{ago(-seconds)} ahead"
    return f"{seconds:.1f} s" if seconds < 10 else ago(seconds)


def _time(instant: pd.Timestamp, beside: datetime) -> str:
    if pd.isna(instant):
        return "–"
    at = instant.to_pydatetime()
    return "from the start" if at.timestamp() == 0 else clock(at, beside=beside).removesuffix(" UTC")


def _known(value: float) -> float | None:
    return None if pd.isna(value) else value


def _part(value: float, whole: float) -> float:
    return 0.0 if pd.isna(value) or not whole or whole != whole else value / whole


def _share(value: float, whole: float) -> str:
    part = _part(value, whole)
    if part == 0:
        return "0 %"
    return "< 0.01 %" if part < 0.0001 else f"{100 * part:.2f} %"
