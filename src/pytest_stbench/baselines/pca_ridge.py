"""B06: a linear probe of a frozen image encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pytest_stbench.baselines.families import READ_OUT
from pytest_stbench.baselines.linear import LinearBaseline
from pytest_stbench.errors import ModelError
from pytest_stbench.extend import baseline

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from pytest_stbench.data.inputs import ModelSlide


@baseline(
    "B06", kind="model", families=(*READ_OUT, "embedding"), needs=("embedding",), memory="O(dimensions^2)"
)
class PcaRidge(LinearBaseline):
    """PCA and ridge on the embedding of a frozen image encoder that the data set declares.

    Ridge on the first 256 principal components of the declared embedding.

    The embedding (``slide.units.obsm["embedding"]``) is standardised, the components are fitted
    on training units, those of the inner cross-validation on its own training groups.
    """

    name = "pca_ridge"
    n_components = 256

    def recipe(self) -> Hashable:
        """Return what, beside a slide, decides the features: nothing."""
        return ()

    def features(self, slide: ModelSlide) -> NDArray[np.floating]:
        """Return the embedding of a slide, (n, d) float32.

        Raises ``ModelError`` where it is missing or not finite.
        """
        if "embedding" not in slide.units.obsm:
            raise ModelError(
                f"slide {slide.meta.slide_id} has no embedding: declare `keys.embedding` of the data set, "
                f"or use the baseline he_colour"
            )
        embedding = np.asarray(slide.units.obsm["embedding"], dtype=np.float32)
        bad = int((~np.isfinite(embedding).all(axis=1)).sum())
        if bad:
            raise ModelError(
                f"slide {slide.meta.slide_id}: the embedding of {bad} units is not finite; compute it again"
            )
        return embedding
