"""What is known of a simulated slide: for tests and documentation, never for models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_stbench.data.simulate.expression import draw_depth
from pytest_stbench.data.simulate.source import SimulatedSource
from pytest_stbench.data.simulate.tissue import draw_tissue

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_stbench.spec.model import DatasetSpec


def latent(config: DatasetSpec, slide_id: str) -> dict[str, NDArray[Any]]:
    """Return the latent variables of a slide, rows as its units.

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
        Wrong parameters, or no such slide.
    """
    source = SimulatedSource(config)
    patient = source.patient(slide_id)
    tissue = draw_tissue(source.params.seed, slide_id, source.params.units)
    state = tissue.at(tissue.lattice.xy_um)
    _, depth = draw_depth(source.params, patient, slide_id, tissue, state)
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
