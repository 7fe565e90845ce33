"""Reading data: slides, their samples table, images and what models are given of them.

Names are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
