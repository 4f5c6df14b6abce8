"""An incident, and what is kept of it.

``incident`` has its claims and its scope, ``statement`` what is said of it and for how long (by ``spell``), ``toll``
what an update had done when it ended. A ``case`` is one to be judged, with its events.
"""
