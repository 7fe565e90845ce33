"""Where numbers of this package and of others differ on the same input, and where they do not.

Each test is a line of docs/beside-other-tools.md, which names it.
"""

from __future__ import annotations

import re
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from pytest_stbench import metrics
from pytest_stbench.kernels.bivariate import standardise
from pytest_stbench.kernels.graph import lattice_graph
from pytest_stbench.kernels.hvg import standardised_variance
from pytest_stbench.kernels.markers import one_vs_rest
from pytest_stbench.kernels.moran import morans_i

PAGE = Path(__file__).parents[2] / "docs/beside-other-tools.md"


@pytest.fixture(scope="module")
def spots():
    """A lattice of 15 x 15 spots, 40 genes: some in bands, all with many ties, as counts have."""
    rng = np.random.default_rng(0)
    place = np.array([(x, y) for x in range(15) for y in range(15)], dtype=float) * 100
    band = 1 + np.sin(place[:, :1] / 200 + np.arange(40) / 6)
    counts = rng.poisson(np.where(np.arange(40) < 20, band, 1) * rng.uniform(0.2, 3, 40))
    found = ad.AnnData(
        sparse.csr_matrix(counts.astype(np.float32)), var=pd.DataFrame(index=[f"G{i}" for i in range(40)])
    )
    found.obs_names = [f"s{i}" for i in range(225)]
    found.obsm["spatial"] = place
    found.obs["niche"] = pd.Categorical(
        np.where(place[:, 0] < 500, "a", np.where(place[:, 0] < 1000, "b", "c"))
    )
    graph = lattice_graph(place, 100.0)
    found.obsp["spatial_connectivities"] = graph.astype(float)
    found.uns["spatial_neighbors"] = {"connectivities_key": "spatial_connectivities"}
    return found


@pytest.fixture(scope="module")
def cells():
    """Two tiles of true and predicted instances that were moved, lost and merged."""
    rng = np.random.default_rng(1)
    truth, found = np.zeros((2, 2, 120, 120), np.int32)
    for tile, step in ((0, 12), (1, 24)):
        for i, (y, x) in enumerate((y, x) for y in range(2, 108, step) for x in range(2, 108, step)):
            truth[tile, y : y + 9, x : x + 9] = i + 1
            if rng.uniform() < 0.85:
                dy, dx = rng.integers(0, 4, 2)
                found[tile, y + dy : y + dy + 9, x + dx : x + dx + 9] = i + 1
    return truth, found


def moran_of(squidpy, spots, **options):
    spots = spots.copy()
    squidpy.gr.spatial_autocorr(spots, mode="moran", n_perms=None, **options)
    return spots.uns["moranI"]["I"].reindex(spots.var_names).to_numpy()


def test_morans_i_is_squidpys_without_row_normalisation(spots):
    squidpy = pytest.importorskip("squidpy")
    ours = morans_i(spots.X, spots.obsp["spatial_connectivities"])
    np.testing.assert_allclose(ours, moran_of(squidpy, spots, transformation=False), atol=1e-6)
    apart = np.abs(ours - moran_of(squidpy, spots))  # its default; units at the edge have fewer neighbours
    assert 0.002 < apart.max() < 0.1


def logged(spots):
    scanpy = pytest.importorskip("scanpy")
    spots = spots.copy()
    scanpy.pp.log1p(spots)
    return scanpy, spots


def test_markers_are_scanpys_with_its_correction_for_ties(spots):
    scanpy, spots = logged(spots)
    codes = spots.obs["niche"].cat.codes.to_numpy(int)
    ours = one_vs_rest(spots.X, codes, 3).z

    def theirs(**options):
        scanpy.tl.rank_genes_groups(spots, "niche", method="wilcoxon", **options)
        found = [scanpy.get.rank_genes_groups_df(spots, name).set_index("names")["scores"] for name in "abc"]
        return np.stack([one.reindex(spots.var_names) for one in found])

    np.testing.assert_allclose(ours, theirs(tie_correct=True), atol=1e-3)
    assert np.abs(ours - theirs()).max() > 0.2  # the default leaves ties in


def test_variable_genes_have_another_trend_than_seurat_v3(spots):
    scanpy = pytest.importorskip("scanpy")
    pytest.importorskip("skmisc")
    theirs = scanpy.pp.highly_variable_genes(spots, flavor="seurat_v3", n_top_genes=10, inplace=False)
    ours, loess = standardised_variance(spots.X), theirs["variances_norm"].to_numpy()
    assert stats.spearmanr(ours, loess).statistic > 0.9
    assert np.abs(ours - loess).max() > 1e-3


def test_fold_changes_are_of_means_of_logs(spots):
    scanpy, spots = logged(spots)
    scanpy.tl.rank_genes_groups(spots, "niche", method="wilcoxon")
    ours = one_vs_rest(spots.X, spots.obs["niche"].cat.codes.to_numpy(int), 3).log2_fold_change[0]
    frame = scanpy.get.rank_genes_groups_df(spots, "a").set_index("names")["logfoldchanges"]
    theirs = frame.reindex(spots.var_names).to_numpy()
    inside = (spots.obs["niche"] == "a").to_numpy()
    x = spots.X.toarray()
    np.testing.assert_allclose(ours, (x[inside].mean(0) - x[~inside].mean(0)) / np.log(2), atol=1e-5)
    assert np.abs(ours - theirs).max() > 0.05  # scanpy: of means of counts made of the logs


