from __future__ import annotations

import pytest

from pytest_stbench.checks import shared_corpus
from pytest_stbench.checks.corpora import slide_hash
from pytest_stbench.data.samples import load_samples
from pytest_stbench.splits.table import Sample

SUITE = {
    "lung": [
        Sample(slide="TENX1", corpus="HEST", accession="GSE111"),
        Sample(slide="TENX2", corpus="HEST", accession="GSE222"),
    ],
    "own": [Sample(slide="S1", corpus="clinic")],
}
TESTED = {"lung": {"TENX2"}, "own": {"S1"}}


@pytest.mark.parametrize(
    ("declared", "match", "slides", "status"),
    [
        ("GSE222", "accession", ["TENX2"], "warn"),
        ("gse-222", "accession", ["TENX2"], "warn"),
        ("HEST/GSE222", "accession", ["TENX2"], "warn"),
        ("HEST:TENX2", "slide id", ["TENX2"], "warn"),
        ("hest", "corpus", ["TENX1", "TENX2"], "warn"),
        ("GSE111", "accession", ["TENX1"], "pass"),
    ],
)
def test_what_matches_and_how(declared, match, slides, status):
    result = shared_corpus(pretraining=[declared], suite=SUITE, tested=TESTED)
    assert result.status == status
    (entry,) = result.details["ledger"]
    assert (entry["match"], entry["slides"], entry["dataset"]) == (match, slides, "lung")


@pytest.mark.parametrize("declared", ["TCGA", "GSE22", "clinic/S9", "TENX2", "", "HEST/GSE9", "clinic/TENX2"])
def test_what_does_not_match(declared):
    result = shared_corpus(pretraining=[declared], suite=SUITE, tested=TESTED)
    assert result.status == "pass"
    assert result.details["ledger"] == []


def test_a_test_slide_seen_before_fails_a_zero_shot_claim():
    facts = {"suite": SUITE, "tested": TESTED, "scope": ("zero-shot",)}
    result = shared_corpus(pretraining=["GSE222"], **facts)
    assert (result.status, result.statistic, result.slides) == ("fail", 1, ("TENX2",))
    assert shared_corpus(pretraining=["GSE111"], **facts).status == "pass"
    assert shared_corpus(pretraining=["HEST"], **facts).status == "warn"


def test_nothing_declared_warns_and_no_pretraining_passes():
    assert shared_corpus(pretraining=None, suite=SUITE).status == "warn"
    assert shared_corpus(pretraining=(), suite=SUITE).status == "pass"


def test_one_slide_in_two_data_sets_warns():
    suite = {"a": SUITE["lung"], "b": [Sample(slide="tenx2", accession="gse222")]}
    result = shared_corpus(pretraining=(), suite=suite)
    assert result.status == "warn"
    assert "not independent" in result.message
    apart = {"a": SUITE["lung"], "b": [Sample(slide="TENX3", accession="GSE222")]}
    assert shared_corpus(pretraining=(), suite=apart).status == "pass"


def test_hashes_are_asked_for_only_where_one_is_declared(make_slide, spoil, shuffled):
    slide = make_slide("A")
    same = shuffled(spoil(slide, meta=spoil(slide.meta, slide_id="renamed")))
    assert slide_hash(slide) == slide_hash(same)
    assert slide_hash(slide) != slide_hash(make_slide("A", seed=1))
    asked = []

    def hashes():
        asked.append(True)
        return {"own": {"S1": ("sha256:of-its-file", slide_hash(same))}}

    assert shared_corpus(pretraining=["TCGA"], suite=SUITE, hashes=hashes).status == "pass"
    assert not asked
    result = shared_corpus(pretraining=[slide_hash(slide)], suite=SUITE, hashes=hashes)
    assert result.details["ledger"][0]["match"] == "hash"


def test_two_data_sets_of_the_same_files_are_no_two_cohorts():
    def ask(files):
        suite = {name: [Sample(slide=slide) for slide in slides] for name, slides in files.items()}
        return shared_corpus(pretraining=(), suite=suite, files=lambda: files)

    renamed = ask({"a": {"S1": ("sha256:1",)}, "b": {"T1": ("sha256:1",), "T2": ("sha256:2",)}})
    assert (renamed.status, renamed.slides) == ("warn", ("S1", "T1"))
    assert "a and b hold slides of the same files" in renamed.message
    assert ask({"a": {"S1": ("sha256:1",)}, "b": {"T2": ("sha256:2",)}}).status == "pass"
    # One file of all slides, shared out between two data sets.
    one = ("sha256:1",)
    assert ask({"a": {"S1": one, "S2": one}, "b": {"S3": one, "S4": one}}).status == "pass"
    assert ask({"a": {"S1": one, "S2": one}, "b": {"S2": one, "S3": one}}).slides == ("S2",)

    def never():
        raise AssertionError("asked for a single data set")

    assert shared_corpus(pretraining=(), suite={"a": []}, files=never).status == "pass"


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_the_injected_collection_is_found(simulated, strength):
    dataset, folds = simulated(patients=4, defects={"shared_corpus": strength})
    tested = {"sim": {slide for fold in folds for slide in fold.test}}
    suite = {"sim": load_samples(dataset.config, "sim", [])}
    for declared in ("PublicCollection", "SIM000001"):
        assert shared_corpus(pretraining=[declared], suite=suite, tested=tested).status == "warn"
    assert shared_corpus(pretraining=["OtherCollection"], suite=suite, tested=tested).status == "pass"


def test_odd_declarations_and_samples():
    suite = {"a": [Sample(slide=1, corpus=None, accession="nan"), Sample(slide=None, corpus=3)], "b": []}
    result = shared_corpus(pretraining=["3", "nan", "///", "sha256:x"], suite=suite, hashes=dict)
    assert result.status in ("pass", "warn")


def test_a_reference_that_models_are_given_counts_as_seen():
    facts = {"suite": SUITE, "tested": TESTED, "scope": ("zero-shot",)}
    found = shared_corpus(pretraining=(), given=("GSE222",), **facts)
    assert (found.status, found.slides) == ("fail", ("TENX2",))
    assert (
        "the reference atlas that models are given is of 'GSE222', which is the accession of" in found.message
    )
    found = shared_corpus(pretraining=(), given=("HEST",), **facts)
    assert "the reference atlas that models are given is of the corpus 'HEST', from which" in found.message
    assert shared_corpus(pretraining=(), given=("GSE9",), **facts).status == "pass"


def test_the_file_of_a_reference_is_compared_with_the_files_of_slides_alone():
    def counts():
        raise AssertionError

    files = {"own": {"S1": ("sha256:ab",)}}
    found = shared_corpus(
        pretraining=(), suite=SUITE, tested=TESTED, given=("sha256:ab",), hashes=counts, files=lambda: files
    )
    assert (found.status, found.slides) == ("warn", ("S1",))
