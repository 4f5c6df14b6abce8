"""What stays is hidden from the collector, and what was hidden and has become garbage goes all the same."""

from __future__ import annotations

import subprocess
import sys

HIDDEN = """
import gc, threading, weakref
from dashboard.garbage import hide_what_stays

class Node: ...

counts = {"collect": 0, "unfreeze": 0}

def counted(name):
    call = getattr(gc, name)
    def counting():
        counts[name] += 1
        return call()
    setattr(gc, name, counting)

counted("collect")
counted("unfreeze")
gone = threading.Event()
node = Node()
node.itself = node
weakref.finalize(node, gone.set)
gc.disable()
hide_what_stays(every_s=0.05, all_once_in=3)
print(gc.get_freeze_count() > 1000, gone.is_set())
del node
print(gone.wait(20), counts["collect"] >= 3 * counts["unfreeze"] >= 3)
"""


def test_what_was_hidden_goes_once_it_is_garbage():
    done = subprocess.run([sys.executable, "-c", HIDDEN], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "False", "True", "True"]
    assert done.stderr == ""
