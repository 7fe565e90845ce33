from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from scipy.sparse import csr_matrix

from pytest_stbench.data.binning import accumulate
from pytest_stbench.data.binning.source import majority, shares, to_pixels
from pytest_stbench.data.binning.units import bin_cells, bin_transcripts
from pytest_stbench.errors import DataError

GENES = ("A", "B")
ORIGINS = ((0.0, 0.0), (13.7, -4.2), (-55.5, 31.1), (1234.5, -987.6))
LEFT_OUT = ("not_finite", "control", "unlisted", "low_qv", "outside_discs", "outside_tissue")


def left_out(notes):
    return sum(notes[f"transcripts_{fate}"] for fate in LEFT_OUT)


def slow(molecules, units):
    """Counts of kept units, transcript by transcript, by distance to every centre."""
    counts = np.zeros((len(units.ids), len(GENES)), int)
    lattice, middle = units.lattice, units.xy_um
    for x, y, feature, qv in zip(molecules.x, molecules.y, molecules.feature, molecules.qv, strict=True):
        if not np.isfinite(x) or feature > 1 or not qv >= 20:
            continue
        apart = np.abs(middle - (x, y))
        far = apart.max(axis=1) if lattice.geometry == "square" else np.hypot(*apart.T)
        near = {"visium": 27.5, "tiled": 55 / np.sqrt(3), "square": lattice.width_um / 2}[lattice.geometry]
        if far.min() <= near:
            counts[far.argmin(), feature] += 1
    return counts


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("geometry", ["visium", "square"])
def test_is_the_slow_count(uniform, spec, geometry, origin):
    drawn = uniform(4000, corner=(-300.0, 1000.0))
    size = 40 if geometry == "square" else None
    binned = bin_transcripts(
        drawn, GENES, spec(geometry, size_um=size, origin_um=origin, min_tissue=0), what="s"
    )
    assert np.array_equal(binned.counts.toarray(), slow(drawn, binned.units))
    assert left_out(binned.notes) + binned.counts.sum() == 4000


def test_hexagons_without_gaps_hold_every_transcript(uniform, spec):
    binned = bin_transcripts(uniform(), GENES, spec("tiled", min_tissue=0), what="s")
    notes = binned.notes
    assert notes["transcripts_outside_discs"] == notes["transcripts_outside_tissue"] == 0
    assert notes["transcripts_kept"] == binned.counts.sum()
    assert left_out(notes) + notes["transcripts_kept"] == notes["transcripts_read"] == 30_000


@settings(deadline=None, max_examples=40)
@given(
    geometry=st.sampled_from(["visium", "tiled", "square"]),
    seed=st.integers(0, 1000),
    origin=st.tuples(st.floats(-500, 500), st.floats(-500, 500)),
    min_qv=st.floats(0, 59),
    min_tissue=st.floats(0, 0.6),
    batch=st.integers(1, 4000),
)
def test_no_transcript_is_lost(geometry, seed, origin, min_qv, min_tissue, batch):
    from pytest_stbench.data.slide import TranscriptBatch
    from pytest_stbench.spec.model import BinSpec

    rng = np.random.default_rng(seed)
    n = 3000
    x, y = rng.normal(0, 120, (2, n)).round(2)
    x[rng.random(n) < 0.01], y[rng.random(n) < 0.01] = np.inf, np.nan
    feature, qv = rng.integers(0, 4, n).astype(np.int32), rng.uniform(0, 60, n).astype(np.float32)

    class Drawn:
        features = np.array(["A", "B", "Blank-1", "C"])
        kinds = np.array(["gene", "gene", "blank", "gene"])

        def batches(self, *, cells=False):
            for start in range(0, n, batch):
                part = slice(start, start + batch)
                yield TranscriptBatch(x_um=x[part], y_um=y[part], feature=feature[part], qv=qv[part])

    size = 25 if geometry == "square" else None
    spec = BinSpec(geometry=geometry, size_um=size, origin_um=origin, min_qv=min_qv, min_tissue=min_tissue)
    try:
        binned = bin_transcripts(Drawn(), GENES, spec, what="s")
    except DataError:
        assume(False)  # so high a quality, or so small a tissue, that nothing is left
    assert binned.notes["transcripts_read"] == n
    assert left_out(binned.notes) + binned.counts.sum() == n
    assert (binned.measures["transcripts"] == np.asarray(binned.counts.sum(axis=1)).ravel()).all()
    assert (binned.measures["tissue_share"] >= min_tissue).all()


