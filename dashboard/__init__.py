"""What an engineer on call looks at: a Streamlit app over a lake, and nothing that the lake does not hold.

Start reading at ``app.py`` (the pages), then ``views/`` (what stands on each) and ``data.py``, which alone
asks the core: one snapshot for all viewers (``lookout``, ``prepared``), every answer kept until the lake changes
(``answers``).
The rest is pure: ``charts`` takes tables and returns figures, ``banner`` and ``tables`` return markup in which every
string of the fleet is escaped, ``wording`` turns values into words. ``serve`` says how the app is started. What judges
crashes does not live here.
"""
