"""Stack traces that are text, in the forms in which languages and debuggers write them."""

from __future__ import annotations

import time
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.collector.doors import stacks
from ingest.collector.doors.crashes import MOST_FRAMES

PYTHON = """
    Traceback (most recent call last):
      File "/srv/agent/store.py", line 3, in save
        write()
    OSError: disk

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "/srv/agent/main.py", line 9, in <module>
        run()
        ~~~^^
      File "/usr/lib/python3/site-packages/scan/engine.py", line 41, in run
        raise ValueError("x")
    ValueError: x
"""
JAVA = """
    Exception in thread "main" java.lang.RuntimeException: at last: (x)
    \tat java.base/java.util.ArrayList.get(ArrayList.java:427)
    \tat com.example.Main$Inner.lambda$run$0(Main.java:13)
    \tat com.example.Main.<init>(Unknown Source)
    \tat app//com.example.Main.main(Main.java)
    Caused by: java.io.IOException
    \tat com.example.Disk.read(Disk.java:1)
    \t... 3 more
"""
DOTNET = """
    System.NullReferenceException: Object reference not set to an instance of an object.
       at Agent.Scan.Engine.Run(String path, Int32 depth) in C:\\src\\Engine.cs:line 31
       at Agent.Program.Main()
"""
NODE = """
    TypeError: Cannot read properties of undefined (reading 'x')
        at Scanner.scan (/srv/agent/lib/scan.js:3:9)
        at async Promise.all (index 0)
        at async run (file:///srv/agent/main.mjs:7:1)
        at new Agent (C:\\agent\\index.js:1:2)
        at /srv/agent/node_modules/queue/index.js:10:5
        at node:internal/main/run_main_module:28:49
"""
COREDUMP = """
    Process 7 (scan) of user 0 dumped core.

    Stack trace of thread 22601:
    #0  0x000055a00bf4a139 main (/opt/x/scan + 0x1139)
    #1  0x00007f34f7fc3ca8 n/a (libc.so.6 + 0x29ca8)
    #2  0x0000000000000000 n/a (n/a + 0x0)

    Stack trace of thread 22602:
    #0  0x00007f34f7fc3d65 poll (libc.so.6 + 0x29d65)
"""
SANITIZER = """
    ==7==ERROR: AddressSanitizer: heap-use-after-free
        #0 0x4f8e21 in scan(char const*, int) /src/scan.cc:12:3
        #1 0x7f1122 in start /lib/libc.so.6
        #2 0x4f8e30  (/opt/x/scan+0x4f8e30)
"""


@pytest.mark.parametrize(
    ("said", "frames"),
    [
        (PYTHON, [("scan/engine.py", "run", None), ("agent/main.py", "<module>", None)]),
        (
            JAVA,
            [
                ("java.util.ArrayList", "get", None),
                ("com.example.Main$Inner", "lambda$run$0", None),
                ("com.example.Main", "<init>", None),
                ("com.example.Main", "main", None),
            ],
        ),
        (DOTNET, [("Agent.Scan.Engine", "Run", None), ("Agent.Program", "Main", None)]),
        (
            NODE,
            [
                ("lib/scan.js", "Scanner.scan", None),
                ("agent/main.mjs", "run", None),
                ("agent/index.js", "Agent", None),
                ("queue/index.js", None, None),
                ("node:internal/main/run_main_module", None, None),
            ],
        ),
        (COREDUMP, [("scan", "main", 0x1139), ("libc.so.6", None, 0x29CA8), (None, None, 0)]),
        (
            SANITIZER,
            [(None, "scan(char const*, int)", None), (None, "start /lib/libc.so.6", None), ("scan", None, 0x4F8E30)],
        ),
        ("", []),
        ("disk full at 04:10", []),
        ("at home (with 3 cats)", []),
    ],
)
def test_frames_come_innermost_first(said, frames):
    found = stacks.read(dedent(said).replace("\n", "\r\n") if said == NODE else dedent(said))
    assert [(one.module, one.function, one.offset) for one in found.frames] == frames


def test_paths_tell_the_system():
    assert "/srv/agent/main.py" in stacks.read(dedent(PYTHON)).paths
    assert stacks.read(dedent(DOTNET)).paths[0].startswith("C:\\")


@pytest.mark.parametrize(
    "line",
    [
        '  File "a.py", line 3, in run\n',
        "\tat com.example.Main.run(Main.java:3)\n",
        "    at run (/a/main.js:3:1)\n",
        "at " + "a." * 1000 + "\n",
        "at " + "(" * 2000 + "\n",
        "#0 0x" + "f" * 2000 + " in " + "(" * 500 + "\n",
        "#1 0xffff " + "x " * 1000 + "\n",
    ],
)
def test_a_stack_without_end_takes_bounded_time_and_frames(line):
    began = time.process_time()
    found = stacks.read("Traceback (most recent call last):\n" * line.startswith("  File") + line * 20_000)
    assert len(found.frames) <= MOST_FRAMES
    assert time.process_time() - began < 2, "seconds of CPU; minutes, were a pattern to try every way"


@given(
    st.text()
    | st.lists(st.sampled_from(["at ", "#0 ", "0x12ab ", "f", ".", "(", ")", " + 0x1", ":3", "\n", "/a.js"])).map(
        "".join
    )
)
def test_no_text_breaks_it(said):
    assert len(stacks.read(said).frames) <= MOST_FRAMES
