"""B08: what the observed genes of a unit's surroundings say of its hidden genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, identity

from pytest_stbench.baselines.families import FROM_COUNTS
from pytest_stbench.baselines.gene_gene_ridge import GeneGeneRidge
from pytest_stbench.baselines.slide_sums import SparseProduct
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.graph import cell_graph, lattice_graph

if TYPE_CHECKING:
    from pytest_stbench.data.inputs import ModelSlide

CELL_RESOLUTIONS = ("cell", "transcript")


@baseline(
    "B08", kind="model", families=FROM_COUNTS, needs=("observed",), memory="O(units), O(observed genes^2)"
)
class Smooth(GeneGeneRidge):
    """Ridge from the observed genes averaged over neighbouring units; never reads a hidden gene.

    The features of B13 are averaged with equal weights over the unit itself and its neighbours
    (lattice: within 1.5 pitches; cells: 6 nearest), in training and in prediction alike. The
    unit itself belongs to the mean, so that a unit without neighbours keeps its own features and
    the baseline differs from B13 in smoothing alone. No hidden gene is read.
    """

    name = "smooth"

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {**super().config, "neighbours": "lattice_1.5_pitch_or_6_nearest_cells", "with_self": True}

    def features(self, slide: ModelSlide) -> SparseProduct:
        """Return the averaged features of a slide, (n, observed genes), sparse, a block of rows at a time."""
        xy = np.asarray(slide.units.obsm["spatial"], dtype=np.float64)
        if slide.meta.resolution in CELL_RESOLUTIONS:
            graph = cell_graph(xy)
        else:
            graph = lattice_graph(xy, slide.meta.pitch_um)
        around = csr_matrix(graph + identity(slide.n_units, format="csr"))
        around.data /= np.repeat(np.diff(around.indptr), np.diff(around.indptr))
        return SparseProduct(around, self._own(slide))
