"""How records come in: from files, streams and tables, past the rules, into the lake.

Start at ``load``. ``sources`` finds and opens; ``ndjson`` and ``tables`` (with ``columns``) lay a batch out
on the workbench; ``rules`` judges it, with the statements in ``sql/``; ``commit`` tells duplicates and
writes; ``report`` says what became of it. Nothing here knows what the records will be asked.
"""
