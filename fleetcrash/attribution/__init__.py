"""Which update did it, to whom, and since when; or that none did, or that the data cannot tell.

Start with ``backtest.incidents``: ``facts.reading`` has the lake count, a ``detection.Detector`` takes the counts in
minute by minute, and ``reporting.report`` writes down what that comes to. A minute passes through the packages in this
order, and each knows only those before it:

- ``facts``: what is known;
- ``conditions``: whom a fault may strike;
- ``expected``: what would happen if nothing were wrong;
- ``hypotheses``: updates, waves and all else that may be behind a rise, each alone;
- ``weighing``: these against one another, up to the verdict;
- ``incidents``: what is kept of an incident;
- ``hearing``: one case judged, by what its hosts say;
- ``detection``: alarms, and what becomes of incidents from minute to minute;
- ``reporting``: what is told of them.

``evidence`` has the arithmetic of likelihood ratios, ``hosts`` the list of hosts at risk. Every rule, with what it
takes and why, stands in ``docs/naming.md``. A constant without a source is judged, not fitted: each was chosen before
the fleets that ``bench.attribution`` plays, and what a change of it does is to be seen there.
"""
