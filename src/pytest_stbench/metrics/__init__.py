"""Metrics: plain functions on arrays, truth first, prediction second.

Every metric returns :class:`Scores`, one value per gene or unit of a slide with a reason for
each that is undefined; :func:`slide_value`, :func:`patient_values` and :func:`headline` average
them. Names are loaded when they are first used.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
