"""One case heard: ``judging`` weighs it, asks what else may be behind it, and says the verdict.

What hosts say is ``testimony``: how long after an install they are struck (``after_install``), what speaks against
believing them (``doubts``, ``whole_places``), what may not have been told (``missing_installs``, ``backlog``), and what
went out long before (``older``).
"""
