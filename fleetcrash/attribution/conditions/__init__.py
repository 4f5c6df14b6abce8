"""Conditions: which of the hosts with an update its fault strikes.

``grammar`` is the contract's: how a condition is written and which hosts it means. ``finding`` finds that of a named
update, among ``candidates`` of one or two attributes and the ``companions`` that a fault may need: other updates.
"""
