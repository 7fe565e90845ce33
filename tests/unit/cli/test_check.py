"""``stbench check`` on files, sheets and task files."""

from __future__ import annotations

import html.parser
import json

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.results.check_record import CheckRecord
from pytest_stbench.results.schema import Results
from pytest_stbench.results.stored import parse

SAID = ("technology=Visium", "resolution=spot", "panel=panel_150", "organ=breast", "disease=IDC",
        "preservation=FFPE")  # fmt: skip


def write_slide(path, patient, seed, *, change=None):
    rng = np.random.default_rng(seed)
    places = np.column_stack(
        [np.arange(64) % 8 + 0.5 * (np.arange(64) // 8 % 2), np.arange(64) // 8 * 0.75**0.5]
    )
    # Genes of all patients have the same means and rise or fall along a direction of their own.
    genes = np.random.default_rng(7)
    means, slopes = genes.lognormal(1.1, 0.8, 150), genes.normal(0, 1.2, (2, 150))
    depth = rng.lognormal(0, 0.2, (64, 1))
    counts = rng.poisson(depth * means * np.exp((places / 7 - 0.5) @ slopes)).astype(np.float32)
    adata = anndata.AnnData(
        csr_matrix(counts),
        obs=pd.DataFrame({"donor": patient}, index=[f"u{i}" for i in range(64)]),
        var=pd.DataFrame(index=[f"GENE{i}" for i in range(150)]),
        obsm={"spatial": places * 100.0},
    )
    if change:
        change(adata)
    path.parent.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(path)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    for number in range(6):
        write_slide(folder / f"S{number}.h5ad", f"P{number}", number)
    return folder


def check(*arguments, said=SAID):
    settings = [part for setting in said for part in ("--set", setting)]
    return CliRunner().invoke(main, ["check", *map(str, arguments), *settings])


def found(done):
    results = parse(Results, done.stdout, "results")
    return {record.name: record for record in results.checks}, results


def test_a_good_folder_passes(slides):
    done = check(slides)
    assert done.exit_code == 0, done.output
    assert "6 patients: enough to decide a comparison" in done.output
    assert "6 slides, 384 units on 3.33 mm2" in done.output
    assert "not run (judges a task file): task_gene_coverage, baseline_missing" in done.output


@pytest.mark.parametrize("arguments", ["folder", "pattern", "files"])
def test_a_folder_a_pattern_and_its_files_are_one_data_set(slides, arguments):
    data = {"folder": [slides], "pattern": [slides / "*.h5ad"], "files": sorted(slides.glob("*.h5ad"))}
    records, results = found(check(*data[arguments], "--select", "too_few_patients", "--format", "json"))
    assert list(records) == ["too_few_patients"]
    assert records["too_few_patients"].statistic == 6
    assert results.datasets[0].n_slides == 6
    assert results.checklist[1].step == "sample size"


def test_some_files_of_a_folder(slides):
    files = [slides / "S0.h5ad", slides / "S4.h5ad"]
    records, results = found(check(*files, "--select", "Q02", "--format", "json"))
    assert results.datasets[0].patients == {"S0": "P0", "S4": "P4"}
    assert records["too_few_patients"].status == "fail"


def test_what_files_do_not_say_is_missing_not_guessed(slides):
    done = check(slides, "--select", "metadata_missing", said=())
    assert done.exit_code == 1
    assert "technology is empty on all 6 slides" in done.output


def test_log_values_fail_instead_of_ending_the_command(tmp_path):
    for number in range(2):
        write_slide(
            tmp_path / f"S{number}.h5ad",
            f"P{number}",
            number,
            change=lambda a: np.log1p(a.X.data, out=a.X.data),
        )
    records, _ = found(check(tmp_path, "--format", "json", "--claim", "exploratory"))
    assert records["normalised_not_counts"].status == "fail"
    assert records["too_few_patients"].status == "warn"


def test_ids_apart_from_spelling_are_found(tmp_path):
    for number, patient in enumerate(("P01", "p-01", "P02")):
        write_slide(tmp_path / f"S{number}.h5ad", patient, number)
    records, _ = found(check(tmp_path, "--select", "patient_leakage", "--format", "json"))
    assert records["patient_leakage"].status == "fail"


def test_a_slide_of_several_patients_is_told(tmp_path):
    def mixed(adata):
        adata.obs["donor"] = ["A", "B"] * 32

    write_slide(tmp_path / "tma.h5ad", "A", 0, change=mixed)
    done = check(tmp_path, "--select", "metadata_missing")
    assert "slide tma holds units of several patients (A, B)" in done.output
    assert done.exit_code == 1


def test_checks_are_left_out(slides):
    records, _ = found(check(slides, "--select", "Q02,Q22", "--skip", "Q22", "--format", "json"))
    assert list(records) == ["too_few_patients"]


def test_rows_and_files_without_a_partner_are_left_out_and_told(slides, tmp_path):
    table = tmp_path / "samples.csv"
    table.write_text("slide,patient\nS0,a\nS1,b\nS9,c\n")
    done = check(slides, "--samples", table, "--select", "too_few_patients")
    assert "2 patients (2 slides)" in done.output
    assert "not judged, in the samples table without data: S9" in done.output
    assert "not judged, data without a row in the samples table: S2, S3, S4, S5" in done.output
    table.write_text("slide,patient\nX,a\n")
    done = check(slides, "--samples", table)
    assert done.exit_code == 2
    assert "none of its slides (X) is in the data" in done.output


def test_a_samples_table_says_who_is_who(slides, tmp_path):
    table = tmp_path / "who.csv"
    table.write_text("slide,patient\n" + "".join(f"S{n},Q{n % 2}\n" for n in range(6)))
    records, _ = found(check(slides, "--samples", table, "--select", "Q02", "--format", "json"))
    assert records["too_few_patients"].statistic == 2


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--patient", "doner"], "did you mean 'donor'"),
        (["--select", "panel_mismach"], "did you mean 'panel_mismatch'"),
        (["--set", "colour=red"], "expected KEY=VALUE"),
        (["--set", "um_per_px=many"], "not a length"),
        (["--samples", "none.csv"], "there is no such file"),
    ],
)
def test_wrong_usage(slides, arguments, word):
    done = check(slides, *arguments)
    assert done.exit_code == 2
    assert word in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("content", [None, b"", b"not hdf5"])
