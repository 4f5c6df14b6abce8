"""The doors that unmodified clients knock on: each turns a body of theirs into lines of the contract's records.

One module a door, each a pure function of the body; what a client's format means is in ``ingest.formats``. ``door``
says what a door is, ``forms`` reads bodies of several parts.
docs/adr/20261125-doors.md says which events are crashes, and why.
"""
