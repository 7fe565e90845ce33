"""Runs of a folder as curves: their order, what drifted, what is left out, and where points are drawn."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.errors import ResultsError
from pytest_stbench.report.history.beside import chosen, reported
from pytest_stbench.report.history.lines import WIDTH, history_lines
from pytest_stbench.report.history.runs import runs_of
from pytest_stbench.report.history.trends import Drift, trends_of
from pytest_stbench.report.page.curves import HIGH, LEFT, MARGIN, SINGLE, WIDE, chart_of
from pytest_stbench.results import RunRecord, load, save

from ...large_results import large_results  # noqa: TID252  # of the tests alone, which no package has
from .test_report_page import assert_numbers

METRICS = ("spearman_gene", "rmse")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "runs"
    made.mkdir()
    return made


@pytest.fixture
def write(folder):
    """Writes a run of a day into the folder; returns its path."""

    def written(name, day, /, *, models=1, tasks=1, seed=0, change=lambda results: results, **how):
        results = change(large_results(models, tasks, metrics=METRICS, seed=seed, **how))
        started = day if day is None or "T" in day else f"{day}T08:00:00+00:00"
        record = None if started is None else RunRecord(started=started, command=f"pytest {name}")
        path = folder / f"{name}.json"
        save(path, replace(results, run=record))
        return path

    return written


def stbench(*arguments):
    done = CliRunner().invoke(main, [str(a) for a in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def primary(path, model="model00"):
    return next(
        score
        for score in load(path).scores
        if (score.fold, score.model, score.metric) == (None, model, METRICS[0])
    )


def on_tasks(**changed):
    return lambda results: replace(results, tasks=tuple(replace(t, **changed) for t in results.tasks))


def on_data(**changed):
    return lambda results: replace(results, datasets=tuple(replace(d, **changed) for d in results.datasets))


def on_folds(**changed):
    return lambda results: replace(results, lock=tuple(replace(f, **changed) for f in results.lock))


def test_runs_stand_in_the_order_of_their_dates(folder, write):
    write("a", "2026-03-01", seed=1)
    write("b", "2026-01-01", seed=2)
    write("c", "2026-02-01T23:30:00-05:00", seed=3)
    write("d", "2026-02-02T01:00:00+00:00", seed=4)
    runs = runs_of([folder])
    assert [run.name for run in runs.found] == ["b.json", "d.json", "c.json", "a.json"]
    (trend,) = trends_of(runs.found)
    values = [point.score.value for point in trend.curves["model00"]]
    assert values == [primary(folder / run.name).value for run in runs.found]
    assert [point.place for point in trend.curves["model00"]] == [
        load(run.path).scores.index(primary(run.path)) for run in runs.found
    ]
    assert trend.drifts == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (on_data(checksum="other"), "data set cohort: checksum other here, c0 in a.json"),
        (on_tasks(version=2), "version 2 here, 1 in a.json"),
        (on_tasks(fingerprint="x", fingerprint_parts={"part.0": "y"}), "part.0 differs from that in a.json"),
        (on_tasks(numbers=3), "in a.json"),
        (on_folds(genes=("G1", "G2")), "genes: only here G1, G2, only in a.json GENE0"),
    ],
)
def test_drift_of_data_task_and_numbers_is_marked(folder, write, change, said):
    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, change=change)
    write("c", "2026-03-01", seed=3, change=change)
    (trend,) = trends_of(runs_of([folder]).found)
    (drift,) = trend.drifts
    assert (drift.at, drift.run.name, drift.since.name) == (1, "b.json", "a.json")
    assert said in drift.said
    assert [point.era for point in trend.curves["model00"]] == [0, 1, 1]
    text = "\n".join(history_lines(runs_of([folder]), [trend]))
    rows = [line.split()[:2] for line in text.splitlines() if re.match(r" +(2026|drift)", line)]
    assert [row[0] == "drift" for row in rows] == [False, True, False, False]


def test_what_no_reader_of_scores_can_see_is_no_drift(folder, write):
    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, change=on_data(n_units=1, depth={}))
    (trend,) = trends_of(runs_of([folder]).found)
    assert trend.drifts == []
    assert [point.era for point in trend.curves["model00"]] == [0, 0]


def test_a_model_that_came_later_has_no_drift_before_it(folder, write):
    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, models=2, change=on_data(checksum="other"))
    runs = runs_of([folder])
    lines = history_lines(runs, trends_of(runs.found))
    first = next(i for i, line in enumerate(lines) if line == "  model01")
    assert sum("drift  b.json" in line for line in lines) == 1
    assert not any("drift" in line for line in lines[first:])


def test_points_are_drawn_at_their_values(folder, write):
    for number in range(4):
        write(f"r{number}", f"2026-0{number + 1}-01", seed=number)
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    chart = chart_of(trend, {id(run): n for n, run in enumerate(runs.found)})
    (curve,) = chart.curves
    scores = [primary(run.path) for run in runs.found]
    drawn = np.array([[float(v) for v in p] for p in re.findall(r"M([\d.]+) ([\d.]+)h0", curve.means)])
    every = [
        value
        for score in scores
        for value in (*score.per_patient.values(), score.ci_low, score.ci_high, score.value)
    ]
    low, high = min(every), max(every)
    values = low + (1 - (drawn[:, 1] - MARGIN) / (HIGH - 2 * MARGIN)) * (high - low)
    np.testing.assert_allclose(values, [score.value for score in scores], atol=2e-3 * (high - low))
    np.testing.assert_allclose(drawn[:, 0], LEFT + (WIDE - LEFT) * (np.arange(4) + 0.5) / 4, atol=0.06)
    assert curve.patients.count("h0") == sum(len(score.per_patient) for score in scores)
    bars = re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", curve.interval)
    ends = np.array(bars, dtype=float)
    bounds = low + (1 - (ends - MARGIN) / (HIGH - 2 * MARGIN)) * (high - low)
    np.testing.assert_allclose(
        bounds, [[score.ci_low, score.ci_high] for score in scores], atol=2e-3 * (high - low)
    )


def test_rows_of_text_are_drawn_at_their_values(folder, write):
    paths = [write(f"r{number}", f"2026-0{number + 1}-01", seed=number) for number in range(3)]
    runs = runs_of([folder])
    lines = history_lines(runs, trends_of(runs.found))
    rows = [line for line in lines if line.lstrip().startswith("2026-")]
    start = next(line for line in lines if line.lstrip().startswith("run")).index("patients") + 9
    scores = [primary(path) for path in paths]
    values = [v for s in scores for v in (*s.per_patient.values(), s.ci_low, s.ci_high) if v is not None]
    low, high = min(values), max(values)
    for row, score in zip(rows, scores, strict=True):
        drawn = row[start:]
        assert drawn.index("o") == round((score.value - low) / (high - low) * (WIDTH - 1))
        lowest = min(*score.per_patient.values(), score.ci_low)
        assert len(drawn) - len(drawn.lstrip()) == round((lowest - low) / (high - low) * (WIDTH - 1))


def test_no_line_crosses_a_drift_and_a_lone_run_is_seen(folder, write):
    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, change=on_data(checksum="1"))
    write("c", "2026-03-01", seed=3, change=on_data(checksum="1"))
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    (curve,) = chart_of(trend, {id(run): 0 for run in runs.found}).curves
    parts = re.findall(r"M[^M]+", curve.line)
    assert [part.count("L") for part in parts] == [0, 1]
    assert parts[0].endswith("h0")


@pytest.mark.parametrize(("n", "said"), [(1, "r0"), (3, "r0; r1; r2"), (5, "r0; r1; r2; and 2 more")])
def test_three_differences_are_said_and_the_others_counted(n, said):
    assert Drift(1, None, None, tuple(f"r{number}" for number in range(n))).said == said


def test_numbers_of_drifts_do_not_lie_on_each_other(folder, write):
    for number in range(60):
        day = f"2026-{1 + number // 28:02}-{1 + number % 28:02}"
        write(f"r{number:02}", day, change=on_data(checksum=str(number)))
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    chart = chart_of(trend, {id(run): 0 for run in runs.found})
    assert len(chart.drifts) == 59
    shown = [(float(x), int(number)) for x, number in chart.drifts if number]
    assert shown[0] == (float(chart.drifts[0][0]), 1)
    assert all(later[0] - one[0] >= 3 for one, later in itertools.pairwise(shown))
    assert all(float(chart.drifts[number - 1][0]) == x for x, number in shown)


def test_revisions_are_those_of_each_run(folder, write, tmp_path, page):
    def revised(*revisions):
        def change(results):
            models = zip(results.models, revisions, strict=True)
            return replace(results, models=tuple(replace(m, revision=r) for m, r in models))

        return change

    write("a", "2026-01-01", models=2, seed=1, change=revised("1-2", "x7"))
    write("b", "2026-01-02", models=2, seed=2, change=revised("1-3", None))
    done = stbench("compare", folder)
    rows = [line.split()[:3] for line in done.output.splitlines() if line.startswith("    2026-")]
    assert [row[2] for row in rows] == ["1-2", "1-3", "x7", "-"]
    assert stbench("report", folder, "-o", tmp_path / "x.html").exit_code == 0
    said = page((tmp_path / "x.html").read_text()).said
    assert "model00 1-2, model01 x7" in said
    assert "model00 1-3, model01 " in said


def test_many_runs_are_bands(folder, write):
    for number in range(SINGLE + 1):
        write(f"r{number:02}", f"2026-{1 + number // 28:02}-{1 + number % 28:02}", seed=number)
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    (curve,) = chart_of(trend, {id(run): 0 for run in runs.found}).curves
    assert curve.banded
    assert curve.patients.endswith("Z")
    assert curve.patients.count("L") == 2 * (SINGLE + 1) - 1
    assert curve.hover == ()


def test_a_value_that_is_not_defined_is_a_gap(folder, write):
    def undefined(results):
        nobody = {"value": None, "ci_low": None, "ci_high": None, "median": None, "min": None, "max": None}
        return replace(
            results,
            scores=tuple(
                replace(s, **nobody, n_patients=0, per_patient=dict.fromkeys(s.per_patient), per_slide=None)
                if s.role == "model"
                else s
                for s in results.scores
            ),
        )

    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, change=undefined)
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    (curve,) = chart_of(trend, {id(run): 0 for run in runs.found}).curves
    assert curve.means.count("h0") == 1
    text = "\n".join(history_lines(runs, [trend]))
    assert "not evaluable" in text
    for path in folder.iterdir():
        path.unlink()
    write("a", "2026-01-02", change=undefined)
    runs = runs_of([folder])
    assert "not evaluable" in "\n".join(history_lines(runs, trends_of(runs.found)))
    assert stbench("report", folder, "-o", folder.parent / "x.html").exit_code == 0


def test_runs_with_another_primary_metric_are_said(folder, write):
    write("a", "2026-01-01", seed=1, change=on_tasks(primary="rmse", fingerprint="r"))
    write("b", "2026-02-01", seed=2)
    runs = runs_of([folder])
    (trend,) = trends_of(runs.found)
    assert [run.name for run in trend.others] == ["a.json"]
    assert [point.run.name for point in trend.curves["model00"]] == ["b.json"]
    assert "a.json, where another metric is the primary one" in "\n".join(history_lines(runs, [trend]))


def test_what_is_no_run_is_left_out_and_said(folder, write, tmp_path):
    good = write("good", "2026-01-01")
    (folder / "copy.json").write_bytes(good.read_bytes())
    (folder / "other.json").write_text('{"schema": 1}')
    (folder / "list.json").write_text("[]")
    (folder / "cut.json").write_bytes(good.read_bytes()[:5000])
    edited = json.loads(good.read_text())
    edited["scores"][-1]["value"] = 9
    (folder / "edited.json").write_text(json.dumps(edited))
    (folder / ".hidden.json").write_text("{")
    (folder / "folder.json").mkdir()
    write("undated", None, seed=5)
    write("sometime", "sometimeT", seed=6)
    assert stbench("approve", good, "--by", "A", "--why", "B", "-o", folder / "reference.json").exit_code == 0
    runs = runs_of([folder])
    assert [run.name for run in runs.found] == ["copy.json"]
    said = "\n".join(runs.notices)
    for word in (
        "good.json is a copy of copy.json",
        "cut.json: this is not JSON",
        "edited.json: the records are not those",
        "(no results files): list.json, other.json",
        "(no date of the run): sometime.json, undated.json",
        "(references): reference.json",
    ):
        assert word in said
    assert "hidden" not in said
    assert "folder.json" not in said
    with pytest.raises(ResultsError, match=r"cut\.json: this is not JSON"):
        runs_of([folder, folder / "cut.json"])


def test_a_folder_without_runs(folder, write):
    done = stbench("compare", folder)
    assert done.exit_code == 2
    assert "no run with a date and a score of a model lies there" in done.output
    assert "--stbench-save" in done.output
    write("baselines", "2026-01-01", models=0)
    done = stbench("report", folder, "-o", folder / "x.html")
    assert done.exit_code == 2
    assert "(no primary score of a model under test): baselines.json" in done.output
    assert not (folder / "x.html").exists()


def test_one_run_alone_is_a_history(folder, write):
    write("a", "2026-01-01")
    done = stbench("compare", folder)
    assert done.exit_code == 0
    assert done.output.startswith("history  1 run of 2026-01-01; the newest is a.json")


def test_which_runs_are_compared(folder, write, tmp_path):
    one, two, three = (write(n, f"2026-01-0{d}", seed=d) for d, n in enumerate("abc", start=1))
    other = write("z", "2026-01-09", name="other", seed=8)
    aside = tmp_path / "new.json"
    aside.write_bytes(write("n", "2026-02-01", seed=9).read_bytes())
    (folder / "n.json").unlink()

    def pick(*paths):
        return chosen(paths, runs_of(paths))

    assert pick(folder) == [three, other]  # no earlier run holds this model
    other.unlink()
    assert pick(folder) == [two, three]
    assert pick(folder, aside) == [three, aside]
    assert pick(folder, three) == [two, three]
    assert pick(one, folder) == [one, three]
    assert stbench("compare", folder).output.startswith("compare  c.json: model00 1\nwith     b.json")


def test_a_folder_that_adds_no_run_to_those_named_is_refused(folder, write, tmp_path):
    one, empty = write("a", "2026-01-01"), tmp_path / "empty"
    empty.mkdir()
    (empty / "damaged.json").write_text("{")
    for paths, bare in (((one, empty), empty), ((empty, one), empty), ((one, folder), folder)):
        done = stbench("compare", *paths)
        assert done.exit_code == 2
        assert f"{bare}: it holds no run to compare, beside those named" in done.output
        assert ("damaged.json" in done.output) == (bare is empty)


def test_runs_that_drifted_apart_are_refused_and_shown(folder, write):
    write("a", "2026-01-01", seed=1)
    write("b", "2026-02-01", seed=2, change=on_data(checksum="other"))
    done = stbench("compare", folder)
    assert done.exit_code == 0
    assert re.match(r"refused  .*b\.json cannot be compared with", done.output)
    assert "history  2 runs from 2026-01-01 to 2026-02-01" in done.output
    assert all(len(line) <= 160 for line in done.output.splitlines())


def test_a_report_is_of_the_newest_run_of_each_model(folder, write, tmp_path, page):
    old = write("a", "2026-01-01", seed=1, tasks=2)
    ours = write("b", "2026-02-01", seed=2, tasks=2, change=on_tasks(version=2))
    theirs = write("c", "2026-01-15", seed=3, name="other", tasks=2)
    assert reported([folder], runs_of([folder])) == [theirs, ours]
    done = stbench("report", folder, "-o", tmp_path / "x.html")
    assert done.exit_code == 0, done.output
    found = page((tmp_path / "x.html").read_text())
    files = [json.loads(path.read_text()) for path in (theirs, ours, old)]
    assert_numbers(found, files)
    numbers = {(at, value) for at, value, _ in found.numbers}
    score = primary(old)
    place = load(old).scores.index(score)
    assert (f"2:scores.{place}.value", score.value) in numbers
    assert (
        "3 runs from 2026-01-01 to 2026-02-01, 6 scores on 2 tasks; data or task drifted on 2" in found.said
    )
    assert "version 2 here, 1 in c.json" in found.said
    assert len(found.ids) == len(set(found.ids))


def test_of_many_models_the_newest_runs_are_reported(folder, write, monkeypatch, page, tmp_path):
    from pytest_stbench.report.history import beside

    monkeypatch.setattr(beside, "WHOLE", 2)
    paths = [write(f"v{n}", f"2026-01-0{n + 1}", seed=n, name=f"mine{n}-") for n in range(4)]
    runs = runs_of([folder])
    assert reported([folder], runs) == paths[2:]
    (notice,) = runs.notices
    assert "4 runs are the newest of a model; the 2 newest are reported" in notice
    assert "the others (mine0-00, mine1-00) stand in the history alone" in notice
    assert stbench("report", folder, "-o", tmp_path / "x.html").exit_code == 0
    found = page((tmp_path / "x.html").read_text())
    assert_numbers(found, [json.loads(path.read_text()) for path in (*paths[2:], *paths[:2])])
    assert notice in found.said
    boxes = {attrs["viewbox"] for tag, attrs in found.tags if tag == "svg" and "viewbox" in attrs}
    assert f"0 0 {WIDE:g} {HIGH:g}" in boxes


def test_names_of_runs_and_models_are_never_markup(folder, write, page, tmp_path):
    evil = "<img src=x onerror=alert(1)>"
    write("a<b>", "2026-01-01", seed=1, name=evil)
    write("b<b>", "2026-01-02", seed=2, name=evil)
    assert stbench("report", folder, "-o", tmp_path / "x.html").exit_code == 0
    found = page((tmp_path / "x.html").read_text())
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert "b<b>.json" in found.said


def test_files_of_one_name_in_two_folders(folder, write, tmp_path):
    a = write("run", "2026-01-01", seed=1)
    other = tmp_path / "more"
    other.mkdir()
    (other / "run.json").write_bytes(a.read_bytes())
    a.unlink()
    write("run", "2026-01-02", seed=2)
    runs = runs_of([folder, other])
    assert [run.name for run in runs.found] == [str(other / "run.json"), str(folder / "run.json")]


def test_runs_of_one_day_have_their_time_and_digests_are_short(folder, write):
    write("a", "2026-01-01T08:05:00+00:00", seed=1)
    write("b", "2026-01-01T17:40:00+00:00", seed=2, change=on_data(checksum="ab" * 32))
    runs = runs_of([folder])
    assert [run.day for run in runs.found] == ["2026-01-01 08:05", "2026-01-01 17:40"]
    (trend,) = trends_of(runs.found)
    assert trend.drifts[0].said == "data set cohort: checksum abababababab here, c0 in a.json"
    assert "    2026-01-01 17:40 b.json" in "\n".join(history_lines(runs, [trend]))


def test_long_names_leave_a_row_in_one_line(folder, write):
    def revised(results):
        return replace(results, models=tuple(replace(m, revision="r" * 40 + "end") for m in results.models))

    for hour in (1, 2):
        write("n" * 80 + str(hour), f"2026-01-01T0{hour}:00:00+00:00", seed=hour, change=revised)
    runs = runs_of([folder])
    lines = history_lines(runs, trends_of(runs.found))
    rows = [line for line in lines if line.startswith("    2026-")]
    assert len(rows) == 2
    assert all(len(line) <= 160 for line in lines)
    for hour, row in enumerate(rows, start=1):
        assert f"...{'n' * 21}{hour}.json " in row
        assert f" ...{'r' * 8}end " in row
        assert "o" in row[-WIDTH:]


@pytest.mark.parametrize(("drifts_after", "drifted"), [(2, ""), (0, ", 1 drift")])
def test_of_many_rows_the_newest_are_listed(folder, write, monkeypatch, drifts_after, drifted):
    from pytest_stbench.report.history import lines

    monkeypatch.setattr(lines, "ROWS", 6)
    monkeypatch.setattr(lines, "LEAST", 2)
    for number in range(9):
        change = on_data(checksum="new") if number > drifts_after else (lambda results: results)
        write(f"r{number}", f"2026-01-0{number + 1}", seed=number, change=change)
    runs = runs_of([folder])
    text = history_lines(runs, trends_of(runs.found))
    rows = [line for line in text if line.lstrip().startswith("2026-")]
    assert len(rows) == 6
    values = [primary(folder / f"r{n}.json").value for n in range(3)]
    span = f"values from {min(values):.3f} to {max(values):.3f}{drifted}"
    told = f"from 2026-01-01 to 2026-01-03, {span}: `stbench"
    assert f"    3 older runs {told} report` shows all" in text
