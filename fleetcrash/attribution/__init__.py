"""Which update did it, to whom, and since when; or that none did, or that the data cannot tell.

Start with ``backtest.incidents``: ``reading`` has the lake count, a ``Detector`` takes the counts in minute by minute,
and ``report`` writes down what that comes to. A minute is judged in this order, and the modules are best read in it:

- what is known: ``news`` (counts and events), ``exposed`` (hosts with each update), ``questions`` and ``answers`` (what
  the lake is asked of one update), ``crashers`` (where only crashes are told); ``columns``, ``cursor`` and
  ``minute_counts`` hold arrays;
- what is usual: ``exposure`` (host-time), ``baseline`` (rates) with ``hours``, ``hazard`` and ``system_rates``,
  ``expectation`` (the two multiplied), by ``slices`` of the fleet and ``places``, which together are ``spots``;
- what is tried: ``suspects`` (updates, by the arithmetic of ``evidence`` and what ``charges`` deducts), ``waves``
  (rises that follow none), ``departures`` (hosts that leave), ``modules`` and ``module_rises`` (crashes of a module);
- what hosts say: ``contrast`` (with the update and beside), ``after_install``, ``older``, ``witnesses``, ``doubts``,
  ``whole_places``, ``missing_installs``, ``backlog``;
- what follows: ``odds`` (which update leads), ``rivalry`` and ``posterior`` (it against the waves), ``verdict`` (the
  name), ``condition`` (whom it strikes; by ``conditions``, ``candidates`` and ``companions``);
- what becomes of it: ``incident``, ``statement`` (what is said, and for how long) with ``spell``, ``course`` (from the
  alarm to its end), ``toll`` (what it did), ``claims``, ``ceding``, ``second_faults`` and ``late_strikes`` (whose
  events are whose, where there are several), ``looks``;
- what is told: ``impact`` and ``hosts`` (whom it hit and may hit), ``controls``, ``delay`` (what waiting cost),
  ``causes`` and ``wording``.

``inquiry`` asks all that for the ``detector``, which has each ``case`` judged (``judging``, ``testimony``). Every rule,
with what it takes and why, stands in ``docs/naming.md``. A constant without a source is judged, not fitted: each was
chosen before the fleets that ``bench.attribution`` plays, and what a change of it does is to be seen there.
"""
