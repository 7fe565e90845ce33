"""Benchmarks of spatial-transcriptomics models as pytest suites."""

from __future__ import annotations

__version__ = "0.1.0"
