"""How records come in: from files, streams and tables, past the rules, into the lake.

Start at ``load``. ``sources`` finds files, ``opening`` opens them, ``streams`` cuts them into batches; ``ndjson`` (with
``plain_lines``), ``tables`` (with ``columns``) and ``csv_rows`` (with ``csv_header`` and ``csv_records``) lay a batch
out on the workbench; ``crash_files`` reads those of systems and tools by ``formats``, many to a batch (``joined``);
``rules`` judges it, with the statements in ``sql/``; ``commit`` finds duplicates and writes; ``report`` counts.
``stamped`` puts our clock into records. ``bits`` looks at many bytes at once, ``inflating`` unpacks gzip and zstd.
Nothing here knows what the records will be used for.
"""
