"""Alerts: messages about the monitor's findings, sent to people and other systems until they have them.

In the order of an alert's way: ``course`` compares an incident with what was last sent about it; ``message`` composes a
message; ``outbox`` keeps it on disk in its ``outbox_tables``, with ``silences``; a ``courier`` for each receiver hands
it to one of the ``receivers``, which uses ``posting`` for HTTP. ``dead_man`` watches the monitor itself. ``alerting``
puts them together for the loop, and ``leader`` ensures that only one process sends; ``config`` reads the file that
names the receivers. The reasons are in docs/adr/20261125-alerts.md.
"""
