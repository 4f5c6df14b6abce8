"""May a rollout go on? One answer as of an instant: go, hold or halt, for every ring that has the update.

``evidence`` is the arithmetic: sequential tests on host-time and events, arrays in and numbers out. ``baseline`` says
how often hosts crash, or go dark, without the update. ``reading`` makes both from a lake, by the queries in
``store/sql/gate``; ``rules`` turn them into an answer, and ``wording`` says why; ``decision`` asks for all of it and
writes the document; ``overrides`` is the book of what people decided against it. Start with ``decision.gate``. The
reasons are in ``docs/adr/20261125-gate.md``.
"""
