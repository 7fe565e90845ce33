"""The table of single scores: the same file of the same parts, whoever wrote them and in whatever order."""

from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest

from pytest_stbench.metrics.aggregate import SlideValue
from pytest_stbench.results import read_scores
from pytest_stbench.results.single_scores import Block, Encoder, Place, single, write_part, write_scores
from pytest_stbench.run.scores.pooling import pool_scores

COLUMNS = [
    "model", "task", "dataset", "variant", "fold", "slide", "patient", "metric", "level", "name", "value",
    "reason", "role", "split", "seed", "niche",
]  # fmt: skip
PATIENTS = {"a1": "A", "a2": "A", "b1": "B", "c1": "C"}


def place(fold="A", model="mine", role="model", seed=-1, variant=""):
    return Place("t", "d", variant, "lopo", role, model, fold, seed)


def genes(slide, values, metric="rmse", names=("TP53", "Größe", "a/b\x00<b>")):
    values = np.array(values, dtype=float)
    reasons = np.where(np.isnan(values), "gt_constant", "")
    return Block(
        metric=metric, level="gene", slide=slide, patient=PATIENTS[slide], names=np.array(names),
        values=values, reasons=reasons,
    )  # fmt: skip


def whole(slide, value, reason="", metric="rmse"):
    return single(metric, "slide", value, reason, patient=PATIENTS[slide], slide=slide)


PARTS = {
    place("A"): [whole("a1", 0.1), genes("a1", [0.1, np.nan, 0.3]), whole("a2", 0.5), genes("a2", [1, 2, 3])],
    place("B"): [whole("b1", np.nan, "gt_constant, pred_constant"), genes("b1", [np.nan] * 3)],
    place("C"): [whole("c1", 0.7), genes("c1", [0.7, 0.8, 0.9])],
    place("A", "ridge", "baseline"): [whole("a1", 0.2), whole("a2", 0.3)],
    place("A", variant="hvg"): [whole("a1", 0.4)],
}


def put(folder, parts):
    folder.mkdir()
    encoder = Encoder()
    for number, (where, blocks) in enumerate(parts.items()):
        write_part(folder / f"{number}.arrow", encoder.part(where, blocks))
    return sorted(folder.glob("*.arrow"))


@pytest.fixture
def table(tmp_path):
    def make(parts=PARTS, name="scores.parquet", earlier=None, shuffled=0):
        paths = put(tmp_path / f"{name}.parts", parts)
        random.Random(shuffled).shuffle(paths)
        rows = write_scores(tmp_path / name, paths, earlier)
        frame = read_scores(tmp_path / name)
        assert len(frame) == rows
        return frame

    return make


def test_columns_values_and_reasons(table):
    found = table()
    assert list(found) == COLUMNS
    assert {name for name in COLUMNS if found[name].dtype == "category"} == {*COLUMNS} - {"value", "seed"}
    mine = found[(found.model == "mine") & (found.variant == "") & (found.level == "gene")]
    assert mine.name.tolist() == ["TP53", "Größe", "a/b\x00<b>"] * 4
    assert np.array_equal(
        mine.value, [0.1, np.nan, 0.3, 1, 2, 3, *[np.nan] * 3, 0.7, 0.8, 0.9], equal_nan=True
    )
    assert (found.value.isna() == (found.reason != "")).all()
    assert found.seed.isna().all()
    assert set(found.level) == {"patient", "slide", "gene"}


def test_patients_are_the_means_of_their_slides(table):
    rows = table().query("level == 'patient' and model == 'mine' and variant == ''")
    assert dict(zip(rows.patient, rows.value, strict=True)) == pytest.approx(
        {"A": 0.3, "B": np.nan, "C": 0.7}, nan_ok=True
    )
    assert rows.reason.tolist() == ["", "gt_constant, pred_constant", ""]
    assert set(rows.fold) == set(rows.slide) == set(rows.name) == {""}


def test_seeds_are_pooled_as_the_results_file_does(table):
    rng = np.random.default_rng(0)
    values = {seed: rng.normal(size=4).round(3) for seed in (1, 2, 3)}
    values[2][1] = values[1][2] = values[2][2] = values[3][2] = np.nan
    parts, cells = {}, []
    for seed, drawn in values.items():
        by_slide = dict(zip(PATIENTS, drawn.tolist(), strict=True))
        parts[place("all", seed=seed)] = [
            whole(slide, value, "gt_constant" if np.isnan(value) else "") for slide, value in by_slide.items()
        ]
        slides = {slide: SlideValue(value=value, n_total=1, n_valid=1) for slide, value in by_slide.items()}
        scores = SimpleNamespace(
            values={"rmse": slides}, n_units={}, n_genes={"rmse": 1}, seconds=None, peak_memory_mb=None
        )
        cells.append((SimpleNamespace(seed=seed), scores))
    found = table(parts)
    rows = found[found.level == "patient"]
    pooled = pool_scores(cells, "rmse", PATIENTS).per_patient
    assert np.array_equal([pooled[name] for name in rows.patient], rows.value, equal_nan=True)
    assert found.seed.dropna().unique().tolist() == [1, 2, 3]


def test_the_order_of_parts_and_who_wrote_them_twice_do_not_matter(table, tmp_path):
    table(name="one", shuffled=1)
    table({**dict(reversed(PARTS.items()))}, name="two", shuffled=2)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_earlier_parts_stay_but_for_those_made_anew(table, tmp_path):
    later = {
        place("C"): [whole("c1", 0.9), genes("c1", [0.9, 0.9, 0.9])],
        place("A", "other"): [whole("a1", 0.0)],
    }
    table()
    joined = table(later, name="joined", earlier=tmp_path / "scores.parquet")
    together = table({**PARTS, **later}, name="together")
    assert joined.equals(together)
    assert (tmp_path / "joined").read_bytes() == (tmp_path / "together").read_bytes()
    pooled = joined.query("level == 'patient' and model == 'mine' and variant == '' and patient == 'C'")
    assert pooled.value.tolist() == [0.9]


def test_the_same_of_an_earlier_file_alone(table, tmp_path):
    table()
    table({}, name="again", earlier=tmp_path / "scores.parquet")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "scores.parquet").read_bytes()


def test_a_file_of_a_version_without_markers_is_joined(table, tmp_path):
    import pyarrow.parquet as pq

    table(name="old.parquet")
    pq.write_table(pq.read_table(tmp_path / "old.parquet").drop_columns("niche"), tmp_path / "older.parquet")
    found = table({place("D"): [whole("c1", 0.4)]}, "new.parquet", earlier=tmp_path / "older.parquet")
    assert set(found.fold) == {"", "A", "B", "C", "D"}
    assert (found.niche == "").all()


def test_nothing_kept_is_an_empty_table(table):
    found = table({})
    assert list(found) == COLUMNS
    assert not len(found)


def test_many_rows_are_written_in_groups(table, tmp_path, monkeypatch):
    from pytest_stbench.results import single_scores

    whole_file = table(name="whole")
    monkeypatch.setattr(single_scores, "ROWS", 4)
    assert table(name="groups").astype(str).equals(whole_file.astype(str))


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    paths = put(tmp_path / "parts", PARTS)
    import pyarrow.parquet as pq

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="No space left"):
        write_scores(tmp_path / "kept" / "scores.parquet", paths)
    assert list((tmp_path / "kept").iterdir()) == []
