"""The page of a report: its numbers, its words, what it shows and never runs."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from pytest_stbench.cli import main
from pytest_stbench.errors import ResultsError
from pytest_stbench.report.page import report_page as module
from pytest_stbench.report.page.boards import boards_of
from pytest_stbench.report.page.ranks import ranks
from pytest_stbench.report.page.render import as_json, encoded, held, shown
from pytest_stbench.report.page.report_page import report_page
from pytest_stbench.report.page.resolutions import _aligned
from pytest_stbench.report.page.sources import read_sources, source_of
from pytest_stbench.results import CheckRecord, Results

EVIL = "<img src=x onerror=\"document.title='run'\"> ' & </script><!--"
LONG = "L" * 5000


def rendered(text):
    """A number as text, by other means than the page's."""
    return float(text.replace("\N{MINUS SIGN}", "-").replace(",", ""))


def follow(data, at):
    """The value at a path of the JSON; names of patients may hold dots."""
    kind, place, name = at.split(".", 2)
    record = data[kind][int(place)] if isinstance(data[kind], list) else data[kind]
    if name.startswith("per_patient."):
        return record["per_patient"][name.removeprefix("per_patient.")]
    if name.startswith("depth."):
        slide, _, fact = name.removeprefix("depth.").rpartition(".")
        return record["depth"][slide][fact]
    for part in name.split("."):
        record = record[int(part)] if isinstance(record, list) else record[part]
    return record


def skill_interval(data, place):
    """Ends of the interval of skill, from Student's t: the values at hand are not skewed enough for more."""
    score = data["scores"][place]
    simple = next(
        other
        for other in data["scores"]
        if other["role"] == "baseline" and other["value"] == score["baseline"]
    )
    differences = [score["per_patient"][p] - simple["per_patient"][p] for p in score["per_patient"]]
    mean, error = sum(differences) / 8, stats.sem(differences)
    room = score["ceiling"] - score["baseline"]
    return (mean - stats.t.ppf(0.975, 7) * error) / room, (mean + stats.t.ppf(0.975, 7) * error) / room


def assert_numbers(found, files):
    assert found.loose == []
    for at, value, text in found.numbers:
        number, _, rest = at.partition(":")
        if "#" in rest:
            place = int(rest.partition("#")[0].split(".")[1])
            low, high = skill_interval(files[int(number)], place)
            end = low if rest.endswith("low") else high
            # Guarded bounds are never nearer to the mean than those of Student's t.
            assert (value <= end + 1e-12) if rest.endswith("low") else (value >= end - 1e-12)
            assert abs(value - end) < 0.2
        elif rest.startswith("run."):
            assert value == files[int(number)]["run"]["seconds"]
        else:
            assert value == follow(files[int(number)], rest), at
        tolerance = max(0.5 if abs(value) >= 1000 else 0.0051, 0.0006 * abs(value))
        assert math.isclose(rendered(text), value, abs_tol=tolerance), (at, text)


@pytest.fixture(scope="module", params=["whole", "held"])
def one(request, made, page):
    """A page as it is, and as a large one whose parts are made when they are looked at."""
    sources = [source_of(made(("a", 0.5), (EVIL, 0.4), (LONG, 0.35)))]
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "held":
            patch.setattr(module, "LARGE", 0)
            patch.setattr(module, "MOST_SAID", 2)
        text = report_page(sources)
    assert ('class="held"' in text) == (request.param == "held")
    return text, page(text), json.loads(json.dumps(sources[0].results.to_dict()))


def test_every_number_is_that_of_the_results_file(one):
    _, found, data = one
    assert len(found.numbers) > 150
    assert_numbers(found, [data])


def test_every_score_of_a_patient_and_every_metric_is_there(one):
    _, found, data = one
    seen = {at for at, _, _ in found.numbers}
    for place, score in enumerate(data["scores"]):
        if not score["variant"]:
            assert f"0:scores.{place}.value" in seen
        if not score["variant"] and score["metric"] == "spearman_gene":
            assert {f"0:scores.{place}.per_patient.{name}" for name in score["per_patient"]} <= seen


def test_numbers_of_a_gate_stand_in_its_sentence(one):
    assert "0:verdicts.0.gates.0.low" in {at for at, _, _ in one[1].numbers}
    assert (
        "a passes its gate: better than gene_gene_ridge (difference 0.200 on average over 8 patients"
        in one[1].said
    )


