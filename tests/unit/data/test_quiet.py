from __future__ import annotations

import importlib.metadata
import warnings

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from pytest_stbench.data.build import build_input
from pytest_stbench.data.quiet import quiet_anndata
from pytest_stbench.data.slide import Slide, SlideMeta
from pytest_stbench.models.prediction_files import from_h5ad

OPTION = "The 'future.infer_string' option is deprecated and will be removed in pandas 4.0."


def shown(message, category, module):
    """The warnings that come out of the block when a module gives one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_anndata():
            warnings.warn_explicit(message, category, f"{module}.py", 1, module=module)
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("module", ["anndata", "anndata.compat", "anndata._io.specs.methods"])
def test_the_option_of_pandas_is_not_heard_of(module):
    assert shown(OPTION, DeprecationWarning, module) == []


def test_repeated_names_are_left_to_the_checks():
    message = "Observation names are not unique. To make them unique, call `.obs_names_make_unique`."
    assert shown(message, UserWarning, "pytest_stbench.data.build") == []


@pytest.mark.parametrize(
    ("message", "category", "module"),
    [
        (OPTION, DeprecationWarning, "pytest_stbench.data.build"),
        (OPTION, DeprecationWarning, "anndatas"),
        (OPTION, UserWarning, "anndata.compat"),
        (OPTION, FutureWarning, "anndata.compat"),
        (OPTION.replace("infer_string", "other"), DeprecationWarning, "anndata.compat"),
        (f"See: {OPTION}", DeprecationWarning, "anndata.compat"),
        ("Observation names are not unique.", FutureWarning, "anndata"),
        ("Transforming to str index.", UserWarning, "anndata.compat"),
    ],
)
def test_any_other_warning_comes_through(message, category, module):
    assert shown(message, category, module) == [message]


def test_afterwards_it_is_heard_again():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with quiet_anndata():
            pass
        warnings.warn_explicit(OPTION, DeprecationWarning, "a.py", 1, module="anndata.compat")
    assert len(caught) == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("names", [["u0", "u1", "u2"], ["u0", "u0", "u1"]], ids=["unique", "repeated"])
def test_tables_are_built_written_and_read_where_warnings_are_errors(tmp_path, names):
    path = tmp_path / "units.h5ad"
    with quiet_anndata():
        units = anndata.AnnData(X=np.eye(3), obs=pd.DataFrame(index=pd.Index(names, dtype=object)))
        units.obs["label"] = ["a", "b", "a"]
        units.write_h5ad(path)
        read = anndata.read_h5ad(path)
    assert list(read.obs_names) == names
    assert list(read.obs["label"]) == ["a", "b", "a"]


def slide_of(names):
    n = len(names)
    return Slide(
        meta=SlideMeta(slide_id="A1", patient_id="A"),
        unit_names=np.array(names),
        genes=np.array(["KRT8", "TP53"]),
        measured=np.ones(2, bool),
        counts=sparse.csr_matrix(np.ones((n, 2), np.int32)),
        libsize=np.full(n, 2.0),
        n_detected=np.full(n, 2),
        xy_um=np.zeros((n, 2)),
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("observed", [None, np.arange(2)], ids=["no counts", "counts"])
def test_what_a_model_is_given_is_built_where_warnings_are_errors(observed):
    given = build_input(
        slide_of(["u0", "u0", "u1"]), observed=observed, with_image=False, with_embedding=False
    )
    assert given.n_units == 3


@pytest.mark.filterwarnings("error")
def test_predictions_are_read_where_warnings_are_errors(tmp_path):
    path = tmp_path / "A1.h5ad"
    with quiet_anndata():
        anndata.AnnData(np.eye(2), obs=pd.DataFrame(index=["u0", "u1"])).write_h5ad(path)
    assert from_h5ad(path).units == ["u0", "u1"]


@pytest.mark.filterwarnings("error")
def test_without_the_filter_the_same_table_warns_on_pandas_3():
    pandas, of_anndata = (importlib.metadata.version(name) for name in ("pandas", "anndata"))
    if not pandas.startswith("3.") or not of_anndata.startswith("0.13."):
        pytest.skip("another pandas or anndata")
    with pytest.raises(DeprecationWarning, match="infer_string"):
        anndata.AnnData(np.eye(2), obs=pd.DataFrame(index=pd.Index(["u0", "u1"], dtype=object)))
