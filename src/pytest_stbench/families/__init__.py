"""The kinds of questions a task can ask, a folder each: ``declare.py`` says what it is, ``ask.py`` asks.

Names are loaded when they are first used.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
