"""Hypotheses against one another, up to the verdict.

``odds`` says which update leads, and what hosts told of it (of those that are ``asked``, and at one place
``at_places``); ``rivalry`` which waves it may have begun itself; ``posterior`` what each comes to; and ``verdict``
whether that is enough for a name: a ``judgement``.
"""