def test_the_first_unit_stands_at_the_corner_of_what_counts(molecules, spec):
    x, y = np.meshgrid(np.arange(0, 300, 5.0), np.arange(0, 300, 5.0))
    x, y = np.r_[x.ravel() - 70, -5000.0, -6000.0], np.r_[y.ravel() + 30, -5000.0, -6000.0]
    feature = np.r_[np.zeros(3600, int), 2, 0]
    qv = np.r_[np.full(3601, 30.0), 5.0]
    binned = bin_transcripts(molecules(x, y, feature, qv), GENES, spec(min_tissue=0), what="s")
    # a control and a transcript of low quality far off do not move the lattice
    assert binned.units.xy_um[0].tolist() == [-70.0, 30.0]
    assert binned.units.names[:2].tolist() == ["0x0", "0x2"]
    shifted = bin_transcripts(
        molecules(x, y, feature, qv), GENES, spec(min_tissue=0, origin_um=(10, 5)), what="s"
    )
    assert ((shifted.units.xy_um - (-60.0, 35.0)) % (50, 86.60254037844386)).round(6).tolist()[0] == [
        0.0,
        0.0,
    ]


def test_units_with_little_tissue_are_left_out_with_their_transcripts(uniform, spec):
    every = bin_transcripts(uniform(), GENES, spec(min_tissue=0), what="s")
    some = bin_transcripts(uniform(), GENES, spec(min_tissue=0.9), what="s")
    share = every.measures["tissue_share"]
    assert some.units.ids.tolist() == every.units.ids[share >= 0.9].tolist()
    assert some.notes["units_outside_tissue"] == (share < 0.9).sum() > 0
    assert some.notes["transcripts_outside_tissue"] == every.counts[share < 0.9].sum() > 0
    # the tissue does not move with the lattice, whose corner disc is a quarter in it
    assert share[0] == pytest.approx(0.25, abs=0.01)


def test_units_in_tissue_without_transcripts_are_kept(molecules, spec):
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(0, 400, 5.0), np.arange(0, 400, 5.0)))
    away = np.hypot(x - 200, y - 173.2) > 30
    binned = bin_transcripts(molecules(x[away], y[away], np.zeros(away.sum(), int)), GENES, spec(), what="s")
    empty = binned.measures["transcripts"] == 0
    assert empty.sum() == 1
    assert binned.measures["tissue_share"][empty] == pytest.approx(1.0)


def test_transcripts_without_quality_all_count(uniform, spec):
    drawn = uniform()
    drawn.qv = None
    notes = bin_transcripts(drawn, GENES, spec("tiled", min_tissue=0), what="s").notes
    assert notes["transcripts_low_qv"] == 0
    assert notes["transcripts_kept"] == (np.isfinite(drawn.x) & (drawn.feature < 2)).sum()


def test_features_of_one_name_are_one_gene_and_unknown_ones_are_counted(molecules, spec):
    x, y = np.random.default_rng(0).uniform(0, 100, (2, 4000))
    drawn = molecules(
        x, y, np.arange(4000) % 4, features=np.array(["A", "B", "A", "X"]), kinds=np.full(4, "gene")
    )
    binned = bin_transcripts(drawn, GENES, spec("square", size_um=25, min_tissue=0), what="s")
    assert np.asarray(binned.counts.sum(axis=0)).ravel().tolist() == [2000, 1000]
    assert binned.notes["transcripts_unlisted"] == 1000


