"""Pages in HTML: what a run found, and what ``stbench check`` found, in one style."""

from __future__ import annotations
