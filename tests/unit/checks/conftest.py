"""Small slides and data sets made from raw arrays, clean unless a test spoils them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from scipy import sparse

from pytest_stbench.calls.predicting import Predictor
from pytest_stbench.checks.values import as_numbers
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.errors import DataError
from pytest_stbench.run.cells import make_grid
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.quality.scored_view import MeasuredSlides
from pytest_stbench.run.runner import no_progress
from pytest_stbench.run.task_run import TaskRun
from pytest_stbench.spec.defaults import metrics_of
from pytest_stbench.spec.model import DatasetSpec, PreprocessSpec
from pytest_stbench.spec.validate import load_task
from pytest_stbench.splits.table import Fold, Sample
from pytest_stbench.store.store import Store


@dataclass
class FakeDataset:
    """The part of a data set that checks look at."""

    config: DatasetSpec
    samples: tuple = ()
    read: tuple = ()
    panels: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)
    name: str = "toy"

    def slides(self):
        return iter(self.read)

    def slide(self, name):
        found = [slide for slide in self.read if slide.meta.slide_id == name]
        if not found:
            raise DataError(f"there is no slide {name!r}")
        return found[0]

    @property
    def genes(self):
        return self.read[0].genes if self.read else np.empty(0, dtype=str)


def _symbols(n):
    return np.array([f"GENE{i}" for i in range(n)])


@pytest.fixture
def make_slide():
    """Return a maker of clean ST slides: 200 um lattice, integer counts of uneven depth."""

    def make(slide_id="S1", *, seed=0, side=20, n_genes=120, pitch=200.0, counts=None, xy=None, **meta):
        rng = np.random.default_rng(seed)
        n = side * side
        if counts is None:
            depth = rng.lognormal(np.log(4000), 0.4, size=n)
            share = rng.dirichlet(np.full(n_genes, 0.5))
            counts = rng.poisson(depth[:, None] * share[None, :])
        counts = np.asarray(counts)
        if xy is None:
            rows, columns = np.divmod(np.arange(n), side)
            xy = np.column_stack([columns, rows])[: len(counts)] * pitch + rng.normal(
                0, 0.02 * pitch, (len(counts), 2)
            )
        matrix = sparse.csr_matrix(counts)
        with np.errstate(invalid="ignore"):
            totals = np.asarray(counts, dtype=float).sum(axis=1)
        return Slide(
            meta=SlideMeta(
                slide_id=slide_id, technology="ST", resolution=meta.pop("resolution", "spot"), **meta
            ),
            unit_names=np.array([f"{i}x{slide_id}" for i in range(len(counts))], dtype=str),
            genes=_symbols(counts.shape[1]),
            measured=np.ones(counts.shape[1], dtype=bool),
            counts=matrix,
            libsize=totals,
            n_detected=np.asarray((counts != 0).sum(axis=1)).ravel(),
            xy_um=np.asarray(xy),
        )

    return make


@pytest.fixture
def make_dataset():
    """Return a maker of data sets from slides, panels or samples."""

    def make(slides=(), *, panels=None, samples=None, notes=None, name="toy", **config):
        slides = tuple(slides)
        return FakeDataset(
            config=DatasetSpec(source="h5ad", **config),
            samples=tuple(samples)
            if samples is not None
            else tuple(Sample(slide=s.meta.slide_id, patient=s.meta.slide_id) for s in slides),
            read=slides,
            panels=dict(panels) if panels is not None else {s.meta.slide_id: tuple(s.genes) for s in slides},
            notes=notes or {},
            name=name,
        )

    return make


@dataclass
class ListedGenes:
    """Asks the same genes of every fold, all that there are by default."""

    columns: object = None

    def choose(self, train, config, variant, roots):
        every = np.arange(len(train[0].genes))
        if not len(every):
            raise DataError("no gene is left")
        columns = every if self.columns is None else np.asarray(self.columns)
        return None, SimpleNamespace(candidates=every, judged=None), SimpleNamespace(columns=columns)


@dataclass
class PlainShelf:
    """Leaves out units without counts."""

    statistics: dict = field(default_factory=dict)

    def filtered(self, dataset, name, unit_filter):
        slide = dataset.slide(name)
        keep = as_numbers(slide.libsize) > 0
        return slide if keep.all() else slide.select(keep)


@pytest.fixture
def measure():
    """Return a maker of what checks of expression look at, with `columns` as the evaluated genes."""

    def make(dataset, columns=None, folds=(), **preprocess):
        return MeasuredSlides(
            SimpleNamespace(preprocess=PreprocessSpec(**preprocess)),
            "",
            dataset,
            folds,
            folding=ListedGenes(columns),
            opened=PlainShelf(),
            roots=(),
        )

    return make


REGISTRY = builtin_registry()


@dataclass
class Cohort:
    """A simulated cohort, and what the checks of a task file say of it."""

    run: TaskRun

    def check(self, name):
        """Return the result of a check of the data set or the task."""
        record = REGISTRY.checks[name]
        view = next(iter(self.run.spec.datasets))
        return self.run.checking.run(record, "" if record.scope == "task" else view)

    def statuses(self, names):
        return {name: self.check(name).status for name in names}


@pytest.fixture(scope="session")
def open_task(tmp_path_factory):
    """Return a maker of cohorts from a task file."""

    def make(path):
        task = load_task(path, REGISTRY)
        grid = make_grid(task, lambda name, config: load_samples(config, name, ()), REGISTRY.splits)
        metrics = metrics_of(task.spec, REGISTRY.families[task.spec.family])
        folder = tmp_path_factory.mktemp("store")
        predictor = Predictor(Store(folder, run_id="test"), retry=False, progress=no_progress)
        return Cohort(
            TaskRun(
                task,
                grid,
                metrics,
                REGISTRY,
                roots=(),
                opened=OpenDataset(Store(folder)),
                predictor=predictor,
            )
        )

    return make


@pytest.fixture(scope="session")
def cohort(tmp_path_factory, open_task):
    """Return a maker of simulated cohorts from their parameters and changes of the task file."""

    def make(params, **changes):
        cells = params.get("resolution") == "cell"
        dataset = {
            "source": "simulated",
            "params": {"image": False, **({"units": 400, "patients": 4} if cells else {}), **params},
            "technology": "Xenium" if cells else "Visium",
            "resolution": "cell" if cells else "spot",
            "panel": "simulated",
        }
        spec = {
            "stbench": 1, "name": "sim", "version": 1, "family": "expression", "datasets": {"sim": dataset},
            "splits": ["lopo"], **changes,
        }  # fmt: skip
        path = tmp_path_factory.mktemp("cohort") / "sim.stbench.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False))
        return open_task(path)

    return make


@pytest.fixture
def simulated():
    """Return a maker of simulated cohorts: its data set, and one fold for each patient."""

    def make(*, defects=None, bin_=None, technology="Visium", niche="niche", cell_type=None, **params):
        params |= {"defects": defects} if defects else {}
        spec = DatasetSpec(
            source="simulated", params=params, technology=technology, organ="breast", bin=bin_,
            keys={"niche": niche, "cell_type": cell_type},
        )  # fmt: skip
        samples = load_samples(spec, "sim", [])
        patients = dict.fromkeys(sample.patient for sample in samples)
        folds = [
            Fold(
                name=str(patient),
                train=tuple(s.slide for s in samples if s.patient != patient),
                test=tuple(s.slide for s in samples if s.patient == patient),
            )
            for patient in patients
        ]
        return Dataset("sim", spec, samples, []), folds

    return make


@pytest.fixture
def shuffled():
    """Return a function that permutes the units of a slide."""

    def shuffle(slide, seed=1):
        return slide.select(np.random.default_rng(seed).permutation(slide.n_units))

    return shuffle


@pytest.fixture
def spoil():
    """Return a function that replaces fields of a slide."""
    return replace
