"""Results of many models on many tasks, as a run writes them: every fold, the pool, a ladder of baselines."""

from __future__ import annotations

from statistics import fmean, median

import numpy as np

from pytest_stbench.results import (
    DatasetRecord,
    LockRecord,
    ModelRecord,
    Results,
    RunRecord,
    ScoreRecord,
    TaskRecord,
)

METRICS = ("spearman_gene", "pearson_gene", "pearson_spot", "rmse", "mae", "r2", "cosine_gene", "concordance")
BASELINES = ("train_mean", "gene_gene_ridge", "libsize", "coords", "knn_coexpression")
PATIENTS = tuple(f"P{number:02}" for number in range(1, 7))
SIMPLE = "gene_gene_ridge"


def large_results(models, tasks, *, metrics=METRICS, genes=30, seed=0, shift=0.0, name="model"):
    """Return results of `models` models on `tasks` tasks of imputation with six patients, two slides each.

    `shift` is added to what every model scores; `seed` draws the patients of models, not those of baselines.
    """
    slides = {f"{patient}S{number}": patient for patient in PATIENTS for number in (1, 2)}
    kinds = {kind: [] for kind in ("tasks", "datasets", "lock", "scores")}
    models_of_run = [f"{name}{number:02}" for number in range(models)]
    for number in range(tasks):
        task = f"task-{number:02}"
        kinds["tasks"].append(
            TaskRecord(
                name=task, version=1, family="imputation", claim="population", primary=metrics[0],
                fingerprint=f"f{number}", fingerprint_parts={f"part.{n}": f"{n:064x}" for n in range(18)},
            )
        )  # fmt: skip
        kinds["datasets"].append(
            DatasetRecord(
                task=task, name="cohort", checksum=f"c{number}", patients=slides, n_slides=len(slides),
                n_units=2000, n_genes=genes,
            )
        )  # fmt: skip
        kinds["lock"] += [
            LockRecord(
                task=task, dataset="cohort", split="lopo", fold=fold,
                train=tuple(slide for slide, patient in slides.items() if patient != fold),
                test=tuple(slide for slide, patient in slides.items() if patient == fold),
                genes=tuple(f"GENE{n}" for n in range(genes)),
            )
            for fold in PATIENTS
        ]  # fmt: skip
        ladder = np.random.default_rng([1, number])
        place = {
            "task": task,
            "task_version": 1,
            "family": "imputation",
            "dataset": "cohort",
            "split": "lopo",
        }
        for rung, baseline in enumerate(BASELINES):
            for metric in metrics:
                kinds["scores"].append(
                    _pooled(ladder, slides, 0.1 * rung, place, role="baseline", model=baseline, metric=metric)
                )
        own = np.random.default_rng([2, seed, number])
        for rank, model in enumerate(models_of_run):
            level = 0.4 + 0.01 * rank + shift
            for metric in metrics:
                pooled = _pooled(own, slides, level, place, role="model", model=model, metric=metric)
                kinds["scores"] += [pooled, *_folds(pooled, slides, place)]
    return Results(
        run=RunRecord(started="2026-01-01T00:00:00+00:00", seconds=1.0, command="pytest tasks", versions={}),
        models=tuple(ModelRecord(name=model, revision="1") for model in models_of_run),
        **{kind: tuple(records) for kind, records in kinds.items()},
    )


def _pooled(rng, slides, level, place, **who):
    per_slide = dict(zip(slides, (level + 0.05 * rng.standard_normal(len(slides))).tolist(), strict=True))
    per_patient = {
        patient: fmean(per_slide[slide] for slide, own in slides.items() if own == patient)
        for patient in PATIENTS
    }
    values = list(per_patient.values())
    mean = fmean(values)
    return ScoreRecord(
        **place, **who, value=mean, per_patient=per_patient, per_slide=per_slide, n_patients=len(values),
        n_units=2000, n_genes=30, ci_low=mean - 0.02, ci_high=mean + 0.02, ci_method="t_logit",
        median=median(values), min=min(values), max=max(values), trivial=0.0, seconds=10.0,
        peak_memory_mb=429.7, organ="breast", disease="simulated carcinoma", technology="Visium",
        resolution="spot", input_class="expression",
    )  # fmt: skip


def _folds(pooled, slides, place):
    for fold in PATIENTS:
        value = pooled.per_patient[fold]
        yield ScoreRecord(
            **place, fold=fold, role=pooled.role, model=pooled.model, metric=pooled.metric, value=value,
            per_patient={fold: value},
            per_slide={slide: pooled.per_slide[slide] for slide, own in slides.items() if own == fold},
            n_patients=1, n_units=333, n_genes=30, median=value, min=value, max=value, trivial=0.0,
            seconds=10.0, peak_memory_mb=429.7, organ="breast", disease="simulated carcinoma",
            technology="Visium", resolution="spot", input_class="expression",
        )  # fmt: skip
