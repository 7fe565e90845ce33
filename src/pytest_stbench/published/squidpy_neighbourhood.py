"""Classes by expression and that of squidpy's neighbours (Palla et al. 2022, 10.1038/s41592-021-01358-2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytest_stbench.published import log_counts

NEEDS, EXTRA, LICENCE = {"squidpy": "squidpy"}, "labels", "BSD-3-Clause"


class Model:
    """A logistic regression on components of a unit and their mean over its neighbours."""

    def fit(self, train: Any, task: Any) -> None:
        """Fit components on all units, classes on those that have one."""
        from sklearn.decomposition import PCA
        from sklearn.linear_model import LogisticRegression

        inputs = np.vstack([log_counts(slide, 1e4).X.toarray() for slide in train])
        self.axes = PCA(30, random_state=task.seed).fit(inputs)
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

        own = self.axes.transform((units := log_counts(slide, 1e4)).X.toarray())
        sq.gr.spatial_neighbors_knn(units, n_neighs=min(6, slide.n_units - 1))
        graph = units.obsp["spatial_connectivities"]
        return np.hstack([own, graph @ own / np.maximum(np.asarray(graph.sum(axis=1)).reshape(-1, 1), 1)])
