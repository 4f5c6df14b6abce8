"""Crash files and messages of systems and tools: each format is a module that converts them to records.

Start at ``format``, which defines a format, and ``known``, which lists those of files. ``crashes`` writes records,
``stacks`` reads stack traces that are text (with ``stacks_native``, ``stacks_runtimes``, ``stacks_managed`` and
``stacks_scripts``, which share ``stack_steps``), ``systems`` recognises operating systems. The loader uses
them for files, and the collector for what clients send; nothing here depends on either. A value that is not understood
is passed on as it came, so that the rules put the record aside with the reason.
docs/adr/20261127-crash-files.md says which files are known, and what a crash in them is.
"""
