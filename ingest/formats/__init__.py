"""Crash files and messages as systems and tools write them: each format is a module that makes records of them.

Start at ``format``, which says what a format is, and ``known``, which lists those of files. ``crashes`` writes records,
``stacks`` reads stack traces that are text (with ``stacks_native``, ``stacks_runtimes``, ``stacks_managed`` and
``stacks_scripts``, which share ``stack_steps``), ``systems`` tells operating systems. The loader reads files by them,
and the collector's doors what clients send; nothing here knows of either. What is not understood of a crash is handed
on as it came, so that the rules put it aside with its reason.
docs/adr/20261127-crash-files.md says which files are known, and what a crash in them is.
"""
