"""Runs beside each other: what is compared, what is refused, who gained and lost, in lines for a phone."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.results import KeptRecord, changes, load, save
from pytest_stbench.results.details import KeptScoresRecord, digest_of_file
from pytest_stbench.results.single_scores import Block, Encoder, Place, write_part, write_scores

from ...command import APART  # noqa: TID252  # of the tests alone, which no package has
from ...large_results import large_results  # noqa: TID252

METRICS = ("spearman_gene", "rmse")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs ``stbench`` in a folder with results; returns exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def stbench(*arguments):
        done = CliRunner(**APART).invoke(main, [str(a) for a in arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        assert all(len(line) <= 160 for line in done.stdout.splitlines())
        return done

    return stbench


@pytest.fixture
def write(tmp_path):
    def written(name, results, **changed):
        path = tmp_path / name
        save(path, dataclasses.replace(results, **changed))
        return path

    return written


def two(write, **later):
    write("v1.json", large_results(1, 1, metrics=METRICS))
    write("v2.json", large_results(1, 1, metrics=METRICS, seed=1, **later))


def row(text, metric):
    (line,) = [line for line in text.splitlines() if re.match(rf"  [* ] {metric} ", line)]
    return line


def test_a_gain_is_one_whichever_way_the_metric_runs(run, write):
    two(write, shift=0.3)
    done = run("compare", "v1.json", "v2.json")
    assert done.exit_code == 0
    assert row(done.output, "spearman_gene").endswith("gained")
    assert row(done.output, "rmse").endswith("lost")
    assert "2 scores compared on 1 task: 1 gained, 1 lost" in done.output
    back = run("compare", "v2.json", "v1.json").output
    assert row(back, "spearman_gene").endswith("lost")
    assert row(back, "rmse").endswith("gained")


def test_patients_and_slides_are_those_of_the_records(run, write, tmp_path):
    two(write)
    output = " ".join(run("compare", "v1.json", "v2.json").output.split())
    before, after = (
        next(s for s in load(tmp_path / name).scores if s.fold is None and s.role == "model")
        for name in ("v1.json", "v2.json")
    )
    patients = load(tmp_path / "v1.json").datasets[0].patients
    moved = changes(after, before, better="up", patient_of=patients)
    worst, best = moved[0], moved[-1]
    assert worst.difference < 0 < best.difference
    assert f"lost most: patients {worst.patient} {worst.difference:+.3f}" in output
    assert f"gained most: patients {best.patient} {best.difference:+.3f}" in output
    slides = sorted((s.difference, s.slide) for change in moved for s in change.slides)
    assert f"slides {slides[0][1]} {slides[0][0]:+.3f}" in output
    assert f"slides {slides[-1][1]} {slides[-1][0]:+.3f}" in output


def test_each_run_is_compared_with_the_first(run, write):
    two(write)
    write("v3.json", large_results(1, 1, metrics=METRICS, seed=2))
    output = run("compare", "v1.json", "v2.json", "v3.json").output
    assert re.findall(r"^(?:compare|with) +(\S+):", output, re.MULTILINE) == [
        "v2.json", "v1.json", "v3.json", "v1.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            lambda r: {"tasks": (dataclasses.replace(r.tasks[0], version=2),)},
            "version 2 here, 1 in the stored",
        ),
        (
            lambda r: {"tasks": (dataclasses.replace(r.tasks[0], numbers=4),)},
            "numbers of version 4 here, 1 in",
        ),
        (
            lambda r: {"tasks": (dataclasses.replace(r.tasks[0], fingerprint="x", fingerprint_parts={}),)},
            "part.0 is set in the stored run and not here",
        ),
        (
            lambda r: {"datasets": (dataclasses.replace(r.datasets[0], checksum="x"),)},
            "data set cohort: checksum x here, c0 in the stored run",
        ),
        (
            lambda r: {"lock": (dataclasses.replace(r.lock[0], genes=("G",)), *r.lock[1:])},
            "fold cohort-lopo-P01: genes: only here G, only in the stored run GENE0, GENE1",
        ),
    ],
    ids=["version", "numbers", "settings", "data", "genes"],
)
def test_what_may_not_be_compared_is_refused_by_name(run, write, changed, said):
    first = write("v1.json", large_results(1, 1, metrics=METRICS))
    later = large_results(1, 1, metrics=METRICS, seed=1)
    write("v2.json", later, **changed(later))
    done = run("compare", "v1.json", "v2.json")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"v2.json cannot be compared with {first.name}: ")
    assert said in done.stderr


def test_other_patients_are_named(run, write):
    earlier = large_results(1, 1, metrics=METRICS)
    patients = {**earlier.datasets[0].patients, "P01S1": "P02"}
    write("v1.json", earlier)
    scores = tuple(dataclasses.replace(s, per_slide=None) for s in earlier.scores)
    data = dataclasses.replace(earlier.datasets[0], patients=patients)
    write("v2.json", earlier, datasets=(data,), scores=scores)
    done = run("compare", "v1.json", "v2.json")
    assert done.exit_code == 2
    assert "patient of slide P01S1: 'P02' here, 'P01' in the stored run" in done.stderr


def test_what_may_be_compared_is_though_another_task_may_not(run, write):
    write("v1.json", large_results(1, 3, metrics=METRICS))
    later = large_results(1, 3, metrics=METRICS, seed=1)
    tasks = (dataclasses.replace(later.tasks[0], version=2), *later.tasks[1:])
    write("v2.json", later, tasks=tasks)
    done = run("compare", "v1.json", "v2.json")
    assert done.exit_code == 0
    assert "refused  task-00-cohort-lopo: version 2 here, 1 in the stored run" in done.output
    assert "4 scores compared on 2 tasks" in done.output
    assert "only in" not in done.output


def test_a_model_metric_or_task_on_one_side_is_said(run, write):
    write("v1.json", large_results(2, 2, metrics=METRICS))
    write("v2.json", large_results(3, 1, metrics=(*METRICS, "r2"), seed=1))
    output = " ".join(run("compare", "v1.json", "v2.json").output.split())
    assert "4 scores compared on 1 task" in output
    assert "only in v1.json: model model00, 2 scores (spearman_gene, rmse) on task-01" in output
    assert "only in v2.json: model model00, 1 score (r2) on task-00" in output
    assert "refused model model02: the stored run has no model model02 but several others" in output


def test_a_release_under_a_new_name_is_compared_with_the_only_model(run, write):
    write("v1.json", large_results(1, 1, metrics=METRICS, name="old"))
    write("v2.json", large_results(1, 1, metrics=METRICS, seed=1, name="new"))
    assert "new00 (old00)" in row(run("compare", "v1.json", "v2.json").output, "spearman_gene")


def test_the_same_run_twice(run, write, tmp_path):
    two(write)
    assert "given twice" in run("compare", "v1.json", "./v1.json").stderr
    (tmp_path / "copy.json").write_bytes((tmp_path / "v1.json").read_bytes())
    done = run("compare", "v1.json", "copy.json")
    assert (done.exit_code, done.stderr) == (
        2,
        "copy.json and v1.json are copies of one file: name two runs\n",
    )
    assert run("approve", "v1.json", "--by", "Ada", "--why", "first").exit_code == 0
    assert (
        "are one run: the reference was approved from it"
        in run("compare", "reference.json", "v1.json").stderr
    )
    assert "name it first" in run("compare", "v1.json", "reference.json").stderr
    assert "name two runs or more" in run("compare", "v1.json").stderr


def test_a_run_that_stands_in_both_files_is_said(run, write):
    earlier = large_results(1, 2, metrics=METRICS)
    write("v1.json", earlier)
    write("v2.json", earlier, models=())
    done = run("compare", "v1.json", "v2.json")
    assert "both hold what the run of 2026-01-01T00:00:00 scored" in done.output
    assert "4 scores compared on 2 tasks: 4 unchanged" in done.output


def test_few_patients_decide_nothing(run, write):
    first, later = (large_results(1, 1, metrics=METRICS, seed=n, shift=n / 2) for n in (0, 1))
    for name, results in (("v1.json", first), ("v2.json", later)):
        write(name, results, scores=tuple(fewer(s) for s in results.scores if s.fold is None))
    output = run("compare", "v1.json", "v2.json").output
    line = row(output, "spearman_gene")
    assert re.search(r"\(\+0\.\d+ to \+0\.\d+\) +2 gained", line), line
    assert "nothing is decided where the bounds stand in round brackets" in output
    assert "4 patients without a value left out: P03, P04, P05, P06" in output


def fewer(score):
    values = {p: (v if p in ("P01", "P02") else None) for p, v in score.per_patient.items()}
    known = [v for v in values.values() if v is not None]
    mean = sum(known) / 2
    return dataclasses.replace(
        score, per_patient=values, per_slide=None, n_patients=2, value=mean, median=None, min=None, max=None,
        ci_low=None, ci_high=None,
    )  # fmt: skip


def test_of_many_scores_those_that_moved_most_are_listed(run, write):
    write("v1.json", large_results(4, 12, metrics=METRICS))
    write("v2.json", large_results(4, 12, metrics=METRICS, seed=1, shift=0.1))
    output = run("compare", "v1.json", "v2.json").output
    assert "96 scores compared on 12 tasks" in output
    rows = [line for line in output.splitlines() if re.search(r"\] +6 (gained|lost|level)$", line)]
    assert len(rows) == 30
    assert not [line for line in rows if line.endswith("level")]
    assert "30 that gained or lost most are listed, primary metrics first" in " ".join(output.split())
    assert "after Holm over 48 of primary metrics" in output


GENES = ("KRT8", "TNC", "CXCL9", "ERBB2")


def keep(path, seed, moved):
    """Keep scores of genes beside a results file; return them by gene and patient, slides averaged."""
    results = load(path)
    patients = results.datasets[0].patients
    folder = path.with_suffix(".kept")
    folder.mkdir()
    values, parts = {}, []
    for fold in results.lock:
        place = Place("task-00", "cohort", "", "lopo", "model", "model00", fold.fold)
        blocks = []
        for slide in fold.test:
            own = [0.1 * n + moved.get(gene, 0.0) + 0.01 * seed for n, gene in enumerate(GENES)]
            values.update({(gene, slide): v for gene, v in zip(GENES, own, strict=True)})
            blocks.append(
                Block(
                    metric="spearman_gene", level="gene", slide=slide, patient=patients[slide],
                    names=np.array(GENES), values=np.array(own), reasons=np.array([""] * len(GENES)),
                )
            )  # fmt: skip
        parts.append(folder / f"{fold.fold}.arrow")
        write_part(parts[-1], Encoder().part(place, blocks))
    rows = write_scores(folder / "scores.parquet", parts)
    record = KeptScoresRecord(
        file="scores.parquet", rows=rows, sha256=digest_of_file(folder / "scores.parquet")
    )
    kept = KeptRecord(level="scores", folder=folder.name, scores=record)
    path.unlink()
    save(path, dataclasses.replace(results, kept=kept))


def test_genes_are_told_from_what_both_runs_kept(run, write, tmp_path):
    two(write, shift=0.1)
    keep(tmp_path / "v1.json", 0, {})
    assert "v2.json has no single scores beside it" in run("compare", "v1.json", "v2.json").output
    keep(tmp_path / "v2.json", 1, {"TNC": -0.2, "ERBB2": 0.4})
    output = " ".join(run("compare", "v1.json", "v2.json").output.split())
    assert "genes TNC -0.190" in output
    assert "genes ERBB2 +0.410, CXCL9 +0.010, KRT8 +0.010" in output
    (tmp_path / "v2.kept" / "scores.parquet").write_bytes(b"PAR1")
    output = run("compare", "v1.json", "v2.json").output
    assert "is not the file that the run wrote" in " ".join(output.split())
    assert "genes" not in row(output, "spearman_gene")


def test_a_reference_is_named_and_edits_are_refused(run, write, tmp_path):
    two(write)
    done = run("approve", "v1.json", "--by", "Ada L.", "--why", "first\nrelease", "-o", "ref.json")
    assert done.output == "ref.json: model00 of v1.json is the reference, approved by Ada L.\n"
    output = run("compare", "ref.json", "v2.json").output
    assert re.search(r"with +ref\.json \(approved by Ada L\. on 20..-..-..\): model00 1", output)
    assert "\n         first release (from v1.json)\n" in output
    assert "ref.json keeps patients and slides alone" in output
    direct = run("compare", "v1.json", "v2.json").output
    assert row(output, "rmse") == row(direct, "rmse")
    shown = run("show", "ref.json").output
    assert "why     first release" in shown
    path = tmp_path / "ref.json"
    path.write_text(path.read_text().replace("Ada L.", "Eve"))
    for command in (("compare", "ref.json", "v2.json"), ("show", "ref.json")):
        done = run(*command)
        assert done.exit_code == 2
        assert "the reference was changed after Eve approved it" in done.stderr


def test_approve_replaces_references_alone(run, write, tmp_path):
    two(write)
    first = ("approve", "v1.json", "--by", "Ada", "--why", "first")
    assert run(*first).exit_code == 0
    assert run("approve", "v2.json", "--by", "Bob", "--why", "better").exit_code == 0
    assert "approved by Bob" in run("show", "reference.json").output
    before = (tmp_path / "v2.json").read_bytes()
    done = run(*first, "-o", "v2.json")
    assert (done.exit_code, done.stderr) == (
        2, "v2.json is there and no reference: name another file with -o, or remove it\n",
    )  # fmt: skip
    assert (tmp_path / "v2.json").read_bytes() == before
    assert "is a reference already" in run("approve", "reference.json", "--by", "A", "--why", "b").stderr
    assert run("approve", "nowhere.json", "--by", "A", "--why", "b").exit_code == 2


def test_show_tells_a_run(run, made, saved, tmp_path):
    results = made(("a", 0.5), ("b", 0.4))
    saved(results)
    done = run("show", "run.json")
    assert done.exit_code == 0
    assert "pytest tasks --stbench-model=a" in done.output
    assert "cohort-imputation v2" in done.output
    value = next(s.value for s in results.scores if s.model == "a" and s.metric == "spearman_gene")
    assert re.search(rf"\* spearman_gene +{value:.3f}", done.output)
    assert "FAIL" in done.output
    assert "checks  " in done.output