def test_names_are_shown_and_never_markup(one):
    text, found, _ = one
    assert EVIL in "".join(found.text)
    assert LONG in "".join(found.text)
    assert not [tag for tag, _ in found.tags if tag == "img"]
    assert not [name for _, attrs in found.tags for name in attrs if name.startswith("on")]
    assert "<img src=x" not in text
    assert len(found.ids) == len(set(found.ids))


def test_the_page_asks_nothing_of_the_network(one):
    text, found, _ = one
    assert all(link.startswith(("#", "data:")) for link in found.links)
    assert {link[1:] for link in found.links if link.startswith("#")} <= set(found.ids)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)


def test_tables_are_named_and_their_heads_have_a_scope(one):
    tags = one[1].tags
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) > 4
    assert all(attrs.get("scope") in ("col", "row") for tag, attrs in tags if tag == "th")
    assert all("aria-label" in attrs for _, attrs in tags if attrs.get("role") in ("region", "img"))


def test_what_stands_where(one):
    said = one[1].said
    for part in (
        "Of 6 release gates, 3 failed and 3 passed.",
        "The verdict flips with the variant",
        "How to mend. mend it",
        "How to mend. mend that",
        "What it means. How many units are background, and does the filter leave any empty one?",
        "pytest tasks --stbench-model=a",
        "Do preprocessing, depth or the choice of genes decide the result?",
        "There is no mean over tasks",
    ):
        assert part in said


def test_models_of_another_input_class_are_not_ranked_together(made):
    (board,) = boards_of([source_of(made(("a", 0.5)))])
    ranked = {entry.label: (entry.rank.place, entry.rank.of) for entry in board.head() if entry.rank}
    assert ranked == {"a": (1, 3), "gene_gene_ridge": (2, 3), "train_mean": (3, 3), "coords": (1, 1)}


def test_a_baseline_that_is_the_model_is_not_ranked_beside_it(made, scored):
    same = made(("gene_gene_ridge", 0.3))
    copied = tuple(
        scored("gene_gene_ridge", 0.3, metric=s.metric, variant=s.variant, baseline=s.baseline)
        if s.role == "model"
        else s
        for s in same.scores
    )
    text = report_page([source_of(replace(same, scores=copied, verdicts=()))])
    assert "the predictions of S" in text
    assert "as gene_gene_ridge" in text


def test_ranks_by_hand():
    better = {f"P{n}": 0.8 + 0.01 * (n % 3) for n in range(8)}
    worse = {name: value - 0.5 + 0.001 * len(name) for name, value in better.items()}
    close = {name: value - (0.3 if name == "P3" else -0.02) for name, value in better.items()}
    found = ranks([0.81, 0.31, 0.79], [better, worse, close], "up")
    assert [(r.place, r.best, r.worst) for r in found] == [(1, 1, 2), (3, 3, 3), (2, 1, 2)]
    down = ranks([0.81, 0.31, 0.79], [better, worse, close], "down")
    assert [(r.place, r.best, r.worst) for r in down] == [(3, 2, 3), (1, 1, 1), (2, 2, 3)]


@pytest.mark.parametrize("decided", [True, False])
def test_few_patients_rule_no_place_out(decided):
    one, two = {"a": 1.0, "b": 1.1}, {"a": 0.0, "b": 0.1}
    few = ranks([1.05, 0.05], [one, two], "up", decided=decided)
    assert [(r.place, r.best, r.worst) for r in few] == [(1, 1, 2), (2, 1, 2)]


def test_within_slides_no_place_is_ruled_out():
    many = [{f"P{n}": level + 0.01 * n for n in range(9)} for level in (0.0, 1.0)]
    assert [r.worst for r in ranks([0.04, 1.04], many, "up", decided=False)] == [2, 2]


def test_equal_models_share_a_place():
    values = {f"P{n}": 0.1 * n for n in range(8)}
    found = ranks([0.35, 0.35], [values, values], "up")
    assert [(r.place, r.best, r.worst) for r in found] == [(1, 1, 2), (1, 1, 2)]


