"""Rules on pooled scores: gates, verdicts, and what a study of a given size could show."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
