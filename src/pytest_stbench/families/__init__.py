"""The kinds of questions a task can ask, one file each: inputs, what is hidden, truth, defaults."""

from __future__ import annotations