def test_a_metric_that_is_undefined_everywhere_is_said(made, scored):
    empty = {f"P{n}": None for n in range(8)}
    none = dict.fromkeys(("value", "ci_low", "ci_high", "median", "min", "max", "skill", "baseline"))
    scores = (scored("a", 0.1, per_patient=empty, n_patients=0, undefined={"constant": 40}, **none),)
    given = made(("a", 0.1))
    text = report_page([source_of(replace(given, scores=scores, verdicts=()))])
    assert "spearman_gene is defined for nobody here: constant 40." in text


def test_a_run_of_other_metrics_or_of_baselines_alone_makes_a_page(made):
    given = made(("a", 0.1))
    rmse = tuple(s for s in given.scores if s.metric == "rmse")
    text = report_page([source_of(replace(given, scores=rmse, verdicts=()))])
    assert "the primary metric spearman_gene was not scored" in text
    baselines = tuple(s for s in given.scores if s.role == "baseline")
    text = report_page([source_of(replace(given, scores=baselines, verdicts=()))])
    assert "gene_gene_ridge (S)" in text


def test_checks_alone_make_a_page(made, page):
    given = made(("a", 0.1))
    found = page(report_page([source_of(replace(given, scores=(), verdicts=(), models=()))]))
    assert "No model was scored: this page is about data alone." in found.said
    assert "Leaderboard" not in found.said


def test_several_files_are_ranked_together_and_their_baselines_stand_once(saved, made, page):
    paths = [saved(made(("a", 0.5)), "one"), saved(made(("a", 0.45), ("b", 0.6)), "two")]
    sources = read_sources(paths)
    (board,) = boards_of(sources)
    labels = [entry.label for entry in board.head()]
    assert labels.count("gene_gene_ridge") == 1
    assert {"a (one)", "a (two)", "b"} <= set(labels)
    found = page(report_page(sources))
    assert_numbers(found, [json.loads(path.read_text()) for path in paths])


def test_resolutions_lie_on_one_grid_and_have_their_depth(made, page):
    given = made(("a", 0.5))
    (data,) = given.datasets
    tiles = {"step_um": 100.0, "x_um": 0.0, "y_um": 0.0, "counts": [[1, 2, 0], [4, 5, 6]]}
    later = {**tiles, "x_um": 100.0, "counts": [[7, 8], [9, 9]]}
    depth = {"S.1": {"units": 12.0, "libsize_median": 129.5, "genes_median": 60.0, "zero_share": 0.79}}
    views = [("d", tiles), ("d+visium", later)]
    datasets = tuple(
        replace(data, name=name, depth=depth, libsize_maps={"S.1": found}) for name, found in views
    )
    source = source_of(replace(given, datasets=datasets))
    found = page(report_page([source]))
    assert_numbers(found, [json.loads(json.dumps(source.results.to_dict()))])
    assert ["0:datasets.1.depth.S.1.libsize_median", 129.5, "129.5"] in found.numbers
    assert sum(tag == "img" for tag, _ in found.tags) == 2
    whole = _aligned(later, [tiles, later])
    assert np.array_equal(whole, [[np.nan, 7, 8], [np.nan, 9, 9]], equal_nan=True)


def test_another_version_of_a_task_is_listed_apart(saved, made):
    other = made(("b", 0.6))
    changed = replace(other, tasks=(replace(other.tasks[0], fingerprint="g"),))
    sources = read_sources([saved(made(("a", 0.5)), "one"), saved(changed, "two")])
    assert len(boards_of(sources)) == 2
    assert "The task cohort-imputation is not the same in one and two" in report_page(sources)


def command(*args):
    return CliRunner().invoke(main, ["report", *map(str, args)])