@pytest.mark.parametrize("block", [1, 700, 10**6])
def test_sorted_blocks_hold_what_the_dense_table_holds(uniform, spec, monkeypatch, block):
    assert isinstance(accumulate.count_table(5000, 2, 30_000), accumulate.DenseTable)
    plain = bin_transcripts(uniform(), GENES, spec("square", size_um=8), what="s")
    monkeypatch.setattr(accumulate, "DENSE_BYTES", 0)
    assert isinstance(accumulate.count_table(5000, 2, 30_000), accumulate.SparseTable)
    monkeypatch.setattr(accumulate, "BLOCK_ROWS", block)
    sparse = bin_transcripts(uniform(), GENES, spec("square", size_um=8), what="s")
    assert (plain.counts != sparse.counts).nnz == 0
    assert plain.notes == sparse.notes
    assert sparse.counts.dtype == np.int32
    assert sparse.counts.has_canonical_format


def test_counts_beyond_a_byte_are_whole(molecules, spec):
    """Places with no count, with few, with multiples of what a byte holds, and far above it."""
    many = np.array([[3, 255], [256, 0], [510, 1000], [0, 1]])
    x = np.repeat(np.repeat(25.0 * np.arange(4) + 3, 2), many.ravel())
    feature = np.repeat(np.tile([0, 1], 4), many.ravel())
    drawn = molecules(x, np.full(len(x), 5.0), feature)
    binned = bin_transcripts(drawn, GENES, spec("square", size_um=25, min_tissue=0), what="s")
    assert isinstance(binned.table, accumulate.DenseTable)
    assert binned.counts.toarray().tolist() == many.tolist()
    assert binned.measures["transcripts"].tolist() == many.sum(axis=1).tolist()
    for row, unit in enumerate(binned.units.ids):
        assert binned.table.take(np.array([unit])).toarray().tolist() == many[[row]].tolist()


def test_progress_is_told_of_every_row_twice(uniform, spec):
    seen = []
    bin_transcripts(uniform(5000), GENES, spec(), what="s", progress=seen.append)
    assert sum(seen) == 2 * 5000


@pytest.mark.parametrize(
    ("change", "geometry", "message"),
    [
        ({"x": []}, {}, "s: no transcript is left to bin of 0: 0 below quality 20"),
        ({"qv": 3.0}, {}, "of 900: 600 below quality 20 .*, 300 controls, 0 of genes .*, 0 without finite"),
        ({"x": np.nan}, {}, "900 without finite coordinates"),
        ({"x": 1e12}, {}, r"reach from \(0, 0\) to \(1e\+12, .*more than a slide of 25 mm x 75 mm"),
        ({}, {"geometry": "square", "size_um": 1e-3}, "at most 20,000,000 can be made: set size_um to 0"),
        ({}, {"geometry": "square", "size_um": 1e-310}, "bins of 1e-310 um on .* are inf"),
        ({}, {"geometry": "square"}, "square bins need their side"),
        (
            {"one": True},
            {},
            r"no unit \(1 formed, with 1 transcripts\) has 50% .*the most is 4%.* lower bin.min_tissue",
        ),
        ({"feature": 3}, {}, "do not fit their list of features: features are numbered 0 to 3; there are 3"),
    ],
)
def test_what_cannot_be_binned_is_refused(molecules, spec, change, geometry, message):
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(30.0), np.arange(30.0)))
    feature, qv = np.arange(900) % 3, np.full(900, 40.0)
    if "x" in change:
        x = x[:0] if change["x"] == [] else np.r_[x[:-1], change["x"]] if change["x"] == 1e12 else x * np.nan
        feature[-1] = 0
    if "qv" in change:
        qv[:] = change["qv"]
    if "feature" in change:
        feature[-1] = change["feature"]
    n = 1 if "one" in change else len(x)
    with pytest.raises(DataError, match=message):
        bin_transcripts(molecules(x[:n], y[:n], feature[:n], qv[:n]), GENES, spec(**geometry), what="s")


def test_one_transcript_is_a_unit_where_no_tissue_is_asked_for(molecules, spec):
    one = molecules(np.array([7.0]), np.array([-9.0]), np.array([1]))
    binned = bin_transcripts(one, GENES, spec(min_tissue=0), what="s")
    assert binned.counts.toarray().tolist() == [[0, 1]]
    assert binned.units.xy_um.tolist() == [[7.0, -9.0]]


