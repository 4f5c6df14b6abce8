"""The collector: records over HTTP, acknowledged once they are on disk durably, committed to the lake moments later.

In the order of a record's way: ``server`` listens; ``app`` answers; ``reception`` takes a body, with ``permission``
(who may send, by ``tokens`` and ``rates``; ``token_book`` has who changed tokens) and ``bodies`` (sizes, encodings,
slow senders); one of the ``doors`` reads it; ``privacy`` (its policy is read by ``privacy_file``) hides what must not
be kept; ``spool`` writes bodies to ``segments``; ``committer`` commits segments to the lake by the loader's rules,
``joined`` to one batch with the time of arrival in each record; ``keys`` remembers Idempotency-Keys; ``pieces`` sends
answers that may be large. ``metrics`` counts.
The reasons are in docs/adr/20261125-collector.md.
"""
