"""The watch: a loop that ticks over a lake and keeps what it says there.

Lives here: when to look, and where the answer goes. What to say is the core's (``fleetcrash.attribution``).
"""
