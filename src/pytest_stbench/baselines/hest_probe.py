"""B06 as HEST-Benchmark has it, so that published scores can be set beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pytest_stbench.baselines.pca_ridge import PcaRidge
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline
from pytest_stbench.kernels.ridge import RidgeFit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.inputs import TaskInfo, TrainSlide

SEED = 1
STRENGTH = 100.0
MAX_ITERATIONS = 1000
SMALL = 500
SHARE = 0.8


@baseline("B06", kind="model", families=("expression",), needs=("embedding",), memory="O(dimensions^2)")
class HestProbe(PcaRidge):
    """The probe of HEST-Benchmark: PCA, a penalty of next to nothing, no intercept.

    Ridge without intercept on 256 principal components, penalty 100 / (components x genes).

    Nothing is tuned, and the penalty is next to none. Components are found by scikit-learn's
    randomised method with seed 1 and coefficients by its ``lsqr`` iteration, as published: on wide
    embeddings both stop short of the exact solution, by enough to change correlations in the
    second decimal. Without an intercept the predictions of the training units have mean 0:
    correlations do not change, errors and R2 say nothing.
    """

    name = "hest_probe"

    @property
    def config(self) -> dict[str, Any]:
        """What the results of the baseline depend on."""
        return {"n_components": self.n_components, "strength": STRENGTH, "seed": SEED}

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit on the units of all training slides, stacked."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler

        x = np.concatenate([self.features(slide) for slide in train]) if train else np.empty((0, 0))
        if x.size == 0:
            raise ModelError(f"{self.name} needs at least one training unit")
        y = np.concatenate([slide.target for slide in train])
        missing = np.flatnonzero(~np.isfinite(y).all(axis=0))
        if len(missing):
            raise ModelError(
                f"{self.name} needs every gene on every training slide and {len(missing)} are not measured "
                f"on all, such as {task.genes[missing[0]]}: choose genes that all slides measured, or use "
                f"the baseline pca_ridge"
            )
        scaler = StandardScaler()
        count = min(self.n_components, *x.shape)
        pca = PCA(count, svd_solver=_solver(x.shape, count), random_state=SEED)
        scores = pca.fit_transform(scaler.fit_transform(x))
        alpha = STRENGTH / (scores.shape[1] * y.shape[1])
        ridge = Ridge(alpha, solver="lsqr", fit_intercept=False, max_iter=MAX_ITERATIONS)
        ridge.fit(scores, y)
        # Standardising, rotating and weighting are one linear map.
        rotated = pca.components_.T.astype(np.float64) @ np.atleast_2d(ridge.coef_).T
        coef = rotated / scaler.scale_[:, None]
        self.genes = task.genes
        self.ridge = RidgeFit(
            coef=coef,
            intercept=-(scaler.mean_ @ coef) - pca.mean_.astype(np.float64) @ rotated,
            alpha=alpha,
            alphas=np.empty(0),
            cv_error=np.empty(0),
            fitted=np.ones(y.shape[1], bool),
        )


def _solver(shape: tuple[int, ...], count: int) -> Literal["randomized", "full"]:
    """Return what scikit-learn below 1.5 chose, as when the scores were published; later ones differ."""
    return "randomized" if max(shape) > SMALL and count < SHARE * min(shape) else "full"
