"""A clean cohort as raw files, written with numpy and anndata alone, and copies of it to damage.

Nothing here comes from the package but its lists of genes: what the checks find was put in by hand.
"""

from __future__ import annotations

import copy
import functools
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.resources import housekeeping, lr_pairs, signatures

if TYPE_CHECKING:
    from pathlib import Path

PATIENTS = ("P01", "P02", "P03", "P04", "P05", "P06")
PITCH = 100.0
MPP = 2.0
DEPTH = 3000
NICHES = ("invasive cancer", "stroma", "immune infiltrate", "adipose")
# The compartment that each programme follows; a name of its own is a field of its own.
PROGRAMMES = {
    "EPITHELIAL_KERATIN": 0, "ER_LUMINAL": 0, "HER2_AMPLICON_17Q12": 0, "FIBROBLAST": 1, "CAF_MYCAF": 1,
    "TGFB_RESPONSE_F_TBRS": 1, "T_CELL": 2, "B_CELL": 2, "TIS_GEP_18": 2, "TLS_CHEMOKINE_12": 2,
    "CYTOTOXIC_LYMPHOCYTE": 2, "CD8_EXHAUSTION": 2, "ADIPOCYTE": 3, "ENDOTHELIAL": 3, "HYPOXIA_BUFFA": 4,
    "PROLIFERATION_PAM50_11": 5,
}  # fmt: skip
FIELDS = 6
GRAVITY = ("skip", "pass", "warn", "fail")
GENES = 300
TASK = {
    "stbench": 1, "name": "tissue", "version": 1, "family": "expression",
    "datasets": {
        "cohort": {
            "source": "h5ad", "path": "slides/*.h5ad", "samples": "samples.csv",
            "keys": {"niche": "region"}, "technology": "Visium", "resolution": "spot", "panel": "onco_v1",
            "organ": "breast", "disease": "carcinoma", "preservation": "FFPE",
            "image": {"path": "images/{slide}.png", "um_per_px": MPP, "spatial": "spatial_image"},
        }
    },
    "splits": ["lopo"],
    "preprocess": {"genes": {"select": "svg", "n": 40}},
}  # fmt: skip


def gene_programmes():
    """Return the genes of the panel and the field that each follows, -1 for none."""
    found = dict.fromkeys(sorted(housekeeping()), -1)
    for name, followed in PROGRAMMES.items():
        for gene in signatures()[name]:
            found.setdefault(gene, followed)
    for number, pair in enumerate(lr_pairs()):
        for gene in (pair.ligand, pair.receptor):
            if len(found) < GENES:
                found.setdefault(gene, number % 4 if number % 3 else -1)
    return np.array(list(found)), np.array(list(found.values()))


def smooth(xy, rng, length):
    """Return a smooth random field of mean 0 and SD 1: a sum of waves of about this length."""
    waves = rng.normal(0, 1 / length, (60, 2))
    values = np.cos(xy @ waves.T + rng.uniform(0, 2 * np.pi, 60)).sum(axis=1)
    return (values - values.mean()) / values.std()


