from __future__ import annotations

from textwrap import dedent

import pytest

from pytest_stbench.errors import TaskFileError
from pytest_stbench.extend import family, record_of
from pytest_stbench.families.imputation import declare
from pytest_stbench.registry import Baseline, Catalogue, Check, Family, Metric, Reader, Registry
from pytest_stbench.spec.validate import load_task
from pytest_stbench.splits.catalogue import SPLITS


def _metric(name, better="up", bounds=(-1.0, 1.0), **params):
    return Metric(
        id=name, name=name, summary=name, bounds=bounds, better=better, fill=None, target="", params=params
    )


def _check(name, **params):
    return Check(
        id=name,
        name=name,
        summary=name,
        severity="fail",
        scope="dataset",
        target="",
        params=params,
    )


def _baseline(name, kind="model", families=("imputation", "expression"), needs=()):
    return Baseline(id=name, name=name, summary=name, kind=kind, families=families, target="", needs=needs)


def _family(name, primary, metrics, **more):
    return Family(
        id=name,
        name=name,
        summary=name,
        method=name,
        primary=primary,
        metrics=metrics,
        trivial="train_mean",
        target="",
        **more,
    )


@family(
    "imputation",
    method="imputation",
    primary="spearman_gene",
    metrics=("spearman_gene", "rmse"),
    trivial="train_mean",
    simple=("gene_gene_ridge",),
    baselines=("coords",),
    question=type("Question", (), {}),
)
class Imputation(declare.Imputation):
    """The settings that the package has."""


@pytest.fixture(scope="session")
def registry():
    return Registry(
        metrics=Catalogue(
            "metric",
            [
                _metric("pearson_gene"),
                _metric("spearman_gene"),
                _metric("niche_jaccard", bounds=(0.0, 1.0), n=50),
                _metric("rmse", better="down", bounds=(0.0, None)),
                _metric("morans_i", better="context"),
            ],
        ),
        checks=Catalogue(
            "check",
            [
                _check("gene_sparsity", max_sparse_share=0.1, min_units=10),
                _check("empty_units", min_counts={"spot": 200, "cell": 10}, required=("a", "b")),
                _check("patient_leakage"),
            ],
        ),
        baselines=Catalogue(
            "baseline",
            [
                _baseline("train_mean"),
                _baseline("gene_gene_ridge", families=("imputation",)),
                _baseline("he_colour", families=("expression",)),
                _baseline("libsize", kind="diagnostic"),
                _baseline("coords"),
            ],
        ),
        families=Catalogue(
            "family",
            [
                _family(
                    "expression",
                    "pearson_gene",
                    ("pearson_gene", "rmse"),
                    simple=("he_colour",),
                    baselines=("coords",),
                    required=("libsize",),
                ),
                record_of(Imputation),
            ],
        ),
        splits=Catalogue("split", SPLITS),
        readers=Catalogue(
            "source",
            [
                Reader(id="h5ad", name="h5ad", summary="", target="", needs_path=True, settings=()),
                Reader(id="simulated", name="simulated", summary="", target=""),
            ],
        ),
    )


@pytest.fixture
def write(tmp_path):
    """Write a file below the folder of the test; return its path."""

    def write_file(text, name="a.stbench.yaml"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
        return path

    return write_file


@pytest.fixture
def load(write, registry):
    """Write and load a task file; return the spec."""
    return lambda text: load_task(write(text), registry).spec


@pytest.fixture
def problems(write, registry):
    """Load a task file that must be refused; return its problems as {key: (line, message)}."""

    def found(text):
        with pytest.raises(TaskFileError) as caught:
            load_task(write(text), registry)
        keys = [problem.key for problem in caught.value.problems]
        assert len(keys) == len(set(keys)), caught.value
        return {problem.key: (problem.line, problem.message) for problem in caught.value.problems}

    return found
