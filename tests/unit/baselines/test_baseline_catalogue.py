from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_stbench.baselines.catalogue import BASELINES
from pytest_stbench.index import loaded, own
from pytest_stbench.registry import Family
from pytest_stbench.spec.defaults import PARENTS

FAMILIES = {record.name: record for record in own(Family)}


@pytest.mark.parametrize("record", BASELINES, ids=lambda record: record.name)
def test_targets_have_the_methods_of_their_kind(record):
    target = loaded(record)
    if record.kind == "control":
        assert callable(target)
        return
    made = target()
    assert made.name == record.name
    assert isinstance(made.revision, str)
    assert isinstance(made.config, dict)
    served = [FAMILIES[name] for name in record.families if name in FAMILIES]
    asked = {method for f in served for method in (PARENTS if f.derived else (f.method,))}
    learns = () if record.families == ("segmentation",) else ("fit",)
    of_kind = {"model": (*learns, *asked), "diagnostic": ("fit", "predict")}[record.kind]
    methods = ("predict_fold",) if record.name == "train_statistic" else of_kind
    assert all(callable(getattr(made, method)) for method in methods)


@pytest.mark.parametrize(
    "module", ["baselines.catalogue", "baselines", "preprocess", "preprocess.gene_families"]
)
def test_nothing_heavy_is_imported(module):
    code = (
        f"import sys, pytest_stbench.{module}; "
        "print([name for name in ('numpy', 'scipy', 'anndata', 'scanpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_load_on_first_use():
    import pytest_stbench.baselines as package

    for name in package.__all__:
        assert callable(getattr(package, name))
    with pytest.raises(AttributeError, match="attribute nothing"):
        getattr(package, "nothing")  # noqa: B009  # the lookup is the point
