"""Defects put into raw files of a simulated cohort with anndata alone, and found by ``stbench check``."""

from __future__ import annotations

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

SAID = {"technology": "Visium", "resolution": "spot", "panel": "made_up", "organ": "breast", "disease": "IDC",
        "preservation": "FFPE"}  # fmt: skip


@pytest.fixture(scope="module")
def cohort():
    """Slides of a clean cohort as AnnData with raw counts."""
    spec = DatasetSpec(
        source="simulated", params={"image": False, "genes": 200, "seed": 4711}, technology="Visium"
    )
    found = []
    for slide in Dataset("sim", spec, load_samples(spec, "sim", []), []).slides():
        adata = anndata.AnnData(
            csr_matrix(slide.counts, dtype=np.float32),
            obs=pd.DataFrame(
                {"patient": slide.meta.patient_id, "niche": slide.labels["niche"].astype(str)},
                index=slide.unit_names.astype(str),
            ),
            var=pd.DataFrame(index=slide.genes.astype(str)),
            obsm={"spatial": slide.xy_um},
        )
        found.append((slide.meta.slide_id, adata))
    return found


def verdicts(folder, cohort, names, change=None, **said):
    """Return what checks say of the cohort with one change, the worst of the statuses of each."""
    for number, (slide, clean) in enumerate(cohort):
        adata = clean.copy()
        adata = (change(adata, number) if change else None) or adata
        adata.write_h5ad(folder / f"{slide}.h5ad")
    settings = [part for key, value in {**SAID, **said}.items() for part in ("--set", f"{key}={value}")]
    done = CliRunner().invoke(main, ["check", str(folder), "--select", names, "--format", "json", *settings])
    assert done.exit_code in (0, 1), done.output
    found = {}
    for check in json.loads(done.stdout)["checks"]:
        found.setdefault(check["name"], set()).add(check["status"])
    return {
        name: next(status for status in ("fail", "warn", "skip", "pass") if status in statuses)
        for name, statuses in found.items()
    }


def dense(adata, change):
    adata.X = csr_matrix(np.rint(change(adata.X.toarray())).astype(np.float32))


def rare(adata, number):
    """One slide that lost most of half of its genes, which are good genes on all others."""
    if number < 5:
        return

    def keep(counts):
        rng = np.random.default_rng(number)
        counts[:, ::2] *= rng.random((len(counts), (counts.shape[1] + 1) // 2)) < 0.02
        return counts

    dense(adata, keep)


def flat(adata, number):
    rng = np.random.default_rng(number)
    constant = np.arange(adata.n_vars) % 10 > 0
    dense(adata, lambda counts: np.where(constant, rng.poisson(40, counts.shape), counts))


def by_depth(adata, number):
    del number

    def scaled(counts):
        order = np.argsort(np.argsort(counts.sum(axis=1)))[:, None] / len(counts)
        rises = np.arange(counts.shape[1]) % 2 == 0
        return counts * np.where(rises, 0.2 + 4 * order, 4.2 - 4 * order)

    dense(adata, scaled)


def by_patient(adata, number):
    factors = np.exp(np.random.default_rng(number).normal(0, 1.5, adata.n_vars))
    dense(adata, lambda counts: counts * factors)


def moved(adata, number):
    adata.obsm["spatial"] = np.random.default_rng(number).permutation(adata.obsm["spatial"])


def household(adata, number):
    del number
    adata.var_names = [f"RPL{i}" if i % 3 else name for i, name in enumerate(adata.var_names)]


def with_antibodies(adata, number):
    del number
    adata.var_names = ["PanCK", "CD45RA", *adata.var_names[2:]]


def one_niche(adata, number):
    adata.obs["niche"] = "tumour" if number else "stroma"


def square(adata, number):
    del number
    side = int(np.ceil(np.sqrt(adata.n_obs)))
    place = np.arange(adata.n_obs)
    adata.obsm["spatial"] = 55.0 * np.column_stack([place % side, place // side])


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("gene_sparsity", rare, {}),
        ("ubiquitous_low_variability", flat, {}),
        ("library_size_confounding", by_depth, {}),
        ("patient_effect", by_patient, {}),
        ("no_spatial_signal", moved, {}),
        ("housekeeping_only_panel", household, {}),
        ("controls_in_matrix", with_antibodies, {}),
        ("class_imbalance", one_niche, {}),
        ("xisium_geometry", square, {"resolution": "xisium", "technology": "Xenium"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_check_sees_it(tmp_path, cohort, name, change, said):
    assert verdicts(tmp_path, cohort, name, change, **said)[name] in ("warn", "fail")


def test_clean_files_pass(tmp_path, cohort):
    names = (
        "ubiquitous_low_variability,library_size_confounding,patient_effect,no_spatial_signal,"
        "housekeeping_only_panel,controls_in_matrix"
    )
    assert verdicts(tmp_path, cohort, names) == dict.fromkeys(names.split(","), "pass")
