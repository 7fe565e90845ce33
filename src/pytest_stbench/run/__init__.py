"""From task files to predictions, scores and verdicts; knows neither pytest nor reports."""

from __future__ import annotations
