from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.data.gene_lists import read_gene_list
from pytest_stbench.data.propose.for_check import DataOptions, describe_files
from pytest_stbench.data.propose.proposal import proposed_panel
from pytest_stbench.resources import lr_pairs, signatures
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.validate import load_task


def write_slide(path, patient, *, n=64, genes=60, seed=0, column="donor"):
    rng = np.random.default_rng(seed)
    side = int(np.sqrt(n))
    xy = np.column_stack([np.arange(n) % side, np.arange(n) // side]) * 100.0
    path.parent.mkdir(parents=True, exist_ok=True)
    anndata.AnnData(
        csr_matrix(rng.poisson(5, (n, genes)).astype(np.float32)),
        obs=pd.DataFrame(
            {column: patient, "region": rng.choice(["tumour", "stroma"], n)},
            index=[f"u{i}" for i in range(n)],
        ),
        var=pd.DataFrame(index=[f"GENE{chr(65 + i // 26)}{chr(65 + i % 26)}" for i in range(genes)]),
        obsm={"spatial": xy},
    ).write_h5ad(path)


def propose(folder, monkeypatch, *arguments, tried=False):
    """Run `stbench new`; only where slides are `tried` do they have to be large enough for a score."""
    monkeypatch.chdir(folder)
    if not tried:
        monkeypatch.setattr("pytest_stbench.cli.new.MAX_BYTES", 0)
    return CliRunner().invoke(main, ["new", "mine", *arguments])


@pytest.fixture
def slides(tmp_path):
    for number, patient in enumerate(("P1", "P1", "P2")):
        write_slide(tmp_path / "slides" / f"S{number}.h5ad", patient, seed=number)
    return tmp_path


def test_the_file_names_what_was_found(slides, monkeypatch):
    done = propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    assert done.exit_code == 0, done.output
    assert "3 slides, 2 patients, 60 genes" in done.output
    spec = load_task(slides / "mine.stbench.yaml", builtin_registry()).spec
    assert spec.claim == "exploratory"
    config = next(iter(spec.datasets.values()))
    assert (config.source, config.path) == ("h5ad", "slides/*.h5ad")
    assert config.keys.patient == "donor"
    assert config.keys.niche == "region"


def write_sections(folder, patients, side=12, genes=140):
    for number, patient in enumerate(patients):
        write_slide(folder / f"S{number}.h5ad", patient, n=side * side, genes=genes, seed=number)


def test_the_file_runs(tmp_path, monkeypatch):
    import subprocess
    import sys

    slides = tmp_path
    write_sections(slides / "slides", ("P1", "P1", "P2"))
    assert propose(slides, monkeypatch, "--data", "slides/*.h5ad", tried=True).exit_code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "mine.stbench.yaml", "--stbench-model=ridge", "-q", "-p",
         "no:cacheprovider"],
        cwd=slides, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stdout
    assert "INTERNALERROR" not in done.stdout + done.stderr
    assert " error" not in done.stdout.splitlines()[-1]


def test_one_patient_on_slides_too_small_to_cut_has_no_task(tmp_path, monkeypatch):
    write_sections(tmp_path / "slides", ("P1", "P1"), side=4)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", tried=True)
    assert done.exit_code == 2
    (line,) = done.output.splitlines()
    assert "slide S0: units span 300 x 300 um" in line
    assert "(1 other slide likewise)" in line
    assert "add slides of a second patient" in line
    assert list(tmp_path.iterdir()) == [tmp_path / "slides"]


def test_small_slides_are_held_out_where_patients_are_known(tmp_path, monkeypatch):
    write_sections(tmp_path / "slides", ("P1", "P2"), side=4)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", tried=True)
    assert done.exit_code == 0, done.output


def test_unknown_patients_on_small_slides_are_asked_for(tmp_path, monkeypatch):
    for number in range(2):
        write_slide(
            tmp_path / "slides" / f"A{number}.h5ad", "x", n=16, genes=140, column="cluster", seed=number
        )
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", tried=True)
    assert done.exit_code == 2
    assert "samples.csv beside the data (columns slide and patient)" in done.output
    guessed = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", "--patient-from-name", tried=True)
    assert guessed.exit_code == 2
    assert "all slides are of one patient" in guessed.output


def test_a_slide_that_cannot_be_cut_is_left_out_and_named(tmp_path, monkeypatch):
    write_sections(tmp_path / "slides", ("P1",))
    write_slide(tmp_path / "slides" / "small.h5ad", "P1", n=16, genes=140)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", tried=True)
    assert done.exit_code == 0, done.output
    assert "left out: small: units span 300 x 300 um" in done.output
    config = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert config.slides == ("S0",)


def test_units_that_no_filter_lets_through_have_no_task(tmp_path, monkeypatch):
    write_sections(tmp_path / "slides", ("P1", "P2"), genes=60)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad", tried=True)
    assert done.exit_code == 2
    assert "slide S0: none of its units has 200 counts and 100 genes" in done.output


def test_an_unwritten_scale_is_asked_for_first(tmp_path, monkeypatch):
    from pytest_stbench.cli.new import _that_runs
    from pytest_stbench.data.propose.proposal import Proposal, Row

    dataset = {"source": "spatialdata", "path": "none.zarr", "resolution": "cell"}
    proposal = Proposal(
        what="files", dataset=dataset, rows=[Row(slide="S")], n_genes=50, missing={"scale": "x"}
    )
    assert list(_that_runs("mine", proposal, tmp_path, [])) == ["mine.stbench.yaml"]


def test_without_patients_a_sheet_is_written(tmp_path, monkeypatch):
    for number in range(2):
        write_slide(tmp_path / "slides" / f"A{number}.h5ad", "x", column="cluster", seed=number)
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad")
    assert done.exit_code == 0, done.output
    rows = (tmp_path / "mine.samples.csv").read_text().splitlines()
    assert rows[0] == "file,patient"
    assert {row.split(",")[0] for row in rows[1:]} == {"A0", "A1"}
    assert all(row.split(",")[1] == "" for row in rows[1:])
    spec = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec
    assert [split.name for split in spec.splits] == ["within"]


def test_nothing_is_overwritten(slides, monkeypatch):
    propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    before = (slides / "mine.stbench.yaml").read_text()
    again = propose(slides, monkeypatch, "--data", "slides/*.h5ad")
    assert again.exit_code == 2
    assert (slides / "mine.stbench.yaml").read_text() == before


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("nowhere/*", "nothing found below"),
        ("*.txt", "no file that is known"),
        ("*.txt", "notes.txt units.h5ad --geometry tiled"),
    ],
)
def test_what_cannot_be_proposed_is_told(slides, monkeypatch, pattern, message):
    (slides / "notes.txt").write_text("x")
    done = propose(slides, monkeypatch, "--data", pattern)
    assert done.exit_code == 2
    assert message in done.output
    assert not (slides / "mine.stbench.yaml").exists()


