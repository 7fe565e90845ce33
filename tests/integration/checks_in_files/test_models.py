"""Checks of a model and of its results, on a cohort cut to what is fast to fit."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

MODELS = '''
import numpy as np
import pytest


class Smooth:
    """Ridge on observed genes, averaged over neighbouring spots: better than ridge on each spot."""

    weak_under = ()
    weak = False

    def features(self, slide):
        counts = np.asarray(slide.units.X.todense())
        xy = slide.units.obsm["spatial"]
        near = np.linalg.norm(xy[:, None] - xy[None], axis=2) < 110
        values = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1000)
        return np.column_stack([near @ values / near.sum(axis=1, keepdims=True), values, np.ones(len(xy))])

    def fit(self, train, task):
        self.weak = task.normalise in self.weak_under
        x = np.vstack([self.features(slide) for slide in train])
        y = np.vstack([slide.target for slide in train])
        self.weights = np.linalg.solve(x.T @ x + 20 * np.eye(x.shape[1]), x.T @ y)

    def impute(self, slide, observed_genes, target_genes):
        if self.weak:
            return np.random.default_rng(0).normal(size=(slide.n_units, len(target_genes))).astype("float32")
        return (self.features(slide) @ self.weights).astype("float32")


class Flips(Smooth):
    weak_under = ("log1p",)


@pytest.fixture
def smooth():
    return Smooth


@pytest.fixture
def flips():
    return Flips

'''
VARIANTS = {
    "raw": {"normalise": "log1p"},
    "median": {"normalise": "log1p_median"},
    "strict": {"filter": {"min_counts": 150}},
}
SIZE = 150


def write(bench, files, change=None, more=(), **task):
    """Cut the cohort to 150 spots and 80 genes of each slide, in the middle of the tissue."""
    rng = np.random.default_rng(22)
    genes = rng.permutation(files.ranked()[:200])[:80]

    def cut(adata):
        xy = adata.obsm["spatial"]
        inner = np.argsort(np.linalg.norm(xy - xy.mean(axis=0), axis=1))[:SIZE]
        return adata[np.sort(inner), genes].copy()

    files.change(files.slides, cut)
    if change:
        change(files)
    files.samples.to_csv(files.folder / "samples.csv", index=False)
    data = {**files.data}
    del data["image"]
    others = {name: {**data, "samples": sheet} for name, sheet in more}
    bench.conftest(MODELS)
    return bench.task(
        "mini",
        {
            "datasets": {"sim": None, "cohort": data, **others}, "splits": [{"pgkf": {"k": 2}}],
            "imputation": {"hide": None, "observed": {"names": [str(g) for g in genes[:40]]}},
            "metrics": ["spearman_gene"], "baselines": ["train_mean"], **task,
        },
    )  # fmt: skip


def run(bench, files, model, *arguments):
    return bench.run(
        "mini.stbench.yaml", f"--stbench-data={files.folder}", f"--stbench-model={model}", *arguments
    )


def told(run, check):
    """Return the status of a check and the lines of the output about it."""
    item = next(name for name in run.names if name.partition("[")[0] == check)
    status = run.properties(item)["stbench.verdict"]
    lines = "\n".join(run.lines(check))
    return status, lines


def pretrained(corpora):
    return MODELS.replace("weak_under = ()", f"weak_under = ()\n    pretraining = {corpora!r}", 1)


def public(files):
    files.samples["corpus"] = "PublicCollection"
    files.samples["accession"] = ["GSE000001"] * 5 + ["GSE000002"]


@pytest.mark.parametrize(
    ("pretraining", "scope", "status", "named"),
    [
        (("GSE000002",), ["zero-shot"], "fail", "GSE000002"),
        (("PublicCollection/P06S1",), ["zero-shot"], "fail", "P06S1"),
        (("GSE000002",), [], "warn", "GSE000002"),
        (("PublicCollection",), ["zero-shot"], "warn", "PublicCollection"),
        ((), ["zero-shot"], "pass", ""),
        (("GSE999999",), ["zero-shot"], "pass", ""),
        (None, [], "warn", "does not declare"),
    ],
    ids=["accession", "slide", "accession_no_claim", "corpus", "nothing_seen", "other", "undeclared"],
)
def test_shared_corpus(make_bench, files, pretraining, scope, status, named):
    bench = make_bench("corpus")
    write(bench, files, public, scope=scope)
    if pretraining is not None:
        bench.conftest(pretrained(pretraining))
    found = told(run(bench, files, "smooth", "-k", "shared_corpus"), "shared_corpus")
    assert found[0] == status, found
    assert named in found[1]


def test_a_slide_that_was_seen_is_found_by_the_hash_of_its_file(make_bench, files):
    bench = make_bench("hash")
    write(bench, files, scope=["zero-shot"])
    digest = hashlib.sha256(files.path("P06S1").read_bytes()).hexdigest()
    bench.conftest(pretrained((f"sha256:{digest}",)))
    status, lines = told(run(bench, files, "smooth", "-k", "shared_corpus"), "shared_corpus")
    assert (status, "P06S1" in lines) == ("fail", True), lines


@pytest.mark.parametrize(
    "accession",
    ["GSE000001", None],
)
def test_two_data_sets_of_the_same_slides_are_told(make_bench, files, accession):
    def sheets(files):
        files.samples["accession"] = accession
        others = files.samples.assign(patient=[f"Q{n}" for n in range(6)])
        others.to_csv(files.folder / "others.csv", index=False)

    bench = make_bench("twice")
    write(bench, files, sheets, [("second", "others.csv")])
    bench.conftest(pretrained(()))
    status, lines = told(run(bench, files, "smooth", "-k", "shared_corpus"), "shared_corpus")
    assert status == "warn", lines
    assert "second" in lines


def test_a_conclusion_that_flips_with_the_normalisation_is_told(make_bench, files):
    bench = make_bench("flips")
    write(bench, files, preprocess={"variants": VARIANTS})
    flipped = run(bench, files, "flips")
    assert told(flipped, "preprocessing_unstable")[0] == "warn", flipped.out
    assert "raw" in told(flipped, "preprocessing_unstable")[1]
    steady = run(bench, files, "smooth")
    assert told(steady, "preprocessing_unstable")[0] == "pass", steady.out


def test_one_setting_warns(make_bench, files):
    bench = make_bench("one")
    write(bench, files)
    done = run(bench, files, "smooth", "-k", "preprocessing_unstable or patient_effect_gap or spearman_gene")
    assert told(done, "preprocessing_unstable")[0] == "warn"
    assert "no ablation" in told(done, "preprocessing_unstable")[1]
    assert told(done, "patient_effect_gap")[0] == "pass", done.out


def test_the_mean_of_a_patient_that_carries_a_pooled_score_is_told(make_bench, files):
    def shift(files):
        for number, slide in enumerate(files.slides):
            yields = np.exp(np.random.default_rng([23, number]).normal(0, 1.5, 80))
            files.counts([slide], lambda m, g, y=yields: np.random.default_rng(24).poisson(m * y))

    bench = make_bench("gap")
    write(bench, files, shift)
    done = run(bench, files, "smooth", "-k", "patient_effect_gap or spearman_gene")
    assert told(done, "patient_effect_gap")[0] == "warn", done.out
