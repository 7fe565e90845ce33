"""Calls of models under guard: bounded in time, in the user's terms, remembered in the store."""

from __future__ import annotations
