"""From minute to minute: the ``detector`` takes in what became known, raises alarms and has open incidents judged.

``course`` is an incident's, from the alarm to its end, by ``places`` and ``system_rates``. Where there are several,
``claims`` says whose events are whose, ``ceding`` what is left to another, and ``second_faults`` what is behind a
second one (``late_strikes``). ``module_rises`` are alarms of one module; ``looks`` says when to look again.
"""
