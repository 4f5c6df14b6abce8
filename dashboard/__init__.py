"""The pages for an engineer on call: a Streamlit app over a lake. It shows only what the lake holds.

Start reading at ``app.py`` (the pages), then ``views/`` (their content) and ``data.py``, the only module that asks the
core: one snapshot for all viewers (``lookout``, ``prepared``), every answer kept until the lake changes (``answers``).
The rest is pure: ``charts`` takes tables and returns figures, ``banner`` and ``tables`` return markup in which every
string of the fleet is escaped, ``next_step`` says what to do and why, ``wording`` turns values into words. ``serve``
says how the app is started. Nothing here judges crashes.
"""
