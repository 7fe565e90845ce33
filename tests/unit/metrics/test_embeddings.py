from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

from pytest_stbench.metrics import embeddings
from pytest_stbench.metrics.embedding_neighbours import knn_purity, knn_recall
from pytest_stbench.metrics.embeddings import patient_variance, silhouette

pytestmark = pytest.mark.filterwarnings("error")

ALL = (patient_variance, silhouette, knn_purity, knn_recall)


def some(n=90, d=5, seed=0, shift=1.0):
    rng = np.random.default_rng(seed)
    labels, patients = rng.integers(0, 3, n), rng.integers(0, 4, n)
    points = rng.normal(size=(n, d))
    points[:, 0] += labels
    points[:, 1] += shift * patients
    return labels, points, patients


def slow_variance(points, patients):
    pca = PCA(min(20, *points.shape)).fit(points)
    scores = pca.transform(points)
    eta = []
    for c in range(scores.shape[1]):
        x = scores[:, c] - scores[:, c].mean()
        within = [x[patients == p] for p in np.unique(patients)]
        eta.append(sum(len(part) * part.mean() ** 2 for part in within) / (x**2).sum())
    weight = pca.explained_variance_
    return (weight * eta).sum() / weight.sum()


@pytest.mark.parametrize(("n", "d"), [(90, 5), (90, 40), (30, 60), (40, 1)])
def test_variance_follows_the_definition(n, d):
    rng = np.random.default_rng(d)
    points, patients = rng.normal(size=(n, d)) * rng.gamma(1.0, size=d), rng.integers(0, 4, n)
    points[:, 0] += patients
    found = patient_variance(np.zeros(n), points, patients=patients)
    assert found.values[0] == pytest.approx(slow_variance(points, patients), rel=1e-9)


def test_chance_is_the_mean_over_permutations():
    labels, points, patients = some(n=40)
    rng = np.random.default_rng(1)
    permuted = [
        patient_variance(labels, points, patients=rng.permutation(patients)).values[0] for _ in range(400)
    ]
    chance = patient_variance(labels, points, patients=patients).extras["chance"][0]
    assert chance == pytest.approx(np.mean(permuted), rel=0.05)
    assert chance == 3 / 39


def test_silhouette_is_that_of_sklearn():
    labels, points, patients = some()
    expected = (silhouette_samples(points, labels).mean() + 1) / 2
    assert silhouette(labels, points, patients=patients).values[0] == pytest.approx(expected)
    labels[0] = 9
    found = silhouette(labels, points, patients=patients)
    assert found.extras["singleton"].tolist() == [1]
    assert found.extras["n_units"].tolist() == [89]
    expected = (silhouette_samples(points[1:], labels[1:]).mean() + 1) / 2
    assert found.values[0] == pytest.approx(expected)


def test_silhouette_follows_the_definition():
    labels, points, patients = some(n=20)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    values = []
    for i in range(20):
        means = {
            k: distance[i, labels == k].sum() / ((labels == k).sum() - (k == labels[i])) for k in range(3)
        }
        near = min(mean for k, mean in means.items() if k != labels[i])
        values.append((near - means[labels[i]]) / max(near, means[labels[i]]))
    found = silhouette(labels, points, patients=patients).values[0]
    assert found == pytest.approx((np.mean(values) + 1) / 2)


def test_a_sample_keeps_the_shares_of_the_patients(monkeypatch):
    patients = np.repeat([0, 1, 2], [70, 20, 11])
    sample = embeddings._stratified(patients, 50, np.random.default_rng(0))
    assert np.bincount(patients[sample]).tolist() == [35, 10, 5]
    assert len(np.unique(sample)) == 50
    drawn = [embeddings._stratified(patients, 50, np.random.default_rng(seed)) for seed in range(300)]
    assert np.bincount(np.concatenate(drawn), minlength=101)[:70].std() < 15
    monkeypatch.setattr(embeddings, "MAX_SILHOUETTE", 60)
    labels, points, patients = some()
    found = silhouette(labels, points, patients=patients)
    assert found.extras["n_units"].tolist() == [60]
    assert found.values == silhouette(labels, points, patients=patients).values
    assert found.values != silhouette(labels, points, patients=patients, seed=1).values
    assert found.values != silhouette(labels, points, patients=patients, slide="A1").values
    assert silhouette(labels[:60], points[:60], patients=patients[:60]).effects is None


