"""Models that only embed, read out linearly: principal components and ridge regression."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_stbench.data.inputs import ModelSlide
from pytest_stbench.errors import ModelError
from pytest_stbench.kernels.ridge import GroupedGram, alpha_grid, fit_ridge
from pytest_stbench.models.contract import ContractError, accept_embedding
from pytest_stbench.models.protocol import has_fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import TaskInfo, TrainSlide
    from pytest_stbench.kernels.ridge import RidgeFit

COMPONENTS = 256


class EmbedProbe:
    """A model with ``embed`` alone, made to predict expression.

    ``fit`` fits the model itself if it can be, then a ridge regression of the targets on the
    first principal components (at most 256) of the standardised embeddings of the training
    slides; the penalty is chosen by leaving out one training patient at a time. Nothing but
    sums per patient is kept.

    Parameters
    ----------
    model
        A fresh model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._genes: dict[str, int] = {}
        self._readout: RidgeFit | None = None
        self._width: int | None = None

    def fit(self, train: Sequence[TrainSlide], task: TaskInfo) -> None:
        """Fit model and read-out on training slides; no read-out where no genes will be asked."""
        if has_fit(self.model):
            self.model.fit(train, task)
        self._readout = None
        if not task.genes:
            return
        gram: GroupedGram | None = None
        self._width = None
        for slide in train:
            embedding = self._embed(slide)
            if gram is None:
                gram = GroupedGram(embedding.shape[1], len(task.genes))
            gram.add(slide.meta.patient_id or slide.meta.slide_id, embedding, slide.target)
        if gram is None or gram.n == 0:
            message = "there are no training units to fit the read-out of the embedding on: check the split"
            raise ModelError(message)
        alphas = alpha_grid(gram, n_components=COMPONENTS)
        self._readout = fit_ridge(gram, alphas, n_components=COMPONENTS)
        self._genes = {gene: column for column, gene in enumerate(task.genes)}

    def embed(self, slide: ModelSlide) -> Any:
        """Return the model's own embedding, (n, d)."""
        return self.model.embed(slide)

    def predict_expression(self, slide: ModelSlide, genes: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, g) float32 on the scale of the training targets."""
        if self._readout is None:
            raise ModelError("a model with `embed` alone must be fitted before it can predict expression")
        unknown = [gene for gene in genes if gene not in self._genes]
        if unknown:
            raise ModelError(
                f"the read-out of the embedding was not fitted for {unknown[0]!r} ({len(unknown)} such genes)"
            )
        columns = [self._genes[gene] for gene in genes]
        return self._readout.predict(self._embed(slide))[:, columns].astype(np.float32)

    def impute(
        self, slide: ModelSlide, observed_genes: Sequence[str], target_genes: Sequence[str]
    ) -> NDArray[np.float32]:
        """Return (n, g) float32 of `target_genes`; the model reads the observed ones in ``embed``."""
        del observed_genes
        return self.predict_expression(slide, target_genes)

    def _embed(self, slide: ModelSlide) -> NDArray[np.float32]:
        # Training and test slides must look alike to `embed`: it never gets targets or counts.
        plain = ModelSlide(**{part.name: getattr(slide, part.name) for part in fields(ModelSlide)})
        where = f"embed on slide {slide.meta.slide_id}"
        names = slide.units.obs_names.to_numpy(str)
        embedding = accept_embedding(self.model.embed(plain), slide.n_units, unit_names=names, where=where)
        if self._width is not None and embedding.shape[1] != self._width:
            raise ContractError(
                where,
                expected=f"{self._width} dimensions as on the slides before",
                found=f"{embedding.shape[1]}",
                fix="embed every slide into the same space",
            )
        self._width = embedding.shape[1]
        return embedding
