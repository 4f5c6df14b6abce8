"""What is told of incidents, in the contract's JSON and in words.

``report`` writes an incident down, with ``causes`` where no update is behind it, ``controls`` beside the name, and in
the sentences of ``wording``. ``impact`` is whom an update hit and may hit next, ``accounted`` whom an incident hit that
names none and ``where`` that is, ``delay`` what waiting cost.
"""
