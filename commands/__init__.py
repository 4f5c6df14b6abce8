"""The commands, one file per task; ``cli.py`` is the front door to them.

Each file adds its commands to the parser and does the work by calling the packages. A command imports what it needs
when it runs, so that asking for help is quick. ``options`` and ``output`` are what they share; ``processes`` starts
what runs beside a command; ``streams`` and ``stopping`` are what a shell may do to any of them. Start reading with
``options``.
"""