@pytest.mark.parametrize("apart", [1.0, 2.0])
def test_the_standard_error_of_a_sample_is_that_of_many_samples(monkeypatch, apart):
    monkeypatch.setattr(embeddings, "MAX_SILHOUETTE", 150)
    rng = np.random.default_rng(3)
    labels, patients = rng.integers(0, 3, 400), rng.integers(0, 4, 400)
    points = apart * np.eye(3)[labels] + 0.7 * np.eye(3)[patients % 3] + rng.normal(size=(400, 3))
    drawn = [silhouette(labels, points, patients=patients, slide=str(number)) for number in range(200)]
    said = np.mean([found.effects.std(ddof=1) / np.sqrt(found.effects.shape[1]) for found in drawn])
    assert said == pytest.approx(np.std([found.values[0] for found in drawn], ddof=1), rel=0.2)
    assert abs(drawn[0].effects.mean()) < 1e-12
    for found in drawn[:3]:
        assert found.values[0] == pytest.approx((silhouette_samples(points, labels).mean() + 1) / 2, abs=0.05)


def test_units_that_are_drawn_for_all_models_cancel_in_their_difference(monkeypatch):
    monkeypatch.setattr(embeddings, "MAX_SILHOUETTE", 60)
    labels, points, patients = some()
    first, second = (
        silhouette(labels, found, patients=patients).effects for found in (points, 3.0 * points + 1.0)
    )
    assert np.abs(first - second).max() < 1e-9 < np.abs(first).max()


def test_purity_follows_the_definition():
    for n in (30, 89, 200):
        labels, points, patients = some(n=n, seed=n)
        k = min(30, n // 3)
        index = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points, return_distance=False)
        share = (patients[index[:, 1:]] == patients[:, None]).mean()
        size = np.bincount(patients)
        expected = sum(m / n * (m - 1) / (n - 1) for m in size)
        found = knn_purity(labels, points, patients=patients)
        assert found.values[0] == pytest.approx(share / expected)
        assert (found.extras["share"][0], found.extras["k"][0]) == (pytest.approx(share), k)


def slow_recall(labels, points, patients, k=30):
    result = []
    for patient in np.unique(patients):
        own, other = patients == patient, patients != patient
        hits = {}
        for i in np.flatnonzero(own):
            if labels[i] not in labels[other]:
                continue
            distance = np.linalg.norm(points[other] - points[i], axis=1)
            votes = np.bincount(labels[other][np.argsort(distance)[:k]])
            hits.setdefault(labels[i], []).append(votes.argmax() == labels[i])
        result.append(np.mean([np.mean(each) for each in hits.values()]) if hits else np.nan)
    return result


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(8, 60))
def test_recall_follows_the_definition(seed, n):
    labels, points, patients = some(n=n, seed=seed)
    labels[0] = 5
    found = knn_recall(labels, points, patients=patients)
    np.testing.assert_allclose(found.values, slow_recall(labels, points, patients))
    assert found.labels.tolist() == sorted({str(p) for p in patients})
    assert found.extras["n_units"].sum() + found.extras["n_absent"].sum() == n
    assert found.extras["n_absent"].sum() >= 1


@pytest.mark.parametrize("metric", ALL)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_names_place_scale_and_rotation_do_not_matter(metric, seed):
    labels, points, patients = some(n=50, seed=seed)
    expected = metric(labels, points, patients=patients).values
    rng = np.random.default_rng(seed)
    order, turn = rng.permutation(50), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    names, people = np.array(["a", "b", "c"]), np.array(["P0", "P1", "P2", "P3"])
    moved = metric(names[labels][order], 3 * (points @ turn)[order] + 7, patients=people[patients][order])
    np.testing.assert_allclose(moved.values, expected, rtol=1e-7)


def test_a_constant_embedding_mixes_perfectly_and_knows_nothing():
    labels, _, patients = some(n=60)
    flat = np.full((60, 4), 0.1)
    assert knn_purity(labels, flat, patients=patients).values == pytest.approx([1.0])
    assert patient_variance(labels, flat, patients=patients).reasons.tolist() == ["pred_constant"]
    assert silhouette(labels, flat, patients=patients).values == pytest.approx([0.5])
    recall = knn_recall(labels, flat, patients=patients)
    np.testing.assert_allclose(recall.values, 1 / 3)


