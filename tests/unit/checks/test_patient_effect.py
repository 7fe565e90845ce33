from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from pytest_stbench.checks import patient_effect
from pytest_stbench.checks.sample import sample_units
from pytest_stbench.splits.table import Sample


def _cohort(make_slide, make_dataset, shift, patients="AABBCC", n_genes=30, seed=0):
    rng = np.random.default_rng(seed)
    effects = {who: rng.normal(0, 1, n_genes) for who in sorted(set(patients))}
    slides = []
    for number, who in enumerate(patients):
        rate = 20 * np.exp(shift * effects[who] + rng.normal(0, 0.3, (400, n_genes)))
        slides.append(make_slide(f"{who}{number}", counts=rng.poisson(rate), side=20, seed=number))
    samples = [Sample(slide=s.meta.slide_id, patient=s.meta.slide_id[0]) for s in slides]
    return make_dataset(slides, samples=samples)


@pytest.mark.parametrize(
    ("shift", "status", "threshold"), [(0.0, "pass", 0.2), (0.3, "warn", 0.2), (1.0, "warn", 0.5)]
)
def test_shifted_means(make_dataset, make_slide, measure, shift, status, threshold):
    dataset = _cohort(make_slide, make_dataset, shift)
    result = patient_effect(dataset, measure(dataset))
    assert result.status == status
    assert result.threshold == threshold
    if status == "warn":
        assert result.message.endswith(result.fix)


def test_against_pca_and_a_discriminant_of_sklearn(make_dataset, make_slide, measure):
    dataset = _cohort(make_slide, make_dataset, 0.2)
    measured = measure(dataset)
    result = patient_effect(dataset, measured)
    slides = [sample_units(slide) for slide in measured.slides()]
    values = np.concatenate([measured.values(slide, np.arange(30)) for slide in slides])
    patient = np.repeat([slide.meta.slide_id[0] for slide in slides], 400)
    slide_id = np.repeat([slide.meta.slide_id for slide in slides], 400)
    scores = PCA(20, svd_solver="full").fit_transform(values)

    def eta2(groups):
        means = np.stack([scores[groups == g].mean(axis=0) for g in np.unique(groups)])
        sizes = np.array([(groups == g).sum() for g in np.unique(groups)])
        between = (sizes[:, None] * means**2).sum(axis=0)
        total = (scores**2).sum(axis=0)
        return (total * (between / total)).sum() / total.sum()

    assert result.statistic == pytest.approx(eta2(patient), abs=1e-6)
    assert result.details["slide"] == pytest.approx(eta2(slide_id), abs=1e-6)
    # Mean of a slide as the prediction: its correlation over all units is the root of eta2.
    means = np.stack([values[slide_id == s].mean(axis=0) for s in slide_id])
    gap = [np.corrcoef(m, v)[0, 1] for m, v in zip(means.T, values.T, strict=True)]
    assert result.details["pooled_gap"] == pytest.approx(np.mean(gap), abs=1e-6)
    fitted, held = np.arange(len(values)) % 400 % 2 == 0, np.arange(len(values)) % 400 % 2 == 1
    lda = LinearDiscriminantAnalysis(priors=[1 / 3] * 3).fit(scores[fitted], patient[fitted])
    accuracy = (lda.predict(scores[held]) == patient[held]).mean()
    assert result.details["classifier_accuracy"] == pytest.approx(accuracy, abs=0.02)


def test_ids_of_one_person_are_one_patient(make_dataset, make_slide, measure):
    dataset = _cohort(make_slide, make_dataset, 0.5, patients="AB")
    one = make_dataset(
        dataset.read, samples=[Sample(slide="A0", patient="P01"), Sample(slide="B1", patient="p-01")]
    )
    assert patient_effect(one, measure(one)).status == "skip"


@pytest.mark.parametrize("patient", [None, "unknown"])
def test_slides_without_a_patient_are_left_out(make_dataset, make_slide, measure, patient):
    dataset = _cohort(make_slide, make_dataset, 0.5, patients="ABC")
    samples = [*dataset.samples[:2], Sample(slide="C2", patient=patient)]
    known = make_dataset(dataset.read, samples=samples)
    assert patient_effect(known, measure(known)).details["patients"] == 2


def test_no_variance_is_a_skip(make_dataset, make_slide, measure):
    dataset = make_dataset([make_slide(name, counts=np.full((400, 4), 5)) for name in "ab"])
    result = patient_effect(dataset, measure(dataset))
    assert result.status == "skip"
