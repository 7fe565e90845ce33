"""T05, the genes of niches: predicted expression, looked at in true niches."""

from __future__ import annotations

from pytest_stbench.families.derived import Derived


class NicheSignaturesQuestion(Derived):
    """Asks what its parent does."""
