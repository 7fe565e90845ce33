"""Public data sets by name: listed, fetched when asked, and verified before they are used."""

from __future__ import annotations
