"""What is done to the counts before a model is asked: filter, scale, choose genes, cut blocks."""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
