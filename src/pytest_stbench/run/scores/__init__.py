"""From predictions to scores, pooled scores and verdicts."""

from __future__ import annotations
