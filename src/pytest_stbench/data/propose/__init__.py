"""A task file proposed from somebody's own files: what was found, and what is still to say."""

from __future__ import annotations
