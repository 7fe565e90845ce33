"""Tables of a run: one for each task, data set, variant, split and model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_stbench.report.tables import interval, make_tables, number, table_lines, undefined_line
from pytest_stbench.results.record import ScoreRecord, VerdictRecord
from pytest_stbench.results.schema import Results


def score_of(model="mine", metric="pearson_gene", *, role="model", value=0.5, fold=None, **changes):
    fields = {
        "task": "t",
        "task_version": 1,
        "family": "imputation",
        "dataset": "d",
        "variant": "",
        "split": "lopo",
        "fold": fold,
        "role": role,
        "model": model,
        "metric": metric,
        "value": value,
        "n_patients": 6,
        "per_patient": {f"P{i}": value for i in range(6)},
        "ci_low": 0.4,
        "ci_high": 0.6,
        "ci_method": "t_logit",
    }
    return ScoreRecord(**{**fields, **changes})


def verdict_of(metric="pearson_gene", verdict="pass", model="mine", **changes):
    fields = {
        "task": "t",
        "dataset": "d",
        "split": "lopo",
        "model": model,
        "metric": metric,
        "verdict": verdict,
    }
    return VerdictRecord(**{**fields, **changes})


BASELINES = (
    score_of("train_mean", role="baseline", value=0.0),
    score_of("ridge2", role="baseline", value=0.3),
    score_of("libsize", role="baseline", value=0.1),
)


def lines_of(results, number=0, primary="pearson_gene"):
    return table_lines(make_tables(results)[number], primary, "train_mean", "ridge2")


def row(line):
    return line.split()


def test_one_table_with_its_ladder_and_verdict():
    results = Results(
        scores=(score_of(skill=0.123), *BASELINES, score_of("shuffled(mine)", role="control", value=0.01)),
        verdicts=(verdict_of(),),
    )
    header, line = lines_of(results)
    assert row(header) == [
        "metric",
        "value",
        "[95%",
        "CI]",
        "T",
        "S",
        "libsize",
        "shuffled",
        "ceiling",
        "skill",
        "patients",
        "verdict",
    ]
    assert row(line) == [
        "*",
        "pearson_gene",
        "0.500",
        "[0.400,",
        "0.600]",
        "0.000",
        "0.300",
        "0.100",
        "0.010",
        "-",
        "0.12",
        "6",
        "pass",
    ]


def test_values_stand_below_their_names():
    results = Results(scores=(score_of(), score_of(metric="rmse", value=12.5), *BASELINES))
    header, *lines = lines_of(results)
    end = header.index("value") + len("value")
    assert all(line[:end].endswith(value) for line, value in zip(lines, ("0.500", "12.500"), strict=True))
    assert len({line.index("6", end + 18) for line in lines}) == 1


def test_only_the_primary_metric_is_marked():
    results = Results(scores=(score_of(), score_of(metric="rmse")))
    assert [line[:1] for line in lines_of(results, primary="rmse")] == [" ", " ", "*"]


def test_a_metric_without_baselines_shows_dashes():
    results = Results(scores=(score_of(), score_of(metric="rmse"), *BASELINES))
    *_, line = lines_of(results)
    assert row(line)[4:8] == ["-", "-", "-", "-"]


def test_folds_make_no_table():
    assert make_tables(Results(scores=(score_of(fold="A"),))) == []


def test_models_and_places_have_tables_of_their_own():
    scores = (
        score_of(),
        score_of("other"),
        score_of(variant="raw"),
        score_of(split="pgkf"),
        score_of(dataset="e"),
        score_of("shuffled(mine)", role="control"),
        score_of("shuffled(other)", role="control", value=0.9),
        *BASELINES,
        score_of("train_mean", role="baseline", value=-1.0, variant="raw"),
    )
    tables = make_tables(
        Results(scores=scores, verdicts=(verdict_of(verdict="fail"), verdict_of(model="other")))
    )
    assert [(table.place[1:], table.model) for table in tables] == [
        (("d", "", "lopo"), "mine"),
        (("d", "", "lopo"), "other"),
        (("d", "raw", "lopo"), "mine"),
        (("d", "", "pgkf"), "mine"),
        (("e", "", "lopo"), "mine"),
    ]
    mine, other, raw, *_ = tables
    assert set(mine.ladder["pearson_gene"]) == {"train_mean", "ridge2", "libsize", "shuffled(mine)"}
    assert set(other.ladder["pearson_gene"]) == {"train_mean", "ridge2", "libsize", "shuffled(other)"}
    assert raw.ladder["pearson_gene"]["train_mean"].value == -1.0
    assert [table.verdicts["pearson_gene"].verdict for table in (mine, other)] == ["fail", "pass"]
    assert raw.verdicts == {}


def test_a_control_of_a_model_whose_name_ends_alike_is_not_taken():
    scores = (score_of("B"), score_of("AB"), score_of("shuffled(AB)", role="control"))
    first, second = make_tables(Results(scores=scores))
    assert first.ladder == {}
    assert set(second.ladder["pearson_gene"]) == {"shuffled(AB)"}


def test_a_parametrised_model_keeps_its_control():
    scores = (score_of("m[a]"), score_of("shuffled(m[a])", role="control", value=0.07))
    (table,) = make_tables(Results(scores=scores))
    header, line = table_lines(table, "pearson_gene", "train_mean", "ridge2")
    assert "shuffled" in row(header)
    assert "0.070" in row(line)


@pytest.mark.parametrize(
    ("verdict", "value", "shown"),
    [
        ("not_evaluable", None, "not evaluable"),
        ("underpowered", 0.2, "underpowered"),
        (None, 0.2, ""),
        (None, None, "not evaluable"),
    ],
)
def test_the_last_column(verdict, value, shown):
    verdicts = (verdict_of(verdict=verdict),) if verdict else ()
    _, line = lines_of(Results(scores=(score_of(value=value),), verdicts=verdicts))
    assert line.endswith(shown or "6")


@pytest.mark.parametrize("word", ["above S", "level", "below S"])
def test_a_score_without_a_gate_has_a_standing(word):
    score = score_of(standing=word)
    assert lines_of(Results(scores=(score,)))[1].endswith(f"6 {word}")
    # The one rule on a primary metric that the file does not gate is no verdict that could fail.
    verdict = verdict_of(verdict="fail", gated=False)
    assert lines_of(Results(scores=(score,), verdicts=(verdict,)))[1].endswith(f"6 {word}")
    gated = verdict_of(verdict="fail")
    assert lines_of(Results(scores=(score,), verdicts=(gated,)))[1].endswith("6 fail")


def test_an_expected_failure_is_called_one():
    results = Results(scores=(score_of(),), verdicts=(verdict_of(verdict="fail"),))
    ended = {verdict_of().key: ("xfailed", "known")}
    lines = table_lines(make_tables(results)[0], "pearson_gene", "train_mean", "ridge2", ended)
    assert lines[1].endswith("6 xfail")


def test_intervals():
    assert interval(score_of()) == "[0.400, 0.600]"
    assert interval(score_of(ci_method="t", n_patients=4)) == "~[0.400, 0.600]"
    assert interval(score_of(ci_low=None, ci_high=None, n_patients=2)) == "no CI"
    assert interval(score_of(ci_low=None, ci_high=None, n_patients=0)) == ""


def test_numbers():
    assert number(None) == "-"
    assert number(0.12345) == "0.123"
    assert number(-0.5, 1) == "-0.5"


def test_three_patients_or_fewer_are_all_shown():
    few = score_of(n_patients=2, per_patient={"A": 0.25, "B": None, "C": 0.75}, ci_low=None, ci_high=None)
    assert lines_of(Results(scores=(few,)))[-1].strip() == "pearson_gene by patient: A 0.250, B -, C 0.750"
    assert len(lines_of(Results(scores=(replace(few, n_patients=4),)))) == 2
    assert len(lines_of(Results(scores=(few,)), primary="rmse")) == 2


def test_what_was_undefined():
    some = score_of(undefined={"gt_constant": 12, "pred_constant": 1})
    assert (
        undefined_line([some, score_of(metric="rmse", undefined={})])
        == "pearson_gene: gt_constant 12, pred_constant 1"
    )
    assert undefined_line([score_of(), score_of(undefined={})]) is None


def test_the_error_of_draws_is_said_and_what_is_too_much_of_it():
    spread = {f"P{i}": 0.1 * i for i in range(6)}  # SE .076
    quiet = score_of(metric="coexpression_ssim_normalised", per_patient=spread, monte_carlo_se=0.007)
    loud = replace(quiet, metric="niche_jaccard_normalised", monte_carlo_se=0.0312, ceiling_se=0.02)
    plain = score_of(ceiling_se=0.001)
    lines = table_lines(
        make_tables(Results(scores=(quiet, loud, plain)))[0], "pearson_gene", "train_mean", "ridge"
    )
    assert lines[-1] == (
        "  standard error of random draws: coexpression_ssim_normalised 0.007; "
        "niche_jaccard_normalised 0.031, more than a tenth of the 0.076 over patients; ceilings up to 0.02"
    )
    assert (
        "random draws"
        not in table_lines(
            make_tables(Results(scores=(score_of(),)))[0], "pearson_gene", "train_mean", "ridge"
        )[-1]
    )