def lattice(rng, rows=27, columns=27, pitch=PITCH):
    """Return the places of the spots under a piece of tissue, um, with their rows and columns."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    xy = np.column_stack([(column + row % 2 / 2) * pitch, row * pitch * np.sqrt(3) / 2])
    middle = xy.mean(axis=0)
    radius = middle * rng.uniform(0.97, 1.05, 2)
    inside = (((xy - middle) / radius) ** 2).sum(axis=1) < 1
    return xy[inside] + 150, row[inside], column[inside]


def fields(xy, rng):
    """Return compartments and programmes (units, fields), and a cell density without either."""
    scores = np.column_stack([smooth(xy, rng, 300) for _ in NICHES])
    share = np.exp(2.5 * scores)
    share /= share.sum(axis=1, keepdims=True)
    signal = np.column_stack([share, *(smooth(xy, rng, 300) for _ in range(FIELDS - len(NICHES)))])
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    density = smooth(xy, rng, 250)
    density -= signal @ np.linalg.lstsq(signal, density, rcond=None)[0]
    return signal, share.argmax(axis=1), density / density.std()


def tissue(number):
    """Return one slide and its cell density at the spots."""
    rng = np.random.default_rng([7, number])
    common = np.random.default_rng(7)
    genes, programme = gene_programmes()
    base = common.normal(0, 0.9, len(genes))
    slope = np.where(programme >= 0, common.uniform(0.25, 0.9, len(genes)), 0.0)
    xy, row, column = lattice(rng)
    signal, niche, density = fields(xy, rng)
    log_rate = base + slope * signal[:, programme] + rng.normal(0, 0.2, len(genes))
    rate = np.exp(log_rate + rng.normal(0, 0.25, log_rate.shape))
    depth = DEPTH * np.exp(0.3 * density + rng.normal(0, 0.1, len(xy)))
    counts = rng.poisson(rate / rate.sum(axis=1, keepdims=True) * depth[:, None])
    # As on Visium slides, the barcode of a place is the same on every slide.
    barcodes = ["".join(letters) for letters in common.choice(list("ACGT"), (27 * 27, 16))]
    names = [f"{barcodes[place]}-1" for place in row * 27 + column]
    obs = pd.DataFrame({"region": np.array(NICHES)[niche]}, index=names)
    places = {"spatial": xy, "spatial_image": xy / MPP}
    slide = anndata.AnnData(
        X=csr_matrix(counts, dtype=np.float32), obs=obs, var=pd.DataFrame(index=genes), obsm=places
    )
    return slide, density


def stain(xy, density, rng):
    """Return an H&E-like image: pink tissue on white, violet nuclei where cells are dense."""
    width, height = (int(v) for v in (xy.max(axis=0) + 150) // MPP)
    image = np.full((height, width, 3), 242, np.uint8)
    y, x = np.mgrid[:height:8, :width:8] * MPP
    near = np.min([(x - a) ** 2 + (y - b) ** 2 for a, b in xy], axis=0) < 90**2
    inside = np.kron(near, np.ones((8, 8), bool))[:height, :width]
    image[inside] = (228, 178, 205)
    cells = rng.poisson(14 * np.exp(0.5 * density))
    centre = np.repeat(xy, cells, axis=0) + rng.normal(0, 32, (cells.sum(), 2))
    pixel = (centre / MPP).astype(int)
    for dx in range(-2, 3):
        for dy in range(-2, 3):
            if dx * dx + dy * dy <= 5:
                a = np.clip(pixel[:, 0] + dx, 0, width - 1)
                b = np.clip(pixel[:, 1] + dy, 0, height - 1)
                image[b, a] = (104, 74, 150)
    return Image.fromarray(image)


@functools.cache
def ranking(folder):
    """Genes of a cohort, those with most spatial pattern first: by a mean Moran's I of our own."""
    total = 0
    for adata in map(anndata.read_h5ad, sorted((folder / "slides").glob("*.h5ad"))):
        counts = adata.X.toarray().astype(float)
        depth = counts.sum(axis=1, keepdims=True)
        values = np.log1p(counts / depth * np.median(depth))
        values -= values.mean(axis=0)
        distance = np.linalg.norm(adata.obsm["spatial"][:, None] - adata.obsm["spatial"], axis=2)
        near = ((distance > 0) & (distance < 1.1 * PITCH)) * 1.0
        total += len(near) / near.sum() * (values * (near @ values)).sum(axis=0) / (values**2).sum(axis=0)
    return tuple(pd.Series(total, index=adata.var_names).sort_values(ascending=False).index)


