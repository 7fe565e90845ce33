from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from pytest_stbench.metrics.niche_recluster import _clusters, niche_jaccard_reclustered
from pytest_stbench.metrics.niche_signatures import niche_jaccard

pytestmark = pytest.mark.filterwarnings("error")
NAMES = np.array(["fat", "stroma", "tumour"])


def slide(seed=0, n=90, g=60):
    """Three niches with twenty marker genes each, and a prediction that has them too."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    level = np.kron(np.eye(3), np.ones(g // 3))[codes] * 2
    truth = np.abs(level + rng.normal(0, 0.6, (n, g)))
    return truth, truth + rng.normal(0, 0.3, (n, g)), NAMES[codes]


def test_clear_niches_are_found_again_and_score_as_with_their_true_labels():
    truth, guess, niches = slide()
    found = niche_jaccard_reclustered(truth, guess, niches=niches)
    plain = niche_jaccard(truth, guess, niches=niches)
    np.testing.assert_array_equal(found.values, plain.values)
    assert found.labels.tolist() == NAMES.tolist()
    assert found.extras["shared"].tolist() == [1.0, 1.0, 1.0]


def test_niches_that_the_prediction_does_not_have_are_not_found():
    truth, guess, niches = slide()
    order = np.random.default_rng(1).permutation(len(guess))
    moved = niche_jaccard_reclustered(truth, guess[order], niches=niches)
    # The clusters are as clear as before: their markers are right, their units are not.
    assert (moved.extras["shared"] < 0.6).all()
    flat = niche_jaccard_reclustered(truth, np.full_like(truth, 3.0), niches=niches)
    assert flat.reasons.tolist() == ["empty_pred"] * 3
    other = niche_jaccard_reclustered(truth, np.random.default_rng(2).normal(size=truth.shape), niches=niches)
    assert np.nanmean(other.values) < 0.4


def test_order_of_units_and_units_without_a_niche():
    truth, guess, niches = slide(seed=3)
    expected = niche_jaccard_reclustered(truth, guess, niches=niches).values
    order = np.random.default_rng(0).permutation(len(truth))
    again = niche_jaccard_reclustered(truth[order], guess[order], niches=niches[order])
    np.testing.assert_array_equal(again.values, expected)
    more = [np.vstack([matrix, matrix[:5] * 9]) for matrix in (truth, guess)]
    labels = np.append(niches, ["undetermined"] * 5)
    np.testing.assert_array_equal(niche_jaccard_reclustered(*more, niches=labels).values, expected)


@pytest.mark.parametrize("niches", [np.full(90, None, object), np.full(90, "one")])
def test_fewer_than_two_niches(niches):
    truth, guess, _ = slide()
    found = niche_jaccard_reclustered(truth, guess, niches=niches)
    assert set(found.reasons) <= {"empty_niche"}
    assert len(found.values) == len({name for name in niches if name})


def test_a_prediction_with_fewer_kinds_of_units_than_niches():
    truth, _, niches = slide()
    two = np.outer(np.arange(90) % 2, np.linspace(1, 2, 60))
    found = niche_jaccard_reclustered(truth, two, niches=niches)
    assert len(found.values) == 3
    # The units are those of two clusters: one niche has none.
    assert np.count_nonzero(found.extras["shared"]) == 2


def test_clusters_are_those_of_kmeans_on_principal_components():
    values = 5.0 + np.random.default_rng(4).normal(size=(90, 60))
    expected = KMeans(4, n_init=10, random_state=0).fit_predict(
        PCA(20, svd_solver="full").fit_transform(values)
    )
    np.testing.assert_array_equal(_clusters(values, 4), expected)


def test_a_gene_with_missing_truth_does_not_shape_the_clusters():
    truth, guess, niches = slide()
    truth[0, 0] = np.nan
    guess[:, 0] = np.arange(90) // 30 * 1000.0
    found = niche_jaccard_reclustered(truth, guess, niches=niches)
    assert found.extras["shared"].tolist() == [1.0, 1.0, 1.0]
