"""Single scores and maps of a kept folder, as the page shows them."""

from __future__ import annotations

import base64
import hashlib
import io
import json

import anndata
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pytest_stbench.report.page import report_page as module
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.maps import sheets_of
from pytest_stbench.report.page.named import Tables
from pytest_stbench.report.page.pictures import MOST_BYTES, Slide, limits, matrix, tissue
from pytest_stbench.report.page.report_page import report_page
from pytest_stbench.report.page.sources import open_details, read_named, source_of
from pytest_stbench.results import KeptRecord

EVIL = "</script><img src=x onerror=alert(1)>"
GENES = [*(f"G{n}" for n in range(11)), EVIL]


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def table(models=("a",), genes=GENES):
    rng = np.random.default_rng(5)
    rows = []
    for model in (*models, "gene_gene_ridge"):
        role = "model" if model in models else "baseline"
        for patient, slides in {"P0": ("S1", "S2"), "P1": ("S3",)}.items():
            for slide in slides:
                for gene in genes:
                    gone = gene == "G3" or (gene == "G4" and slide == "S3")
                    value = np.nan if gone else float(rng.uniform(-0.2, 0.9))
                    why = "constant" if gone else ""
                    rows.append((model, role, "P", slide, patient, "gene", gene, value, why))
                rows.append((model, role, "P", slide, patient, "slide", "", 0.5, ""))
    columns = ["model", "role", "fold", "slide", "patient", "level", "name", "value", "reason"]
    found = pd.DataFrame(rows, columns=columns)
    found = found.assign(
        task="cohort-imputation", dataset="d", variant="", split="lopo", metric="spearman_gene", seed=0
    )
    text = found.columns.difference(["value", "seed"])
    return found.astype(dict.fromkeys(text, "category"))


def write_map(path, genes=GENES, units=120):
    rng = np.random.default_rng(1)
    places = rng.uniform(0, 2000, (units, 2))
    truth = rng.gamma(2.0, 1.0, (units, len(genes))).astype(np.float32)
    truth[:, 1] = truth[:, 0] + 0.1 * truth[:, 1]
    share = np.linspace(0, 1, len(genes), dtype=np.float32)
    predicted = share * truth + (1 - share) * rng.gamma(2.0, 1.0, truth.shape).astype(np.float32)
    data = anndata.AnnData(
        X=truth,
        obs=pd.DataFrame(index=[f"u{n}" for n in range(units)]),
        var=pd.DataFrame(index=list(genes)),
        layers={"truth": truth, "a": predicted},
        obsm={"spatial": places},
        uns={"spatial": {"lib": {"images": {"lowres": rng.uniform(0, 1, (60, 40, 3))}}}},
    )
    data.write_h5ad(path)
    return truth, predicted


@pytest.fixture
def folder(tmp_path):
    """A kept folder made by hand; returns the results path and what the results file would say of it."""
    place = tmp_path / "run.kept"
    (place / "maps").mkdir(parents=True)
    table().to_parquet(place / "scores.parquet")
    write_map(place / "maps" / "1.h5ad")
    record = {
        "level": "maps",
        "folder": "run.kept",
        "scores": {"file": "scores.parquet", "rows": 1, "sha256": digest(place / "scores.parquet")},
        "maps": [
            {
                "task": "cohort-imputation", "dataset": "d", "slide": "S1", "file": "maps/1.h5ad",
                "genes": 12, "units": 120, "sha256": digest(place / "maps" / "1.h5ad"),
            }
        ],
        "left_out": [{"task": "", "slide": "", "why": "no space"}],
    }  # fmt: skip
    return tmp_path / "run.json", record


def opened(path, record):
    return open_details(path, KeptRecord.from_dict(record))


def tables_of(made, frame, models=(("a", 0.5),)):
    boards = boards_of([source_of(made(*models))])
    return Tables({0: frame[frame["level"] == "gene"]}, boards).of.get(id(boards[0]), [])