@dataclass
class Files:
    """A cohort in a folder. Files are shared with the clean cohort until they are changed."""

    folder: Path
    samples: pd.DataFrame
    clean: Path
    task: dict = field(default_factory=lambda: copy.deepcopy(TASK))

    @property
    def data(self):
        """The data set of the task file."""
        return self.task["datasets"]["cohort"]

    @property
    def slides(self):
        return sorted(path.stem for path in (self.folder / "slides").glob("*.h5ad"))

    def path(self, slide):
        return self.folder / "slides" / f"{slide}.h5ad"

    def read(self, slide):
        return anndata.read_h5ad(self.path(slide))

    def write(self, slide, adata):
        self.path(slide).unlink(missing_ok=True)
        adata.write_h5ad(self.path(slide))

    def change(self, slides, function):
        """Rewrite these slides by a function that changes its AnnData, or returns another."""
        for slide in slides:
            adata = self.read(slide)
            changed = function(adata)
            self.write(slide, adata if changed is None else changed)

    def counts(self, slides, function):
        """Rewrite the dense counts of these slides: function(counts, genes) changes or returns them."""

        def apply(adata):
            dense = adata.X.toarray()
            changed = function(dense, list(adata.var_names))
            adata.X = csr_matrix(dense if changed is None else changed, dtype=np.float32)

        self.change(slides, apply)

    def add(self, slide, like, patient=None):
        """Add a copy of a slide, with its image, under another name."""
        os.link(self.path(like), self.path(slide))
        os.link(self.folder / "images" / f"{like}.png", self.folder / "images" / f"{slide}.png")
        row = self.samples[self.samples.slide == like].assign(slide=slide)
        row["patient"] = patient or row["patient"]
        self.samples = pd.concat([self.samples, row], ignore_index=True)

    def save(self):
        """Write samples sheet and task file; return the path of the task file."""
        self.samples.to_csv(self.folder / "samples.csv", index=False)
        path = self.folder / "tissue.stbench.yaml"
        path.write_text(yaml.safe_dump(self.task, sort_keys=False), encoding="utf-8")
        return path

    def ranked(self):
        """Genes of the clean cohort, those with most spatial pattern first."""
        return list(ranking(self.clean))

    def genes(self, names):
        """Ask for these genes and no others."""
        chosen = {"select": "list", "names": list(names), "provenance": "chosen in another study"}
        self.task["preprocess"]["genes"] = chosen

    def command(self, *arguments):
        """Run ``stbench check`` in this process; return what it printed and its exit code."""
        return CliRunner().invoke(main, ["check", *arguments])

    def check(self, *names):
        """Run ``stbench check`` on the task file; return the records it writes."""
        selected = ["--select", ",".join(names)] if names else []
        done = self.command(str(self.save()), "--format", "json", *selected)
        assert done.stdout.startswith("{"), (done.output, done.exception)
        return json.loads(done.stdout)["checks"]

    def verdict(self, check, status, *named):
        """Hold a check to the status, and what it finds to naming these; return the gravest record."""
        records = self.check(check)
        record = max(records, key=lambda record: GRAVITY.index(record["status"]))
        assert record["status"] == status, (record["status"], record["statistic"], record["message"])
        if status in ("warn", "fail"):
            told = [record["message"], *record["slides"], *record["genes"]]
            assert all(any(name in text for text in told) for name in named), (named, told)
            assert len(record["fix"].split()) >= 3, record
        return record


def pytest_generate_tests(metafunc):
    """Cases of a module are rows of (check, case, damage, status, what the finding must name).

    The first with which a check ends so runs always.
    """
    if "damage" not in metafunc.fixturenames:
        return
    rows, seen = [], set()
    for check, case, damage, status, named in metafunc.module.CASES:
        marks = [pytest.mark.exhaustive] if (check, status) in seen else []
        seen.add((check, status))
        rows.append(pytest.param(check, damage, status, named, id=f"{check}-{case}", marks=marks))
    metafunc.parametrize(("check", "damage", "status", "named"), rows)


@pytest.fixture(scope="session")
def clean_folder(tmp_path_factory):
    """Six patients of two sites, one section each, written once."""
    folder = tmp_path_factory.mktemp("clean")
    (folder / "slides").mkdir()
    (folder / "images").mkdir()
    for number, patient in enumerate(PATIENTS):
        slide, density = tissue(number)
        slide.write_h5ad(folder / "slides" / f"{patient}S1.h5ad")
        picture = stain(slide.obsm["spatial"], density, np.random.default_rng([8, number]))
        picture.save(folder / "images" / f"{patient}S1.png", compress_level=1)
    return folder


def samples_sheet():
    return pd.DataFrame(
        {
            "slide": [f"{patient}S1" for patient in PATIENTS],
            "patient": PATIENTS,
            "site": ["north"] * 3 + ["south"] * 3,
        }
    )


def copied(clean_folder, folder):
    for kind in ("slides", "images"):
        (folder / kind).mkdir()
        for path in (clean_folder / kind).iterdir():
            os.link(path, folder / kind / path.name)
    return Files(folder, samples_sheet(), clean_folder)


@pytest.fixture
def files(clean_folder, tmp_path):
    """A copy of the clean cohort."""
    return copied(clean_folder, tmp_path)


@pytest.fixture(scope="session")
def untouched(clean_folder, tmp_path_factory):
    """A copy of the clean cohort that stays as it is."""
    return copied(clean_folder, tmp_path_factory.mktemp("untouched"))
