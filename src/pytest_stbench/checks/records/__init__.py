"""Records of the checks by what they look at; their order is that of :mod:`..catalogue`."""

from __future__ import annotations
