"""Which update did it, to whom, and since when; or that none did, or that the data cannot tell.

Start with ``backtest.incidents``: ``reading`` has the lake count (``news``), a ``Detector`` takes it in minute by
minute, and ``report`` writes down what that comes to. Then in the order in which a minute is judged:

- what is usual: ``exposure`` (host-time), ``baseline`` (rates), ``expectation`` (the two multiplied);
- what is tried: ``suspects`` (updates, by the arithmetic of ``evidence``), ``waves`` (rises that follow none),
  ``departures`` (hosts that leave), ``modules`` (crashes of one module);
- what hosts say: ``contrast`` (with the update and beside), ``after_install``, ``older``, ``witnesses``, ``doubts``;
- what follows: ``odds`` and ``rivalry`` (the posterior), ``verdict`` (the name), ``condition`` (whom it strikes);
- what becomes of it: ``incident`` and ``course`` (from the alarm to its end), ``claims``, ``ceding`` and
  ``second_faults`` (whose events are whose, where there are several).

``inquiry`` asks all that for the ``detector``, of a ``case``. Every rule, with what it takes and why, stands in
``docs/naming.md``.
"""
