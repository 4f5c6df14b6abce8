"""The core: what a crash is, how it is kept, grouped, counted and attributed.

No UI, no network, no clock: everything here is a function of the records and of an instant ``as_of``.

Start reading at ``records`` (the columns), then ``store`` (the lake and its queries), then ``clustering``
(which crashes are one fault) and ``attribution`` (exposure, evidence, verdict, condition, incident).
"""
