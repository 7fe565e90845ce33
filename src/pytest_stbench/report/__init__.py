"""Results as people read them, made from records alone."""

from __future__ import annotations