def test_unreadable_data(tmp_path, content):
    path = tmp_path / "a.h5ad"
    if content is not None:
        path.write_bytes(content)
    done = check(path)
    assert done.exit_code == 2
    assert str(path) in done.output
    assert "Traceback" not in done.output


def test_json_says_why_data_cannot_be_read(tmp_path):
    broken, gone = tmp_path / "a.h5ad", tmp_path / "absent" / "b.h5ad"
    broken.write_bytes(b"not hdf5")
    done = check(broken, gone, "--format", "json")
    assert done.exit_code == 2
    # Below click 8.2 what goes to the standard error follows.
    found, _ = json.JSONDecoder().raw_decode(done.output[done.output.index("{") :])
    told = {entry["source"]: entry for entry in found["left_out"]}
    assert told.keys() == {str(broken), str(gone)}
    assert "a.h5ad" in told[str(broken)]["reason"]
    assert told[str(broken)]["kind"] == "data"
    assert "nothing found" in told[str(gone)]["reason"]


def test_slides_that_can_be_read_are_judged_without_the_others(tmp_path):
    def without_places(adata):
        del adata.obsm["spatial"]

    for number in range(3):
        write_slide(
            tmp_path / f"S{number}.h5ad", f"P{number}", number, change=None if number else without_places
        )
    done = check(tmp_path, "--select", "Q02,Q07,Q05")
    assert done.exit_code == 2
    assert "UNREADABLE  S0" in done.output
    assert "2 patients (2 slides)" in done.output
    assert "checks  2 passed, 1 failed" in done.output


def test_other_data_is_judged_though_some_is_not_there(slides, tmp_path):
    done = check(slides, tmp_path / "gone", "--select", "Q02")
    assert done.exit_code == 2
    assert "checks  1 passed" in done.output
    assert "nothing found" in done.output


SHEET = """task,split,sample_id,patient,st_technology,disease_state
skin,train,T115,patient 2,Xenium,Cancer
skin,val,T117,patient 1,Xenium,Cancer
skin,test,T117,patient 1,Xenium,Cancer
lung,train,L1,patient 1,Xenium,Cancer
lung,test,L2,,Xenium,not stated
"""


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "catalogue.csv"
    path.write_text(SHEET)
    return path


