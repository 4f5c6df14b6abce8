"""Alerts: what the monitor finds, told to people and to other systems until they have it.

In the order of an alert's way: ``course`` compares an incident with what was told of it; ``message`` says it;
``outbox`` keeps it on disk, with ``silences``; a ``courier`` for each receiver hands it to one of the ``receivers``,
which ``posting`` carries over HTTP. ``dead_man`` watches the watch. ``alerting`` puts them together for the loop, where
``leader`` sees to it that one process sends; ``config`` reads the file that names the receivers.
docs/adr/20261125-alerts.md says why it is so.
"""
