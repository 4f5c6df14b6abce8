"""The stack of a crash, and why it is in its cluster; every name is escaped."""

from __future__ import annotations

from html import escape

from dashboard.markup import Column, Row, table, text
from dashboard.wording import plain
from fleetcrash.clustering import Role, Sample, Signature

_ROLES = {
    Role.DECIDES: "decides",
    Role.MACHINERY: "machinery, passed over",
    Role.REPORTING: "reports the crash, passed over",
    Role.UNKNOWN: "no name, passed over",
    Role.OTHER: "",
}


def stack_table(sample: Sample, *, title: str = "Stack") -> str:
    """The frames of a crash, innermost first, the deciding ones marked."""
    rows = [
        Row(
            [
                str(number),
                plain(frame.module, 60) if frame.module else "–",
                plain(frame.function, 120) if frame.function else "–",
                f"{frame.offset:#x}" if frame.offset is not None else "–",
                _ROLES[frame.role],
            ],
            strong=frame.role is Role.DECIDES,
        )
        for number, frame in enumerate(sample.frames)
    ]
    columns = [
        Column("#", number=True),
        Column("Module", id=True),
        Column("Function", id=True),
        Column("Offset", number=True, wide=True),
        Column("For the cluster"),
    ]
    note = "Innermost frame first." if rows else "The report has no stack; module and code decide its cluster."
    return table(title, columns, rows, note=note)


def why(signature: Signature) -> str:
    """The steps by which the rules signed a crash."""
    steps = "".join(f"<li>{escape(plain(note, 300))}</li>" for note in signature.notes)
    return (
        f'<div class="fc"><h3>Why it is in this cluster</h3><ol class="fc-limits">{steps}</ol>'
        f'<p class="fc-note">Variant: <code>{text(signature.variant, 200)}</code></p></div>'
    )
