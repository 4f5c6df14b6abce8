"""What is to be expected of a fleet in which nothing is wrong.

Start with ``expectation``: host-time times the rates of the ``baseline``, which are learned from what was quiet;
``hazard`` is what installs of any kind are followed by. Both go by ``slices`` of the fleet (by what hosts are) and by
places, which together are ``spots``; ``tallies`` are how many events happened at each.
"""