def test_values_are_means_over_patients_of_their_slides(made):
    frame = table()
    (found,) = tables_of(made, frame)
    assert found.columns == ("a", "gene_gene_ridge (S)")
    assert set(found.names) == set(GENES)
    by_hand = {}
    for gene in GENES:
        own = frame[(frame["name"] == gene) & (frame["model"] == "a") & (frame["level"] == "gene")]
        patients = [own[own["patient"] == p]["value"].dropna().mean() for p in ("P0", "P1")]
        by_hand[gene] = np.nanmean(patients) if not np.isnan(patients).all() else None
    for gene, value in zip(found.names, found.values[0], strict=True):
        assert value is None if gene == "G3" else value == pytest.approx(by_hand[gene], rel=1e-4)


def test_what_is_not_defined_has_its_reason(made):
    (found,) = tables_of(made, table())
    missing = dict(zip(found.names, found.missing, strict=True))
    assert missing["G3"] == "constant on 3"
    assert missing["G4"] == "constant on 1"
    assert missing["G5"] == ""


def test_nothing_missing_is_no_error(made):
    frame = table(genes=["G1", "G2"])
    (found,) = tables_of(made, frame)
    assert found.missing == ("", "")


def test_a_table_that_is_too_large_has_its_best_and_worst(made, monkeypatch):
    monkeypatch.setattr("pytest_stbench.report.page.named.BUDGET", 8)
    (found,) = tables_of(made, table())
    assert len(found.names) == 4
    assert found.left_out == len(GENES) - 4


def whole(made, folder, monkeypatch, **options):
    path, record = folder
    monkeypatch.setattr(module, "details_of", lambda source: opened(path, record))
    return report_page([source_of(made(("a", 0.5)))], **options)


def test_the_table_of_the_page_is_that_of_the_kept_scores(made, folder, monkeypatch, page):
    text = whole(made, folder, monkeypatch)
    found = page(text)
    held = json.loads(found.scripts["application/json"])
    (expected,) = tables_of(made, table())
    assert held[0] == json.loads(json.dumps(expected.data))
    assert "<img src=x" not in text
    assert "Not kept by the run all tasks: no space" in found.said


def test_pictures_are_small_and_there_are_twelve_of_a_task_and_model(made, folder, monkeypatch, page):
    found = page(whole(made, folder, monkeypatch))
    images = [attrs for tag, attrs in found.tags if tag == "img"]
    assert len(images) == 1 + 12
    assert all(attrs["alt"] for attrs in images)
    for attrs in images:
        content = base64.b64decode(attrs["src"].partition(",")[2])
        assert len(content) <= MOST_BYTES
        assert Image.open(io.BytesIO(content)).mode in ("P", "RGB")
    assert "8 more genes were kept" in found.said


def test_all_shows_every_gene(made, folder, monkeypatch, page):
    found = page(whole(made, folder, monkeypatch, every=True))
    assert sum(tag == "img" for tag, _ in found.tags) == 1 + 3 * len(GENES)
    assert "were kept" not in found.said.replace("Not kept", "")


def test_the_genes_shown_are_those_that_agree_best_and_worst(made, folder):
    path, record = folder
    (board,) = boards_of([source_of(made(("a", 0.5)))])
    (sheet,) = sheets_of(board, {0: opened(path, record)})
    truth, predicted = write_map(path.parent / "again.h5ad")
    r = [np.corrcoef(truth[:, i], predicted[:, i])[0, 1] for i in range(len(GENES))]
    order = np.argsort(r)[::-1]
    assert [row.gene for row in sheet.rows] == [GENES[i] for i in [*order[:2], *order[-2:]]]
    assert sheet.rows[0].score == f"r {max(r):.2f}"


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda place: (place / "scores.parquet").write_bytes(b"x"), "is not the file that the run wrote"),
        (lambda place: (place / "scores.parquet").unlink(), "scores.parquet is missing"),
        (lambda place: (place / "maps" / "1.h5ad").write_bytes(b"x"), "maps/1.h5ad is not the file"),
        (lambda place: place.rename(place.with_name("moved")), "which does not lie beside it"),
    ],
)  # fmt: skip
def test_what_is_missing_or_of_another_run_is_said_and_not_shown(
    made, folder, monkeypatch, page, spoil, word
):
    spoil(folder[0].parent / "run.kept")
    said = page(whole(made, folder, monkeypatch)).said
    assert word in said
    assert "cohort-imputation" in said