def test_absurd_extents_take_no_memory(molecules, spec, monkeypatch):
    def never(*sizes):
        raise AssertionError

    monkeypatch.setattr(accumulate, "count_table", never)
    with pytest.raises(DataError, match="more than a slide"):
        bin_transcripts(
            molecules(np.array([0, 1e12]), np.zeros(2), np.zeros(2, int)), GENES, spec(), what="s"
        )


def test_cells_go_whole_to_the_unit_of_their_centroid(spec):
    rng = np.random.default_rng(0)
    xy = rng.uniform(-400, 400, (3000, 2))
    xy[::50, 0] = np.nan
    counts = csr_matrix(rng.poisson(1.0, (3000, 2)).astype(np.int32))
    binned = bin_cells(xy, counts, spec("visium"), what="s")
    middle = binned.units.xy_um
    expected = np.zeros((len(middle), 2), int)
    for place, row in zip(xy, counts.toarray(), strict=True):
        far = np.hypot(*(middle - place).T)
        if np.isfinite(place).all() and far.min() <= 27.5:
            expected[far.argmin()] += row
    assert np.array_equal(binned.counts.toarray(), expected)
    assert (binned.measures["transcripts"] == expected.sum(axis=1)).all()
    kept = (binned.units.rows_at(xy) >= 0).sum()
    assert kept + binned.notes["cells_outside_discs"] + binned.notes["cells_outside_tissue"] == 2940


def test_cells_without_coordinates_are_refused(spec):
    with pytest.raises(DataError, match="s: none of 2 cells has finite coordinates"):
        bin_cells(np.full((2, 2), np.nan), csr_matrix((2, 1)), spec(), what="s")


def test_majority_and_shares_of_labels():
    rows = np.array([0, 0, 0, 1, 1, 2, -1, 4])
    labels = np.array(["b", "a", "b", "c", "b", None, "z", "a"], dtype=object)
    assert majority(rows, labels, 5).tolist() == ["b", "b", None, None, "a"]
    found = shares(rows, labels, 5)
    assert list(found) == ["a", "b", "c", "z"]
    table = np.column_stack(list(found.values()))
    assert table[0] == pytest.approx([1 / 3, 2 / 3, 0, 0])
    assert table[1] == pytest.approx([0, 0.5, 0.5, 0])
    assert np.isnan(table[2:4]).all()
    assert table[[0, 1, 4]].sum(axis=1) == pytest.approx(1.0)
    nothing = np.array([None, None], dtype=object)
    assert majority(np.array([0, 1]), nothing, 2).tolist() == [None, None]
    assert shares(np.array([0, 1]), nothing, 2) == {}


def test_pixels_follow_the_affine_map_of_the_cells():
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 5000, (200, 2))
    turn = np.array([[0.1, 4.0], [-4.0, 0.1]])
    px = xy @ turn + (900, 50)
    points = rng.uniform(0, 5000, (20, 2))
    rough = np.r_[np.rint(px), [[np.nan, 1.0]]]
    found = to_pixels(points, np.r_[xy, [[0.0, 0.0]]], rough, 55.0, "s")
    assert found == pytest.approx(points @ turn + (900, 50), abs=0.3)


@pytest.mark.parametrize(
    ("xy", "px", "message"),
    [
        ([[0, 0], [1, 1]], [[0, 0], [1, 1]], "three units off one line, and 2 have both"),
        ([[0, 0], [1, 1], [2, 2]], [[0, 0], [1, 1], [2, 2]], "three units off one line, and 3 have both"),
        (np.eye(2)[[0, 1, 0, 1]] * 1e3 + [[0, 0], [0, 0], [9, 9], [9, 9]], np.diag([1e3, 1e3, 0, 0])[:, :2],
         "best fit is off by .* px, and at most .* px are allowed for units of 8 um"),
    ],
)  # fmt: skip
def test_images_that_do_not_fit_are_refused(xy, px, message):
    with pytest.raises(DataError, match=message):
        to_pixels(np.zeros((1, 2)), np.asarray(xy, float), np.asarray(px, float), 8.0, "s")
