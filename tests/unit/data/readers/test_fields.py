"""Fields of view whose places are counted anew in every field."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest

from pytest_stbench.checks import missing_coords
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.readers.slide_rows import OVERLAP, WHOLE, within_others
from pytest_stbench.data.samples import load_samples
from pytest_stbench.spec.model import DatasetSpec

SIDE = 400.0


def layout(n_fields, n_units=900, seed=0, turned=0.0):
    """Fields side by side, and the places within each; small ones have few units."""
    rng = np.random.default_rng(seed)
    field = rng.integers(0, n_fields, n_units)
    local = rng.uniform(0, SIDE, (n_units, 2))
    columns = int(np.ceil(np.sqrt(n_fields)))
    whole = local + np.column_stack([field % columns, field // columns]) * SIDE * 1.02
    turn = np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    return field, local, whole @ turn.T


def write(path, places, field, *, column="fov", obsm=None, **obs):
    path.parent.mkdir(parents=True, exist_ok=True)
    n = len(field)
    table = pd.DataFrame({column: field + 1, "patient": "P1", **obs}, index=[f"u{i}" for i in range(n)])
    data = anndata.AnnData(
        np.random.default_rng(1).poisson(3, (n, 4)).astype(np.float32), obs=table,
        var=pd.DataFrame(index=["ERBB2", "VIM", "CD3E", "KRT8"]), obsm={"spatial": places, **(obsm or {})},
    )  # fmt: skip
    data.write_h5ad(path)


def judged(root, **changes):
    config = DatasetSpec(source="h5ad", path="*.h5ad", technology="CosMx", resolution="cell", **changes)
    dataset = Dataset("d", config, load_samples(config, "d", [root]), [root])
    for slide in dataset.slides():
        assert slide.n_units
    notes = {key: found for key, found in dataset.notes.items() if key.startswith((OVERLAP, WHOLE))}
    return missing_coords(dataset, notes=dataset.notes), notes


@pytest.mark.parametrize("n_fields", [2, 3, 9, 40])
def test_fields_on_each_other_fail(tmp_path, n_fields):
    field, local, whole = layout(n_fields)
    write(tmp_path / "S1.h5ad", local, field, obsm={"spatial_fov": whole})
    result, _ = judged(tmp_path)
    assert result.status == "fail"
    assert "within another field of view (obs['fov'])" in result.message
    assert result.fix == "name the places on the whole slide: `keys: {spatial: spatial_fov}`"
    assert "of the units of slide S1 lie within another field" in result.details["withholds"]
    again, _ = judged(tmp_path, keys={"spatial": "spatial_fov"})
    assert again.status == "pass"


def test_columns_of_obs_are_pointed_at(tmp_path):
    field, local, whole = layout(6)
    columns = {"CenterX_local_px": local[:, 0], "CenterY_local_px": local[:, 1],
               "CenterX_global_px": whole[:, 0], "CenterY_global_px": whole[:, 1]}  # fmt: skip
    write(tmp_path / "S1.h5ad", local, field, **columns)
    result, _ = judged(tmp_path)
    assert result.fix.endswith("`keys: {x: CenterX_global_px, y: CenterY_global_px}`")
    keys = {"x": "CenterX_global_px", "y": "CenterY_global_px"}
    assert judged(tmp_path, keys=keys)[0].status == "pass"


def test_where_the_file_has_no_other_places(tmp_path):
    field, local, _ = layout(6)
    write(tmp_path / "S1.h5ad", local, field, column="field_of_view")
    result, _ = judged(tmp_path)
    assert (result.status, result.slides) == ("fail", ("S1",))
    assert "write the places on the whole slide into the files" in result.fix


@pytest.mark.parametrize("turned", [0.0, 0.2, np.pi / 4, np.pi / 2])
@pytest.mark.parametrize(("n_fields", "n_units"), [(1, 200), (4, 100), (9, 900), (60, 1200)])
def test_fields_beside_each_other_pass(tmp_path, n_fields, n_units, turned):
    field, _, whole = layout(n_fields, n_units, turned=turned)
    write(tmp_path / "S1.h5ad", whole, field)
    result, notes = judged(tmp_path)
    assert (result.status, notes) == ("pass", {})


def test_a_field_is_a_slide_where_it_is_named_so(tmp_path):
    field, local, _ = layout(4)
    write(tmp_path / "S1.h5ad", local, field)
    assert judged(tmp_path, keys={"slide": "fov"})[0].status == "pass"


def test_one_field_of_many_is_astray(tmp_path):
    """Two of nine fields lie on others: a fifth of the units is between those of another field."""
    field, local, whole = layout(9)
    places = np.where((field < 4)[:, None], local, whole)
    write(tmp_path / "S1.h5ad", places, field)
    assert judged(tmp_path)[0].status == "fail"


def test_units_that_are_not_asked():
    field, local, _ = layout(2, 300)
    assert within_others(field, local) > 0.7
    assert within_others(np.full(300, -1), local) == 0
    assert within_others(field, np.full((300, 2), np.nan)) == 0
    few = np.where(np.arange(300) < 9, 1, 0)
    assert within_others(few, local) == 0
    many = np.tile(local, (200, 1))
    assert within_others(np.tile(field, 200), many) == pytest.approx(within_others(field, local), abs=0.02)
