"""Clusters of embedded units by Leiden, and domains of expression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.cluster import AgglomerativeClustering
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from pytest_stbench.kernels import clustering
from pytest_stbench.kernels.clustering import leiden, ward
from pytest_stbench.kernels.domains import components, expression_domains, principal


def blobs(k, each=40, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.array([[np.cos(a), np.sin(a)] for a in np.linspace(0, 2 * np.pi, k, endpoint=False)]) * 10
    return np.repeat(np.arange(k), each), np.repeat(centres, each, axis=0) + rng.normal(size=(k * each, 2))


@pytest.mark.parametrize("k", [2, 3, 5])
def test_leiden_finds_groups_that_are_apart(k):
    pytest.importorskip("igraph", reason="igraph is not installed (extra `leiden`)")
    kinds, points = blobs(k)
    found = leiden(points, k)
    assert adjusted_rand_score(kinds, found) == 1.0
    np.testing.assert_array_equal(leiden(points, k), found)


def test_leiden_looks_for_the_number_of_clusters_that_is_asked():
    pytest.importorskip("igraph", reason="igraph is not installed (extra `leiden`)")
    points = np.random.default_rng(0).normal(size=(200, 3))
    assert [len(np.unique(leiden(points, k))) for k in (2, 4, 7)] == [2, 4, 7]


@pytest.mark.parametrize("method", [ward, leiden])
@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.zeros((1, 2)), np.zeros((0, 2))])
def test_without_different_points_there_is_one_cluster(method, points):
    if method is leiden:
        pytest.importorskip("igraph", reason="igraph is not installed (extra `leiden`)")
    assert method(points, 3).tolist() == [0] * len(points)


@pytest.mark.parametrize("method", [ward, leiden])
def test_two_points_are_two_clusters(method):
    if method is leiden:
        pytest.importorskip("igraph", reason="igraph is not installed (extra `leiden`)")
    assert sorted(method(np.array([[0.0, 1.0], [2.0, 3.0]]), 3).tolist()) == [0, 1]


def test_large_sets_are_clustered_by_a_sample(monkeypatch):
    monkeypatch.setattr(clustering, "MAX_POINTS", 60)
    kinds, points = blobs(3)
    assert adjusted_rand_score(kinds, ward(points, 3)) == 1.0


def test_ward_is_that_of_sklearn():
    points = np.random.default_rng(3).normal(size=(80, 4))
    assert adjusted_rand_score(AgglomerativeClustering(4).fit_predict(points), ward(points, 4)) == 1.0


COUNTS = np.random.default_rng(5).poisson(
    np.random.default_rng(6).gamma(1.0, 4.0, size=(3, 40))[np.arange(90) % 3]
)
GENES = np.array([f"g{number:02d}" for number in range(40)])
UNITS = np.array([f"u{number:02d}" for number in range(90)])


def test_components_are_those_of_the_log_normalised_counts():
    libsize = COUNTS.sum(axis=1).astype(float)
    found = components(csr_matrix(COUNTS), libsize, GENES)
    values = np.log1p(COUNTS / libsize[:, None] * np.median(libsize))
    oracle = PCA(30, svd_solver="full").fit_transform(values)
    np.testing.assert_allclose(np.abs(found[:, :5]), np.abs(oracle[:, :5]), atol=1e-6)


def test_domains_do_not_depend_on_the_order_of_units_and_genes_nor_on_depth():
    libsize = COUNTS.sum(axis=1).astype(float)
    found = expression_domains(csr_matrix(COUNTS), libsize, GENES, UNITS, 3)
    assert adjusted_rand_score(found, np.arange(90) % 3) == 1.0
    rng = np.random.default_rng(0)
    rows, columns = rng.permutation(90), rng.permutation(40)
    moved = expression_domains(
        csr_matrix(COUNTS[rows][:, columns]), libsize[rows], GENES[columns], UNITS[rows], 3
    )
    assert adjusted_rand_score(moved, found[rows]) == 1.0
    depth = np.where(np.arange(90) < 45, 1, 7)
    deep = expression_domains(csr_matrix(COUNTS * depth[:, None]), libsize * depth, GENES, UNITS, 3)
    assert adjusted_rand_score(deep, found) == 1.0


def test_counts_without_anything_have_one_domain():
    for shape in ((0, 4), (3, 0), (3, 4)):
        found = expression_domains(
            csr_matrix(np.zeros(shape)), np.zeros(shape[0]), GENES[: shape[1]], UNITS[: shape[0]], 3
        )
        assert found.tolist() == [0] * shape[0]
    assert principal(np.ones((4, 2))).shape == (4, 1)