def test_the_command_writes_the_page(saved, made, tmp_path):
    out = tmp_path / "out" / "report.html"
    done = command(saved(made(("a", 0.5))), "-o", out)
    assert done.exit_code == 0, done.output
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_halves_of_characters_can_be_written(made):
    given = made(("a\ud800", 0.5))
    assert b"a?" in encoded(report_page([source_of(given)]))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda text: text[: len(text) // 2], "this is not JSON"),
        (lambda text: text.replace("stbench-results/1", "stbench-results/9"), "its schema is"),
        (lambda text: text.replace('"n_patients": 8', '"n_patients": 7', 1), "changed after it was written"),
        (lambda text: "{}", "names no schema"),
        (lambda text: '{"schema": "stbench-results/1"}', "there is nothing to report"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_named_in_one_sentence(saved, made, tmp_path, spoil, word):
    path = saved(made(("a", 0.5)))
    path.write_text(spoil(path.read_text()))
    done = command(path, "-o", tmp_path / "r.html")
    assert done.exit_code == 2
    assert word in done.output
    assert str(path) in done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert not (tmp_path / "r.html").exists()


def test_a_file_given_twice_or_missing(saved, made, tmp_path):
    path = saved(made(("a", 0.5)))
    assert "is given twice" in command(path, path, "-o", tmp_path / "r.html").output
    assert "there is no such results file" in command(tmp_path / "no.json", "-o", tmp_path / "r").output


def test_a_full_disk_leaves_the_old_page(saved, made, tmp_path, monkeypatch):
    from pathlib import Path

    out = tmp_path / "r.html"
    out.write_text("old")
    path = saved(made(("a", 0.5)))

    def full(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    done = command(path, "-o", out)
    assert done.exit_code == 2
    assert "No space left on device" in done.output
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "run.json"]


def test_nothing_to_report():
    with pytest.raises(ResultsError, match="nothing to report"):
        read_sources([])


def test_a_task_without_a_score_is_said_and_many_files_are_counted(made):
    source = source_of(made(("a", 0.5)))
    lost = replace(source.results.tasks[0], name="lost-task")
    results = replace(source.results, tasks=(*source.results.tasks, lost))
    text = report_page([source_of(results)])
    assert "this run has no score on lost-task: its model could not run there" in text
    assert "has no score on" not in report_page([source])
    assert "<title>Report of 5 runs</title>" in report_page([source] * 5)


def test_two_hundred_tasks(made):
    one = made(("a", 0.5))
    kinds = {"tasks": "name", "datasets": "task", "scores": "task", "verdicts": "task"}
    records = {
        kind: tuple(
            replace(record, **{field: f"task-{n}"})
            for n in range(200)
            for record in getattr(one, kind)
            if not getattr(record, "variant", "")
        )
        for kind, field in kinds.items()
    }
    joined = Results(models=one.models, **records)
    text = report_page([source_of(joined)])
    assert text.count('class="board"') == 200
    assert len(text) < 10_000_000


def test_markup_that_is_held_comes_back_and_ends_no_script():
    text = "<p>a</p><script>1</script><script class='held'><\\/script></script>"
    once, twice = held(text), held(held(text))
    assert not re.search("</?script", once + twice)
    made = re.compile(r"<\\(\\*/?script)")
    assert made.sub(r"<\1", once) == text
    assert made.sub(r"<\1", twice) == once


def test_of_a_large_page_a_small_part_stands_at_once(made, page, monkeypatch):
    source = source_of(made(*((f"m{n}", 0.5) for n in range(6))))
    whole = page(report_page([source]))
    monkeypatch.setattr(module, "LARGE", 0)
    monkeypatch.setattr(module, "MOST_SAID", 2)
    text = report_page([source])
    small = page(text)
    assert sorted(small.numbers) == sorted(whole.numbers)  # the same numbers at the same places
    at_once = re.sub(r'(?s)<script type="text/plain" class="held">.*?</script>', "", text)
    assert at_once.count("<data ") < 0.3 * len(whole.numbers)
    assert "needs JavaScript" in at_once


def test_json_in_a_script_cannot_end_it():
    text = as_json({"name": "</script><!--&\u2028"})
    assert not re.search("[<>&\u2028]", text)
    assert json.loads(text) == {"name": "</script><!--&\u2028"}


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.12345, "0.123"), (-0.5, "−0.500"), (12345.6, "12,346"), (0.0, "0.000"),
     (1e-5, "1.0e−05"), (8, "8")],
)  # fmt: skip
def test_numbers_as_text(value, text):
    assert shown(value) == text


def test_findings_name_slides_and_genes(page):
    record = CheckRecord(
        task="t", id="Q06", name="empty_units", scope="dataset", status="warn", severity="fail", dataset="d",
        message="many are empty", fix="filter them", statistic=0.4, threshold=0.3, slides=("S<1>",),
    )  # fmt: skip
    found = page(report_page([source_of(Results(checks=(record,)))]))
    assert "many are empty How to mend. filter them statistic 0.4, threshold 0.3 Slides: S<1>" in found.said
