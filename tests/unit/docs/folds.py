"""One fold of the smoke task of a family, on fewer units, as models are asked it."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.cells import Cell
from pytest_stbench.run.folding import Folding
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.spec.defaults import family_of
from pytest_stbench.spec.validate import load_task
from pytest_stbench.splits.table import Fold
from pytest_stbench.store.store import Store

REGISTRY = builtin_registry()
SMALLER = {
    "transfer": {"patients": 4, "technologies": ["Visium", "Cytassist"]},
    "niche_detection": {"units": 1500},
    "proportions": {"units": 2000},
    "segmentation": {"units": 100},
}


@functools.cache
def fold_of(family):
    """Return the fold whose test slide is the first; of `transfer` the first technology."""
    spec = load_task(tasks_dir() / f"smoke-{family.replace('_', '-')}.stbench.yaml", REGISTRY).spec
    config = spec.datasets["cohort"]
    params = {**config.params, "patients": 2, "units": 120, **SMALLER.get(family, {})}
    config = config.model_copy(update={"params": params})
    roots = (Path(),)
    samples = load_samples(config, "cohort", roots)
    names = [sample.slide for sample in samples]
    test = [s.slide for s in samples if s.technology == samples[0].technology]
    test = test if family == "transfer" else names[:1]
    fold = Fold(name="test", train=tuple(n for n in names if n not in test), test=tuple(test))
    cell = Cell(dataset="cohort", variant="", view="cohort", split="lopo", fold=fold, seed=0)
    record = family_of(spec, REGISTRY)
    folder = Path(tempfile.mkdtemp(prefix="stbench-docs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folding = Folding(spec, record, OpenDataset(Store(folder)))
    return folding.fold(cell, Dataset("cohort", config, samples, roots), roots)