def test_a_catalogue_is_judged_without_counts(sheet):
    done = check(sheet, "--by", "task", "--format", "json", said=())
    assert done.exit_code == 1
    by_task = {}
    for record in parse(Results, done.stdout, "results").checks:
        by_task.setdefault(record.task, {})[record.name] = record
    assert by_task["skin"]["split_within_slide"].slides == ("T117",)
    assert by_task["skin"]["patient_leakage"].status == "fail"
    assert by_task["lung"]["split_within_slide"].status == "pass"
    assert "patient is empty on 1 of 2 slides (L2)" in "".join(
        finding.text for finding in by_task["lung"]["metadata_missing"].findings
    )
    assert "panel_mismatch" not in by_task["skin"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a,b\n1,2\n", "no column names the slide"),
        ("slide\n", "one row per slide"),
        ("slide,b\n1\n", "row 2"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, word):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    done = check(path)
    assert done.exit_code == 2
    assert word in done.output


VALIDATED = "slide,patient,split\n" + "".join(
    f"S{i},P{i},{part}\n" for i, part in enumerate(["train"] * 2 + ["val"] * 4 + ["test"] * 2)
)


def test_patients_of_the_validation_are_not_tested(tmp_path):
    """Sheet and task file count the same patients behind a claim, whatever trains and whatever validates."""
    (tmp_path / "mini.csv").write_text(VALIDATED)
    done = check(tmp_path / "mini.csv", "--select", "Q02", "--split", "split")
    assert done.exit_code == 1
    assert "2 patients (2 slides) in test of 8 in all" in done.output
    assert "note: validation: 4 slides of 4 patients; they count as seen" in done.output
    (tmp_path / "mini.csv").write_text(VALIDATED.replace("val", "train"))
    trained = check(tmp_path / "mini.csv", "--select", "Q02", "--split", "split")
    assert found_lines(trained) == found_lines(done)
    path = tmp_path / "t.stbench.yaml"
    spec = {
        "stbench": 1, "name": "t", "version": 1, "family": "expression",
        "datasets": {"mini": {"source": "simulated", "samples": "mini.csv", "params": {"patients": 8}}},
        "splits": [{"fixed": {"column": "split"}}],
    }  # fmt: skip
    path.write_text(yaml.safe_dump(spec))
    (tmp_path / "mini.csv").write_text(VALIDATED)
    assert found_lines(check(path, "--select", "Q02", said=())) == found_lines(done)


def found_lines(done):
    return [line.strip() for line in done.output.splitlines() if line.startswith(("  FAIL", "  WARN"))]


def test_a_column_without_test_slides_is_not_passed_over(tmp_path):
    (tmp_path / "mini.csv").write_text(VALIDATED.replace("test", "holdout"))
    done = check(tmp_path / "mini.csv", "--select", "Q02", "--split", "split")
    assert "column 'split' names no test slide, so no split was judged by it" in done.output
    (tmp_path / "mini.csv").write_text(VALIDATED + "S9,P9,holdout\n")
    done = check(tmp_path / "mini.csv", "--select", "Q02", "--split", "split")
    assert "column 'split' holds 'holdout' in 1 rows" in done.output


def test_numbers_with_a_hole_are_one_patient(tmp_path):
    (tmp_path / "mini.csv").write_text("slide,patient\nA,1.0\nB,1\nC,\n")
    records, _ = found(check(tmp_path / "mini.csv", "--select", "Q02", "--format", "json"))
    assert records["too_few_patients"].statistic == 1


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ("resolution=spott", "did you mean 'spot'?; allowed: spot, xisium, bin, cell, transcript"),
        ("absent_gene=zerro", "did you mean 'zero'?; allowed: zero, intersect, mask"),
        ("um_per_px=-1", "not a length"), ("um_per_px=nan", "not a length"),
        ("pitch_um=0", "must be more than 0"), ("pitch_um=x", "expected a number"), ("panel=", "KEY=VALUE"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["sheet", "files"])
def test_what_is_set_is_held_to_the_words_of_a_task_file(slides, sheet, kind, setting, word):
    done = check(sheet if kind == "sheet" else slides, "--set", setting, "--select", "Q02", said=())
    assert done.exit_code == 2
    assert word in done.output
    assert "pydantic" not in done.output


def test_a_failure_is_waived_for_a_reason(sheet):
    done = check(sheet, "--select", "Q02", "--waive", "Q02=a pilot", "--claim", "population", "--by", "task")
    assert done.exit_code == 0, done.output
    assert "waived (a pilot)" in done.output
    assert "too_few_patients[skin]  waived: a pilot" in done.output
    assert "FAIL  too_few" not in done.output


@pytest.mark.parametrize(
    ("waiver", "word"),
    [
        ("too_few_patients", "a waived check needs a written reason"),
        ("Q02= ", "a waived check needs a written reason"),
        ("to_few_patients=pilot", "did you mean 'too_few_patients'?"),
    ],
)  # fmt: skip
def test_waivers_that_do_not_count(sheet, waiver, word):
    done = check(sheet, "--waive", waiver)
    assert done.exit_code == 2
    assert word in done.output


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_what_is_left_out_stands_in_every_format(sheet, form):
    done = check(sheet, "--skip", "Q02", "--format", form)
    if form == "json":
        reasons = {record.name: record.reason for record in parse(Results, done.stdout, "r").left_out}
        assert reasons["too_few_patients"] == "left out by --skip"
        assert reasons["gene_ids"] == "needs the counts, and metadata alone was given"
    else:
        assert "left out by --skip" in done.output
        assert "too_few_patients" in done.output


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_every_finding_stands_in_every_format(sheet, form):
    done = check(sheet, "--select", "metadata_missing", "--format", form, said=())
    for field in ("resolution", "panel", "organ", "preservation"):
        assert f"{field} is empty on" in done.output
    assert "further finding" not in done.output


def test_options_that_say_nothing_to_a_source_are_told(sheet, tmp_path):
    assert "--samples: not used, a sheet is" in check(sheet, "--select", "Q02", "--samples", sheet).output


def test_a_task_file_is_judged_with_its_waivers(tmp_path):
    spec = {
        "stbench": 1, "name": "mini", "version": 1, "family": "imputation",
        "datasets": {"sim": {"source": "simulated", "params": {"patients": 2, "image": False}}},
        "imputation": {"hide": {"folds": 4}},
        "checks": {"too_few_patients": {"waive": True, "reason": "pilot", "owner": "Ana"}},
    }  # fmt: skip
    path = tmp_path / "mini.stbench.yaml"
    path.write_text(yaml.safe_dump(spec))
    done = check(path, said=())
    assert done.exit_code == 0, done.output
    assert "too_few_patients[sim]  waived by Ana: pilot" in done.output
    assert "imputation, population claim" in done.output


def test_a_task_file_whose_data_is_not_here(tmp_path):
    path = tmp_path / "t.stbench.yaml"
    path.write_text(
        "stbench: 1\nname: t\nversion: 1\nfamily: imputation\nimputation: {hide: {folds: 4}}\n"
        "datasets: {gone: {source: h5ad, path: gone/*.h5ad}}\n"
    )
    done = check(path, said=())
    assert done.exit_code == 2
    assert "UNREADABLE  gone" in done.output


class Page(html.parser.HTMLParser):
    """Collects tags and text; void tags are never closed."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.links, self.images = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.links += [value for name, value in attrs if name == "href"]
        self.images += [value for name, value in attrs if name == "src"]
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_stands_alone_and_escapes_what_data_says(slides, tmp_path):
    out = tmp_path / "page.html"
    done = check(slides, "--format", "html", "--output", out, said=(*SAID[:2], "panel=<b>x</b>", "organ=a&b"))
    assert done.exit_code in (0, 1), done.output
    page = Page()
    page.feed(out.read_text())
    assert page.open == []
    assert all(link.startswith(("#", "data:,")) for link in page.links)
    text = " ".join(page.text)
    assert "<b>x</b>" in text
    assert "too_few_patients" in text
    assert "Are there enough patients for the claim?" in text
    assert len(page.images) >= 3
    assert all(image.startswith("data:image/png") and len(image) < 34_000 for image in page.images)


def test_findings_of_the_page_have_statistic_threshold_and_fix():
    from pytest_stbench.report.lint import Report
    from pytest_stbench.report.lint_page import lint_page

    record = CheckRecord(
        task="t", id="Q06", name="empty_units", scope="dataset", status="fail", severity="fail", dataset="d",
        message="many are empty", fix="filter them", statistic=0.4, threshold=0.3, slides=("S<1>",),
    )  # fmt: skip
    page = lint_page([Report(title="d", what="files", checks=(record,), unreadable={"x": "no & yes"})])
    for part in ("many are empty", "filter them", ">0.4<", ">0.3<", "S&lt;1&gt;", "no &amp; yes"):
        assert part in page


def test_json_goes_to_a_file(slides, tmp_path):
    out = tmp_path / "found.json"
    done = check(slides, "--select", "Q02", "--format", "json", "--output", out)
    assert done.exit_code == 0
    saved = json.loads(out.read_text())
    assert saved["schema"] == "stbench-results/1"
    assert saved["run"]["command"].startswith("stbench")
    assert {"python", "numpy", "pytest-stbench"} <= set(saved["run"]["versions"])
