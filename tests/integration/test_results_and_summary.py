"""What a run leaves behind: the results file, the summary, variants, seeds and splits."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from anndata import read_h5ad

from pytest_stbench.results import read_scores

FOLDS = {"splits": [{"pgkf": {"k": 2}}], "baselines": ["train_mean", "shuffled"]}

MODELS = '''

class Noisy:
    """Draws from the seed of the task."""

    def fit(self, train, task):
        self.rng = np.random.default_rng(task.seed)
        self.mean = np.nanmean(np.concatenate([slide.target for slide in train]), axis=0)

    def impute(self, slide, observed_genes, target_genes):
        noise = self.rng.normal(0, 0.3, (slide.n_units, len(target_genes)))
        return (self.mean + noise).astype(np.float32)


@pytest.fixture
def noisy():
    return Noisy()


@pytest.fixture
def raises():
    class Raises(Mean):
        def impute(self, slide, observed_genes, target_genes):
            raise ValueError("no")

    return Raises
'''


@pytest.fixture(scope="module")
def lab(make_bench):
    bench = make_bench("results")
    bench.conftest(MODELS)
    return bench


def results(bench, name):
    return json.loads((bench.folder / name).read_text(encoding="utf-8"))


def keys(stored, kind="scores"):
    names = ("task", "dataset", "variant", "split", "fold", "seed", "role", "model", "metric", "name")
    return {tuple(record.get(name) for name in names) for record in stored[kind]}


def kept(bench, stored):
    """The table of single scores that belongs to a results file."""
    return read_scores(bench.folder / stored["kept"]["folder"] / stored["kept"]["scores"]["file"])


@pytest.fixture(scope="module")
def saved(lab):
    """A whole run, saved."""
    lab.task("mini", FOLDS, gates={"rmse": {"max": 9.0}})
    asked = ("--stbench-save=all.json", "--stbench-keep=maps", "--stbench-report=all.html")
    run = lab.run("--stbench-model=mean", *asked)
    return run, results(lab, "all.json")


class TestSave:
    def test_schema_and_kinds(self, saved):
        run, stored = saved
        assert run.code == 0
        assert stored["schema"] == "stbench-results/1"
        assert stored["run"]["versions"]["pytest-stbench"]
        assert "--stbench-model=mean" in stored["run"]["command"]
        for kind in ("models", "tasks", "datasets", "checks", "scores", "verdicts", "lock"):
            assert stored[kind], kind
        assert run.line("results saved to ").endswith("all.json")

    def test_the_report_is_of_what_was_saved(self, lab, saved):
        run, stored = saved
        assert run.line("report  ").endswith("all.html: open it in a browser")
        page = (lab.folder / "all.html").read_text(encoding="utf-8")
        place = next(n for n, s in enumerate(stored["scores"]) if s["model"] == "mean" and s["fold"] is None)
        number = f'<data value="{stored["scores"][place]["value"]!r}" data-at="0:scores.{place}.value">'
        assert number in page
        assert "Of 1 release gate, 1 passed." in page
        assert page.count("data:image/png;base64") == 12
        assert '"level":"gene","columns":["mean","gene_gene_ridge (S)"]' in page

    def test_a_report_needs_the_name_of_a_file(self, lab):
        run = lab.run("--stbench-report=.")
        assert run.code == 4
        assert "this is a folder; name a file" in run.out

    def test_scores_of_model_ladder_and_folds(self, saved):
        _, stored = saved
        scores = stored["scores"]
        pooled = {s["model"]: s for s in scores if s["fold"] is None and s["metric"] == "rmse"}
        assert {"mean", "train_mean", "gene_gene_ridge", "shuffled(mean)"} == set(pooled)
        assert pooled["mean"]["role"] == "model"
        assert pooled["train_mean"]["role"] == "baseline"
        assert pooled["shuffled(mean)"]["role"] == "control"
        assert pooled["mean"]["trivial"] == pooled["train_mean"]["value"]
        assert pooled["mean"]["baseline"] == pooled["gene_gene_ridge"]["value"]
        folds = {s["fold"] for s in scores if s["role"] == "model" and s["metric"] == "rmse"}
        assert folds == {None, "1", "2"}

    def test_pooled_value_is_the_mean_of_patients(self, saved):
        _, stored = saved
        for score in stored["scores"]:
            if score["fold"] is None and score["value"] is not None:
                values = list(score["per_patient"].values())
                assert score["value"] == pytest.approx(sum(values) / len(values))

    def test_lock_holds_slides_and_genes_of_every_fold(self, saved):
        _, stored = saved
        assert [fold["fold"] for fold in stored["lock"]] == ["1", "2"]
        for fold in stored["lock"]:
            assert not set(fold["train"]) & set(fold["test"])
            assert len(fold["train"]) + len(fold["test"]) == 6
            assert len(fold["genes"]) == 10

    def test_same_run_again_gives_the_same_results(self, lab, saved):
        _, stored = saved
        lab.run("--stbench-model=mean", "--stbench-save=again.json", "--stbench-keep=maps")
        again = results(lab, "again.json")
        costs = {"seconds", "peak_memory_mb"}

        def bare(records):
            return [{k: v for k, v in record.items() if k not in costs} for record in records]

        for kind in ("tasks", "datasets", "checks", "scores", "verdicts", "lock"):
            assert bare(again[kind]) == bare(stored[kind]), kind
        assert again["kept"] == {**stored["kept"], "folder": "again.kept"}

    def test_selected_items_merge_and_drop_nothing(self, lab, saved):
        _, stored = saved
        path = lab.folder / "merged.json"
        path.write_text(json.dumps(stored), encoding="utf-8")
        lab.run("--stbench-model=mean", "--stbench-save=merged.json", "-k", "rmse and not pgkf-")
        merged = results(lab, "merged.json")
        for kind in ("scores", "checks", "verdicts", "lock", "datasets", "tasks"):
            assert keys(merged, kind) == keys(stored, kind), kind
        assert merged["kept"]["scores"] == stored["kept"]["scores"]

    def test_a_second_model_is_added(self, lab, saved):
        _, stored = saved
        path = lab.folder / "two.json"
        path.write_text(json.dumps(stored), encoding="utf-8")
        lab.run("--stbench-model=noisy", "--stbench-save=two.json", "--stbench-keep=maps", "-k", "rmse")
        merged = results(lab, "two.json")
        assert keys(stored) < keys(merged)
        assert {model["name"] for model in merged["models"]} == {"mean", "noisy"}
        assert {"mean", "noisy", "shuffled(noisy)", "ceiling"} < set(kept(lab, merged).model)
        assert not list(lab.folder.glob(".two*"))
        slide = read_h5ad(lab.folder / "two.kept" / merged["kept"]["maps"][0]["file"])
        assert set(slide.uns["stbench"]["layers"]) == {"truth", "mean", "noisy", "gene_gene_ridge"}

    def test_selected_items_can_be_compared_with_later(self, lab):
        lab.task("mini", FOLDS, gates={"rmse": {"not_worse_than": {"margin": 0.01}}})
        lab.run("--stbench-model=mean", "--stbench-save=part.json", "-k", "rmse and not pgkf-")
        compare = ("--stbench-compare=part.json", "--stbench-report=alone.html")
        run = lab.run("--stbench-model=mean", *compare, "-k", "rmse and not pgkf-")
        assert run.outcome("rmse[sim-pgkf]") == "passed", run.out
        assert "The results were not saved" in (lab.folder / "alone.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize("option", ["--stbench-save", "--stbench-compare"])
    @pytest.mark.parametrize("text", ["no json", '{"schema": "other/9"}', "[]", ""])
    def test_unusable_file_is_a_usage_error_before_anything_runs(self, lab, option, text):
        lab.task("mini", FOLDS)
        path = lab.write("broken.json", text)
        run = lab.run("--stbench-model=mean", f"{option}=broken.json")
        assert run.code == 4
        assert not run.reports
        assert "broken.json" in run.out
        assert "Traceback" not in run.out
        assert path.read_text(encoding="utf-8") == text

    def test_file_to_compare_with_must_exist(self, lab):
        run = lab.run("--stbench-compare=nowhere.json")
        assert run.code == 4
        assert "nowhere.json" in run.out

    def test_failed_contract_is_no_score(self, lab):
        lab.task("mini", FOLDS)
        lab.run("--stbench-model=raises", "--stbench-save=raises.json")
        stored = results(lab, "raises.json")
        assert not [score for score in stored["scores"] if score["role"] == "model"]
        assert stored["checks"]


class TestKept:
    def test_every_score_of_the_results_file_has_its_patients(self, lab, saved):
        _, stored = saved
        rows = kept(lab, stored)
        patients = rows[rows.level == "patient"]
        pooled = [score for score in stored["scores"] if score["fold"] is None]
        assert {score["role"] for score in pooled} == {"model", "baseline", "control"}
        for score in pooled:
            own = patients[
                (patients.role == score["role"])
                & (patients.model == score["model"])
                & (patients.metric == score["metric"])
            ]
            assert dict(zip(own.patient, own.value, strict=True)) == score["per_patient"]
            ceilings = patients[(patients.role == "ceiling") & (patients.metric == score["metric"])]
            if score["ceiling"] is None:
                assert ceilings.empty
            else:
                assert ceilings.value.mean() == pytest.approx(score["ceiling"])

    def test_slides_are_the_means_of_their_genes(self, lab, saved):
        _, stored = saved
        rows = kept(lab, stored)
        rows = rows[(rows.metric == "rmse") & (rows.role != "ceiling")].astype({"slide": str})
        by = ["role", "model", "slide"]
        genes = rows[rows.level == "gene"].groupby(by, observed=True).value.agg(["mean", "size"])
        slides = rows[rows.level == "slide"].set_index(by).value
        assert (genes["size"] == 10).all()
        assert genes["mean"].to_dict() == pytest.approx(slides.to_dict())

    def test_undefined_values_carry_a_reason(self, lab, saved):
        _, stored = saved
        rows = kept(lab, stored)
        assert ((rows.reason != "") == rows.value.isna()).all()
        counted = rows[(rows.model == "mean") & (rows.metric == "spearman_gene") & rows.value.isna()].reason
        (score,) = [
            score
            for score in stored["scores"]
            if (score["model"], score["metric"], score["fold"]) == ("mean", "spearman_gene", None)
        ]
        assert score["undefined"]
        assert counted.astype(str).value_counts().to_dict() == score["undefined"]

    def test_maps_hold_truth_and_predictions(self, lab, saved):
        _, stored = saved
        maps = stored["kept"]["maps"]
        assert [one["slide"] for one in maps] == sorted(stored["datasets"][0]["patients"])
        assert stored["kept"]["left_out"] == []
        rows = kept(lab, stored)
        rows = rows[(rows.metric == "rmse") & (rows.level == "gene")]
        for one in maps:
            slide = read_h5ad(lab.folder / "all.kept" / one["file"])
            assert slide.shape == (one["units"], one["genes"])
            for model, role in (("mean", "model"), ("gene_gene_ridge", "baseline")):
                own = rows[(rows.role == role) & (rows.model == model) & (rows.slide == one["slide"])]
                off = np.asarray(slide.layers[model], float) - np.asarray(slide.layers["truth"], float)
                found = dict(zip(slide.var_names, np.sqrt((off**2).mean(axis=0)), strict=True))
                assert found == pytest.approx(own.set_index(own.name.astype(str)).value.to_dict(), rel=1e-5)

    def test_scanpy_and_squidpy_plot_a_map(self, lab, saved, monkeypatch):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        import matplotlib.pyplot as plt
        import scanpy

        plt.switch_backend("Agg")
        _, stored = saved
        slide = scanpy.read_h5ad(lab.folder / "all.kept" / stored["kept"]["maps"][0]["file"])
        gene = slide.var_names[0]
        axes = scanpy.pl.embedding(slide, "spatial", color=gene, layer="gene_gene_ridge", show=False)
        assert axes.get_title() == gene
        assert len(axes.collections[0].get_offsets()) == slide.n_obs
        squidpy = pytest.importorskip("squidpy")
        squidpy.pl.spatial_scatter(slide, color=gene, layer="truth", shape=None, library_key=None)
        plt.close("all")

    def test_what_is_kept_needs_a_results_file(self, lab):
        run = lab.run("--stbench-model=mean", "--stbench-keep=maps")
        assert run.code == 4
        assert "--stbench-keep=maps says what is kept beside the results: give --stbench-save=FILE" in run.out

    def test_a_full_disk_is_one_sentence_and_a_failed_run(self, lab, saved, monkeypatch):
        def full(*args):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("pytest_stbench.run.details.writer.write_part", full)
        run = lab.run("--stbench-model=mean", "--stbench-save=full.json", "-k", "rmse")
        assert run.code == 1
        assert run.line("kept    NOT all: single scores and maps are not kept, ")
        assert results(lab, "full.json")["kept"] is None
        assert not (lab.folder / "full.kept").exists()
        assert not list(lab.folder.glob(".full*"))


class TestSummary:
    def test_table(self, saved):
        run, stored = saved
        assert run.line("= stbench: mini v1 =")
        assert run.line("imputation, population claim, sim, 6 patients, 6 slides, ").endswith(
            "10 genes, pgkf"
        )
        assert run.line("model mean   T = train_mean   S = gene_gene_ridge")
        header = run.line("metric         value")
        assert header.split()[:6] == ["metric", "value", "[95%", "CI]", "T", "S"]
        assert "shuffled" in header
        row = run.line("  * spearman_gene")
        pooled = {
            s["model"]: s["value"]
            for s in stored["scores"]
            if s["fold"] is None and s["metric"] == "spearman_gene"
        }
        assert f"{pooled['mean']:.3f}" in row
        assert f"{pooled['gene_gene_ridge']:.3f}" in row
        assert re.search(r"checks  \d+ passed, \d+ warned", run.out)

    def test_undefined_values_are_counted(self, saved):
        run, stored = saved
        (score,) = [
            s for s in stored["scores"]
            if (s["fold"], s["metric"], s["model"]) == (None, "spearman_gene", "mean")
        ]  # fmt: skip
        assert score["undefined"] == {"pred_constant": 60}
        assert run.line("undefined    spearman_gene: pred_constant 60")

    def test_model_without_identity_is_told(self, saved):
        run, _ = saved
        assert run.line("mean has no identity (attributes `name` and `revision`)")

    def test_nothing_of_ours_without_task_files(self, make_bench):
        bench = make_bench("plain")
        bench.write("test_plain.py", "def test_it():\n    pass\n")
        run = bench.run()
        assert run.code == 0
        assert "stbench: " not in run.out
        assert "checks  " not in run.out

    def test_two_tasks_are_told_apart(self, make_bench):
        bench = make_bench("two")
        small = {"checks": {"panel_mismatch": {"min_genes": 100, "reason": "test"}}}
        bench.task("one", FOLDS, small)
        bench.task("two", FOLDS, small, splits=["lopo"])
        run = bench.run()
        lines = run.lines("FAIL  ")
        assert len(lines) == 2
        assert "one: panel_mismatch[sim]" in lines[0]
        assert "two: panel_mismatch[sim]" in lines[1]
        run = bench.run("--stbench-model=mean")
        one, two = (re.search(r"blocks (\d+) items", line)[1] for line in run.lines("FAIL  "))
        assert int(one) < int(two)
        held = "::(contract|baselines|rmse|spearman|preprocessing_unstable|patient_effect_gap|state_across)"
        assert int(one) + int(two) == len([report for report in run.nodeids if re.search(held, report)])


def test_variants_are_scored_with_their_own_normalisation(lab):
    lab.task(
        "mini", FOLDS, preprocess={"variants": {"raw": {"normalise": "log1p"}, "few": {"genes": {"n": 5}}}}
    )
    run = lab.run("--stbench-model=mean", "--stbench-save=variants.json")
    assert run.code == 0
    values = {place: run.properties(f"rmse[{place}-pgkf]") for place in ("sim", "sim+raw", "sim+few")}
    assert len({found["stbench.value"] for found in values.values()}) == 3
    assert values["sim+few"]["stbench.n_genes"] == 5
    assert values["sim+raw"]["stbench.variant"] == "raw"
    stored = results(lab, "variants.json")
    assert {fold["variant"] for fold in stored["lock"]} == {"", "raw", "few"}
    assert len(run.lines("model mean   T = ")) == 3


def test_several_seeds(lab):
    lab.task("mini", FOLDS, seeds=[0, 1])
    run = lab.run("--stbench-model=noisy", "--stbench-save=seeds.json")
    assert run.code == 0
    assert {"contract[sim-pgkf-1-s0]", "contract[sim-pgkf-1-s1]", "rmse[sim-pgkf]"} <= set(run.names)
    one, two = (run.properties(f"rmse[sim-pgkf-1-s{seed}]")["stbench.value"] for seed in (0, 1))
    assert one != two
    assert run.properties("rmse[sim-pgkf-1-s1]")["stbench.seed"] == 1
    stored = results(lab, "seeds.json")
    (pooled,) = [
        s for s in stored["scores"]
        if (s["fold"], s["metric"], s["model"]) == (None, "rmse", "noisy")
    ]  # fmt: skip
    assert pooled["seed_sd"] > 0
    assert pooled["seed"] is None
    assert pooled["n_patients"] == 6
    folds = {
        (s["fold"], s["seed"]) for s in stored["scores"] if s["role"] == "model" and s["metric"] == "rmse"
    }
    assert folds == {(None, None), ("1", 0), ("1", 1), ("2", 0), ("2", 1)}


def test_within_slides(lab):
    large = {"datasets": {"sim": {"params": {"units": 400, "patients": 2}}}}
    lab.task("mini", {**FOLDS, "splits": ["within"]}, large, claim="exploratory")
    run = lab.run("--stbench-model=mean", "-rA", "--stbench-save=within.json")
    pooled = [name for name in run.names if name.startswith("rmse[sim-within")]
    assert pooled
    assert run.lines("within-slide, not generalisation")
    assert all(score["ci_low"] is None for score in results(lab, "within.json")["scores"])
    assert not run.of("error")
    assert "Traceback" not in run.out


def test_fixed_split_of_the_samples_table(lab):
    rows = ["slide,patient,official", *(f"P0{n}S1,P0{n},{'test' if n > 4 else 'train'}" for n in range(1, 7))]
    lab.write("samples.csv", "\n".join(rows) + "\n")
    lab.task(
        "mini", {**FOLDS, "splits": [{"fixed": {"column": "official"}}]},
        datasets={"sim": {"samples": "samples.csv"}}, claim="exploratory",
    )  # fmt: skip
    run = lab.run("--stbench-model=mean", "--stbench-save=fixed.json")
    assert "contract[sim-fixed-test]" in run.names
    stored = results(lab, "fixed.json")
    (fold,) = stored["lock"]
    assert fold["test"] == ["P05S1", "P06S1"]
    assert len(fold["train"]) == 4
    assert run.properties("rmse[sim-fixed]")["stbench.n_patients"] == 2
    assert run.lines("by patient: P05 ")