def test_an_embedding_that_is_the_patient_or_the_label():
    labels, _, patients = some(n=120)
    patient, label = np.eye(4)[patients], np.eye(3)[labels]
    assert patient_variance(labels, patient, patients=patients).values == pytest.approx([1.0])
    size = np.bincount(patients)
    top = knn_purity(labels, patient, patients=patients)
    assert top.extras["share"][0] == pytest.approx(np.minimum(size - 1, 30) @ size / 30 / 120, abs=0.05)
    assert knn_recall(labels, label, patients=patients).values.tolist() == [1.0] * 4
    assert silhouette(labels, label, patients=patients).values == pytest.approx([1.0])


def test_equal_votes_go_to_the_first_label_by_name():
    labels = np.array(["b", "a", "a", "b"])
    points = np.array([[0.0], [0.0], [1.0], [-1.0]])
    found = knn_recall(labels, points, patients=[0, 0, 1, 1])
    # Each patient sees one unit of either label: always "a".
    assert found.values.tolist() == [0.5, 0.5]


def test_k_beyond_the_units_takes_all():
    labels, points, patients = some(n=12)
    np.testing.assert_allclose(
        knn_recall(labels, points, patients=patients).values, slow_recall(labels, points, patients, k=12)
    )


def test_degenerate_input():
    labels, points, patients = some(n=20)
    one = np.zeros(20)
    assert patient_variance(labels, points, patients=one).reasons.tolist() == ["single_cluster"]
    assert knn_purity(labels, points, patients=one).reasons.tolist() == ["single_cluster"]
    assert knn_recall(labels, points, patients=one).reasons.tolist() == ["not_covered"]
    assert silhouette(one, points, patients=patients).reasons.tolist() == ["single_cluster"]
    assert silhouette(np.arange(20), points, patients=patients).extras["singleton"].tolist() == [20]
    assert knn_purity(labels, points, patients=np.arange(20)).reasons.tolist() == ["too_few_units"]
    assert knn_purity(labels[:2], points[:2], patients=one[:2]).reasons.tolist() == ["too_few_units"]
    own = knn_recall(patients, points, patients=patients)
    assert set(own.reasons) == {"not_covered"}
    assert own.extras["n_absent"].sum() == 20
    nobody = [None] * 20
    for metric in (patient_variance, silhouette, knn_purity):
        found = metric(nobody, points, patients=patients)
        assert found.reasons[0] in ("single_cluster", "too_few_units")
        assert found.extras["n_left_out"].tolist() == [20]
    assert len(knn_recall(nobody, points, patients=patients).values) == 0
    assert np.isnan(patient_variance([0], [[1.0]], patients=[0]).values[0])


@pytest.mark.parametrize("metric", ALL)
def test_units_without_a_label_are_left_out_and_counted(metric):
    labels, points, patients = some(n=60)
    truth = labels.astype(object)
    truth[:10] = "undetermined"
    patients[:5] = 17
    found = metric(truth, points, patients=patients)
    expected = metric(labels[10:], points[10:], patients=patients[10:])
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
    assert set(found.extras["n_left_out"]) == {10}


@pytest.mark.parametrize("metric", ALL)
def test_bad_input_is_refused_with_advice(metric):
    labels, points, patients = some(n=10)
    with pytest.raises(ValueError, match=r"10 labels, 9 patients and an embedding of shape \(10, 5\)"):
        metric(labels, points, patients=patients[:9])
    with pytest.raises(ValueError, match=r"give numbers \(n, d\)"):
        metric(labels, points[:, 0], patients=patients)
    with pytest.raises(ValueError, match="1 units have no patient: name the patient of every slide"):
        metric(labels, points, patients=[None, *patients[1:]])
    points[3, 2] = np.nan
    with pytest.raises(ValueError, match="embedding is not finite"):
        metric(labels, points, patients=patients)


def test_two_patients_and_a_dimension_without_spread_are_enough():
    points = np.array([[0.0, 1.0], [0.0, 1.2], [0.0, 3.0], [0.0, 3.2]])
    found = patient_variance(list("abab"), points, patients=list("ppqq"))
    # Between: 4 of the units' squared distance 1 from the mean; within: 4 x .01.
    assert found.values == pytest.approx([4.0 / 4.04])
