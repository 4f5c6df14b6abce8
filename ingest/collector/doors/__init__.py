"""The doors that unmodified clients knock on: each turns a body of theirs into lines of the contract's records.

One module a format, each a pure function of the body: ``sentry``, ``otlp``, ``journal``, ``bulk`` (with ``kernel_log``
for what syslog brings), ``minidump_upload`` (with ``minidump``, the reader of dumps, and ``forms``). ``door`` says what
a door is; ``crashes`` writes records, ``stacks`` reads stack traces that are text (with ``stacks_native``,
``stacks_managed`` and ``stacks_scripts``, which share ``stack_steps``), ``systems`` tells operating systems.
What a door does not understand of a crash it hands on as it came, so that the rules put it aside with its reason.
docs/adr/20261125-doors.md says which events are crashes, and why.
"""
