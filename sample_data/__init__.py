"""Synthetic fleets: made by ``simulator``, described by ``scenarios``, played back by ``replay``.

Nothing that judges crashes may import from here: a scenario knows which update is guilty.
Start reading at ``scenarios/channel-file-291.toml``, then ``simulator/__init__.py``.
"""
