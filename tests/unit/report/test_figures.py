"""Figures of somebody's slides: what is drawn is what the metrics, checks and files say."""

from __future__ import annotations

import inspect
import io
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from scipy.sparse import csr_matrix

from pytest_stbench.checks import gene_sparsity, panel_mismatch, ubiquitous_low_variability
from pytest_stbench.checks.sparsity import thresholds_of
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.metrics import niche_jaccard
from pytest_stbench.preprocess.statistics import slide_statistics
from pytest_stbench.report.figures import (
    checklist,
    coexpression,
    landscape,
    niches,
    pairs,
    panels,
    resolution,
    variable_genes,
)
from pytest_stbench.report.figures.figure import PAGE, CannotDraw, styled, written
from pytest_stbench.report.figures.folder import Figures
from pytest_stbench.report.figures.opened import open_task
from pytest_stbench.report.figures.variable_genes import gene_table, shown_genes
from pytest_stbench.resources import landscape_page
from pytest_stbench.results.checklist import ChecklistRecord
from pytest_stbench.results.provenance import DatasetRecord
from pytest_stbench.run.quality.data_checks import Judged
from pytest_stbench.spec.model import DatasetSpec

TASK = {
    "stbench": 1,
    "name": "small",
    "version": 1,
    "family": "imputation",
    "claim": "exploratory",
    "datasets": {
        "sim": {
            "source": "simulated",
            "params": {
                "resolution": "cell", "patients": 2, "units": 700, "genes": 120, "depth": 150, "image": False,
            },
            "technology": "Xenium",
            "resolution": "cell",
            "panel": "simulated_120",
        }
    },
    "splits": ["lopo"],
    "preprocess": {"genes": {"select": "svg", "n": 20, "min_detection": 0.05}},
    "imputation": {"hide": {"folds": 2, "fold": 0}},
    "metrics": ["spearman_gene"],
}  # fmt: skip


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    """The simulated cells, opened; what is fitted is kept for the module."""
    folder = tmp_path_factory.mktemp("figures")
    path = folder / "small.stbench.yaml"
    path.write_text(yaml.safe_dump(TASK, sort_keys=False))
    (found,) = open_task(path, None, folder).subjects(folder, {"sim": "mine"})
    return found


@pytest.fixture(scope="module")
def pair(subject):
    slide = subject.largest(niches.has_niches, among=subject.tested())
    return pairs.fitted(subject, slide.meta.slide_id)


def scored(subject, slide):
    """What a run scores on a slide, by metric."""
    found = subject.run.scores(subject.run.baseline("ridge", "sim"), subject.cell_of(slide))
    return {name: values[slide].value for name, values in found.values.items()}


def test_ssim_is_that_of_a_run_and_of_another_library(subject, pair):
    from skimage.metrics import structural_similarity

    made = coexpression.coexpression(pair, "mine")
    value = made.tables["summary"]["coexpression_ssim"][0]
    assert value == scored(subject, pair.slide)["coexpression_ssim"]
    table = made.tables[""]
    n = table["gene"].nunique()
    truth, prediction = (table[arm].to_numpy().reshape(n, n) + 1 for arm in ("truth", "prediction"))
    other = structural_similarity(truth, prediction, data_range=2.0, win_size=7)
    assert value == pytest.approx(other, abs=1e-9)
    assert f"{value:.3f}" in made.caption
    row = table[(table["gene"] != table["other"])].iloc[5]
    at = [list(pair.genes).index(row[name]) for name in ("gene", "other")]
    assert row["truth"] == pytest.approx(np.corrcoef(pair.truth[:, at], rowvar=False)[0, 1], abs=1e-9)


