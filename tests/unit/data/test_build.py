from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.data.build import build_input, build_train, build_truth
from pytest_stbench.data.image import Image
from pytest_stbench.data.inputs import digest
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError, ModelError

GENES = ("CD3E", "ERBB2", "KRT8", "TP53")


def make_slide(n=5, dtype=np.int32, seed=0):
    rng = np.random.default_rng(seed)
    counts = sparse.csr_matrix(rng.poisson(3.0, size=(n, 4)).astype(dtype))
    return Slide(
        meta=SlideMeta(slide_id="A1", patient_id="A"),
        unit_names=np.array([f"u{i}" for i in range(n)]),
        genes=np.array(GENES),
        measured=np.array([True, True, False, True]),
        counts=counts,
        libsize=rng.uniform(900, 1000, size=n),
        n_detected=np.full(n, 77, dtype=np.int64),
        xy_um=rng.uniform(0, 100, size=(n, 2)),
        xy_px=rng.uniform(0, 30, size=(n, 2)),
        array_index=np.zeros((n, 2), dtype=np.int64),
        image=Image.from_array(rng.integers(0, 255, size=(30, 30, 3)).astype(np.uint8), mpp=1.0),
        embedding=rng.normal(size=(n, 3)).astype(np.float32),
        labels={"niche": np.array(["tumour"] * n, dtype=object)},
    )


def test_without_observed_genes_units_have_no_variables():
    slide = make_slide()
    given = build_input(slide, observed=None, with_image=False, with_embedding=False)
    assert given.units.shape == (5, 0)
    assert given.units.obs_names.tolist() == slide.unit_names.tolist()
    assert list(given.units.obsm) == ["spatial"]
    assert list(given.units.obs) == list(given.units.uns) == list(given.units.layers) == []
    assert given.units.obsm["spatial"].dtype == np.float64
    assert given.image is None
    with pytest.raises(ModelError, match="slide A1 has no image"):
        given.patches()


@pytest.mark.parametrize(("dtype", "expected"), [(np.int32, np.int32), (np.float64, np.float32)])
@pytest.mark.parametrize("columns", [[2, 0], [0, 1, 2, 3], []])
def test_observed_genes_are_raw_counts_in_the_order_asked(columns, dtype, expected):
    slide = make_slide(dtype=dtype)
    observed = np.array(columns, dtype=np.intp)
    given = build_input(slide, observed=observed, with_image=False, with_embedding=True)
    assert given.units.var_names.tolist() == [GENES[i] for i in columns]
    assert sparse.issparse(given.units.X)
    assert given.units.X.dtype == expected
    np.testing.assert_array_equal(given.units.X.toarray(), slide.counts.toarray()[:, columns])
    np.testing.assert_array_equal(given.units.obsm["embedding"], slide.embedding)


def test_duplicate_unit_names_give_no_warning(recwarn):
    slide = replace(make_slide(), unit_names=np.array(["u"] * 5))
    given = build_input(slide, observed=np.arange(4), with_image=False, with_embedding=False)
    assert given.units.obs_names.tolist() == ["u"] * 5
    assert not recwarn.list


def test_image_and_patches():
    slide = make_slide()
    given = build_input(slide, observed=None, with_image=True, with_embedding=False)
    np.testing.assert_array_equal(given.patches(8, 1.0), slide.image.input(slide.xy_px).patches(8, 1.0))
    np.testing.assert_array_equal(given.patches(8, 1.0, slice(1, 3)), given.patches(8, 1.0)[1:3])
    with pytest.raises(DataError, match="no pixel coordinates"):
        build_input(replace(slide, xy_px=None), observed=None, with_image=True, with_embedding=False)


def all_arrays(given):
    yield given.units.obsm["spatial"]
    yield given.units.obsm["embedding"]
    for part in ("data", "indices", "indptr"):
        yield getattr(given.units.X, part)
    if hasattr(given, "target"):
        yield given.target
        for part in ("data", "indices", "indptr"):
            yield getattr(given.counts.X, part)


def truth_bytes(slide):
    counts = slide.counts
    parts = [counts.data, counts.indices, counts.indptr, slide.xy_um, slide.embedding, slide.libsize]
    return [part.tobytes() for part in parts]


def test_a_model_that_changes_its_input_does_not_touch_the_slide():
    slide = make_slide()
    truth = np.random.default_rng(1).normal(size=(5, 2))
    kept, before = truth.copy(), truth_bytes(slide)
    for observed in (np.arange(4), np.array([1])):
        given = build_input(slide, observed=observed, with_image=True, with_embedding=True)
        train = build_train(slide, given, truth)
        for array in all_arrays(train):
            array[...] = 0
        build_truth(slide, given, truth).libsize[:] = 0
        build_truth(slide, given, truth).values[:] = 0
    assert truth_bytes(slide) == before
    np.testing.assert_array_equal(truth, kept)


