"""How the detector fares beside an oracle and beside methods that others use, on simulated fleets.

``seen`` reads a lake as minute counts, ``baselines`` judges them, ``fleets`` plays one fleet and holds each method's
words against the truth, ``page`` writes docs/scoreboard.md. Start with ``__main__``.
"""
