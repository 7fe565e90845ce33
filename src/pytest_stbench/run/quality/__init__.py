"""The data-quality checks of a task: what they are told, when they run, what they hold back."""

from __future__ import annotations
