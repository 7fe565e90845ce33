"""The cells that methods of mapping, imputation and annotation learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from pytest_stbench.baselines.counts import row_sums
from pytest_stbench.errors import ModelError
from pytest_stbench.kernels.streams import stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TaskInfo, TrainSlide

MOST = 2000


def reference(train: Sequence[TrainSlide], task: TaskInfo, most: int | None = MOST) -> AnnData:
    """Return raw counts of cells to learn from: those of the task's atlas, else of the training units.

    `train` and `task` are what ``fit`` is given. At most `most` cells are drawn by ``task.seed``, all equally
    likely; None takes all. ``X`` is float32 and sparse. Its genes are those that all slides measured, or
    those of the atlas, under the names of the task where only case differs. ``obs`` has ``label`` (None where
    there is none), of training units also ``slide`` and ``patient``. ``uns["left_out"]`` counts cells without
    counts, cells not drawn, genes that some slide lacks, and slides that lack genes that are asked for.
    """
    atlas = task.reference
    return _of_training(train, task, most) if atlas is None else _of_atlas(atlas.cells(), task, most)


def cells_of(adata: AnnData, rows: NDArray[np.intp], genes: Sequence[str] | pd.Index[str]) -> AnnData:
    """Return a copy of some cells and genes: float32 counts, names and places."""
    import anndata as ad
    import pandas as pd

    names, counts = pd.Index(genes), csr_matrix(adata.X)[rows]
    if not names.equals(adata.var_names):
        counts = counts[:, columns_of(adata.var_names, genes)]
    obs, var = pd.DataFrame(index=adata.obs_names[rows]), pd.DataFrame(index=names)
    found = ad.AnnData(csr_matrix(counts, dtype=np.float32), obs, var)
    for key in adata.obsm:
        found.obsm[key] = np.array(adata.obsm[key])[rows]
    return found


def columns_of(names: pd.Index[str], genes: Sequence[str] | pd.Index[str]) -> NDArray[np.intp]:
    """Return the place of each gene among names, -1 for one that is not there."""
    place = {name: column for column, name in enumerate(names)}
    return np.array([place.get(gene, -1) for gene in genes], dtype=np.intp)


def same_names(found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the names `found`, each as `wanted` writes it where case alone differs."""
    there, known = set(found), set(wanted)
    other = {name.casefold(): name for name in wanted if name not in there}
    return [name if name in known else other.pop(name.casefold(), name) for name in found]


def _of_training(train: Sequence[TrainSlide], task: TaskInfo, most: int | None) -> AnnData:
    import anndata as ad

    whole = [slide for slide in train if set(task.genes) <= set(slide.counts.var_names)]
    if not whole:
        raise ModelError(
            f"no training slide measured all {len(task.genes):,} genes that are asked for: ask for genes of "
            "one panel, or give the task a reference atlas"
        )
    genes = every = whole[0].counts.var_names
    for panel in (slide.counts.var_names for slide in whole if not slide.counts.var_names.equals(genes)):
        genes, every = genes[genes.isin(panel)], every.union(panel)
    filled = [np.flatnonzero(row_sums(slide.counts.X)) for slide in whole]
    ends = np.cumsum([0, *map(len, filled)])
    drawn = _drawn(int(ends[-1]), most, task.seed)
    parts = []
    for slide, rows, start, end in zip(whole, filled, ends[:-1], ends[1:], strict=True):
        mine = rows[drawn[(drawn >= start) & (drawn < end)] - start]
        part, name = cells_of(slide.counts, mine, genes), slide.meta.slide_id
        part.obs_names = [f"{name}-{row}" for row in mine]
        part.obs["slide"], part.obs["patient"] = name, slide.meta.patient_id or name
        part.obs["label"] = np.full(len(mine), None) if slide.labels is None else slide.labels[mine]
        parts.append(part)
    found = ad.concat(parts)
    found.uns["left_out"] = {
        "cells_empty": sum(slide.n_units for slide in whole) - int(ends[-1]),
        "cells_not_drawn": int(ends[-1]) - len(drawn),
        "genes": len(every) - len(genes),
        "slides": len(train) - len(whole),
    }
    return found


def _of_atlas(atlas: AnnData, task: TaskInfo, most: int | None) -> AnnData:
    filled = np.flatnonzero(row_sums(atlas.X))
    rows = filled[_drawn(len(filled), most, task.seed)]
    found = cells_of(atlas, rows, list(atlas.var_names))
    found.var_names = same_names(list(atlas.var_names), [*task.observed_genes, *task.genes])
    found.obs["label"] = atlas.obs["label"].to_numpy(object)[rows]
    undrawn = len(filled) - len(rows)
    found.uns["left_out"] = {"cells_empty": atlas.n_obs - len(filled), "cells_not_drawn": undrawn}
    return found


def _drawn(n: int, most: int | None, seed: int) -> NDArray[np.intp]:
    size = n if most is None else min(n, most)
    return np.sort(stream(seed, "reference").sample(n, size)).astype(np.intp)
