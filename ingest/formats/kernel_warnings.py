"""What a Linux kernel reports that is no crash unless a panic follows: warnings, and what hangs."""

from __future__ import annotations

import re

WARNING = re.compile(
    r"WARNING: |BUG: (?:KASAN|KFENCE|KMSAN|KCSAN): |UBSAN: [\w -]{3,60} in \S"
    r"|(?:(?:NMI )?watchdog: )?BUG: (?:soft|workqueue) lockup"
    r"|(?:NMI )?watchdog: Watchdog detected hard LOCKUP|INFO: (?:task|rcu)|rcu: INFO: "
)
OWN_WARNING = re.compile(r"WARNING: (?:CPU: \d|at \S+:\d|\S+:\d{1,9} at \w)")  # which no program writes
HANG = re.compile(
    r"(?:(?:NMI )?watchdog: )?(?:BUG: soft lockup|Watchdog detected hard LOCKUP)|INFO: (?:task|rcu)|rcu: INFO: "
)
ASKED = re.compile(r"NMI backtrace for cpu \d")  # a processor tells its stack as another asked it to
PANIC_ON_HANG = re.compile(r"softlockup|hard lockup|hung_task|rcu", re.IGNORECASE)
PANIC_ON = re.compile(r"panic_on_(?:warn|taint)|k[am]san|softlockup|hard lockup|hung_task|rcu", re.IGNORECASE)
