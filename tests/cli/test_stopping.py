"""Ctrl-C ends a command, whatever Python is doing when it comes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import argparse, os, signal, sys, time, weakref
import cli

class Held:
    def __del__(self):
        if sys.argv[1] == "destructor":
            os.kill(os.getpid(), signal.SIGINT)

def run(chosen):
    held = Held()
    if sys.argv[1] == "callback":
        reference = weakref.ref(held, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del held
    try:
        if sys.argv[1] == "twice":
            os.kill(os.getpid(), signal.SIGINT)
        if sys.argv[1] in ("logout", "logout under nohup"):
            os.kill(os.getpid(), signal.SIGHUP)
            print("goes on", flush=True)
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    finally:
        if sys.argv[1] == "twice":
            os.kill(os.getpid(), signal.SIGINT)
            print("put away", flush=True)
    return 0

class Parser:
    def parse_args(self, arguments):
        return argparse.Namespace(run=run, serves=sys.argv[1].startswith("logout"))

cli._parser = Parser
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background ignores it
signal.signal(signal.SIGHUP, signal.SIG_IGN if sys.argv[1] == "logout under nohup" else signal.SIG_DFL)
sys.exit(cli.main())
"""


@pytest.mark.parametrize("place", ["destructor", "callback"])
def test_an_interrupt_that_python_loses_comes_again(place):
    command = [sys.executable, "-c", SCRIPT, place]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr.strip()) == (130, "Stopped. The lake is whole.")


def test_a_stop_that_is_told_twice_at_once_is_one():
    command = [sys.executable, "-c", SCRIPT, "twice"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "put away\n", "Stopped. The lake is whole.")


@pytest.mark.parametrize(("place", "said"), [("logout", ""), ("logout under nohup", "goes on\n")])
def test_a_closed_terminal_ends_what_serves_but_not_under_nohup(place, said):
    command = [sys.executable, "-c", SCRIPT, place]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
