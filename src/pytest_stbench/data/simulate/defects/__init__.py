"""Data with a known fault, so that every check can be shown to see it; see :mod:`~.names`."""
