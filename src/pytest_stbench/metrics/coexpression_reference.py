"""What the similarity of gene-gene correlations is read against: ceiling and floor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.kernels.draws import drawn, settled_ceilings
from pytest_stbench.metrics.coexpression import MIN_GENES, MIN_HEADROOM, score_ssim
from pytest_stbench.metrics.coexpression_arms import MIN_UNITS, GeneCorrelations, compare_coexpression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from pytest_stbench.metrics.coexpression import Prediction
    from pytest_stbench.metrics.coexpression_arms import Genes


def coexpression_ceiling(
    halves: Iterable[tuple[ArrayLike, ArrayLike]],
    *,
    floor: float,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    libsize: Iterable[ArrayLike] | None = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> list[float]:
    """Return the structural similarity that two halves of the truth's counts reach, for each pair of halves.

    Parameters
    ----------
    halves
        Pairs of matrices (n, g): thinned counts, each normalised by its own library size. The
        first is scored as a prediction of the second. As many are taken as suffice for a score
        between floor and ceiling (:func:`~pytest_stbench.kernels.draws.settled_ceilings`).
    floor
        What is reached without knowing the slide: :func:`coexpression_floor`.
    libsize
        Library sizes (n,) of the second half of each pair, for the partial version.
    measured, genes, min_units, min_genes
        As in :func:`pytest_stbench.metrics.coexpression_ssim`.

    Returns
    -------
    list
        One value a pair, nan where it has none.
    """
    depths = iter(libsize) if libsize is not None else None

    def values() -> Iterator[NDArray[np.float64]]:
        for first, second in halves:
            depth = None if depths is None else next(depths)
            arms = compare_coexpression(
                second, first, measured=measured, genes=genes, libsize=depth, min_units=min_units
            )
            yield score_ssim(arms, min_genes).values

    floors = np.array([floor])
    found = drawn(values(), lambda so_far: settled_ceilings(so_far, floors, MIN_HEADROOM))
    ceilings: list[float] = found.ravel().tolist()
    return ceilings


def coexpression_floor(
    truth: ArrayLike,
    references: Iterable[Prediction],
    *,
    measured: ArrayLike | None = None,
    genes: Genes = None,
    libsize: ArrayLike | None = None,
    min_units: int = MIN_UNITS,
    min_genes: int = MIN_GENES,
) -> float:
    """Return the best structural similarity reached without knowing the slide; nan where none is.

    The largest of the matrix of zeros and of the `references`: a prediction from library size
    alone and the mean correlations of the training patients. With `libsize` all are partial.
    """
    options = {"measured": measured, "genes": genes, "libsize": libsize, "min_units": min_units}
    g = np.shape(truth)[1]
    nothing = GeneCorrelations(values=np.zeros((g, g)))
    found = [
        float(score_ssim(compare_coexpression(truth, reference, **options), min_genes).values[0])  # type: ignore[arg-type]  # names and types as declared
        for reference in (nothing, *references)
    ]
    # What makes one undefined is in the truth: all are, or none.
    return max(found)
