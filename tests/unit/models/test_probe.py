from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from pytest_stbench.data.inputs import ModelSlide, TaskInfo, TrainSlide
from pytest_stbench.data.slide import SlideMeta
from pytest_stbench.errors import ModelError
from pytest_stbench.models.contract import ContractError
from pytest_stbench.models.probe import EmbedProbe

GENES = ("A", "B", "C")
WEIGHTS = np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 0.5]])


class Coordinates:
    """Embeds by what stands in obsm; keeps what it was given."""

    def __init__(self):
        self.given = []
        self.fitted = 0

    def fit(self, train, task):
        self.fitted += 1

    def embed(self, slide):
        self.given.append(slide)
        return slide.units.obsm["spatial"]


def make_slide(rng, name, patient, n=40, noise=0.05):
    features = rng.normal(size=(n, 2))
    units = AnnData(obs=pd.DataFrame(index=[f"{name}_{i}" for i in range(n)]))
    units.obsm["spatial"] = features
    target = (features @ WEIGHTS + 1.0 + noise * rng.normal(size=(n, 3))).astype(np.float32)
    meta = SlideMeta(slide_id=name, patient_id=patient)
    return TrainSlide(
        units=units, meta=meta, target=target, make_counts=lambda: AnnData(np.zeros((n, 1), np.float32))
    )


def make_task():
    return TaskInfo(
        name="t", family="expression", genes=GENES, observed_genes=(), normalise="log1p_cp10k",
        target_sum=1e4, seed=0, resolution="spot",
    )  # fmt: skip


@pytest.fixture
def slides():
    rng = np.random.default_rng(0)
    return [
        make_slide(rng, name, patient)
        for name, patient in (("s1", "p1"), ("s2", "p2"), ("s3", "p3"), ("s4", "p3"))
    ]


def test_a_linear_relation_is_found(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[:3], make_task())
    predicted = probe.predict_expression(slides[3], GENES)
    assert predicted.dtype == np.float32
    assert np.corrcoef(predicted.ravel(), slides[3].target.ravel())[0, 1] > 0.99
    assert probe.model.fitted == 1


def test_agrees_with_scikit_learn(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[:3], make_task())
    x = np.concatenate([slide.units.obsm["spatial"] for slide in slides[:3]]).astype(np.float32)
    y = np.concatenate([slide.target for slide in slides[:3]])
    scaler = StandardScaler().fit(x)
    components = PCA().fit(scaler.transform(x))
    ridge = Ridge(alpha=probe._readout.alpha).fit(components.transform(scaler.transform(x)), y)
    test = slides[3].units.obsm["spatial"].astype(np.float32)
    expected = ridge.predict(components.transform(scaler.transform(test)))
    np.testing.assert_allclose(probe.predict_expression(slides[3], GENES), expected, atol=1e-4)


def test_wide_embeddings_are_cut_to_256_components():
    rng = np.random.default_rng(1)
    mixing = rng.normal(size=(2, 300))

    class Wide:
        def embed(self, slide):
            noise = np.random.default_rng(int(slide.meta.slide_id)).normal(size=(slide.n_units, 300))
            return slide.units.obsm["spatial"] @ mixing + noise

    slides = [make_slide(rng, str(i), f"p{i}", n=400) for i in range(2)]
    probe = EmbedProbe(Wide())
    probe.fit(slides, make_task())
    x = StandardScaler().fit_transform(np.concatenate([Wide().embed(slide) for slide in slides]))
    y = np.concatenate([slide.target for slide in slides])
    scores = PCA(256, svd_solver="full").fit_transform(x)
    expected = Ridge(alpha=probe._readout.alpha).fit(scores, y).predict(scores)[:400]
    np.testing.assert_allclose(probe.predict_expression(slides[0], GENES), expected, atol=1e-3)


def test_columns_are_in_the_order_asked_for(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[:3], make_task())
    whole = probe.predict_expression(slides[3], GENES)
    np.testing.assert_array_equal(probe.predict_expression(slides[3], ("C", "A")), whole[:, [2, 0]])
    np.testing.assert_array_equal(probe.impute(slides[3], ("X",), ("B",)), whole[:, [1]])


def test_a_gene_that_one_slide_did_not_measure_is_learnt_from_the_others(slides):
    with_hole = slides[0].target.copy()
    with_hole[:, 2] = np.nan
    holed = TrainSlide(
        units=slides[0].units, meta=slides[0].meta, target=with_hole, make_counts=slides[0].make_counts
    )
    probe = EmbedProbe(Coordinates())
    probe.fit([holed, *slides[1:3]], make_task())
    predicted = probe.predict_expression(slides[3], ("C",))
    assert np.corrcoef(predicted[:, 0], slides[3].target[:, 2])[0, 1] > 0.99


def test_embed_never_sees_targets(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[:3], make_task())
    probe.predict_expression(slides[3], GENES)
    assert {type(given) for given in probe.model.given} == {ModelSlide}
    assert not any(hasattr(given, "target") or hasattr(given, "counts") for given in probe.model.given)


def test_embed_of_the_model_can_still_be_had(slides):
    np.testing.assert_array_equal(EmbedProbe(Coordinates()).embed(slides[0]), slides[0].units.obsm["spatial"])


def test_a_slide_without_patient_is_its_own_group(slides):
    loose = [
        TrainSlide(
            units=s.units,
            meta=SlideMeta(slide_id=s.meta.slide_id),
            target=s.target,
            make_counts=s.make_counts,
        )
        for s in slides[:2]
    ]
    probe = EmbedProbe(Coordinates())
    probe.fit(loose, make_task())
    assert len(probe._readout.cv_error) > 0


def test_slides_of_one_patient_are_never_left_out_apart(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[2:], make_task())
    assert len(probe._readout.cv_error) == 0


def test_where_no_genes_are_asked_nothing_is_embedded_for_a_readout(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides, replace(make_task(), genes=()))
    assert probe.model.fitted == 1
    assert probe.model.given == []
    with pytest.raises(ModelError, match="must be fitted before"):
        probe.predict_expression(slides[0], ())


def test_prediction_before_fit_is_refused(slides):
    with pytest.raises(ModelError, match="must be fitted before"):
        EmbedProbe(Coordinates()).predict_expression(slides[0], GENES)


def test_a_gene_that_was_not_fitted_is_refused(slides):
    probe = EmbedProbe(Coordinates())
    probe.fit(slides[:2], make_task())
    with pytest.raises(ModelError, match=r"not fitted for 'X' \(2 such genes\)"):
        probe.predict_expression(slides[3], ("A", "X", "Y"))


def test_no_training_units_are_refused():
    with pytest.raises(ModelError, match="no training units"):
        EmbedProbe(Coordinates()).fit([], make_task())


def test_embeddings_of_different_widths_are_refused(slides):
    class Growing(Coordinates):
        def embed(self, slide):
            self.fitted += 1
            return np.ones((slide.n_units, self.fitted))

    with pytest.raises(
        ContractError, match=r"embed on slide s2: expected 2 dimensions as on the slides before, found 3"
    ):
        EmbedProbe(Growing()).fit(slides, make_task())


def test_the_contract_of_embed_is_checked(slides):
    class Short(Coordinates):
        def embed(self, slide):
            return super().embed(slide)[1:]

    with pytest.raises(ContractError, match=r"embed on slide s1: expected shape \(40, d\)"):
        EmbedProbe(Short()).fit(slides, make_task())
