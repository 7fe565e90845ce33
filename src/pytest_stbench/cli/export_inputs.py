"""``stbench export-inputs``: what a model would be given, as files for another machine."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_stbench.cli.files import new_folder
from pytest_stbench.cli.options import PATH
from pytest_stbench.cli.patch_files import write_patches
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.errors import DataError, StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData

    from pytest_stbench.data.inputs import ModelSlide, TrainSlide
    from pytest_stbench.families.fold import FoldData
    from pytest_stbench.run.cells import Cell
    from pytest_stbench.run.task_run import TaskRun

README = """\
Inputs of the task {task} v{version} (family {family}) for a model that runs elsewhere.

TASK/DATASET/SPLIT/FOLD[/sSEED]/
  task.json          genes to predict, observed genes, classes, scale of the targets, seed, slides
  train/SLIDE.h5ad   X: counts of the observed genes (none: the family hands out no counts);
                     obsm["target"]: what is to be learned, columns uns["target_genes"];
                     obs["label"], obsm["proportions"]: likewise in families of labels, proportions;
                     obsm["spatial"]: um; obsm["embedding"]: where the data set declares one
  counts/SLIDE.h5ad  raw counts of all genes of the training slides
  test/SLIDE.h5ad    the same as train without target
  train/SLIDE+NUMBER.npz, test/SLIDE+tileNUMBER.npz   family segmentation: a tile each, arrays `image`,
                     `origin_um`, `mpp`, `kind` (what to outline) and, in training, the true `mask`
Units are named unit0000001, unit0000002 ... in rows of 1 mm from the top: names and order of the data could
tell labels. `units` of {manifest} says so; pytest knows which unit is which.
images/DATASET/SLIDE.png: the H&E image; obsm["image"] of a slide holds the places of its units in
pixels of it, uns["image_mpp"] the um per pixel. Of a whole-slide image, which is read in parts, there is
TASK/.../patches/SLIDE.h5 instead, as HEST writes them: `img` (units, 224, 224, 3) at 0.5 um per pixel, or
coarser where the image is; `coords`, upper left corners in pixels of uns["image_mpp"]; `barcode`, the units.
reference.h5ad, where `reference` of task.json names it: cells of an atlas, raw counts, obs["label"].

Write for every slide of test/ one file SLIDE.h5ad, SLIDE.parquet or SLIDE.npz into
OUT/TASK/DATASET/SPLIT/FOLD[/sSEED]/ of a folder OUT of your own:
  h5ad     X (units, genes), obs_names and var_names as asked
  parquet  one row a unit (index, or a column `unit`), one column a gene
  npz      arrays `values`, `units`, `genes`
           family segmentation: SLIDE.npz with one int32 mask for each tile, named tileNUMBER
(classes or types in the place of genes where the family asks for those, any names for an embedding)
on the scale of the targets. Copy {manifest} into OUT, as it is, fill in the name of the model, and run
  pytest TASKFILE --stbench-model=predictions:OUT

