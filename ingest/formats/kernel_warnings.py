"""What a Linux kernel reports that is no crash unless a panic follows: warnings, and what hangs."""

from __future__ import annotations

import re

# Newer kernels and PowerPC name the processor.
_LOCKUP = r"(?:NMI )?watchdog: (?:CPU ?\d{1,5}:? )?(?:(?:Watchdog |self-)?detected )?[Hh]ard LOCKUP"
WARNING = re.compile(
    r"WARNING: |BUG: (?:KASAN|KFENCE|KMSAN|KCSAN): |UBSAN: [\w -]{3,60} in \S"
    rf"|(?:(?:NMI )?watchdog: )?BUG: (?:soft|workqueue) lockup|{_LOCKUP}|INFO: (?:task|rcu)|rcu: INFO: "
)
OWN_WARNING = re.compile(r"WARNING: (?:CPU: \d|at \S+:\d|\S+:\d{1,9} at \w)")  # which no program writes
HANG = re.compile(
    rf"(?:(?:NMI )?watchdog: )?BUG: soft lockup|{_LOCKUP}|Watchdog detected hard LOCKUP|INFO: (?:task|rcu)|rcu: INFO: "
)
ASKED = re.compile(r"NMI backtrace for cpu \d")  # a processor tells its stack as another asked it to
PANIC_ON_HANG = re.compile(r"softlockup|hard lockup|hung_task|rcu", re.IGNORECASE)
PANIC_ON = re.compile(r"panic_on_(?:warn|taint)|k[am]san|softlockup|hard lockup|hung_task|rcu", re.IGNORECASE)