def test_jaccard_is_that_of_the_metric_and_of_the_listed_genes(pair):
    made = niches.niche_signatures(pair, "mine")
    truth, prediction, about = pair.of("markers")
    expected = niche_jaccard(truth, prediction, niches=pair.niches, **about)
    table, genes = made.tables[""], made.tables["genes"]
    np.testing.assert_array_equal(table["niche_jaccard"], expected.values)
    assert table["niche_jaccard"].notna().any()
    for _, row in table[table["niche_jaccard"].notna()].iterrows():
        own = genes[genes["niche"] == row["niche"]]
        true, guess = (set(own.loc[own[rank].notna(), "gene"]) for rank in ("rank_truth", "rank_prediction"))
        assert row["niche_jaccard"] == pytest.approx(len(true & guess) / len(true | guess))
        assert f"{row['niche']} {row['niche_jaccard']:.2f}" in made.caption
    assert set(own["in"]) <= {niches.BOTH, niches.MISSED, niches.ADDED}


def test_depth_of_both_resolutions_is_that_of_the_results_file(subject):
    made = resolution.resolution(subject)
    summary = made.tables["summary"].set_index("units")
    slide = subject.largest().meta.slide_id
    recorded = subject.run.resolutions.of(subject.other)[slide]
    assert summary.loc["Xisium spots", "follows_depth_paired"] == recorded["follows_depth_paired"]
    assert summary.loc["cells", "follows_depth_paired"] == recorded["follows_depth_first"]
    assert summary.loc["cells", "genes_paired"] == recorded["genes_paired"]
    units = made.tables[""]
    for name, row in summary.iterrows():
        own = units[units["units"] == name]
        assert (row["n"], row["counts_median"]) == (len(own), own["counts"].median())
        assert f"{int(row['n']):,} {name}" in made.caption
    assert made.left_out == ()


def spots(counts, xy=None, resolution="spot", technology="ST", name="S1"):
    """A slide of a square lattice with the counts given."""
    n, g = counts.shape
    side = int(np.ceil(np.sqrt(n)))
    xy = np.column_stack(np.divmod(np.arange(n), side)[::-1]) * 200.0 if xy is None else xy
    return Slide(
        meta=SlideMeta(slide_id=name, technology=technology, resolution=resolution, pitch_um=200.0),
        unit_names=np.array([f"u{i}" for i in range(n)]), genes=np.array([f"G{i:03d}" for i in range(g)]),
        measured=np.ones(g, bool), counts=csr_matrix(counts), libsize=counts.sum(axis=1).astype(float),
        n_detected=(counts > 0).sum(axis=1), xy_um=xy,
    )  # fmt: skip


def test_spots_are_shown_beside_coarser_bins_with_every_count():
    slide = spots(np.random.default_rng(0).poisson(3, (400, 8)))
    native = resolution.half_of(slide)
    bins = resolution.coarser(slide)
    assert (native.units, native.shape, native.size_um) == ("spots", "circle", 100.0)
    assert (bins.shape, bins.size_um) == ("square", 400.0)
    assert bins.counts.sum() == slide.libsize.sum()
    assert len(bins.counts) < len(native.counts) / 3


@pytest.fixture(scope="module")
def genes():
    """Genes of three kinds on one slide, among 60 that differ from unit to unit by chance."""
    rng = np.random.default_rng(1)
    n = 400
    counts = rng.poisson(rng.gamma(2, 1, (n, 60)))
    counts[:, 0] = 0
    counts[rng.choice(n, 6, replace=False), 0] = 60  # sparse
    counts[:, 1] = 1 + (rng.random(n) < 0.1) * 12  # everywhere
    counts[:, 2] = rng.poisson(np.linspace(0.1, 30, n) ** 1.2)  # a pattern
    slide = spots(counts)
    found = slide_statistics(slide, "log1p_cp10k", 1e4, 0.0)
    return slide, found, gene_table(slide, found)


def test_kinds_of_variable_genes(genes):
    slide, found, table = genes
    kinds = table.set_index("gene")["kind"]
    assert kinds["G000"] == "HVG, sparse"
    assert kinds["G001"] == "HVG, everywhere"
    assert kinds["G002"] == "HVG and SVG"
    assert {"HVG", "SVG"} & set(kinds)
    columns = [list(slide.genes).index(gene) for gene in table["gene"]]
    for name in ("detection", "morans_i", "hvg_score"):
        np.testing.assert_array_equal(table[name], getattr(found, name)[columns])
    assert table["hvg_rank"].notna().sum() == variable_genes.N
    shown = shown_genes(table)
    assert list(shown["gene"][:2]) == ["G000", "G001"]
    assert len(shown) == 3 * variable_genes.SHOWN


