"""Records of the metrics, one file for each kind of answer; see :mod:`..catalogue`."""

from __future__ import annotations
