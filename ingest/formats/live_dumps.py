"""Live dumps of a Windows kernel, which went on; they have codes like bugchecks.

From Microsoft's Kernel Live Dump Code Reference. Left out are codes that are also used by bugchecks, now (0x124, 0x144,
0x164) or on older systems (0xab), a code for an earlier crash (0x175), and 0x1a8 for a black screen.
"""

from __future__ import annotations

_ALONE = 0xFFFFFFF  # the code of a small dump has a bit above these
_CODES = frozenset([
    0x117, 0x141, 0x142,  # a display driver or engine hung and was reset
    0x161,  # requested by somebody
    0x156, 0x15C, 0x15D, 0x15E, 0x15F, 0x17C, 0x17D, 0x187, 0x190, 0x193, 0x195, 0x198, 0x1A1, 0x1A3, 0x1A4, 0x1A5,
    0x1A6, 0x1A7, 0x1B0, 0x1B8, 0x1C4, 0x1C5, 0x1C9, 0x1CC, 0x1D1, 0x1D4,
    0x165, 0x166, 0x167, 0x168, 0x169, 0x16A, 0x16B, 0x16F, 0x179, 0x188, 0x19D,  # of clusters
])  # fmt: skip


def is_live(code: int) -> bool:
    """Whether a kernel dump with this code is a live dump."""
    return code & _ALONE in _CODES