def test_silhouette_is_scaled_as_in_scib_metrics(spots):
    scib_metrics = pytest.importorskip("scib_metrics")
    points = np.random.default_rng(0).normal(size=(225, 5)) + spots.obs["niche"].cat.codes.to_numpy()[:, None]
    labels = spots.obs["niche"].to_numpy(object)
    patients = np.array(["p", "q", "r"] * 75)
    ours = metrics.silhouette(labels, points, patients=patients).values[0]
    assert ours == pytest.approx(float(scib_metrics.silhouette_label(points, labels, rescale=True)), abs=1e-4)


def test_average_precision_is_cellposes_of_one_tile_and_pooled_over_several(cells):
    theirs = pytest.importorskip("cellpose.metrics").average_precision
    truth, found = cells
    thresholds = (0.5, 0.75, 0.9)
    for tile in range(2):
        ours = metrics.segmentation_ap(truth[tile], found[tile], thresholds=thresholds).values
        np.testing.assert_allclose(
            ours, theirs([truth[tile]], [found[tile]], list(thresholds))[0][0], atol=1e-6
        )
    pooled = metrics.segmentation_ap(list(truth), list(found), thresholds=thresholds).values
    _, tp, fp, fn = theirs(list(truth), list(found), list(thresholds))
    np.testing.assert_allclose(pooled, tp.sum(0) / (tp + fp + fn).sum(0), atol=1e-6)
    mean = theirs(list(truth), list(found), list(thresholds))[0].mean(0)
    assert np.abs(pooled - mean).max() > 0.005


def test_aji_is_the_published_one_and_cellposes_another(cells):
    theirs = pytest.importorskip("cellpose.metrics").aggregated_jaccard_index
    truth, found = cells[0][0], cells[1][0].copy()
    found[2:11, 2:23] = found.max() + 1  # one prediction over two true instances: it may serve both
    ours = metrics.aji(truth, found).values[0]
    common = union = 0
    used = set()
    for name in np.unique(truth[truth > 0]):
        here = truth == name
        options = [
            (other, (here & (found == other)).sum(), (here | (found == other)).sum())
            for other in np.unique(found[found > 0])
        ]
        best = max(options, key=lambda one: one[1] / one[2])
        common, union = common + best[1], union + (best[2] if best[1] else here.sum())
        used |= {best[0]} if best[1] else set()
    union += sum((found == other).sum() for other in set(np.unique(found[found > 0])) - used)
    assert ours == pytest.approx(common / union)
    assert abs(ours - float(np.mean(theirs([truth], [found])))) > 1e-4


def test_panoptic_quality_is_stardists_above_one_half(cells):
    stardist = pytest.importorskip("stardist.matching")
    truth, found = cells
    ours = metrics.pq(truth[0], found[0]).values[0]
    above = stardist.matching(truth[0], found[0], thresh=0.500001)  # it computes in float32
    assert ours == pytest.approx(above.panoptic_quality, abs=1e-6)
    # Pairs that share exactly half of their union are here, and count there.
    assert abs(ours - stardist.matching(truth[0], found[0], thresh=0.5).panoptic_quality) > 1e-3


def test_association_of_a_pair_is_bivariate_morans_i_of_liana(spots):
    liana = pytest.importorskip("liana")
    spots = spots.copy()
    spots.X = np.log1p(spots.X.toarray())
    pairs = [(f"G{i}", f"G{i + 3}") for i in range(0, 15, 2)]
    table = pd.DataFrame(pairs, columns=["ligand", "receptor"])
    found = liana.mt.bivariate(
        spots, resource=table, local_name="cosine", global_name="morans", n_perms=None, use_raw=False,
        nz_prop=0.01, add_categories=False, verbose=False,
    )  # fmt: skip
    flat = np.random.default_rng(0).normal(size=225)  # a depth that explains nothing
    own = standardise(spots.X, spots.obsp["spatial_connectivities"], flat)
    order = {name: i for i, name in enumerate(spots.var_names)}
    ours = pd.Series(
        own.association(np.array([order[a] for a, _ in pairs]), np.array([order[b] for _, b in pairs])),
        index=[f"{a}^{b}" for a, b in pairs],
    )
    theirs = found.var["morans"]
    assert stats.spearmanr(ours.reindex(theirs.index), theirs).statistic > 0.9


def test_every_test_is_a_line_of_the_page():
    page = PAGE.read_text(encoding="utf-8")
    tests = {name for name in globals() if name.startswith("test_")} - {
        "test_every_test_is_a_line_of_the_page"
    }
    assert set(re.findall(r"`(test_\w+)`", page)) == tests
