from __future__ import annotations

import warnings

import anndata
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.data.quiet import quiet_anndata

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
