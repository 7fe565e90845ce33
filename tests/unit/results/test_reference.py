"""References: who approved what, what later runs are held to, and edits by hand."""

from __future__ import annotations

import dataclasses
import json

import pytest

from pytest_stbench.errors import ResultsError
from pytest_stbench.results import (
    CheckRecord,
    GateRecord,
    VerdictRecord,
    changes,
    load_earlier,
    reference_of,
    save,
    why_not_comparable,
)
from pytest_stbench.results.reference import read_reference, reference_text

from ...large_results import large_results  # noqa: TID252  # of the tests alone, which no package has

RUN = large_results(1, 2, metrics=("spearman_gene", "rmse"))
WORDS = {"by": "Ada", "why": "first", "date": "2026-01-02T03:04:05+00:00"}


def approved(results=RUN, **given):
    return reference_of(results, **{**WORDS, "source": "v1.json", "source_sha256": "0" * 64, **given})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "reference.json"
    path.write_text(reference_text(approved()))
    return path


def test_it_is_read_as_it_was_made(path):
    found = read_reference(path, path.read_bytes())
    assert found == approved()
    assert found.sha256 == json.loads(path.read_text())["sha256"]
    earlier = load_earlier(path)
    assert earlier.results == found
    assert earlier.name == "reference.json (approved by Ada on 2026-01-02)"
    assert earlier.reason == "first (from v1.json)"


def test_it_holds_the_models_by_patient_and_slide(path):
    pooled = [score for score in RUN.scores if score.fold is None and score.role == "model"]
    found = load_earlier(path).results.scores
    assert [score.key for score in found] == [score.key for score in pooled]
    for stored, score in zip(found, pooled, strict=True):
        moved = changes(score, stored, better="up", patient_of=RUN.datasets[0].patients)
        assert len(moved) == 6
        assert {change.difference for change in moved} == {0.0}
        assert {len(change.slides) for change in moved} == {2}


def test_it_is_small(path, tmp_path):
    save(tmp_path / "v1.json", RUN)
    assert path.stat().st_size < (tmp_path / "v1.json").stat().st_size / 4
    genes = large_results(1, 1, genes=2000)
    assert len(reference_text(approved(genes))) < len(reference_text(approved(large_results(1, 1)))) + 100


def compared(path, task=RUN.tasks[0], dataset=RUN.datasets[0], lock=RUN.lock):
    return why_not_comparable(task, [dataset], load_earlier(path).results, lock)


def test_the_run_it_was_made_of_is_comparable(path):
    assert compared(path) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"task": dataclasses.replace(RUN.tasks[0], version=9)}, "version 9 here, 1 in the stored run"),
        ({"task": dataclasses.replace(RUN.tasks[0], numbers=2)}, "numbers of version 2 here, 1 in the"),
        ({"dataset": dataclasses.replace(RUN.datasets[0], checksum="x")}, "checksum x here, c0 in the"),
        (
            {"dataset": dataclasses.replace(RUN.datasets[0], patients={"P01S1": "P09"})},
            "patient of slide P01S1: 'P09' here, 'P01' in the stored run",
        ),
        (
            {"lock": [dataclasses.replace(RUN.lock[0], train=("P02S1",))]},
            "fold cohort-lopo-P01: training slides: only in the stored run P02S2, P03S1",
        ),
        (
            {"lock": [dataclasses.replace(RUN.lock[0], genes=("GENE1", "KRT8"))]},
            "fold cohort-lopo-P01: genes: 2 here, another set of 30 in the stored run",
        ),
    ],
    ids=["version", "numbers", "data", "patients", "slides", "genes"],
)
def test_what_differs_is_named(path, changed, said):
    assert said in "; ".join(compared(path, **changed))


def test_genes_in_another_order_are_the_same(path):
    lock = [dataclasses.replace(fold, genes=fold.genes[::-1]) for fold in RUN.lock]
    assert compared(path, lock=lock) == []


EDITS = {
    "score": lambda data: data["scores"][0]["per_patient"].update(P01=0.9),
    "headline": lambda data: data["scores"][0].update(value=0.0),
    "name": lambda data: data.update(by="Eve"),
    "reason": lambda data: data.update(why="because"),
    "fingerprint": lambda data: data["tasks"][0].update(fingerprint="g"),
    "dropped": lambda data: data["scores"].pop(),
    "failed": lambda data: data.update(failed=[]),
    "digest": lambda data: data.update(sha256="0" * 64),
    "no digest": lambda data: data.pop("sha256"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_an_edit_by_hand_is_refused(path, edit):
    path.write_text(reference_text(approved(failed_run())))
    load_earlier(path)
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data, indent=1))
    with pytest.raises(ResultsError, match=r"was changed after (Ada|Eve) approved it.*approve a run anew"):
        load_earlier(path)


def test_the_place_of_an_edit_is_said_where_values_contradict(path):
    data = json.loads(path.read_text())
    EDITS["headline"](data)
    path.write_text(json.dumps(data))
    with pytest.raises(ResultsError, match=r"scores\[0\] \(task-00 .*: value is 0, but per_patient gives"):
        load_earlier(path)


def test_another_layout_is_the_same_content(path):
    data = json.loads(path.read_text())
    path.write_bytes(json.dumps(data, indent=4, sort_keys=True).replace("\n", "\r\n").encode())
    data = json.loads(path.read_text())
    first = {"schema": data.pop("schema"), **data}
    path.write_text(json.dumps(first))
    assert load_earlier(path).results == approved()


@pytest.mark.parametrize("text", ['{"schema": "stbench-reference/1"', '{"schema": "stbench-reference/1"}',
                                  '{"schema": "stbench-reference/2", "by": "Ada"}'])  # fmt: skip
def test_what_is_no_reference_is_said(path, text):
    path.write_text(text)
    with pytest.raises(ResultsError, match=r"reference\.json: this is not .*restore it from version control"):
        load_earlier(path)


@pytest.mark.parametrize("word", ["by", "why"])
def test_a_name_and_a_reason_are_needed(word):
    with pytest.raises(ResultsError, match=f"--{word} is empty"):
        approved(**{word: " \n"})
    assert getattr(approved(**{word: "two\nlines"}), word) == "two lines"


def test_a_run_without_scores_of_models_is_nothing_to_approve():
    folds = tuple(s for s in RUN.scores if s.fold is not None or s.role == "baseline")
    with pytest.raises(ResultsError, match=r"v1\.json: no model under test has a score over all folds"):
        approved(dataclasses.replace(RUN, scores=folds))


def failed_run():
    place = {"task": "task-00", "dataset": "cohort", "split": "lopo", "model": "model00"}
    gate = GateRecord(kind="min", threshold=0.9, n=6, estimate=0.4, outcome="fail", message="m")
    verdict = VerdictRecord(**place, metric="spearman_gene", verdict="fail", gates=(gate,))
    check = CheckRecord(
        task="task-00", id="Q01", name="gene_ids", scope="task", status="fail", severity="fail"
    )
    return dataclasses.replace(RUN, verdicts=(verdict,), checks=(check, check))


def test_what_a_run_failed_is_kept_and_said(path):
    path.write_text(reference_text(approved(failed_run())))
    earlier = load_earlier(path)
    assert earlier.results.failed == (
        "fail: spearman_gene[model00-cohort-lopo] of task-00", "failed check: gene_ids of task-00",
    )  # fmt: skip
    assert "with fail: spearman_gene[model00-cohort-lopo] of task-00; failed check" in earlier.reason
