"""Negative controls through shipped tasks: what must never pass."""

from __future__ import annotations
