"""Tangram: cells laid on places (Biancalani et al. 2021, 10.1038/s41592-021-01264-7)."""

from __future__ import annotations

from typing import Any

from pytest_stbench.adapters import Imputer
from pytest_stbench.published import asked_alone

NEEDS, EXTRA, LICENCE = {"tangram": "tangram-sc", "torch": "torch"}, "impute", "BSD-3-Clause"
EPOCHS = 500


def impute(reference: Any, slide: Any, task: Any) -> Any:
    """Return the genes of the cells mapped to each unit."""
    import pandas as pd
    import tangram

    cells = asked_alone(reference, slide, task)
    never = [gene for gene in task.genes if not cells[:, gene].X.sum()]  # tangram drops them
    tangram.pp_adatas(cells, slide)
    mapped = tangram.map_cells_to_space(
        cells, slide, device=task.device, num_epochs=EPOCHS, random_state=task.seed, verbose=False
    )
    found = tangram.project_genes(mapped, cells).to_df()
    return pd.concat([found, pd.DataFrame(0.0, found.index, [gene.lower() for gene in never])], axis=1)


def model() -> Imputer:
    """Return the model; cells are mapped with equal weight to the counts of a place."""
    return Imputer(impute, rescale=True)
