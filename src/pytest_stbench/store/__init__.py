"""Predictions and memos on disk: keys, locks, archives; knows no task and no model."""

from __future__ import annotations
