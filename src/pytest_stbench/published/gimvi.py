"""gimVI: one latent space for cells and places (Lopez et al. 2019, arXiv 1905.02269)."""

from __future__ import annotations

from typing import Any

from pytest_stbench.adapters import Imputer
from pytest_stbench.published import asked_alone

NEEDS, EXTRA, LICENCE = {"scvi": "scvi-tools", "torch": "torch"}, "impute", "BSD-3-Clause"
EPOCHS = 60


def impute(reference: Any, slide: Any, task: Any) -> Any:
    """Return what the decoder of cells says of each place; scvi-tools will take gimVI out in 1.6."""
    import pandas as pd
    import scvi

    scvi.settings.seed = task.seed
    cells = asked_alone(reference, slide, task)
    for data in (cells, slide):
        scvi.external.GIMVI.setup_anndata(data)
    net = scvi.external.GIMVI(cells, slide)
    where = task.device
    net.train(EPOCHS, accelerator="gpu" if where != "cpu" else "cpu", enable_progress_bar=False, logger=False)
    _, values = net.get_imputed_values(normalized=False)
    return pd.DataFrame(values, slide.obs_names, cells.var_names)


def model() -> Imputer:
    """Return the model."""
    return Imputer(impute, rescale=True)
