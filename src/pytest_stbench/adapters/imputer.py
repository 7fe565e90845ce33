"""Hidden genes by a function of a reference and a slide, as packages of mapping and imputation have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import issparse

from pytest_stbench.adapters.training_cells import MOST, cells_of, columns_of, reference, same_names
from pytest_stbench.baselines.counts import row_sums
from pytest_stbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anndata import AnnData
    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide

OFF = 3.0
"""Means that differ by more than this factor are of another scale, not of another tissue."""


class Imputer:
    """A model of ``impute`` made of a function.

    Parameters
    ----------
    method
        ``method(reference, slide, task)``: `reference` as the function of that name makes it, `slide` an
        AnnData of the units that have counts, with those genes that both have (float32, sparse) and
        ``obsm["spatial"]``; it may change both. It returns, for these units, an AnnData or data frame
        with names of genes in whatever order and case, or an array with the columns of `reference`.
    name, revision, most, fewest
        Identity of the model; so many cells of the reference at most, so many shared genes at least.
    counts
        Whether the values are counts; else they are on the scale of the task.
    rescale
        Divide the values by what they are larger than the reference. Without it a mean that is 3 times that
        of the reference, or a third, is an error. Units without counts get the mean of the reference.
    """

    def __init__(
        self, method: Callable[[AnnData, AnnData, TaskInfo], Any], *, name: str | None = None,
        revision: str | None = None, most: int | None = MOST, counts: bool = True, fewest: int = 5,
        rescale: bool = False,
    ) -> None:  # fmt: skip
        self.name, self.revision = name or getattr(method, "__name__", type(method).__name__), revision
        self.method, self.most, self.fewest, self.counts, self.rescale = method, most, fewest, counts, rescale

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Draw the reference, and know the mean of every gene that is asked for."""
        self.task = task
        self.reference = reference(train, task, self.most)
        columns = columns_of(self.reference.var_names, task.genes)
        if min(columns, default=0) < 0:
            raise ModelError(
                f"the reference lacks {np.sum(columns < 0):,} of {len(task.genes):,} genes that are asked "
                f"for, such as {task.genes[int(np.argmin(columns))]!r}: ask for others, or give another one"
            )
        if self.counts:
            counts: Any = self.reference.X
            means = np.asarray(counts[:, columns].mean(axis=0), dtype=np.float64).ravel()
        else:
            total = np.sum([np.nansum(slide.target, axis=0, dtype=np.float64) for slide in train], axis=0)
            defined = np.sum([np.sum(~np.isnan(slide.target), axis=0) for slide in train], axis=0)
            means = total / np.maximum(defined, 1)
        self.means = dict(zip(task.genes, means.tolist(), strict=True))

    def impute(self, slide: ModelSlide, observed_genes: Sequence[str], target_genes: Sequence[str]) -> Any:
        """Return (units, target genes), with the word ``counts`` where the method gives such."""
        del observed_genes
        means = np.array([self.means[gene] for gene in target_genes])
        values = np.tile(means.astype(np.float32), (slide.n_units, 1))
        asked, filled = self._asked(slide)
        if len(filled):
            found = self.method(self.reference.copy(), asked.copy(), self.task)
            matrix, names = _named(found, asked, self.reference)
            values[filled] = self._scaled(_columns(matrix, names, target_genes), float(means.mean()))
        return (values, "counts") if self.counts else values

    def _asked(self, slide: ModelSlide) -> tuple[AnnData, NDArray[np.intp]]:
        measured = slide.units.var["measured"].to_numpy(bool)
        names = list(slide.units.var_names[measured])
        there = columns_of(self.reference.var_names, names) >= 0
        shared = [name for name, one in zip(names, there, strict=True) if one]
        if len(shared) < self.fewest:
            raise ModelError(
                f"{self.name}: the reference has {len(shared)} of {len(names):,} genes that are observed on "
                f"{slide.meta.slide_id}, and {self.fewest} are needed: hand out more, or give another one"
            )
        asked = cells_of(slide.units, np.arange(slide.n_units), shared)
        filled = np.flatnonzero(row_sums(asked.X))
        return asked[filled], filled

    def _scaled(self, values: NDArray[np.float32], level: float) -> NDArray[np.float32]:
        found = float(values.mean(dtype=np.float64))
        if not (np.isfinite(found) and found > 0 and level > 0):
            return values  # the contract says what is wrong with values that are not finite, or below 0
        if self.rescale:
            return (values * (level / found)).astype(np.float32)
        if 1 / OFF <= found / level <= OFF:
            return values
        raise ModelError(
            f"the values of {self.name} have the mean {found:.3g}, those of its reference {level:.3g}: they "
            "may grow with the number of cells or units; divide by it, or give Imputer(..., rescale=True)"
        )


def _named(found: Any, asked: AnnData, reference: AnnData) -> tuple[Any, list[str]]:
    """Return what a method gave as a matrix of the units asked for, and the names of its columns."""
    names = getattr(found, "var_names", getattr(found, "columns", reference.var_names))
    index = getattr(found, "obs_names", getattr(found, "index", None))
    values = found.X if hasattr(found, "obs_names") else found
    values = values.detach().cpu() if hasattr(values, "detach") else values
    matrix = values.tocsr() if issparse(values) else np.asarray(values)
    if matrix.shape != (asked.n_obs, len(names)):
        raise ModelError(
            f"the method returned shape {matrix.shape}, expected {(asked.n_obs, len(names))}: a row for each "
            "unit it was given, a column for each gene of the reference, or names of the columns"
        )
    if index is not None and set(index) == set(asked.obs_names):
        matrix = matrix[index.get_indexer(asked.obs_names)]
    return matrix, [str(name) for name in names]


def _columns(matrix: Any, names: list[str], wanted: Sequence[str]) -> NDArray[np.float32]:
    place = {name: column for column, name in enumerate(same_names(names, wanted))}
    lacking = [gene for gene in wanted if gene not in place]
    if lacking:
        raise ModelError(
            f"the method returned no values for {len(lacking):,} of {len(wanted):,} genes, the first "
            f"{lacking[0]!r}: return all genes of the reference, not those alone that it trained on"
        )
    chosen = matrix[:, [place[gene] for gene in wanted]]
    return np.asarray(chosen.toarray() if issparse(chosen) else chosen, dtype=np.float32)
