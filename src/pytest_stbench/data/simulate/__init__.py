"""The simulated cohort: the embedded default data, generated from a seed, with known truth.

Importing this package imports no numpy; :mod:`~pytest_stbench.data.simulate.table` serves
collection with the standard library alone.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
