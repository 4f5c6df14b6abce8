"""The monitor: a loop that judges a lake minute by minute and keeps its findings there.

This package decides when to look and where the answer goes. The answer itself is from ``fleetcrash.attribution``.
"""
