"""Advice about sources that were read with little result, a line each, for people who load them by hand."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from enum import Enum

NO_HOST = "missing_field:host_id"

_MEANS_A_HOST = ("host", "machine", "computer", "device")


class Misread(Enum):
    """How a source begins whose lines are no records, each with its advice."""

    ARRAY = "begins with [, as a JSON array does. Write one record a line, with jq -c '.[]'"
    OBJECT = "is JSON over several lines, of no known format. If it is a record, write it on one line, with jq -c ."
    UTF_16 = "is UTF-16, as PowerShell's > writes it. Save it as UTF-8"
    UTF_32 = "is UTF-32. Save it as UTF-8"
    GZIP = "is packed with gzip. Unpack it, or let its name end in .gz"
    ZSTD = "is packed with zstd. Unpack it, or let its name end in .zst"
    PARQUET = "is Parquet. Write it to a file such as crash.parquet"
    CSV = "is CSV. Write it to a file such as crash.csv"


class Unread(Enum):
    """What a file is that is known, but not read, each with its advice."""

    GZIP = Misread.GZIP.value
    ZSTD = Misread.ZSTD.value
    XZ = "is packed with xz. Unpack it"
    BZIP2 = "is packed with bzip2. Unpack it"
    LZ4 = "is packed with lz4. Unpack it"
    ZIP = "is a zip archive. Unpack it"
    SEVEN_ZIP = "is a 7-Zip archive. Unpack it"
    CABINET = "is a cabinet of Windows. Unpack it"
    TAR = "is a tar archive. Unpack it"
    JOURNAL = "is a journal of systemd. Write it to a file with journalctl -o export --file"
    KERNEL = "is the memory of a kernel. Write what vmcore-dmesg or crash prints of it to a file"
    MAC_CORE = "is a core dump of macOS. Write what lldb prints of it with bt to a file"
    MAC_LOG = "is of macOS' unified log. Write what log show prints of it to a file"


KEYS = {b"host_id", b"update_id"}  # each kind of record has one of these

_OBJECT = re.compile(rb'\s{0,99}\{[ \t\r]{0,99}\n\s{0,99}"')  # with its first member on the next line
_BEGIN = {
    codecs.BOM_UTF32_LE: Misread.UTF_32,  # before UTF-16, as it begins with the mark of that
    codecs.BOM_UTF32_BE: Misread.UTF_32,
    codecs.BOM_UTF16_LE: Misread.UTF_16,
    codecs.BOM_UTF16_BE: Misread.UTF_16,
    b"\x1f\x8b": Misread.GZIP,
    b"\x28\xb5\x2f\xfd": Misread.ZSTD,
    b"PAR1": Misread.PARQUET,
}
_BINARY = {
    b"\x1f\x8b": Unread.GZIP,
    b"\x28\xb5\x2f\xfd": Unread.ZSTD,
    b"\xfd7zXZ\0": Unread.XZ,
    b"BZh": Unread.BZIP2,
    b"\x04\x22\x4d\x18": Unread.LZ4,
    b"PK\3\4": Unread.ZIP,
    b"7z\xbc\xaf\x27\x1c": Unread.SEVEN_ZIP,
    b"MSCF\0\0\0\0": Unread.CABINET,
    b"LPKSHHRH": Unread.JOURNAL,
    b"KDUMP   ": Unread.KERNEL,
    b"makedumpfile\0": Unread.KERNEL,
    b"\xcf\xfa\xed\xfe\7\0\0\1\3\0\0\0\4\0\0\0": Unread.MAC_CORE,  # on Intel
    b"\xcf\xfa\xed\xfe\x0c\0\0\1\0\0\0\0\4\0\0\0": Unread.MAC_CORE,
    b"\0\x10\0\0\x11\0\0\0": Unread.MAC_LOG,
}
_TAR, _TAR_AT = b"ustar", 257


def unread_as(start: bytes) -> Unread | None:
    """What a file of no known format is; None if that is not known either."""
    if start.startswith(_TAR, _TAR_AT):
        return Unread.TAR
    return next((what for begins, what in _BINARY.items() if start.startswith(begins)), None)


def misread_as(start: bytes) -> Misread | None:
    """What a source of lines looks like instead; None if it looks like nothing known."""
    for begins, what in _BEGIN.items():
        if start.startswith(begins):
            return what
    text = start.removeprefix(codecs.BOM_UTF8)
    if text.lstrip()[:1] == b"[":
        return Misread.ARRAY
    if _OBJECT.match(text):
        return Misread.OBJECT
    names = {name.strip(b' "\r') for name in text.partition(b"\n")[0].split(b",")}
    return Misread.CSV if names & KEYS else None


def advice(
    misread: Mapping[Misread, Sequence[str]],
    unread: Mapping[Unread, Sequence[str]],
    *,
    crashes_without_host: int,
    records_without_host: int,
    unknown_fields: Sequence[str],
) -> tuple[str, ...]:
    """The lines for a load.

    Args:
        misread: names of sources that look so, and of which records were put aside.
        unread: names of files that were left out.
        crashes_without_host: number from crash files for which no host was given.
        records_without_host: number from sources whose records must name it.
        unknown_fields: of the records.
    """  # fmt: skip
    lines = []
    for what, names in (*misread.items(), *unread.items()):
        more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
        lines.append(f"{names[0]}{more} {what.value}, and load that.")
    if crashes_without_host:
        said = "1 crash names" if crashes_without_host == 1 else f"{crashes_without_host:,} crashes name"
        lines.append(f"{said} no host. Load crash files that do not with --host HOST_ID or --host-by-folder.")
    meant = [name for name in unknown_fields if any(word in name.lower() for word in _MEANS_A_HOST)]
    if records_without_host and meant:
        said = "1 record has" if records_without_host == 1 else f"{records_without_host:,} records have"
        lines.append(f"{said} no host_id. It may be what is called {', '.join(meant[:3])}: rename it.")
    return tuple(lines)