def test_thresholds_are_those_of_the_checks(genes):
    slide = genes[0]
    cells = spots(np.ones((4, 2), int), resolution="cell")
    sparse, flat = (inspect.signature(c).parameters for c in (gene_sparsity, ubiquitous_low_variability))
    default = sparse["min_detection"].default, flat["min_detection"].default, flat["min_moran"].default
    assert thresholds_of(slide) == default
    assert thresholds_of(cells)[0] == sparse["min_detection_cells"].default


def toy_panel(label, genes, profile=None):
    return panels.Panel(label, (f"{label}1",), frozenset(genes), profile)


def profile(genes, moran, detection=0.5):
    slide = spots(np.random.default_rng(len(genes)).poisson(2, (30, 4)), name=f"slide{len(genes)}")
    return panels.Profile(
        slide=slide.meta.slide_id, half=resolution.half_of(slide),
        genes={gene: place for place, gene in enumerate(genes)}, detection=np.full(len(genes), detection),
        morans_i=np.asarray(moran, float), values=lambda column: slide.counts.toarray()[:, column] * 1.0,
    )  # fmt: skip


def test_overlap_is_that_of_the_check():
    first, second = [f"G{i}" for i in range(100)], [f"G{i}" for i in range(60, 140)]
    table = panels.overlap_table([toy_panel("a", first), toy_panel("b", second)])
    config = DatasetSpec(source="h5ad", path="x", technology="Xenium", resolution="cell")
    data = SimpleNamespace(
        panels={"a": first, "b": second}, config=config, samples=(), name="x", slides=lambda: iter(())
    )
    checked = panel_mismatch(data, min_genes=10)
    row = table[(table["panel"] == "a") & (table["other"] == "b")].iloc[0]
    assert row["share_of_smaller"] == checked.statistic == 0.5
    assert row["shared"] == checked.details["shared"] == 40
    assert (table.loc[table["panel"] == table["other"], "share_of_smaller"] == 1).all()


def test_the_gene_of_two_panels_has_the_highest_lower_moran():
    a = toy_panel("a", "KLM", profile(list("KLM"), [0.9, 0.4, np.nan]))
    b = toy_panel("b", "KLMN", profile(list("KLMN"), [0.1, 0.3, 0.8, 0.9]))
    made = panels.panels([a, b])
    assert list(made.tables["maps"].columns)[-1] == "L"
    genes = made.tables["genes"].set_index("gene")
    assert genes.loc["K", ["morans_i_1", "morans_i_2"]].tolist() == [0.9, 0.1]
    np.testing.assert_array_equal(made.tables["maps"].query("panel == 'b'")["L"], b.profile.values(1))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ([], "no panel was read"),
        ([toy_panel("a", "KL")], "one panel"),
    ],
)
def test_one_panel_has_no_overlap(found, why):
    with pytest.raises(CannotDraw, match=why) as error:
        panels.panels(found)
    assert "second data set" in error.value.fix


def test_panels_without_a_common_gene_have_no_maps():
    made = panels.panels([toy_panel("a", "KL", profile(list("KL"), [1, 1])), toy_panel("b", "MN")])
    assert made.tables.keys() == {""}
    assert "no gene is detected" in made.left_out[0]
    assert made.tables[""]["shared"].tolist() == [2, 0, 0, 2]


def test_slides_are_grouped_by_what_they_measured():
    def data(absent, panel, lists):
        config = DatasetSpec(source="h5ad", path="x", absent_gene=absent, panel=panel)
        return SimpleNamespace(name="d", config=config, samples=(), panels=lists)

    lists = {"s1": ("A", "B"), "s2": ("B", "A"), "s3": ("A", "C")}
    found = panels.grouped(data("intersect", None, lists))
    assert [(slides, len(genes)) for _, slides, genes in found] == [(("s1", "s2"), 2), (("s3",), 2)]
    ((name, slides, genes),) = panels.grouped(data("zero", "whole_transcriptome", lists))
    assert (name, slides, genes) == ("whole_transcriptome", ("s1", "s2", "s3"), frozenset("ABC"))