# -- what lies in and beside a folder ----------------------------------------------------------


def write_tables(folder, names, genes=("EPCAM", "CD3E", "MS4A1")):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in names:
        n = 400
        pd.DataFrame(
            {"x": rng.uniform(0, 90, n), "y": rng.uniform(0, 90, n), "gene": rng.choice(genes, n),
             "cell_id": rng.integers(1, 30, n).astype(str)}
        ).to_parquet(folder / f"{name}.parquet")  # fmt: skip


def test_a_folder_of_folders_is_looked_into(slides, monkeypatch):
    (slides / "slides" / "README.md").write_text("x")
    done = propose(slides, monkeypatch, "--data", ".")
    assert done.exit_code == 0, done.output
    assert "3 slides, 2 patients" in done.output


def test_transcripts_go_before_cells_and_the_rest_is_named(slides, monkeypatch):
    write_tables(slides / "xenium", ("A", "B"))
    done = propose(slides, monkeypatch, "--data", ".")
    assert done.exit_code == 0, done.output
    assert "not taken: h5ad files: slides/*.h5ad; --data names it" in done.output
    config = load_task(slides / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert (config.source, config.path) == ("xenium", "xenium/*.parquet")


@pytest.mark.parametrize(("folder", "guessed"), [("tables", True), ("cosmx", False)])
def test_plain_tables_do_not_say_their_technology(tmp_path, monkeypatch, folder, guessed):
    write_tables(tmp_path / folder, ("A", "B"))
    done = propose(tmp_path, monkeypatch, "--data", f"{folder}/*.parquet")
    assert done.exit_code == 0, done.output
    text = (tmp_path / "mine.stbench.yaml").read_text()
    assert ("technology: Xenium  # a guess: the tables do not say it" in text) is guessed
    notes = describe_files(str(tmp_path / folder), DataOptions()).notes
    assert any(note.startswith("technology is taken as Xenium") for note in notes) is guessed
    told = describe_files(str(tmp_path / folder), DataOptions(keys={"technology": "Stereo-seq"}))
    assert not any("technology" in note for note in told.notes)
    assert told.samples[0].technology == "Stereo-seq"


def test_one_bundle_among_other_files_is_named(tmp_path, monkeypatch):
    write_tables(tmp_path / "all" / "S1", ("transcripts",))
    table = pd.read_parquet(tmp_path / "all" / "S1" / "transcripts.parquet")
    renamed = table.rename(columns={"gene": "feature_name", "x": "x_location", "y": "y_location"})
    renamed.to_parquet(tmp_path / "all" / "S1" / "transcripts.parquet")
    (tmp_path / "all" / "README.md").write_text("x")
    done = propose(tmp_path, monkeypatch, "--data", "all")
    assert done.exit_code == 0, done.output
    config = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert (config.source, config.path) == ("xenium", "all/S1")


@pytest.mark.parametrize("place", ["samples.csv", "tables/samples.csv"])
def test_a_samples_sheet_beside_the_data_is_used(tmp_path, monkeypatch, place):
    write_tables(tmp_path / "tables", ("A", "B"))
    (tmp_path / place).write_text("sample,donor\nA,P1\nB,P2\nC,P3\n")
    done = propose(tmp_path, monkeypatch, "--data", "tables/*.parquet")
    assert done.exit_code == 0, done.output
    assert f"patients are those of {place}" in done.output
    config = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec.datasets["mine"]
    assert (config.samples, config.keys.slide, config.keys.patient) == (place, "sample", "donor")
    assert config.slides == ("A", "B")
    assert not (tmp_path / "mine.samples.csv").exists()


@pytest.mark.parametrize(
    "sheet", ["sample,donor\nA,P1\n", "sample,donor\nA,P1\nB,unknown\n", "sample,x\nA,1\nB,2\n", "\0", ""]
)
def test_a_sheet_that_does_not_say_all_is_left(tmp_path, monkeypatch, sheet):
    write_tables(tmp_path / "tables", ("A", "B"))
    (tmp_path / "samples.csv").write_text(sheet)
    done = propose(tmp_path, monkeypatch, "--data", "tables/*.parquet")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "mine.samples.csv").exists()


