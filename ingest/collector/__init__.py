"""The collector: records over HTTP, acknowledged once they are on disk for good, committed to the lake moments later.

In the order of a record's way: ``server`` listens; ``app`` answers, with ``tokens`` (who may; ``token_book`` says who
changed that), ``rates`` (how much) and ``bodies`` (sizes, encodings, slow senders); ``privacy`` hides what nobody is to
keep; ``spool`` writes what was acknowledged to ``segments``; ``committer`` takes segments into the lake by the loader's
rules, ``joined`` to one batch with the arrival's time in each record; ``keys`` remembers Idempotency-Keys. ``metrics``
counts.
docs/adr/20261125-collector.md says why it is so.
"""
