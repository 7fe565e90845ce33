"""What is known of a simulated slide: for tests and documentation, never for models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.simulate.cells.types import NAMES, marker_rates
from pytest_stbench.data.simulate.expression import draw_depth, panel_genes, pool
from pytest_stbench.data.simulate.programmes import active_pairs
from pytest_stbench.data.simulate.settings import FACTORS, SETTINGS
from pytest_stbench.data.simulate.source import SimulatedSource
from pytest_stbench.data.simulate.tissue import draw_tissue
from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.data.simulate.params import SimulationParams
    from pytest_stbench.spec.model import DatasetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is built into a cohort, by name of the gene; only genes that some slide measures.

    ``programmes`` maps each latent factor to the genes that follow it (none where the setting
    gives it no effect), ``markers`` each cell type to its genes (cells alone). ``pairs`` are the
    ligand-receptor pairs that signal over about 100 um; all other pairs of the table are silent.
    ``spatially_variable`` are genes with a pattern by a factor, a cell type or a signal; where every
    gene has a field of its own (``private`` above 0) all others have a weaker pattern as well.
    """

    programmes: dict[str, tuple[str, ...]]
    markers: dict[str, tuple[str, ...]]
    pairs: tuple[tuple[str, str], ...]
    spatially_variable: tuple[str, ...]
    private: float


def truth(config: DatasetSpec) -> Truth:
    """Return what is built into the cohort of `config`; raises ``DataError`` for wrong parameters."""
    params = SimulatedSource(config).params
    setting = SETTINGS[params.setting]
    genes = _measured(params)
    programmes = {
        factor: tuple(gene for gene in genes if genes[gene] == factor)
        for factor in FACTORS
        if factor in setting.effects and factor != "depth"
    }
    markers: dict[str, tuple[str, ...]] = {}
    if params.resolution == "cell" and setting.types:
        names = tuple(genes)
        markers = {
            name: tuple(gene for gene, rate in zip(names, rates, strict=True) if rate > 0)
            for name, rates in zip(NAMES, marker_rates(names), strict=True)
        }
    there = tuple(pair for pair in active_pairs() if set(pair) <= genes.keys()) if setting.signal else ()
    variable = {gene for part in (*programmes.values(), *markers.values(), *there) for gene in part}
    return Truth(
        programmes=programmes,
        markers=markers,
        pairs=there,
        spatially_variable=tuple(sorted(variable)),
        private=setting.private,
    )


def _measured(params: SimulationParams) -> dict[str, str]:
    """Return the genes that any panel of a cohort measures, and their programmes."""
    numbers = range(max(len(params.panels), 1))
    seen = {gene for number in numbers for gene in panel_genes(params, number)}
    return {gene: programme for gene, programme in pool(params).items() if gene in seen}


def latent(config: DatasetSpec, slide_id: str) -> dict[str, NDArray[Any]]:
    """Return the latent variables of a slide of spots, rows as its units before any defect.

    Parameters
    ----------
    config
        Data set with ``source: simulated``.
    slide_id
        A slide of its samples table.

    Returns
    -------
    dict
        ``niche`` (n,) str, the heaviest niche; ``niches`` (n, 4) mixing weights of tumour,
        stroma, immune, adipose, rows sum to 1; ``cellularity`` (n,) relative number of nuclei,
        0 to 1.2; ``density`` (n,) what of it niches do not explain, standard normal;
        ``polarity`` (n,) -1 (all nuclei left) to 1 (all right); ``hypoxia`` and ``interferon``
        (n,) standard normal; ``depth`` (n,) expected total count.

    Raises
    ------
    DataError
        Wrong parameters, no such slide, or a cohort of cells.
    """
    source = SimulatedSource(config)
    member = source.member(slide_id)
    if source.params.resolution != "spot":
        message = "latent variables are given for spots; cells carry theirs as labels (niche, cell_type, tls)"
        raise DataError(message)
    tissue = draw_tissue(source.params.seed, member.slide, source.params.units)
    state = tissue.at(tissue.lattice.xy_um)
    _, depth = draw_depth(source.params, member.patient, member.slide, tissue, state)
    return {
        "niche": state.niche_names(),
        "niches": state.niches,
        "cellularity": state.cellularity,
        "density": state.density,
        "polarity": state.polarity,
        "hypoxia": state.hypoxia,
        "interferon": state.interferon,
        "depth": depth,
    }
