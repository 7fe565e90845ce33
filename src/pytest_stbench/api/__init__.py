"""What notebooks call: :func:`~pytest_stbench.evaluate`, :func:`~pytest_stbench.check`, ``load``."""

from __future__ import annotations
