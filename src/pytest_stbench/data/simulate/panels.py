"""Genes of the targeted panels of a cohort: of different focus, with a small common core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.programmes import BACKGROUND, available_genes, panel
from pytest_stbench.data.simulate.settings import RATE_DECIMALS
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from pytest_stbench.data.simulate.params import SimulationParams

CORE = 10
"""Genes that every panel measures, as seven published panels share ten."""

POPULARITY = 0.25
FOCUS = 0.5
BACKGROUND_PENALTY = 0.4


def pool(params: SimulationParams) -> dict[str, str]:
    """Return the genes of a cohort, measured by any panel, with their programmes, sorted."""
    if params.panels:
        return dict(sorted(available_genes().items()))
    return panel(params.genes, communicating=params.resolution == "cell")


def panel_genes(params: SimulationParams, number: int) -> tuple[str, ...]:
    """Return the genes of one panel, sorted: all of :func:`pool` where no panels are asked for.

    Genes are drawn without replacement (the Gumbel top-k of their weights). A weight is the
    product of how popular a gene is with all panels and how much this panel cares for its
    programme.
    """
    genes = pool(params)
    if not params.panels:
        return tuple(genes)
    names = np.array(list(genes), dtype=np.str_)
    programmes = np.array(list(genes.values()))
    popular = POPULARITY * stream(params.seed, "panel popularity").normal(len(names))
    rng = stream(params.seed, "panel genes", str(number))
    kinds, place = np.unique(programmes, return_inverse=True)
    weight = popular + FOCUS * rng.normal(len(kinds))[place] + rng.gumbel(len(names))
    weight -= BACKGROUND_PENALTY * (programmes == BACKGROUND)
    weight[np.isin(names, list(available_genes())[:CORE])] = np.inf
    order = np.argsort(-np.round(weight, RATE_DECIMALS), kind="stable")
    return tuple(sorted(names[order[: params.panels[number]]].tolist()))
