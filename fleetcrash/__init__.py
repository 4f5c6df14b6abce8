"""The core: what a crash is, how it is kept, grouped, counted and attributed.

No UI and no network. What it answers is a function of the records and of an instant ``as_of``, never of the wall clock:
a question about the past has the same answer today. Only the upkeep of files looks at the clock: ``store.housekeeping``
and ``store.log``, for how long ago a file was replaced or written.

Start reading at ``records`` (the columns), then ``store`` (the lake and its queries), then ``clustering`` (which
crashes are one fault) and ``attribution`` (exposure, evidence, verdict, condition, incident), and last ``gate``, which
asks for verdicts and decides whether a rollout may go on. It is here, and not beside the dashboard, because a rollout
script asks it without either collector or pages.

The small modules are shared by packages that may not import one another: ``errors``, ``documents`` and ``times`` by
all; by those around the core, ``prometheus``, the format in which the collector and the monitor tell their metrics,
``toml_file``, by which they are told how to run, and ``spreadsheet`` and ``terminal``, which make what strangers sent
harmless in CSV files and on a terminal; by clustering and attribution, ``counts`` (what chance makes of counts) and
``arrays``.
"""
