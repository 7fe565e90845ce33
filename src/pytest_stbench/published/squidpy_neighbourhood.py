"""Classes by expression and that of squidpy's neighbours (Palla et al. 2022, 10.1038/s41592-021-01358-2)."""

from __future__ import annotations

from typing import Any

import numpy as np

NEEDS, EXTRA, LICENCE = {"squidpy": "squidpy"}, "labels", "BSD-3-Clause"


class Neighbourhood:
    """A logistic regression on components of a unit and their mean over its neighbours."""

    def fit(self, train: Any, task: Any) -> None:
        """Fit components on all units, classes on those that have one."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression

        self.axes = PCA(30, random_state=task.seed).fit(np.vstack([_scaled(slide) for slide in train]))
        labels = np.concatenate([slide.labels for slide in train])
        known = np.array([label is not None for label in labels])
        features = np.vstack([self._features(slide) for slide in train])[known]
        self.head = LogisticRegression(max_iter=2000).fit(features, labels[known].astype(str))

    def predict_labels(self, slide: Any, classes: Any) -> Any:
        """Return (units, classes)."""
        found = self.head.predict_proba(self._features(slide))
        return found @ (self.head.classes_[:, None] == np.array(list(classes)))

    def _features(self, slide: Any) -> Any:
        import squidpy as sq

        units, own = slide.units.copy(), self.axes.transform(_scaled(slide))
        sq.gr.spatial_neighbors_knn(units, n_neighs=min(6, slide.n_units - 1))
        graph = units.obsp["spatial_connectivities"]
        return np.hstack([own, graph @ own / np.maximum(np.asarray(graph.sum(axis=1)).reshape(-1, 1), 1)])


def _scaled(slide: Any) -> Any:
    counts = slide.units.X.toarray().astype(float)
    return np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


model = Neighbourhood
