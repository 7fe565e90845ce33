"""Single scores and maps of a run, written beside its results."""

from __future__ import annotations