def test_a_sheet_of_h5ad_files(tmp_path, monkeypatch):
    for number in range(2):
        write_slide(tmp_path / "slides" / f"A{number}.h5ad", "x", column="cluster", seed=number)
    (tmp_path / "samples.csv").write_text("file,patient\nA0,P1\nA1,P2\n")
    done = propose(tmp_path, monkeypatch, "--data", "slides/*.h5ad")
    assert done.exit_code == 0, done.output
    spec = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec
    assert [split.name for split in spec.splits] == ["lopo"]
    assert (spec.datasets["mine"].samples, spec.datasets["mine"].keys.slide) == ("samples.csv", "file")


# -- a panel for whole transcriptomes ----------------------------------------------------------


def test_a_panel_is_the_best_known_genes():
    known = {gene for genes in signatures().values() for gene in genes}
    genes = [*sorted(known)[:200], *(f"OTHER{i}" for i in range(500))]
    assert proposed_panel(genes) == tuple(sorted(known)[:200])
    assert proposed_panel(gene.capitalize() for gene in genes) == tuple(
        sorted(gene.capitalize() for gene in sorted(known)[:200])
    )
    every = proposed_panel(known | {gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)})
    assert len(every) == 300
    assert proposed_panel(["ENSG00000000003", "EPCAM"]) == ()


@pytest.mark.parametrize("human", [True, False])
def test_whole_transcriptomes_are_given_a_panel(tmp_path, monkeypatch, human):
    known = sorted({gene for genes in signatures().values() for gene in genes})[:80] if human else []
    names = [*known, *(f"LOC{i}" for i in range(10_050 - len(known)))]
    anndata.AnnData(
        csr_matrix(np.ones((16, len(names)), np.float32)),
        obs=pd.DataFrame({"donor": ["P1"] * 16}, index=[f"u{i}" for i in range(16)]),
        var=pd.DataFrame(index=names), obsm={"spatial": np.random.default_rng(0).uniform(0, 400, (16, 2))},
    ).write_h5ad(tmp_path / "S.h5ad")  # fmt: skip
    done = propose(tmp_path, monkeypatch, "--data", "S.h5ad")
    assert done.exit_code == 0, done.output
    settings = load_task(tmp_path / "mine.stbench.yaml", builtin_registry()).spec.imputation
    assert (settings.observed is not None) == human
    assert (tmp_path / "mine.panel.csv").exists() == human
    if human:
        assert settings.observed.file == "mine.panel.csv"
        assert read_gene_list(tmp_path / "mine.panel.csv") == tuple(known)