Train on train/ and counts/ of the same fold only: the slides of one fold's test are the training
slides of others. The checks of the data are not run here: pytest TASKFILE -m stbench_check.
"""


@click.command(name="export-inputs")
@click.argument("taskfile", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("out", type=PATH)
@click.option(
    "--stbench-data", "data", type=click.Path(file_okay=False, path_type=Path), help="Folder of the data."
)
def export_inputs(taskfile: Path, out: Path, data: Path | None) -> None:
    """Write what a model would be given for every fold of TASKFILE into the new folder OUT."""
    with new_folder(out, of="export") as staged:
        number = _export(taskfile, staged, data)
    click.echo(f"wrote the inputs of {number} folds to {out}; {out / 'README.txt'} says what to write back")


def _export(taskfile: Path, out: Path, data: Path | None) -> int:
    from pytest_stbench.models.predictions import MANIFEST

    run = _task_run(taskfile, out / ".store", data)
    exported = _Export(run, out)
    cells = [cell for pool in run.grid.pools for cell in pool.cells]
    if not cells:
        raise StbenchError(
            "; ".join(f"{name}: {why}" for name, why in run.grid.missing.items()) or "the task has no fold"
        )
    for cell in cells:
        exported.cell(cell)
    (out / MANIFEST).write_text(json.dumps(exported.manifest(), indent=1) + "\n", encoding="utf-8")
    spec = run.spec
    readme = README.format(task=spec.name, version=spec.version, family=spec.family, manifest=MANIFEST)
    (out / "README.txt").write_text(readme, encoding="utf-8")
    shutil.rmtree(out / ".store", ignore_errors=True)
    return len(cells)


def _task_run(taskfile: Path, store: Path, data: Path | None) -> TaskRun:
    from pytest_stbench.data.roots import data_roots
    from pytest_stbench.run.installed import builtin_registry
    from pytest_stbench.run.runner import Runner
    from pytest_stbench.run.separate_panels import task_and_grid
    from pytest_stbench.run.settings import RunSettings
    from pytest_stbench.spec.defaults import family_of, metrics_of
    from pytest_stbench.spec.validate import load_task

    registry = builtin_registry()
    task = load_task(taskfile, registry)
    roots = data_roots(taskfile.resolve().parent, data)
    task, grid = task_and_grid(task, roots, registry)
    settings = RunSettings(data=data, store=store, retry=False, no_skip=False, compare=None, run_id=None)
    metrics = metrics_of(task.spec, family_of(task.spec, registry))
    run, _ = Runner(settings, registry).task_run(task, grid, metrics, roots)
    return run


class _Export:
    """Writes cells; images once a data set, slides that several folds train on as one file."""

    def __init__(self, run: TaskRun, out: Path) -> None:
        self._run = run
        self._out = out
        self._written: dict[tuple[str, ...], Path] = {}

    def manifest(self) -> dict[str, Any]:
        """Return what is copied beside the predictions: the state of the task they are for."""
        from pytest_stbench.data.build import SCHEME
        from pytest_stbench.spec.defaults import with_defaults
        from pytest_stbench.spec.fingerprint import fingerprint

        spec = self._run.spec
        mark = fingerprint(with_defaults(spec, self._run.registry)).digest
        return {
            "name": None,
            "pretraining": None,
            "units": SCHEME,
            "tasks": {spec.name: {"version": spec.version, "family": spec.family, "fingerprint": mark}},
        }

    def cell(self, cell: Cell) -> None:
        """Write one fold."""
        from pytest_stbench.calls.failures import Blocked
        from pytest_stbench.models.predictions import safe_name
        from pytest_stbench.spec.defaults import methods_of

        try:
            fold = self._run.fold(cell)
            if not fold.question.exportable:
                family = self._run.family.name
                message = f"the family {family} makes inputs while it runs: give the model itself to pytest"
                raise DataError(message)
        except Blocked as error:
            raise DataError(f"{error.cause}: {error.detail}") from None
        folder = self._out.joinpath(*self._run.place(cell).parts)
        for part in ("train", "counts", "test"):
            (folder / part).mkdir(parents=True)
        for slide in fold.train_inputs():
            name = safe_name(slide.meta.slide_id)
            self._patches(slide, cell, folder / "patches" / f"{name}.h5")
            _write(self._with_target(slide, fold, cell), folder / "train" / f"{name}.h5ad")
            self._counts(slide, cell, folder / "counts" / f"{name}.h5ad")
            for number, (region, mask) in enumerate(slide.tiles()):
                _write_arrays({**region.arrays(), "mask": mask}, folder / "train" / f"{name}+{number}.npz")
        for request in fold.question.requests(fold):
            asked = fold.asking(request).given()
            self._patches(asked, cell, folder / "patches" / f"{safe_name(request.key)}.h5")
            given = self._units(asked, cell)
            target = folder / "test" / safe_name(request.key)
            arrays = fold.question.exported(request, fold)
            if arrays is None:
                _write(given, target.with_name(f"{target.name}.h5ad"))
            else:
                _write_arrays(arrays, target.with_name(f"{target.name}.npz"))
        task = fold.task
        # Of a derived family the last one is the parent's: files hold expression.
        method = methods_of(self._run.spec, self._run.family)[-1]
        facts = {
            "task": task.name, "family": task.family,
            "method": method, "classes": list(task.classes),
            "genes": list(task.genes), "observed_genes": list(task.observed_genes),
            "normalise": task.normalise, "target_sum": task.target_sum, "seed": task.seed,
            "resolution": task.resolution, "reference": self._reference(fold),
            "train": [s.meta.slide_id for s in fold.train],
            "test": [s.meta.slide_id for s in fold.test],
            "patients": {s.meta.slide_id: s.meta.patient_id for s in fold.train},
        }  # fmt: skip
        (folder / "task.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def _reference(self, fold: FoldData) -> str | None:
        """Write the cells of the atlas that models are given, once; return the name of the file in OUT."""
        if fold.task.reference is None:
            return None
        target = self._out / "reference.h5ad"
        if not target.exists():
            _write(fold.task.reference.cells(), target)
        return target.name

    def _with_target(self, slide: TrainSlide, fold: FoldData, cell: Cell) -> AnnData:
        units = self._units(slide, cell)
        units.obsm["target"] = slide.target
        units.uns["target_genes"] = list(fold.genes)
        if slide.labels is not None:
            units.obs["label"] = [label or "" for label in slide.labels]
        if slide.proportions is not None:
            units.obsm["proportions"] = slide.proportions
        return units

    def _counts(self, slide: TrainSlide, cell: Cell, target: Path) -> None:
        """Write raw counts of a slide."""
        self._once("counts", slide, cell, target, lambda: _write(slide.counts, target))

    def _patches(self, slide: ModelSlide, cell: Cell, target: Path) -> None:
        """Write the patches of a slide whose image is read in parts."""
        image = slide.image
        if image is not None and image.in_parts and not target.exists():
            target.parent.mkdir(exist_ok=True)
            names = slide.units.obs_names.to_numpy(str)
            self._once("patches", slide, cell, target, lambda: write_patches(image, names, target))

    def _once(
        self, what: str, slide: ModelSlide, cell: Cell, target: Path, write: Callable[[], None]
    ) -> None:
        """Write a file, or link to where that of the same units of the slide was written before."""
        import numpy as np

        # Names count units, so that those of two parts of a slide have the same ones.
        places = hashlib.blake2b(np.asarray(slide.units.obsm["spatial"]).tobytes()).hexdigest()
        part = f"{cell.split} {cell.fold.name}" if cell.fold.within else ""
        key = (what, cell.view, cell.variant, slide.meta.slide_id, part, places)
        if key in self._written:
            try:
                target.hardlink_to(self._written[key])
            except OSError:
                shutil.copyfile(self._written[key], target)
            return
        write()
        self._written[key] = target

    def _units(self, slide: ModelSlide, cell: Cell) -> AnnData:
        units = slide.units
        if slide.image is not None:
            units.obsm["image"] = slide.image.xy_px.copy()
            units.uns["image_mpp"] = float(slide.image.mpp)
            self._image(slide, cell)
        return units

    def _image(self, slide: ModelSlide, cell: Cell) -> None:
        import PIL.Image

        from pytest_stbench.models.predictions import safe_name

        path = self._out / "images" / safe_name(cell.dataset) / f"{safe_name(slide.meta.slide_id)}.png"
        if slide.image is not None and not slide.image.in_parts and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(slide.image.array).save(path, compress_level=1)


@quiet_anndata()
def _write(units: AnnData, path: Path) -> None:
    units.write_h5ad(path, compression="gzip")


def _write_arrays(arrays: dict[str, Any], path: Path) -> None:
    import numpy as np

    np.savez_compressed(path, **arrays)
