"""What is known, minute by minute, as the lake has counted it.

Start with ``news``: counts and events, each with the minute in which it came to be known; ``reading`` reads them.
``exposure`` is host-time, of the fleet and of the hosts with each update, which ``exposed`` has from the installs.
``questions`` are what the lake is asked of one update while it is judged, ``answers`` what it says. ``crashers`` stands
in for presence where only crashes are told, ``hours`` are those of the day; ``columns``, ``cursor`` and
``minute_counts`` hold arrays.
"""
