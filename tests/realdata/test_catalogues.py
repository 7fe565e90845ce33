"""Catalogues without any matrix: what checks on metadata alone say of published benchmarks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from pytest_stbench.checks import (
    metadata_missing,
    missing_coords,
    no_panel_independent_eval,
    panel_mismatch,
    panel_split,
    patient_leakage,
    split_within_slide,
    too_few_patients,
)
from pytest_stbench.checks.table import SampleTable
from pytest_stbench.data.catalog.entries import entries
from pytest_stbench.splits.table import Fold, Sample

DATA = Path(os.environ.get("STBENCH_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "hest_catalogue").is_dir(), reason="set STBENCH_DATA to the development data"
)


def text(value):
    return None if pd.isna(value) else str(value)


@pytest.fixture(scope="module")
def catalogue():
    found = pd.read_csv(DATA / "hest_catalogue" / "hest_samples.csv").set_index("id")
    return {
        slide: Sample(
            slide=slide, patient=text(row.patient), technology=text(row.st_technology), organ=text(row.organ),
            corpus=text(row.dataset_title),
            extra={
                name: str(row[name])
                for name in ("nb_genes", "inter_spot_dist_um")
                if not pd.isna(row[name])
            },
        )
        for slide, row in found.iterrows()
    }  # fmt: skip


@pytest.fixture(scope="module")
def tasks(catalogue):
    found = pd.read_csv(DATA / "hest_catalogue" / "hest_bench_tasks.csv")
    found = found[found["in_catalogue"]]
    return {
        name: SampleTable(name=name, samples=[catalogue[slide] for slide in group["sample_id"]])
        for name, group in found.groupby("oncotree")
    }


@pytest.mark.parametrize(
    ("task", "patients"),
    [("PRAD", 2), ("SKCM", 2), ("READ", 2), ("LUAD", 2), ("COAD", 1), ("PAAD", 3)],
)
def test_tasks_of_at_most_three_patients(tasks, task, patients):
    result = too_few_patients(tasks[task])
    assert (result.status, result.statistic) == ("fail", patients)


@pytest.mark.parametrize(("task", "status"), [("IDC", "warn"), ("IDC-LymphNode", "warn"), ("ccRCC", "pass")])
def test_larger_tasks(tasks, task, status):
    assert too_few_patients(tasks[task]).status == status


def test_gene_universes(tasks):
    mixed = {name for name, table in tasks.items() if panel_mismatch(table).status in ("warn", "fail")}
    assert mixed == {"ccRCC"}
    assert "17,943 to 36,601" in panel_mismatch(tasks["ccRCC"]).message


def test_the_catalogue_as_a_whole(catalogue):
    table = SampleTable(name="hest", samples=list(catalogue.values()))
    # 835 cells are empty, further 114 hold blanks.
    assert len(metadata_missing(table).details["empty"]["patient"]) == 949
    spacing = missing_coords(table)
    assert spacing.status == "fail"
    assert all(catalogue[slide].technology == "Spatial Transcriptomics" for slide in spacing.slides)


@pytest.fixture(scope="module")
def hescape():
    return pd.read_csv(DATA / "xenium_panels" / "hescape_samples.csv")


def test_the_skin_panel_has_one_slide_in_validation_and_test(hescape):
    leaking = {}
    for panel, rows in hescape.groupby("panel"):
        parts = {part: tuple(group["id"]) for part, group in rows.groupby("split")}
        result = split_within_slide(
            [Fold(name="f", train=parts.get("val", ()), test=parts.get("test", ()))], ()
        )
        if result.status == "fail":
            leaking[panel] = result.slides
    assert leaking == {"human-skin": ("TENX117",)}


def test_541_genes_of_a_343_gene_panel(hescape, catalogue):
    genes = (DATA / "xenium_panels" / "hescape" / "human-lung-healthy.txt").read_text().split()
    assert len(genes) == 343
    slides = [s for s in hescape[hescape["panel"] == "human-lung-healthy"]["id"] if s in catalogue]
    table = SampleTable(
        name="lung", samples=[catalogue[s] for s in slides], panels=dict.fromkeys(slides, genes)
    )
    result = panel_mismatch(table)
    assert result.status == "warn"
    assert "541" in result.message


def test_seven_panels_share_ten_genes_and_need_tasks_beside_them(hescape):
    lists = {
        path.stem: path.read_text().split() for path in (DATA / "xenium_panels" / "hescape").glob("*.txt")
    }
    rows = [Sample(slide=r.id, panel=r.panel, patient=text(r.patient)) for r in hescape.itertuples()]
    rows = list({row.slide: row for row in rows}.values())
    result = panel_mismatch(
        SampleTable(name="h", samples=rows, panels={row.slide: lists[row.panel] for row in rows})
    )
    assert result.status == "fail"
    assert result.details["shared"] == 10
    assert no_panel_independent_eval(suite={"h": rows}, families=("T01",)).status == "warn"
    one = [row.slide for row in rows if row.panel == "human-breast"]
    other = [row.slide for row in rows if row.panel == "human-colon"]
    assert panel_split([Fold(name="f", train=tuple(one), test=tuple(other))], rows).status == "fail"


def test_a_split_without_patients_cannot_be_trusted(hescape):
    unknown = hescape[hescape["panel"] == "human-5k"].drop_duplicates("id")
    rows = [Sample(slide=r.id, patient=text(r.patient)) for r in unknown.itertuples()]
    parts = {part: tuple(group["id"]) for part, group in unknown.groupby("split")}
    fold = Fold(name="f", train=parts["train"], test=parts["test"])
    assert patient_leakage([fold], rows).status == "fail"


def studies():
    """Entries whose numbers are those of the metadata of HEST-1k, with the ids that each names."""
    for entry in entries():
        if entry.accession is not None:
            ids = []
            for first, last in re.findall(r"([A-Z]+[0-9]+)(?: to ([A-Z]+[0-9]+))?", entry.layout or ""):
                kind, start = re.fullmatch(r"([A-Z]+)([0-9]+)", first).groups()
                end = int(last.removeprefix(kind)) if last else int(start)
                ids += [f"{kind}{number}" for number in range(int(start), end + 1)]
            yield entry, [slide for slide in ids if not slide.startswith(("HEST", "CC"))]


def test_studies_of_the_catalog_are_as_the_metadata_have_them(catalogue):
    found = list(studies())
    assert len(found) == 17
    table = pd.read_csv(DATA / "hest_catalogue" / "hest_samples.csv")
    human = set(table["id"][table["species"] == "Homo sapiens"])
    for entry, ids in found:
        samples = [catalogue[slide] for slide in ids]
        assert len(samples) == entry.slides, entry.name
        assert len({sample.corpus for sample in samples}) == 1, entry.name
        own = {sample.corpus for sample in samples}
        others = [slide for slide, sample in catalogue.items() if sample.corpus in own and slide in human]
        assert sorted(others) == sorted(ids), entry.name
        technology = {"Spatial Transcriptomics": "ST"}
        assert {technology.get(s.technology, s.technology) for s in samples} == {entry.technology}
        patients = [(sample.patient or "").strip() for sample in samples]
        if entry.name != "visium-cortex":
            assert entry.patients == (len(set(patients)) if all(patients) else None), entry.name
