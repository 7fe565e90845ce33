"""The readers: what ``source:`` of a data set may be."""

from __future__ import annotations

from pytest_stbench.registry import Reader

READERS: tuple[Reader, ...] = (
    Reader(
        id="R01",
        name="h5ad",
        summary="AnnData files: one slide a file, or several slides in one file told apart by `keys.slide`",
        target="pytest_stbench.data.readers.h5ad:open_source",
        index="pytest_stbench.data.index:index_source",
        needs_path=True,
        files="the h5ad files named by `path`, and an image per slide where `image` is declared",
        source="https://anndata.readthedocs.io/en/stable/fileformat-prose.html",
    ),
    Reader(
        id="R02",
        name="simulated",
        summary="a seeded tumour cohort of several patients with known truth; `params` sets it up",
        target="pytest_stbench.data.simulate:open_source",
        index="pytest_stbench.data.simulate.table:index_source",
    ),
)
