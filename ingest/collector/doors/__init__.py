"""The doors for unmodified clients: each turns a body into lines of the contract's records.

There is one module per door, a pure function of the body; the formats of clients are in ``ingest.formats``. ``door``
defines a door, ``forms`` reads bodies of several parts.
Which events are crashes, and why, is in docs/adr/20261125-doors.md.
"""
