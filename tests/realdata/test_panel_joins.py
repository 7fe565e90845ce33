"""Public slides joined as people join them: silent where panels agree, found where zeros fill them up."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import anndata
import numpy as np
import pytest
from scipy import sparse

from pytest_stbench.checks.panel_joined import joined_with_zeros

DATA = Path(os.environ.get("STBENCH_DATA", "nowhere"))
pytestmark = pytest.mark.skipif(
    not (DATA / "her2st").is_dir(), reason="set STBENCH_DATA to the development data"
)

FILES = {
    **{f"her2st {patient}1": (f"her2st/sections/{patient}1.h5ad", "breast") for patient in "ABCDEF"},
    **{f"layer {n}": (f"st_breast_layers/layer{n}.h5ad", "breast") for n in (1, 2, 3, 4)},
    "NP": ("visium_prostate/NP.h5ad", "prostate"),
    "CP": ("visium_prostate/CP.h5ad", "prostate"),
    "Xenium breast": ("xenium_breast/cells/custom_addon_10k_cells.h5ad", "breast"),
    "Xenium lung": ("xenium_lung/he_paired_200_cells/NCBI858.h5ad", "lung"),
    "Xenium lung 2": ("xenium_lung/preview_10k_transcripts/cells.h5ad", "lung"),
    "CosMx lung": ("cosmx_nsclc/cells/lung5_rep3_regions.h5ad", "lung"),
    "CosMx lung 2": ("cosmx_nsclc/cells/typed_subset_patient_unknown.h5ad", "lung"),
}  # fmt: skip
HER2ST = [name for name in FILES if name.startswith("her2st")]
LAYERS = [name for name in FILES if name.startswith("layer")]
JOINS = {
    "breast beside prostate": [*HER2ST, "NP", "CP"],
    "one slide of each": [HER2ST[0], "NP"],
    "two studies of breast": [*HER2ST, *LAYERS],
    "layers beside prostate": [*LAYERS, "NP", "CP"],
    "Xenium breast beside lung": ["Xenium breast", "Xenium lung"],
    "Xenium breast beside two of lung": ["Xenium breast", "Xenium lung", "Xenium lung 2"],
    "two of lung": ["Xenium lung", "Xenium lung 2"],
    "two CosMx of lung": ["CosMx lung", "CosMx lung 2"],
    "CosMx lung beside Xenium breast": ["CosMx lung", "CosMx lung 2", "Xenium breast"],
    "CosMx beside Xenium, both lung": ["CosMx lung", "Xenium lung"],
}


@cache
def read(name):
    """Return genes and raw counts of a slide, and its organ."""
    path, organ = FILES[name]
    data = anndata.read_h5ad(DATA / path)
    counts = sparse.csr_matrix(data.layers.get("counts", data.X)).astype(float)
    genes = data.var_names.to_numpy(str)
    first = np.unique(genes, return_index=True)[1]
    return genes[first], counts[:, first].tocsc(), organ


def joined(names, how, hidden=None):
    """Return the slides as one data set of one technology; `how` as pandas calls joins."""
    combine = set.intersection if how == "inner" else set.union
    genes = np.array(sorted(combine(*(set(read(name)[0].tolist()) for name in names))))
    slides = []
    for name in names:
        own, counts, organ = read(name)
        place = np.clip(np.searchsorted(own, genes), 0, len(own) - 1)
        known = own[place] == genes
        known &= ~np.isin(genes, (hidden or {}).get(name, ()))
        keep = sparse.diags_array(known.astype(float))
        meta = SimpleNamespace(slide_id=name, technology="one", organ=organ)
        slides.append(
            SimpleNamespace(
                meta=meta, genes=genes, measured=np.ones(len(genes), dtype=bool),
                counts=sparse.csr_matrix(counts[:, place] @ keep),
            )
        )  # fmt: skip
        slides[-1].counts.eliminate_zeros()
    return SimpleNamespace(
        slides=lambda: iter(slides), panels={name: tuple(genes.tolist()) for name in names}, genes=genes
    )


def found(subject):
    return joined_with_zeros(subject, min_block=5, min_detection=0.05)


@pytest.mark.parametrize("names", JOINS.values(), ids=JOINS)
def test_genes_in_common_are_no_finding_and_all_of_them_with_zeros_are(names):
    assert found(joined(names, "inner")) == []
    (finding,) = found(joined(names, "outer"))
    assert finding.statistic >= 5
    assert set(finding.slides) <= set(names)


@pytest.mark.parametrize(("n", "least"), [(5, 9), (20, 12), (100, 12)])
def test_an_addon_of_a_targeted_panel(n, least):
    """Quarters of a Xenium section: genes of the panel that one of four lacks, drawn twelve times."""
    genes, counts, _ = read("Xenium breast")
    rows = np.arange(counts.shape[0]) % 4
    cells = counts.tocsr()
    seen = np.stack([np.asarray((cells[rows == q] > 0).mean(axis=0)).ravel() for q in range(4)]).min(axis=0)
    strong = np.flatnonzero(seen >= 0.05)
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(12):
        measured_there = np.ones(len(genes))
        measured_there[rng.choice(strong, n, replace=False)] = 0
        slides = []
        for quarter in range(4):
            part = cells[rows == quarter]
            if quarter == trial % 4:
                part = sparse.csr_matrix(part @ sparse.diags_array(measured_there))
                part.eliminate_zeros()
            meta = SimpleNamespace(slide_id=str(quarter), technology="Xenium", organ="breast")
            measured = np.ones(len(genes), dtype=bool)
            slides.append(SimpleNamespace(meta=meta, genes=genes, measured=measured, counts=part))
        panels = {slide.meta.slide_id: tuple(genes.tolist()) for slide in slides}
        said = found(SimpleNamespace(slides=lambda slides=slides: iter(slides), panels=panels))
        hits += bool(said) and said[0].slides == (str(trial % 4),)
    assert hits >= least
