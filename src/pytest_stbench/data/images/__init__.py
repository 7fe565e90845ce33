"""Whole-slide images: what reads a file, its levels and tiles, regions and patches out of them."""

from __future__ import annotations
