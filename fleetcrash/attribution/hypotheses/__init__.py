"""What may be behind a rise, each alone: how much the events say for it, against nothing being wrong.

``suspects`` are updates on trial, by whom they ``struck`` and what ``charges`` deducts; ``waves`` are rises that follow
none; ``departures`` are hosts that leave, ``modules`` the crashes in one module, ``dormant`` what an update of long
before does. ``contrast`` and ``witnesses`` compare hosts with an update and those beside them. ``inquiry`` holds all of
it as of a minute, and is what the packages above ask.
"""