def step(name, **figures):
    return ChecklistRecord(
        task="t", dataset="d", step=name, question="q?", answer="a", status="warn", checks=("c",),
        findings=("c",), figures=figures,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record", "way"),
    [
        (step("resolution", resolution="xisium"), "spots or niches"),
        (step("resolution", resolution="cell"), "cells"),
        (step("resolution"), ""),
        (step("sample size", patients=3), "≤ 3 patients"),
        (step("sample size", patients=5), "4 to 5"),
        (step("sample size", patients=6), "≥ 6 patients"),
        (step("sample size"), ""),
        (step("panels", panels=["a"]), "one panel"),
        (step("panels", panels=["a", "b", "c"]), "several panels"),
        (step("panels", panels=[]), ""),
        (step("splits", splits=["lopo"]), ""),
    ],
)
def test_the_way_that_data_take(record, way):
    assert checklist.way_of(record) == way
    table = checklist.path_table([record])
    assert (table["status"][0], table["findings"][0]) == ("warn", "c")


def test_landscape_says_what_the_page_says():
    record = DatasetRecord(
        task="t", name="d", checksum="", patients={"a": "P1", "b": "P2"}, n_slides=2, n_units=1, n_genes=9,
        technology="Visium", resolution="spot",
    )  # fmt: skip
    table = landscape.landscape([record]).tables[""]
    names = ["HEST-Benchmark", "STP-Bench", "HESCAPE", "SpaRED", "Wang et al."]
    assert list(table.columns) == ["section", "aspect", *names, "your data"]
    page = landscape.plain(landscape_page())
    cells = table[names].to_numpy().ravel()
    assert len(cells) == 5 * len(table)
    assert len(table) >= 13
    assert all(cell and cell in page for cell in cells)
    own = table.set_index("aspect")["your data"]
    assert own["slides, patients"] == "2 slides of 2 patients"
    assert (own["technologies"], own["resolution"]) == ("Visium", "spot")
    assert "your data" not in landscape.landscape().tables[""]


def test_what_is_kept_is_drawn_as_kept(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 20)).astype(np.float32)
    layers = {"mine": truth + rng.normal(size=truth.shape).astype(np.float32), "other": truth}
    layers["mine"][:, 0] = np.nan
    part = SimpleNamespace(
        layers=layers, truth=truth, genes=np.array([f"G{i}" for i in range(20)]), units=np.arange(60),
        labels={"niche": np.array(["a", "b", ""] * 20)}, key=("t", "d", "S1"),
    )  # fmt: skip
    score = SimpleNamespace(
        role="model", model="mine", task="t", dataset="d", variant="", fold=None, metric="coexpression_ssim",
        per_slide={"S1": 0.25},
    )  # fmt: skip
    source = SimpleNamespace(results=SimpleNamespace(scores=[score]))
    held = SimpleNamespace(maps=[SimpleNamespace(slide="S1", path="p")], notices=[], left_out=[])
    monkeypatch.setattr(pairs, "read_sources", lambda paths: [source])
    monkeypatch.setattr(pairs, "details_of", lambda source: held)
    monkeypatch.setattr(pairs, "read_map", lambda path: part)
    found = pairs.kept(tmp_path / "run.json", ["S1"])
    assert (found.who, found.slide, found.scores) == ("mine", "S1", {"coexpression_ssim": 0.25})
    assert found.genes.tolist() == part.genes[1:].tolist()
    assert found.left_out == ("other models that were kept: other",)
    made = coexpression.coexpression(found, "d")
    assert "as run.json kept it" in made.caption
    assert "The results file says 0.250" in made.caption
    assert made.tables["summary"]["results_file"][0] == 0.25
    with pytest.raises(CannotDraw, match=r"run.json holds no map of these slides"):
        pairs.kept(tmp_path / "run.json", ["another"])


