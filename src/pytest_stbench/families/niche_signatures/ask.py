"""T05, the genes of niches: predicted expression, looked at in true niches."""

from __future__ import annotations

from pytest_stbench.families.derived import Derived


class NicheSignaturesQuestion(Derived):
    """Asks what its parent does.

    A model is given and asked what it is in `expression` or, where the task file has a block ``imputation``,
    in that family. Markers of the true niches are found in truth and prediction alike.
    """