def test_training_slides_carry_target_and_the_counts_of_measured_genes():
    slide = make_slide()
    given = build_input(slide, observed=np.array([0]), with_image=True, with_embedding=False)
    target = np.array([[np.nan, 1.5]] * 5)
    train = build_train(slide, given, target)
    assert train.target.dtype == np.float32
    np.testing.assert_array_equal(train.target, target)
    assert train.counts.var_names.tolist() == ["CD3E", "ERBB2", "TP53"]
    np.testing.assert_array_equal(train.counts.X.toarray(), slide.counts.toarray()[:, [0, 1, 3]])
    assert train.units is given.units
    assert train.n_units == 5
    truth = build_truth(slide, given, target)
    np.testing.assert_array_equal(truth.libsize, slide.libsize)
    assert truth.values.dtype == np.float64
    for build in (build_train, build_truth):
        with pytest.raises(DataError, match="has 5 units, its input 5, its truth 4"):
            build(slide, given, target[:4])


def test_nothing_of_the_truth_is_in_an_input():
    slide = make_slide()
    n = slide.n_units
    sentinel = 48_879_051_966.0
    planted = replace(
        slide,
        counts=sparse.csr_matrix(np.full((n, 4), sentinel)),
        libsize=np.full(n, sentinel),
        n_detected=np.full(n, int(sentinel)),
        labels={"niche": np.array(["SENTINEL"] * n, dtype=object)},
    )
    given = build_input(planted, observed=None, with_image=True, with_embedding=True)
    data = pickle.dumps(given)
    for value in (np.float64(sentinel), np.float32(sentinel), np.int64(sentinel)):
        assert value.tobytes() not in data
    assert b"SENTINEL" not in data
    with_counts = pickle.dumps(
        build_input(planted, observed=np.array([0]), with_image=False, with_embedding=False)
    )
    assert np.float32(sentinel).tobytes() in with_counts


CHANGES = {
    "coordinates": lambda s: s.units.obsm["spatial"].__setitem__((0, 0), -1.0),
    "embedding": lambda s: s.units.obsm["embedding"].__setitem__((0, 0), -1.0),
    "counts": lambda s: s.units.X.data.__setitem__(0, 99),
    "order of columns": lambda s: s.units.X.indices.__setitem__(slice(None), s.units.X.indices[::-1].copy()),
    "names": lambda s: setattr(s.units, "obs_names", list("abcde")),
    "genes": lambda s: setattr(s.units, "var_names", list("abcd")),
    "column": lambda s: s.units.obs.__setitem__("cluster", "1"),
    "uns": lambda s: s.units.uns.__setitem__("log1p", {"base": None}),
    "layer": lambda s: s.units.layers.__setitem__("raw", s.units.X.copy()),
    "target": lambda s: s.target.__setitem__((0, 0), 5.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_tells_a_changed_input(change):
    slide = make_slide()
    given = build_input(slide, observed=np.arange(4), with_image=True, with_embedding=True)
    train = build_train(slide, given, np.zeros((5, 2)))
    before = digest(train)
    train.patches(8, 1.0)
    assert digest(train) == before
    assert digest(pickle.loads(pickle.dumps(train))) == before
    CHANGES[change](train)
    assert digest(train) != before


KINDS = {
    "table with text, as scanpy's rank_genes_groups": np.array(
        [("CD3E", 1.5), ("TP53", 0.5)], dtype=[("group", "O"), ("score", "f4")]
    ).view(np.recarray),
    "table of numbers": np.array([(1, 1.5), (2, 0.5)], dtype=[("group", "i4"), ("score", "f4")]),
    "text": np.array(["a", None, 2], dtype=object),
    "text of numpy 2": np.array(["a", "bc"], dtype=np.dtypes.StringDType())
    if hasattr(np.dtypes, "StringDType")
    else np.array(["a", "bc"]),
    "dates": np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
    "complex numbers": np.array([1 + 2j, 3]),
    "a single number": np.array(2.5),
    "nothing": np.empty((0, 3)),
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every second": np.arange(8)[::2],
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_are_digested_by_content(kind):
    def of(values):
        given = build_input(make_slide(), observed=None, with_image=False, with_embedding=False)
        before = digest(given)
        given.units.uns["added"] = values
        return before, digest(given)

    before, after = of(KINDS[kind])
    assert before != after
    assert of(KINDS[kind].copy())[1] == after
    if KINDS[kind].ndim and len(KINDS[kind]):
        assert of(KINDS[kind][::-1].copy())[1] != after


def test_equal_inputs_have_equal_digests_and_others_do_not():
    inputs = [
        build_input(make_slide(seed=seed), observed=None, with_image=True, with_embedding=False)
        for seed in (0, 0, 1)
    ]
    first, same, other = map(digest, inputs)
    assert first == same != other
