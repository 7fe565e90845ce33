"""Readers: one file per source of slides, all of the protocol in :mod:`.protocol`."""

from __future__ import annotations
