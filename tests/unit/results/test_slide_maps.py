"""Maps of slides: what scanpy opens is what was put down, whatever things are called."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

from pytest_stbench.data.region import Outlines
from pytest_stbench.results import ModelRecord, Results, load, save, slide_maps
from pytest_stbench.results.details import stage, unanswered
from pytest_stbench.results.map_parts import MapPart, joined, parts_by_slide, read_part, write_part
from pytest_stbench.results.slide_maps import file_name, from_anndata, read_map, to_anndata, write_map

GENES = np.array(["TP53", "HLA-DRA", "ERBB2", "KRT8"])
UNITS = np.array([f"spot {i}" for i in range(6)])


def part(*columns, model="mine", slide="s1", **changes):
    """The map of some columns; every value tells its layer, unit and gene."""
    columns = list(columns or range(4))
    base = np.add.outer(np.arange(6), np.array(columns) / 10).astype(np.float32)
    made = MapPart(
        about={"task": "t", "dataset": "d", "slide": slide, "patient": "P", "task_version": 2},
        genes=GENES[columns],
        why=np.array([f"of {model}"] * len(columns)),
        order=np.array(columns),
        units=UNITS,
        xy_um=np.arange(12.0).reshape(6, 2),
        labels={"niche": np.array(["tumour", "", "stroma", "", "tumour", "tumour"])},
        libsize=np.arange(6.0),
        truth=base,
        layers={model: base + 100},
    )
    return replace(made, **changes)


def same(one, other):
    for name in ("genes", "why", "order", "units", "xy_um", "libsize", "truth"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert dict(one.about) == dict(other.about)
    for name in ("labels", "layers"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert list(mine) == list(theirs)
        for key, values in mine.items():
            assert np.array_equal(values, theirs[key], equal_nan=values.dtype.kind == "f"), (name, key)
    return True


def test_a_part_comes_back_from_its_file(tmp_path):
    write_part(tmp_path, part(), "mine")
    (path,) = (tmp_path / "maps").iterdir()
    assert same(read_part(path), part())


@pytest.mark.parametrize("name", ["a/b", "truth", "../x", "<b>", "Größe", "a.b", "x" * 300, ""])
def test_a_map_comes_back_whatever_things_are_called(tmp_path, name):
    given = part(labels={name: np.array(["a", "", "/", "<b>", "nan", "None"])})
    given = replace(
        given, layers={name: given.truth + 1, "mine": given.truth}, units=np.array([*"abcde", name])
    )
    write_map(tmp_path / "map.h5ad", given)
    assert same(read_map(tmp_path / "map.h5ad"), given)


def test_what_is_large_is_compressed_and_the_same(tmp_path, monkeypatch):
    given = replace(part(), truth=np.zeros((6, 4), np.float32))
    write_map(tmp_path / "plain.h5ad", given)
    monkeypatch.setattr(slide_maps, "WORTH_IT", 1)
    write_map(tmp_path / "small.h5ad", given)
    with h5py.File(tmp_path / "small.h5ad") as small, h5py.File(tmp_path / "plain.h5ad") as plain:
        assert (small["X"].compression, plain["X"].compression) == ("gzip", None)
    assert same(read_map(tmp_path / "small.h5ad"), given)


def test_what_scanpy_sees():
    found = to_anndata(part())
    assert found.X.dtype == found.layers["truth"].dtype == found.layers["mine"].dtype == np.float32
    assert np.array_equal(found.X, found.layers["truth"])
    assert found.obs_names.tolist() == UNITS.tolist()
    assert found.var_names.tolist() == GENES.tolist()
    assert found.obs["niche"].isna().tolist() == [False, True, False, True, False, False]
    assert found.uns["stbench"]["task_version"] == 2
    assert found.uns["stbench"]["why_kept"].tolist() == ["of mine"] * 4
    assert set(found.uns["stbench"]) >= {"task", "dataset", "slide", "patient", "layers", "models"}
    assert same(from_anndata(found), part())


def test_models_share_a_file_and_lack_what_was_not_kept_of_them():
    one, other = part(0, 2), part(2, 3, model="other")
    found = joined([one, other])
    assert found.genes.tolist() == ["TP53", "ERBB2", "KRT8"]
    assert found.why.tolist() == ["of mine", "of mine; of other", "of other"]
    assert np.array_equal(found.truth, part(0, 2, 3).truth)
    assert np.isnan(found.layers["mine"][:, 2]).all()
    assert np.isnan(found.layers["other"][:, 0]).all()
    assert np.array_equal(found.layers["mine"][:, :2], one.layers["mine"])
    assert np.array_equal(found.layers["other"][:, 1:], other.layers["other"])
    assert same(joined([found, other]), found)
    assert np.array_equal(one.truth, part(0, 2).truth)  # what was given is as it was


def test_a_layer_of_both_keeps_what_either_has():
    one, other = part(0, 2, model="simple"), part(2, 3, model="simple")
    assert same(joined([one, other]), part(0, 2, 3, model="simple", why=joined([one, other]).why))
    assert same(joined([part(model="simple"), one]), part(model="simple"))


def test_columns_in_another_order_are_joined_by_their_genes():
    found = joined([part(3, 0), part(0, 3, model="other")])
    assert found.genes.tolist() == ["TP53", "KRT8"]
    assert np.array_equal(found.truth, part(0, 3).truth)
    assert np.array_equal(found.layers["mine"], part(0, 3).layers["mine"])
    assert np.array_equal(found.layers["other"], part(0, 3).layers["mine"])


def test_a_file_name_is_safe_on_every_system():
    found = file_name(7, part(about={"task": "a/b:c", "dataset": "d", "slide": "../<script>\n" + "x" * 200}))
    assert found.startswith("maps/007-a_b_c-.._script_x")
    assert len(found) < 140


@pytest.fixture
def run(tmp_path):
    def saved(*parts, level="maps", name="v1.json"):
        folder = tmp_path / f"parts{len(list(tmp_path.iterdir()))}"
        for made in parts:
            write_part(folder, made, next(iter(made.layers), "mine"))
        path = tmp_path / name
        return save(
            path, Results(models=(ModelRecord(name="m"),)), lambda old: stage(path, folder, level, old)
        ).kept

    return saved


def test_the_results_file_names_every_map(tmp_path, run):
    kept = run(part(), part(slide="s2", model="other"), part(1, slide="s2"))
    assert [(one.slide, one.file, one.genes, one.units) for one in kept.maps] == [
        ("s1", "maps/001-t-s1.h5ad", 4, 6), ("s2", "maps/002-t-s2.h5ad", 4, 6),
    ]  # fmt: skip
    assert (kept.level, kept.scores, kept.left_out) == ("maps", None, ())
    assert list(read_map(tmp_path / "v1.kept" / kept.maps[1].file).layers) == ["mine", "other"]
    assert load(tmp_path / "v1.json").kept == kept


def test_the_same_parts_make_the_same_files(run):
    first = run(part(), part(slide="s2"))
    again = run(part(slide="s2"), part(), name="again.json")
    assert again.maps == first.maps


def test_a_later_model_is_added_to_the_maps_there_are(tmp_path, run):
    run(part())
    kept = run(part(model="other"), part(slide="s0", model="other"))
    assert [(one.slide, one.file) for one in kept.maps] == [
        ("s1", "maps/001-t-s1.h5ad"), ("s0", "maps/002-t-s0.h5ad"),
    ]  # fmt: skip
    assert list(read_map(tmp_path / "v1.kept" / kept.maps[0].file).layers) == ["mine", "other"]


def test_maps_of_a_results_file_that_was_copied_are_copied(tmp_path, run):
    run(part())
    (tmp_path / "copy.json").write_bytes((tmp_path / "v1.json").read_bytes())
    kept = run(part(slide="s2"), name="copy.json")
    assert [one.slide for one in kept.maps] == ["s1", "s2"]
    for one in kept.maps:
        assert (tmp_path / "copy.kept" / one.file).is_file()
    assert (tmp_path / "v1.kept" / kept.maps[0].file).is_file()


def test_what_is_over_the_limit_is_left_out_and_listed(tmp_path, run, monkeypatch):
    size = (tmp_path / "v1.kept" / run(part()).maps[0].file).stat().st_size
    monkeypatch.setattr(slide_maps, "BUDGET", size * 5 // 2)
    kept = run(part(), part(slide="s2"), part(slide="s3"), name="v2.json")
    assert [one.slide for one in kept.maps] == ["s1", "s2"]
    assert [(one.task, one.slide, one.why) for one in kept.left_out] == [
        ("t", "s3", "the map: with it maps would take more than 0 MB")
    ]
    assert sorted(path.name for path in (tmp_path / "v2.kept" / "maps").iterdir()) == [
        "001-t-s1.h5ad", "002-t-s2.h5ad",
    ]  # fmt: skip
    assert len(run(part(), part(slide="s2"), part(slide="s3"), name="v2.json", level="all").maps) == 3


def test_an_image_that_is_over_the_limit_is_left_out_before_its_map(tmp_path, run, monkeypatch):
    size = (tmp_path / "v1.kept" / run(part()).maps[0].file).stat().st_size
    monkeypatch.setattr(slide_maps, "BUDGET", size * 2)
    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    kept = run(part(image=noise, image_scale=0.1), name="v2.json")
    assert [one.slide for one in kept.maps] == ["s1"]
    assert not read_map(tmp_path / "v2.kept" / kept.maps[0].file).image.size
    assert [(one.slide, one.why.partition(":")[0]) for one in kept.left_out] == [
        ("s1", "the image of the tissue")
    ]


def test_outlines_come_back_from_part_and_file(tmp_path):
    own = Outlines(
        name="cell", kind="cell", labels=np.eye(4, dtype=np.uint16), owners=np.array(["spot 1"]),
        corner_um=(1.5, -2.0), um_per_px=0.25,
    )  # fmt: skip
    write_part(tmp_path, part(outlines=own), "mine")
    write_map(tmp_path / "map.h5ad", joined([part(model="b"), read_part(next(tmp_path.rglob("*.npz")))]))
    back = read_map(tmp_path / "map.h5ad").outlines
    assert np.array_equal(back.labels, own.labels)
    assert back.owners.tolist() == ["spot 1"]
    assert (back.name, back.corner_um, back.um_per_px) == ("cell", (1.5, -2.0), 0.25)


def test_a_slide_without_a_map_says_why(run):
    kept = run(MapPart(about=part().about, left_out=("no matrix",)), part(slide="s2"))
    assert [one.slide for one in kept.maps] == ["s2"]
    assert [(one.slide, one.why) for one in kept.left_out] == [("s1", "no matrix")]


def test_other_units_of_a_slide_take_its_place_and_that_is_listed(tmp_path, run):
    run(part())
    others = part(model="other", units=np.array([f"cell {i}" for i in range(6)]))
    kept = run(others)
    assert list(read_map(tmp_path / "v1.kept" / kept.maps[0].file).layers) == ["other"]
    assert [(one.slide, one.why) for one in kept.left_out] == [
        ("s1", "the map of mine (6 units): that of other has 6 others")
    ]


def test_a_model_without_a_prediction_is_listed_until_it_has_one(run):
    gone = MapPart(about=part().about, left_out=(unanswered("a", "nan"),))
    listed = [("s1", "what a predicts: nan")]
    # beside another model in the same run, in a later run of another one, and no more with its own map
    for parts, expected in (
        ([gone, part(model="b")], listed),
        ([part(model="b")], listed),
        ([part(model="a")], []),
    ):
        assert [(one.slide, one.why) for one in run(*parts).left_out] == expected


def test_slides_come_one_by_one(tmp_path):
    for slide in ("s2", "s1"):
        for model in ("b", "a"):
            write_part(tmp_path, part(slide=slide, model=model), model)
    found = [(key, [list(one.layers) for one in parts]) for key, parts in parts_by_slide(tmp_path)]
    assert found == [(("t", "d", slide), [["a"], ["b"]]) for slide in ("s1", "s2")]
