"""Results in a notebook: tables, pictures and files say what the records say."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

import pytest_stbench
from pytest_stbench.errors import ResultsError, StbenchError
from pytest_stbench.results import (
    CheckRecord,
    GateRecord,
    Results,
    ScoreRecord,
    TaskRecord,
    VerdictRecord,
    save,
)
from pytest_stbench.results.details import stage
from pytest_stbench.results.map_parts import MapPart, write_part as write_map_part
from pytest_stbench.results.single_scores import Block, Encoder, Place, write_part

NASTY = "<script>alert(1)</script>"


def score(model, value, role="model", metric="spearman_gene", **fields):
    patients = {"A": value, "B": value} if value is not None else {"A": None, "B": None}
    return ScoreRecord(
        task="t", task_version=1, family="imputation", dataset="d", split="lopo", role=role, model=model,
        metric=metric, value=value, per_patient=patients, n_patients=0 if value is None else 2, **fields,
    )  # fmt: skip


def check(name, status="pass", dataset="d", **fields):
    return CheckRecord(
        task="t",
        id="Q01",
        name=name,
        dataset=dataset,
        scope="dataset",
        status=status,
        severity="fail",
        **fields,
    )


RESULTS = Results(
    tasks=(
        TaskRecord(
            name="t",
            version=1,
            family="imputation",
            claim="exploratory",
            primary="spearman_gene",
            fingerprint="f",
        ),
    ),
    scores=(
        score("mine", 0.5, ci_low=0.4, ci_high=0.6, ceiling=0.9),
        score("train_mean", 0.1, "baseline", ceiling=0.9),
        score("gene_gene_ridge", 0.3, "baseline", ceiling=0.9),
        score("smooth", 0.2, "baseline", ceiling=0.9),
        score("shuffled(mine)", 0.0, "control", ceiling=0.9),
        score("mine", 0.5, fold="A"),
        score("mine", None, metric="rmse"),
    ),
    verdicts=(
        VerdictRecord(
            task="t",
            dataset="d",
            split="lopo",
            model="mine",
            metric="spearman_gene",
            verdict="pass",
            message="good",
        ),
    ),
    checks=(check("depth"), check("gene_ids", "warn", message=NASTY, fix="mend it"), check("axes", "skip")),
)


@pytest.fixture(autouse=True)
def _no_window():
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def found(tmp_path):
    """A results file with single scores and a map."""
    path, parts = tmp_path / "v1.json", tmp_path / "parts"
    block = Block(
        metric="spearman_gene", level="gene", slide="s", patient="A", names=np.array(["G1", "G2"]),
        values=np.array([0.4, np.nan]), reasons=np.array(["", "gt_constant"]),
    )  # fmt: skip
    for role, model in (("model", "mine"), ("baseline", "gene_gene_ridge")):
        table = Encoder().part(Place("t", "d", "", "lopo", role, model, "A"), [block])
        write_part(parts / "scores" / f"{model}.arrow", table)
    truth = np.arange(6, dtype=np.float32).reshape(3, 2)
    part = MapPart(
        about={"task": "t", "dataset": "d", "slide": "s"}, genes=np.array(["G1", "G2"]),
        why=np.array(["", ""]), order=np.arange(2), units=np.array(["a", "b", "c"]),
        xy_um=np.arange(6.0).reshape(3, 2),
        libsize=np.ones(3), truth=truth, layers={"mine/1": truth + 10},
    )  # fmt: skip
    write_map_part(parts, part, "mine/1")
    save(path, RESULTS, lambda known: stage(path, parts, "maps", known))
    return pytest_stbench.load(path)


def test_tables_hold_the_records(found):
    frame = found.to_frame()
    assert frame[["role", "model", "metric"]].values.tolist() == [
        [one.role, one.model, one.metric] for one in RESULTS.scores if one.fold is None
    ]
    assert frame.value.dropna().tolist() == [0.5, 0.1, 0.3, 0.2, 0.0]
    assert found.to_frame("verdicts").message.tolist() == ["good"]
    assert found.to_frame("checks").status.tolist() == ["pass", "warn", "skip"]
    assert found.to_frame("single").value.dropna().tolist() == [0.4, 0.4]
    assert pytest_stbench.RunResults(Results(checks=RESULTS.checks)).to_frame().name.tolist() == [
        "depth", "gene_ids", "axes",
    ]  # fmt: skip
    assert pytest_stbench.RunResults(Results()).to_frame().empty
    with pytest.raises(StbenchError, match="choose one of scores, verdicts, checks, single"):
        found.to_frame("all")


def test_passed_counts_failures_checks_and_gates(found):
    assert found.passed
    gate = GateRecord(kind="min", n=2, outcome="fail", message="too low")
    missed = replace(RESULTS.verdicts[0], verdict="fail", gates=(gate,))
    for changes in (
        {"verdicts": (missed,)},
        {"checks": (check("depth", "fail"),)},
    ):
        assert not pytest_stbench.RunResults(replace(RESULTS, **changes)).passed
    assert not pytest_stbench.RunResults(RESULTS, failures={"rmse[d]": "no"}).passed
    ungated = replace(missed, gated=False)
    assert pytest_stbench.RunResults(replace(RESULTS, verdicts=(ungated,))).passed


def test_the_picture_of_scores_shows_values_intervals_and_ceiling(found):
    ax = found.plot_scores()
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["mine", "train_mean", "gene_gene_ridge", "smooth", "shuffled(mine)"]
    drawn = {line.get_gid(): line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"}
    assert drawn == {
        "mine": 0.5,
        "train_mean": 0.1,
        "gene_gene_ridge": 0.3,
        "smooth": 0.2,
        "shuffled(mine)": 0.0,
    }
    assert [0.4, 0.6] in [list(line.get_xdata()) for line in ax.lines]
    assert [0.9, 0.9] in [list(line.get_xdata()) for line in ax.lines]
    assert ax.get_xlabel().startswith("spearman_gene")
    assert not [line for line in found.plot_scores("rmse").lines if line.get_marker() == "o"]


def test_the_picture_of_patients_shows_models_t_and_s(found):
    import matplotlib.pyplot as plt

    _, given = plt.subplots()
    ax = found.plot_patients(ax=given)
    assert ax is given
    assert {line.get_label(): list(line.get_ydata()) for line in ax.lines} == {
        "mine": [0.5, 0.5], "T train_mean": [0.1, 0.1], "S gene_gene_ridge": [0.3, 0.3],
    }  # fmt: skip
    assert [text.get_text() for text in ax.get_xticklabels()] == ["A", "B"]


def test_the_picture_of_genes_has_a_box_for_everybody(found):
    ax = found.plot_genes()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["mine", "gene_gene_ridge"]
    assert ax.get_xlabel() == "spearman_gene of each gene"
    with pytest.raises(ResultsError, match="rmse has no single scores with a value"):
        found.plot_genes("rmse")


def test_the_picture_of_checks_counts_them(found):
    ax = found.plot_checks()
    widths = {bars.get_label(): [bar.get_width() for bar in bars] for bars in ax.containers}
    assert widths == {"pass": [1.0], "warn": [1.0], "fail": [0.0], "skip": [1.0]}


def test_the_picture_of_a_map_shows_one_layer(found):
    ax = found.plot_map("s", "G2", "mine/1")
    assert ax.collections[0].get_array().tolist() == [11.0, 13.0, 15.0]
    assert ax.collections[0].get_offsets().tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found.map("s").shape == (3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda found: found.plot_scores("mse"),
            "there is no pooled score of this metric; there is spearman_gene",
        ),
        (lambda found: found.plot_map("s", "G9"), "the map of s has no gene 'G9'; it has G1, G2"),
        (lambda found: found.plot_map("s", "G1", "other"), "has no model 'other'; it has truth, mine/1"),
        (lambda found: found.map("x"), "there is no map of the slide 'x'; maps are kept of: s"),
    ],
)
def test_what_is_not_there_is_named_beside_what_is(found, call, message):
    with pytest.raises(ResultsError, match=message):
        call(found)


def test_results_without_scores_say_what_is_missing():
    nothing = pytest_stbench.RunResults(Results())
    for call, message in (
        (nothing.plot_scores, "no pooled scores"),
        (nothing.plot_checks, "no checks"),
        (lambda: nothing.single_scores, "no single scores are kept"),
        (lambda: nothing.map("s"), "keep='maps'"),
    ):
        with pytest.raises(ResultsError, match=message):
            call()
    assert nothing._repr_html_() == "<p>nothing was found</p>"
    assert repr(nothing) == "<RunResults: nothing>"


@pytest.mark.parametrize("how", ["missing", "another"])
def test_kept_files_of_another_run_are_refused(found, tmp_path, how):
    table = tmp_path / "v1.kept" / "scores.parquet"
    table.unlink() if how == "missing" else table.write_bytes(b"other")
    with pytest.raises(
        ResultsError, match=r"scores\.parquet: it is missing, or is not the file that the results name"
    ):
        found.to_frame("single")


def test_a_notebook_shows_tables_and_executes_nothing(found):
    nasty = replace(
        RESULTS, verdicts=(replace(RESULTS.verdicts[0], message=NASTY),), scores=(score(NASTY, 0.5),)
    )
    shown = pytest_stbench.RunResults(nasty, failures={NASTY: NASTY})._repr_html_()
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 5
    page = found._repr_html_()
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert {"mine", "spearman_gene", "0.9", "gene_ids", "mend it"} <= set(cells)
    assert {"train_mean", "depth"}.isdisjoint(cells)  # yardsticks stand in columns, what passed is counted
    assert "1 of 3 checks passed" in page
    assert "spearman_gene, mine on d: pass. good" in page
    assert repr(found) == "<RunResults: 7 scores, 1 verdicts, 3 checks>"


def test_a_loaded_file_is_copied_with_what_is_kept(found, tmp_path):
    target = tmp_path / "elsewhere" / "copy.json"
    found.save(target)
    copied = pytest_stbench.load(target)
    assert replace(copied.results, kept=None) == replace(found.results, kept=None)
    assert copied.results.kept == replace(found.results.kept, folder="copy.kept")
    assert copied.to_frame("single").equals(found.to_frame("single"))
    assert copied.map("s").shape == (3, 2)
    with pytest.raises(ResultsError, match="results of a file are copied to a new one"):
        found.save(target)


def test_results_made_here_are_saved_as_they_are(tmp_path):
    pytest_stbench.RunResults(Results(checks=RESULTS.checks)).save(tmp_path / "checks.json")
    stored = json.loads((tmp_path / "checks.json").read_text())
    assert [one["name"] for one in stored["checks"]] == ["depth", "gene_ids", "axes"]
    assert stored["kept"] is None


def test_the_package_names_what_notebooks_call():
    assert {"evaluate", "check", "load", "RunResults"} <= set(dir(pytest_stbench))
    with pytest.raises(AttributeError, match="no attribute 'evaluated'"):
        _ = pytest_stbench.evaluated
