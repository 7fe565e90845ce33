"""Counts of one slide: latent factors to rates, rates and depth to counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.data.simulate.programmes import (
    BACKGROUND,
    HOUSEKEEPING,
    active_pairs,
    available_genes,
    panel,
)
from pytest_stbench.data.simulate.settings import FACTORS, NICHES, RATE_DECIMALS, SETTINGS
from pytest_stbench.data.simulate.tissue import Fields
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.data.simulate.table import Member
    from pytest_stbench.data.simulate.tissue import Tissue, TissueState

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


PRIVATE_LENGTH_UM = 150.0
BASE_SPREAD = 0.8
CROSS_LOADING = 0.15
PATIENT_DEPTH_SPREAD = 0.15
SMOOTH_SHARE = 0.7
"""Share of the variance of log depth, cellularity aside, that is smooth over the slide."""
DISPERSION = 0.1
"""Negative binomial counts: variance = mean + 0.1 mean^2."""
SIGNAL_LENGTH_UM = 80.0
"""Reach of a ligand: cells within about 100 um share its field."""
FAILED_SHARE = 0.02
FAILED_YIELD = 0.05
"""A few spots catch almost nothing, so that filters have something to take out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """Genes and what they follow: the same for all slides of a cohort.

    ``base`` (g,) is the log rate, ``loadings`` (factors, g) the change per unit of each factor in
    the order of :data:`~.settings.FACTORS`, effects of the setting included. ``pairs`` (p, 2) are
    the places of ligands and receptors that signal.
    """

    genes: tuple[str, ...]
    base: NDArray[np.float64]
    loadings: NDArray[np.float64]
    pairs: NDArray[np.intp]


def draw_panel(params: SimulationParams) -> Panel:
    """Return the genes of a cohort with their loadings.

    A gene loads on the factor of its programme (0.6 to 1.4), weakly on all others, on depth with
    its own sign; housekeeping genes load on nothing.
    """
    programmes = pool(params)
    names = np.array(list(programmes.values()))
    rng = stream(params.seed, "panel")
    base = rng.normal(len(names)) * BASE_SPREAD
    loadings = rng.normal((len(FACTORS), len(names))) * CROSS_LOADING
    member = np.array(FACTORS)[:, None] == names
    loadings += member * (0.6 + 0.8 * rng.uniform(len(names)))
    sign = np.where(rng.uniform(len(names)) < 0.5, -1.0, 1.0)
    loadings[FACTORS.index("depth")] = sign * (0.6 + 0.8 * rng.uniform(len(names)))
    effects = SETTINGS[params.setting].effects
    loadings *= np.array([effects.get(factor, 0.0) for factor in FACTORS])[:, None]
    loadings[:, names == HOUSEKEEPING] = 0.0
    place = {gene: column for column, gene in enumerate(programmes)}
    pairs = [[place[a], place[b]] for a, b in active_pairs() if a in place and b in place]
    return Panel(
        genes=tuple(programmes),
        base=base,
        loadings=loadings,
        pairs=np.array(pairs, dtype=np.intp).reshape(-1, 2),
    )


def columns_of(params: SimulationParams, genes: Panel, number: int) -> NDArray[np.intp]:
    """Return the places in `genes` of those that panel `number` measures."""
    place = {gene: column for column, gene in enumerate(genes.genes)}
    return np.array([place[gene] for gene in panel_genes(params, number)], dtype=np.intp)


def gene_effects(params: SimulationParams, member: Member, n_genes: int) -> NDArray[np.float64]:
    """Return by how much patient, site, panel and technology of a slide change log rates, (g,)."""
    patient = stream(params.seed, "patient genes", member.patient).normal(n_genes)
    effect: NDArray[np.float64] = params.patient_effect * patient
    groups = (
        ("site genes", member.site, params.sites, params.site_effect),
        ("panel probes", member.panel, len(params.panels), params.panel_effect),
        ("technology genes", member.technology, len(params.technologies), params.technology_effect),
    )
    for name, number, several, spread in groups:
        if several > 1:
            effect = effect + spread * stream(params.seed, name, str(number)).normal(n_genes)
    return effect


def draw_depth(
    params: SimulationParams, patient_id: str, slide_id: str, tissue: Tissue, state: TissueState
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standardised log depth of the units and their expected total counts, (n,) each."""
    setting = SETTINGS[params.setting]
    rng = stream(params.seed, "depth", slide_id)
    smooth = Fields.draw(rng, n=1, length_um=PRIVATE_LENGTH_UM).at(tissue.lattice.xy_um)[:, 0]
    own = np.sqrt(SMOOTH_SHARE) * smooth
    own += np.sqrt(1 - SMOOTH_SHARE) * rng.normal(len(smooth))
    cells = (state.cellularity - 0.45) / 0.25
    share = setting.cellularity_share
    deviation = np.sqrt(share) * cells + np.sqrt(1 - share) * own
    patient = stream(params.seed, "patient depth", patient_id).normal(1)[0] * PATIENT_DEPTH_SPREAD
    expected = params.depth * np.exp(patient + setting.depth_spread * deviation)
    failed = rng.uniform(len(smooth)) < FAILED_SHARE
    return deviation, np.where(failed, FAILED_YIELD * expected, expected)


def factor_matrix(state: TissueState, depth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the factors (n, factors) on about one scale, columns as :data:`~.settings.FACTORS`."""
    columns = {
        **dict(zip(NICHES, 2.5 * (state.niches.T - 0.3), strict=True)),
        "density": state.density,
        "polarity": 1.5 * state.polarity,
        "hypoxia": state.hypoxia,
        "interferon": state.interferon,
        "depth": depth,
    }
    return np.stack([columns[factor] for factor in FACTORS], axis=1)


def draw_counts(
    params: SimulationParams, member: Member, tissue: Tissue, state: TissueState
) -> NDArray[np.int32]:
    """Return the counts (n, g) of a slide of spots, columns as the genes of its panel.

    The expected total of a unit is its depth whatever its composition and panel, so that depth
    carries information on composition only where the setting says so.
    """
    genes = draw_panel(params)
    setting = SETTINGS[params.setting]
    depth, expected = draw_depth(params, member.patient, member.slide, tissue, state)
    effects = gene_effects(params, member, len(genes.genes))
    rng = stream(params.seed, "counts", member.slide)
    private = Fields.draw(rng, n=len(genes.genes), length_um=PRIVATE_LENGTH_UM)
    log_rate = genes.base + effects + factor_matrix(state, depth) @ genes.loadings
    log_rate += setting.private * private.at(tissue.lattice.xy_um)
    if len(genes.pairs) and setting.signal:
        signal = setting.signal * signal_fields(params, member.slide, len(genes.pairs)).at(
            tissue.lattice.xy_um
        )
        log_rate[:, genes.pairs[:, 0]] += signal
        log_rate[:, genes.pairs[:, 1]] += signal
    rate = np.exp(log_rate[:, columns_of(params, genes, member.panel)])
    mean = expected[:, None] * rate / rate.sum(axis=1, keepdims=True)
    return rng.negative_binomial(np.round(mean, RATE_DECIMALS), 1 / DISPERSION).astype(np.int32)


def signal_fields(params: SimulationParams, slide_id: str, n_pairs: int) -> Fields:
    """Return the field of each active pair, which its ligand and its receptor both follow."""
    return Fields.draw(stream(params.seed, "signal", slide_id), n=n_pairs, length_um=SIGNAL_LENGTH_UM)
