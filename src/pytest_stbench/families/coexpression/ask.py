"""T06, co-expression: predicted expression, looked at in pairs of genes."""

from __future__ import annotations

from pytest_stbench.families.derived import Derived


class CoexpressionQuestion(Derived):
    """Asks what its parent does."""