def test_undefined_metrics_say_why():
    few = pairs.Pair(
        slide="S1", who="m", how="", truth=np.ones((30, 3)), prediction=np.ones((30, 3)),
        measured=np.ones(3, bool), genes=np.array(["A", "B", "C"]), niches=np.array([None] * 30),
    )  # fmt: skip
    with pytest.raises(CannotDraw, match="15 genes that vary are needed"):
        coexpression.coexpression(few, "d")
    with pytest.raises(CannotDraw, match="no niche of slide S1"):
        niches.niche_signatures(few, "d")


def test_niches_that_can_be_compared():
    assert niches.enough(["a"] * 20 + ["b"] * 20)
    assert not niches.enough(["a"] * 20 + ["b"] * 19)
    assert not niches.enough(["a"] * 40 + [None, "", "undetermined"] * 20)
    assert not niches.enough(())


@pytest.fixture(scope="module")
def drawn(subject, tmp_path_factory):
    """All figures of the simulated cells: the checks left out and pictures not written, which takes long."""
    folder = tmp_path_factory.mktemp("drawn")
    files = {}
    figures = Figures(store=folder, write=files.__setitem__)
    path = folder / "small.stbench.yaml"
    path.write_text(yaml.safe_dump(TASK, sort_keys=False))
    opened = open_task(path, None, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(opened), "judged", lambda self, store: Judged())
        patch.setattr(type(opened), "subjects", lambda self, store, labels: iter([subject]))
        patch.setattr(type(subject), "close", lambda self: None)
        patch.setattr("pytest_stbench.report.figures.folder.written", lambda drawing: (b"png", b"pdf"))
        figures.all([opened])
    return figures, files


def test_every_figure_has_picture_pdf_and_numbers(drawn):
    figures, files = drawn
    assert figures.made == ["variable-genes", "coexpression", "niche-signatures", "resolution", "landscape"]
    assert figures.of_data == figures.made[:-1]
    for name in figures.made:
        assert {f"{name}.png", f"{name}.pdf"} <= files.keys()
        assert len(pd.read_csv(io.BytesIO(files[f"{name}.csv"])))
    assert [one.name for one in figures.not_made] == ["checklist", "panels"]


def test_captions_tell_what_is_there_and_what_is_not(drawn):
    figures, files = drawn
    text = figures.text("mine", ["a note"]).decode()
    for name in figures.made:
        assert f"\n## {name}\n" in text
    for name in files:
        assert name.endswith((".png", ".pdf")) or f"`{name}`" in text
    assert "- note: a note" in text
    assert "**panels**: all slides measured one panel (120 genes). What to do: give a second data set" in text
    assert "**checklist**: no check ran on sim" in text


def test_files_have_the_width_of_a_page_letters_and_the_same_bytes_every_time():
    steps = [step("resolution", resolution="cell"), step("sample size", patients=2)]

    def once():
        with styled():
            return written(checklist.checklist(steps, "$S_1$ <b>&").draw())

    png, pdf = once()
    assert Image.open(io.BytesIO(png)).width == pytest.approx(PAGE / 25.4 * 300, abs=1)
    assert pdf.startswith(b"%PDF")
    assert not re.search(rb"CreationDate|Producer|Creator|/Type3", pdf)
    assert (png, pdf) == once()


def test_nothing_smaller_than_six_points_and_maps_are_not_distorted(subject):
    made = resolution.resolution(subject)
    with styled():
        drawing = made.draw()
        drawing.canvas.draw()
        texts = [text for text in drawing.findobj(lambda a: hasattr(a, "get_fontsize")) if text.get_text()]
        sizes = [text.get_fontsize() for text in texts]
    assert min(sizes) >= 6
    assert any(re.fullmatch(r"[\d.]+ (µm|mm)", text.get_text()) for text in texts)
    maps = [ax for ax in drawing.axes if ax.get_aspect() == 1.0]
    assert len(maps) == 2
    assert maps[0].get_xlim() == maps[1].get_xlim()
    assert any(ax.get_ylabel() == "counts per cell" for ax in drawing.axes)