@pytest.mark.parametrize("name", ["../run.kept", "/etc", "", ".."])
def test_no_record_leads_out_of_the_folder(folder, name):
    path, record = folder
    assert opened(path, {**record, "folder": name}).scores is None
    inside = {**record, "scores": {**record["scores"], "file": "../run.json"}}
    assert "does not lie in the folder" in opened(path, inside).notices[0]


def test_what_was_not_kept_is_said_once_for_all_its_slides(folder):
    path, record = folder
    gone = [{"task": "t", "slide": f"S{n}", "why": "no matrix"} for n in range(7)]
    assert opened(path, {**record, "left_out": gone}).left_out == [
        "t, S0, S1, S2, S3, S4 and 2 more slides: no matrix"
    ]


def test_broken_tables_and_maps_of_the_right_digest_are_said(made, folder, monkeypatch, page):
    path, record = folder
    place = path.parent / "run.kept"
    for name, item in (("scores.parquet", record["scores"]), ("maps/1.h5ad", record["maps"][0])):
        (place / name).write_bytes(b"not what it says")
        item["sha256"] = digest(place / name)
    said = page(whole(made, folder, monkeypatch)).said
    assert "scores.parquet cannot be read as a table" in said
    assert "The map 1.h5ad cannot be read" in said


@pytest.mark.parametrize("owners", [["u1"], ["u1", "u2", "none"]])
def test_outlines_stand_beside_maps_and_damaged_ones_are_said(made, folder, monkeypatch, page, owners):
    path, record = folder
    file = path.parent / "run.kept" / "maps" / "1.h5ad"
    data = anndata.read_h5ad(file)
    data.obs["libsize"] = np.arange(120.0)
    labels = np.repeat(np.arange(4, dtype=np.uint16), 30)[:, None].repeat(90, axis=1)
    data.uns["stbench"] = {
        "layers": ["truth", "a"], "models": ["truth", "a"],
        "outlines": {
            "name": "cell", "kind": "cell", "labels": labels, "owners": np.array(owners, dtype=object),
            "corner_um": np.zeros(2), "um_per_px": 0.5,
        },
    }  # fmt: skip
    data.write_h5ad(file)
    record["maps"][0]["sha256"] = digest(file)
    said = page(whole(made, folder, monkeypatch)).said
    whole_one = len(owners) == 3
    assert ("Outlines in a window" in said) == whole_one
    assert ("The map 1.h5ad cannot be read" in said) != whole_one


def test_a_table_with_other_columns_is_said(tmp_path):
    path, notices = tmp_path / "scores.parquet", []
    pd.DataFrame({"variant": [""], "level": ["gene"], "metric": ["r"]}).to_parquet(path)
    assert read_named(path, ["r"], notices) is None
    assert "cannot be read as a table" in notices[0]


def test_a_million_units_are_drawn_as_tiles():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 5000, (60_000, 2))
    values = np.where(places[:, 0] > 2500, 1.0, 0.0)
    picture = Slide(places).map(values, 0.0, 1.0, "half")
    assert picture.size <= MOST_BYTES
    content = io.BytesIO(base64.b64decode(picture.address.partition(",")[2]))
    pixels = np.asarray(Image.open(content).convert("RGB"))
    middle = pixels[pixels.shape[0] // 2]
    assert tuple(middle[20]) != tuple(middle[-20])


def test_units_without_a_place_and_flat_values_are_no_error():
    places = np.array([[0.0, 0.0], [100.0, 0.0], [np.nan, 1.0]])
    assert Slide(places).map(np.array([1.0, np.nan, 3.0]), 1.0, 1.0, "flat").size > 50


def test_limits_by_hand():
    assert limits(np.array([np.nan])) == (0.0, 1.0)
    low, high = limits(np.arange(101.0))
    assert (low, high) == pytest.approx((1.0, 99.0))
    assert limits(np.array([2.0, 2.0])) == (2.0, 2.0)


def test_noise_fits_its_bytes():
    rng = np.random.default_rng(0)
    assert matrix(rng.uniform(-1, 1, (260, 260)), "noise").size <= MOST_BYTES
    assert tissue(rng.integers(0, 255, (900, 900, 3)), "noise").size <= MOST_BYTES
