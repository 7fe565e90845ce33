"""Cohorts of single cells: places, outlines, transcripts and image tell one story."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy.spatial import cKDTree

from pytest_stbench.data.binning.source import BinnedSource
from pytest_stbench.data.simulate.cells.expression import CONTROLS
from pytest_stbench.data.simulate.cells.types import NAMES, TYPES
from pytest_stbench.data.simulate.known_truth import latent, truth
from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.errors import DataError
from pytest_stbench.spec.model import BinSpec, DatasetSpec

PINNED_CELLS = "fa62355ffb30ed1179d9704736d60629aadffd893efcff75a03db9685dd957e0"
LEVEL_1 = {
    "epithelial_malignant", "epithelial_normal", "T_NK", "B", "plasma", "myeloid", "mast", "endothelial",
    "fibroblast_pericyte", "smooth_muscle", "adipocyte", "other",
}  # fmt: skip


def cells(**params):
    return open_source(DatasetSpec(source="simulated", params={"resolution": "cell", **params}), (), ())


@pytest.fixture(scope="module")
def slide():
    return cells().read("P01S1")


@pytest.fixture(scope="module")
def molecules(slide):
    """All transcripts of the slide: x, y, feature, quality, cell."""
    batches = list(slide.transcripts.batches(cells=True))
    columns = (
        np.concatenate([getattr(b, key) for b in batches]) for key in ("x_um", "y_um", "feature", "qv")
    )
    return (*columns, np.concatenate([batch.cell for batch in batches]))


@pytest.mark.parametrize("n", [1000, 3000, 20_000])
def test_about_as_many_cells_as_asked_for(n):
    found = len(cells(units=n, depth=5, genes=50).read("P02S1").unit_names)
    assert abs(found / n - 1) < 0.06


def test_cells_stand_apart_on_tissue(slide):
    distance = cKDTree(slide.xy_um).query(slide.xy_um, k=2)[0][:, 1]
    assert distance.min() > 3.0
    assert slide.xy_um.min() > 50.0
    assert slide.xy_px == pytest.approx(slide.xy_um / 0.5)
    assert len(set(slide.unit_names)) == len(slide.unit_names)


def test_types_are_those_of_the_ontology_and_live_in_their_niches(slide):
    kind, niche, tls = (slide.labels[name] for name in ("cell_type", "niche", "tls"))
    assert set(kind) <= LEVEL_1
    assert set(NAMES) <= LEVEL_1
    share = {
        name: {place: (kind[niche == place] == name).mean() for place in set(niche)} for name in set(kind)
    }
    assert share["epithelial_malignant"]["tumour"] > 0.5 > 3 * share["epithelial_malignant"]["immune"]
    assert share["T_NK"]["immune"] > 2 * share["T_NK"]["stroma"]
    assert 0 < (kind == "mast").mean() < 0.02
    assert 0.005 < (tls == "tls").mean() < 0.3
    assert (kind[tls == "tls"] == "B").mean() > 2 * (kind == "B").mean()


def test_tls_has_a_follicle_within_its_t_zone(slide):
    inside = slide.labels["tls"] == "tls"
    xy, kind = slide.xy_um[inside], slide.labels["cell_type"][inside]
    away = np.linalg.norm(xy - xy.mean(axis=0), axis=1)
    assert np.median(away[kind == "B"]) < np.median(away[kind == "T_NK"])


def test_markers_are_expressed_by_their_type(slide):
    known = truth(DatasetSpec(source="simulated", params={"resolution": "cell"}))
    total = slide.counts.sum(axis=1).A1
    rate = slide.counts.toarray() / np.maximum(total, 1)[:, None]
    place = {gene: column for column, gene in enumerate(slide.genes)}
    for name in ("epithelial_malignant", "T_NK", "B", "fibroblast_pericyte", "endothelial"):
        own = slide.labels["cell_type"] == name
        columns = [place[gene] for gene in known.markers[name]]
        higher = rate[own][:, columns].mean(axis=0) > rate[~own][:, columns].mean(axis=0)
        assert higher.mean() > 0.9, name


def test_good_transcripts_in_cells_are_the_counts_one_for_one(slide, molecules):
    _, _, feature, qv, cell = molecules
    names = {name: row for row, name in enumerate(slide.unit_names)}
    counted = (qv >= 20) & (cell != "") & (slide.transcripts.kinds == "gene")[feature]
    rows = np.array([names[name] for name in cell[counted]])
    table = np.zeros(slide.counts.shape, dtype=np.int64)
    np.add.at(table, (rows, feature[counted]), 1)
    np.testing.assert_array_equal(table, slide.counts.toarray())


def test_transcripts_of_all_sorts_are_there(slide, molecules):
    _, _, feature, qv, cell = molecules
    control = (slide.transcripts.kinds != "gene")[feature]
    assert 0 < control.mean() < 0.01
    assert 0.05 < (qv < 20).mean() < 0.1
    assert 0.02 < (cell == "").mean() < 0.05
    assert slide.transcripts.features[-len(CONTROLS) :].tolist() == list(CONTROLS)
    assert slide.transcripts.features[: len(slide.genes)].tolist() == slide.genes.tolist()


def test_transcripts_lie_in_the_outline_of_their_cell(slide, molecules):
    x, y, _, _, cell = molecules
    window, um = (0.0, 0.0, 400.0, 400.0), 0.25
    image = slide.segmentations["cell"].labels(um, window)
    seen = (x < 399) & (y < 399) & (cell != "")
    label = image[(y[seen] / um).astype(int), (x[seen] / um).astype(int)]
    names = np.array(["", *slide.segmentations["cell"].names], dtype=object)
    # a pixel belongs to the cell at its centre: transcripts within a pixel of the border may differ
    assert (names[label] == cell[seen]).mean() > 0.97


def test_transcripts_are_the_same_each_time(slide):
    first, again = (next(iter(slide.transcripts.batches())) for _ in range(2))
    np.testing.assert_array_equal(first.x_um, again.x_um)
    np.testing.assert_array_equal(first.feature, again.feature)
    assert first.cell is None


def test_label_images_against_a_plain_loop(slide):
    xy = slide.xy_um
    middle = np.median(xy, axis=0)
    window = (*(middle - 20), *(middle + 20))
    found = {kind: slide.segmentations[kind].labels(1.0, window) for kind in ("cell", "nucleus")}
    outlines = slide.segmentations["cell"].cells
    axes = {"cell": outlines.cell_um, "nucleus": outlines.nucleus_um}
    for kind, image in found.items():
        assert image.shape == (40, 40)
        for row, column in np.ndindex(image.shape):
            place = middle - 20 + np.array([column, row]) + 0.5
            nearest = int(np.argmin(((xy - place) ** 2).sum(axis=1)))
            turned = complex(*(place - xy[nearest])) * np.exp(-1j * outlines.angle[nearest])
            a, b = axes[kind][nearest]
            inside = (turned.real / a) ** 2 + (turned.imag / b) ** 2 <= 1
            assert image[row, column] == (nearest + 1 if inside else 0)
    assert ((found["nucleus"] == found["cell"]) | (found["nucleus"] == 0)).all()


@pytest.mark.parametrize("window", [(0, 0, 0, 10), (0, 0, np.nan, 10)])
def test_empty_window_is_refused(slide, window):
    with pytest.raises(DataError, match=r"is empty: give x0 < x1"):
        slide.segmentations["cell"].labels(1.0, window)


def test_too_large_window_is_refused(slide):
    with pytest.raises(DataError, match="too large: ask for a smaller window"):
        slide.segmentations["cell"].labels(0.01, (0, 0, 1000, 1000))


def test_window_off_the_tissue_is_background(slide):
    assert not slide.segmentations["nucleus"].labels(1.0, (-500, -500, -400, -450)).any()


def test_image_shows_the_nuclei_of_the_cells_and_no_others(slide):
    pixels = slide.image.pixels()
    middle = np.median(slide.xy_um, axis=0)
    low, high = np.floor(middle - 150), np.floor(middle + 150)
    nuclei = slide.segmentations["nucleus"].labels(0.5, (*low, *high)) > 0
    x0, y0, x1, y1 = (2 * np.concatenate([low, high])).astype(int)
    dark = pixels[y0:y1, x0:x1, 0] < 190
    assert dark[nuclei].mean() > 0.98
    # nuclei that overlap are cut in the labels and whole in the picture
    assert dark[~nuclei].mean() < 0.02


def test_image_shows_elongation_by_shape_alone():
    slide = cells(setting="morphology").read("P01S1")
    outlines = slide.segmentations["nucleus"].cells
    of_type = outlines.kind == NAMES.index("epithelial_malignant")
    ratio = outlines.nucleus_um[of_type, 0] / outlines.nucleus_um[of_type, 1]
    area = outlines.nucleus_um[of_type].prod(axis=1)
    assert ratio.max() > 1.3 * ratio.min()
    assert abs(np.corrcoef(ratio, area)[0, 1]) < 0.1


def test_spots_are_made_of_the_very_same_cells(slide):
    source = BinnedSource(cells(image=False), BinSpec(geometry="tiled"))
    spots = source.read("P01S1")
    inside = spots.measures["cells"].sum()
    assert 0.9 * len(slide.unit_names) < inside <= len(slide.unit_names)
    assert 0.9 < spots.counts.sum() / slide.counts.sum() < 1.04
    assert {f"type:{name}" for name in set(slide.labels["cell_type"])} <= set(spots.measures)


def test_signals_join_ligand_and_receptor_of_neighbours_not_of_cells():
    config = DatasetSpec(source="simulated", params={"resolution": "cell"})
    slide = open_source(config, (), ()).read("P02S1")
    pairs = truth(config).pairs
    assert len(pairs) == 15
    place = {gene: column for column, gene in enumerate(slide.genes)}
    values = np.log1p(slide.counts.toarray() / np.maximum(slide.counts.sum(axis=1).A1, 1)[:, None] * 100)
    tree = cKDTree(slide.xy_um)
    around = tree.sparse_distance_matrix(tree, 100.0, output_type="coo_matrix").tocsr() > 0
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    lag = (around @ z) / np.maximum(around.sum(axis=1).A1, 1)[:, None]
    across = np.array([(z[:, place[a]] * lag[:, place[b]]).mean() for a, b in pairs])
    within = np.array([(z[:, place[a]] * z[:, place[b]]).mean() for a, b in pairs])
    assert (across > 0.02).mean() > 0.8
    assert np.median(within) < np.median(across)
    silent = cells(setting="no_signal").read("P02S1")
    assert (
        truth(DatasetSpec(source="simulated", params={"resolution": "cell", "setting": "no_signal"})).pairs
        == ()
    )
    assert silent.counts.shape == slide.counts.shape


@pytest.mark.parametrize("setting", ["no_signal", "depth"])
def test_types_leave_no_trace_where_the_setting_gives_them_none(setting):
    slide = cells(setting=setting).read("P01S1")
    total = slide.counts.sum(axis=1).A1
    rate = slide.counts.toarray() / np.maximum(total, 1)[:, None]
    own = slide.labels["cell_type"] == "epithelial_malignant"
    change = np.log2(rate[own].mean(axis=0) / rate[~own].mean(axis=0))
    assert np.median(np.abs(change)) < 0.25


def test_pinned_content_goes_with_the_version_of_the_generator():
    """Whoever changes the data changes GENERATOR, then the digest here."""
    slide = cells(units=500, genes=80, seed=3).read("P01S1")
    digest = hashlib.sha256(slide.counts.toarray().tobytes())
    digest.update(np.round(slide.xy_um, 3).tobytes())
    digest.update("\n".join([*slide.labels["cell_type"], *slide.labels["niche"]]).encode())
    batch = next(iter(slide.transcripts.batches()))
    digest.update(np.round(batch.x_um, 3).tobytes() + batch.feature.tobytes())
    digest.update(slide.image.pixels().tobytes())
    assert digest.hexdigest() == PINNED_CELLS


def test_offers_transcripts():
    assert cells().offers() == {"image", "transcripts"}
    assert cells(image=False).offers() == {"transcripts"}


def test_latent_variables_are_of_spots():
    with pytest.raises(DataError, match="latent variables are given for spots"):
        latent(DatasetSpec(source="simulated", params={"resolution": "cell"}), "P01S1")


def test_few_cells_make_a_slide_without_structures():
    slide = cells(units=20, genes=50).read("P01S1")
    assert 5 <= len(slide.unit_names) <= 40
    assert set(slide.labels["tls"]) == {"other"}
    assert len(TYPES) == len(set(NAMES))
