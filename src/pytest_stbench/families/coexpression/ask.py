"""T06, co-expression: predicted expression, looked at in pairs of genes."""

from __future__ import annotations

from pytest_stbench.families.derived import Derived


class CoexpressionQuestion(Derived):
    """Asks what its parent does.

    A model is given and asked what it is in `expression` or, where the task file has a block ``imputation``,
    in that family. Correlations of genes are computed from truth and prediction alike.
    """
