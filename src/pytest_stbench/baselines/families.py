"""Groups of families that baselines answer."""

from __future__ import annotations

EXPRESSION = ("expression", "signatures", "imputation", "niche_signatures", "coexpression", "communication")
"""Scored from predicted expression."""

FROM_COUNTS = ("imputation", "signatures", "niche_signatures", "coexpression", "communication")

LABELS = ("niches", "niche_detection", "cell_types")

READ_OUT = (*EXPRESSION, *LABELS, "proportions")
"""What a linear read-out of features can answer."""
