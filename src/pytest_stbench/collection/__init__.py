"""The pytest side: task files become modules, cells of the grid become items."""

from __future__ import annotations
