from __future__ import annotations

import pytest

VALID = """\
stbench: 1
name: her2st-imputation
version: 2
family: imputation
datasets:
  her2st:
    source: h5ad
    path: her2st/*.h5ad
    scale: 0.5
imputation: {hide: {folds: 5, fold: 1}}
"""


def _change(old, new):
    text = VALID.replace(old, new)
    assert text != VALID
    return text


ADDED = [
    # header
    ("model: 'pkg.module:Model'", "model", "never name code"),
    ("model: my-model", "model", "fixture"),
    ("import: os", "import", "never name code"),
    ("marks: [slow, a-b]", "marks[1]", "marker"),
    ("titel: x", "titel", "did you mean 'title'"),
    ("claim: popular", "claim", "did you mean 'population'"),
    ("timeout: 0", "timeout", "more than 0"),
    ("timeout: '5'", "timeout", "expected a number"),
    ("timeout: .inf", "timeout", "finite"),
    # splits, seeds
    ("splits: [lopo, lopo]", "splits[1]", "twice"),
    ("splits: [{pgkf: {kk: 4}}]", "splits[0].kk", "did you mean 'k'"),
    ("splits: [{pgkf: {seed: x}}]", "splits[0].seed", "expected a number"),
    ("splits: {a: 1, b: 2}", "splits[0]", "expected a name"),
    ("seeds: [0, 1, 0]", "seeds[2]", "twice"),
    ("seeds: [-1]", "seeds[0]", "at least 0"),
    ("seeds: [0.5]", "seeds[0]", "whole number"),
    ("seeds: [true]", "seeds[0]", "whole number"),
    ("seeds: []", "seeds", "empty"),
    # preprocessing
    ("preprocess: {genes: svgs}", "preprocess.genes.select", "did you mean 'svg'"),
    ("preprocess: {genes: {select: list}}", "preprocess.genes", "names no genes"),
    ("preprocess: {genes: {select: list, names: [A], file: b.csv}}", "preprocess.genes.file", "both"),
    ("preprocess: {genes: {select: list, names: []}}", "preprocess.genes.names", "empty"),
    ("preprocess: {genes: {select: list, names: [A, A]}}", "preprocess.genes.names[1]", "twice"),
    ("preprocess: {genes: {select: list, names: [1]}}", "preprocess.genes.names[0]", "quotes"),
    ("preprocess: {genes: {file: b.csv}}", "preprocess.genes.file", "select: list"),
    ("preprocess: {genes: {select: list, file: ../b.csv}}", "preprocess.genes.file", "climbs out"),
    ("preprocess: {variants: {a-b: {normalise: log1p}}}", "preprocess.variants.a-b", "write 'a_b'"),
    ("preprocess: {variants: {a: {}}}", "preprocess.variants.a", "changes nothing"),
    ("preprocess: {variants: {a: }}", "preprocess.variants.a", "expected a mapping"),
    (
        "preprocess: {variants: {a: {genes: {file: x.csv, select: list, names: [A]}}}}",
        "preprocess.variants.a.genes.file",
        "both",
    ),
    ("preprocess: {filter: {min_counts: 1.5}}", "preprocess.filter.min_counts", "whole number"),
    # metrics and baselines
    ("primary: spearman", "primary", "did you mean 'spearman_gene'"),
    ("primary: morans_i", "primary", "no better direction"),
    ("metrics: [rmse, rmse]", "metrics[1]", "twice"),
    ("metrics: [{rmse: {n: 5}}]", "metrics[0].n", "takes no parameters"),
    ("metrics: [{niche_jaccard: {n: many}}]", "metrics[0].n", "expected a number"),
    ("metrics: 5", "metrics[0]", "expected a name"),
    ("metrics: ~", "metrics", "expected a list"),
    ("baselines: [he_colour]", "baselines[0]", "not made for family 'imputation'"),
    ("baselines: [coords, coords]", "baselines[1]", "twice"),
    # gates
    ("gates: {rmse: {}}", "gates.rmse", "without a rule"),
    ("gates: {rmse: {minn: 1}}", "gates.rmse.minn", "did you mean 'min'"),
    ("gates: {pearson_gene: {min: 0.1}}", "gates.pearson_gene", "does not score"),
    ("gates: {peersong: {min: 0.1}}", "gates.peersong", "there is no metric"),
    ("gates: {spearman_gene: {min: 2}}", "gates.spearman_gene.min", "ranges from -1 to 1"),
    ("gates: {rmse: {max: -1}}", "gates.rmse.max", "ranges from 0 to inf"),
    ("gates: {rmse: {min: 1}}", "gates.rmse.min", "lower is better for 'rmse'"),
    ("gates: {rmse: {min_lower: 1}}", "gates.rmse.min_lower", "use max"),
    ("gates: {rmse: {min_patient: 1}}", "gates.rmse.min_patient", "min_patient_difference"),
    (
        "gates: {spearman_gene: {min_patient_difference: -3}}",
        "gates.spearman_gene.min_patient_difference",
        "differ by 2 at most",
    ),
    (
        "gates: {morans_i: {min_patient_difference: 0}}\nmetrics: [morans_i]",
        "gates.morans_i.min_patient_difference",
        "no better direction",
    ),
    ("gates: {spearman_gene: {min: 0.5, max: 0.1}}", "gates.spearman_gene.min", "nothing can pass"),
    (
        "gates: {spearman_gene: {beats: {baselines: [trainmean]}}}",
        "gates.spearman_gene.beats.baselines[0]",
        "'train_mean'",
    ),
    (
        "gates: {spearman_gene: {beats: {baselines: [libsize]}}}",
        "gates.spearman_gene.beats.baselines[0]",
        "add it there",
    ),
    ("gates: {spearman_gene: {beats: {baselines: []}}}", "gates.spearman_gene.beats.baselines", "empty"),
    ("gates: {spearman_gene: {beats: {margin: -1}}}", "gates.spearman_gene.beats.margin", "at least 0"),
    ("gates: {spearman_gene: {not_worse_than: {}}}", "gates.spearman_gene.not_worse_than.margin", "missing"),
    # expected failures
    ("xfail: {pearson_gene: known}", "xfail.pearson_gene", "does not score"),
    ("xfail: {rmse: known}", "xfail.rmse", "no gate"),
    ("xfail: {spearman_gene: ''}\ngates: {spearman_gene: {min: 0}}", "xfail.spearman_gene", "reason"),
    # checks
    ("checks: {gene_sparsity: {max_sparse_share: 0.2}}", "checks.gene_sparsity.reason", "max_sparse_share"),
    (
        "checks: {gene_sparsity: {max_sparse_share: '0.2', reason: x}}",
        "checks.gene_sparsity.max_sparse_share",
        "expected a number",
    ),
    (
        "checks: {gene_sparsity: {max_share: 0.2, reason: x}}",
        "checks.gene_sparsity.max_share",
        "has no parameter",
    ),
    ("checks: {gene_sparsity: {waive: true}}", "checks.gene_sparsity.reason", "waived"),
    ("checks: {gene_sparsity: {waive: yes, reason: x}}", "checks.gene_sparsity.waive", "YAML 1.2"),
    ("checks: {gene_sparsity: {waive: true, reason: ' '}}", "checks.gene_sparsity.reason", "empty"),
    (
        "checks: {gene_sparsity: {waive: true, reason: x, until: soon}}",
        "checks.gene_sparsity.until",
        "YYYY-MM-DD",
    ),
    (
        "checks: {gene_sparsity: {waive: true, reason: x, until: 20270101}}",
        "checks.gene_sparsity.until",
        "text",
    ),
    ("checks: {gene_sparsity: off}", "checks.gene_sparsity", "expected a mapping"),
    (
        "checks: {empty_units: {min_counts: {spt: 5}, reason: x}}",
        "checks.empty_units.min_counts.spt",
        "'spot'",
    ),
    ("checks: {empty_units: {min_counts: {spot: 5}}}", "checks.empty_units.reason", "min_counts"),
]


@pytest.mark.parametrize(("line", "key", "part"), ADDED, ids=[line for line, _, _ in ADDED])
def test_one_mistake_is_one_problem(problems, line, key, part):
    found = problems(VALID + line + "\n")

    assert list(found) == [key]
    assert part in found[key][1]
    assert found[key][0] == len(VALID.splitlines()) + 1 or "missing" in found[key][1]


@pytest.mark.parametrize(
    ("old", "new", "key", "part"),
    [
        ("stbench: 1", "stbench: 2", "stbench", "newer version"),
        ("stbench: 1", "stbench: '1'", "stbench", "write `stbench: 1`"),
        ("stbench: 1", "stbench: true", "stbench", "write `stbench: 1`"),
        ("stbench: 1", "claim: population", "stbench", "missing"),
        ("version: 2", "claim: population", "version", "missing"),
        ("name: her2st-imputation", "name: her2st imputation", "name", "allowed: letters"),
        ("name: her2st-imputation", "name: 5", "name", "quotes"),
        ("family: imputation", "claim: population", "family", "missing"),
        ("  her2st:", "  her2-st:", "datasets.her2-st", "write 'her2_st'"),
        ("    source: h5ad", "    organ: breast", "datasets.her2st.source", "missing"),
        ("    path: her2st/*.h5ad", "    organ: breast", "datasets.her2st.path", "reads files"),
        ("her2st/*.h5ad", "../*.h5ad", "datasets.her2st.path", "climbs out"),
        ("her2st/*.h5ad", "a\\..\\*.h5ad", "datasets.her2st.path", "climbs out"),
        ("her2st/*.h5ad", "'C:/*.h5ad'", "datasets.her2st.path", "absolute"),
        ("her2st/*.h5ad", "~/a.h5ad", "datasets.her2st.path", "absolute"),
        ("her2st/*.h5ad", "https://x.org/a.h5ad", "datasets.her2st.path", "address"),
        ("her2st/*.h5ad", "''", "datasets.her2st.path", "empty"),
        ("scale: 0.5", "scale: -1", "datasets.her2st.scale.um_per_px", "uns:KEY"),
        ("scale: 0.5", "scale: pixels", "datasets.her2st.scale.um_per_px", "uns:KEY"),
        ("scale: 0.5", "scale: true", "datasets.her2st.scale.um_per_px", "uns:KEY"),
        ("scale: 0.5", "slides: [a, a]", "datasets.her2st.slides[1]", "twice"),
        ("scale: 0.5", "image: {path: ../a.jpg, um_per_px: 1}", "datasets.her2st.image.path", "climbs out"),
        ("scale: 0.5", "image: {path: a.jpg}", "datasets.her2st.image.um_per_px", "missing"),
        (
            "scale: 0.5",
            "image: {path: a.jpg, um_per_px: 1, alignment: a.csv}",
            "datasets.her2st.image.um_per_px",
            "follows from the matrix",
        ),
        (
            "scale: 0.5",
            "image: {path: a.jpg, alignment: a.csv}",
            "datasets.her2st.image.alignment",
            "is read by xenium, merscope, spatialdata, not by 'h5ad'",
        ),
        ("scale: 0.5", "labels: {path: a.csv}", "datasets.her2st.labels", "neither `niche` nor"),
        ("scale: 0.5", "labels: {niche: a}", "datasets.her2st.labels.path", "missing"),
        ("scale: 0.5", "labels: {path: /a.csv, niche: a}", "datasets.her2st.labels.path", "absolute"),
        ("scale: 0.5", "labels: {path: '{slide}/a.csv', niche: a}", "datasets.her2st.labels.path", "once"),
        ("scale: 0.5", "labels: {path: '{slide}*.csv', niche: a}", "datasets.her2st.labels.path", "beside"),
        (
            "scale: 0.5",
            "keys: {niche: b}\n    labels: {path: 'a.csv', niche: a}",
            "datasets.her2st.labels.niche",
            "keep one of the two",
        ),
        ("scale: 0.5", "technology: [a]", "datasets.her2st.technology", "found a list; expected text"),
        ("imputation: {hide: {folds: 5, fold: 1}}", "", "imputation", "missing"),
        ("imputation: {hide: {folds: 5, fold: 1}}", "imputation: {}", "imputation", "exactly one"),
        ("fold: 1}", "fold: 5}", "imputation.hide.fold", "0 to 4"),
        ("{hide: {folds: 5, fold: 1}}", "{observed: {}}", "imputation.observed", "names no genes"),
        ("{hide: {folds: 5, fold: 1}}", "{observed: {file: /a.csv}}", "imputation.observed.file", "absolute"),
        ("{hide: {folds: 5, fold: 1}}", "{hide: {folds: one}}", "imputation.hide.folds", "whole number"),
        ("family: imputation", "family: expression", "imputation", "settings of the family imputation"),
    ],
)  # fmt: skip
def test_a_changed_line_is_one_problem(problems, old, new, key, part):
    found = problems(_change(old, new))

    assert list(found) == [key]
    assert part in found[key][1]


@pytest.mark.parametrize(
    "line",
    [
        "splits: [lopo, {pgkf: {k: 4}}, {fixed: {column: split}}]",
        "baselines: [train_mean, libsize, coords, ridge]",
        "gates: {spearman_gene: {beats: {baselines: [train_mean, ridge, coords], margin: 0.02}, min: 0}}",
        "gates: {morans_i: {min: 0.1}}\nmetrics: [morans_i]",
        "gates: {rmse: {min_patient_difference: -0.1, max: 2}}",
        "primary: pearson_gene\ngates: {pearson_gene: {min: 0.1}}",
        "gates: {spearman_gene: {min: 0.1}}\nxfail: {spearman_gene: known until v3}",
        "checks: {gene_sparsity: {max_sparse_share: 0.1}}",
        "checks: {empty_units: {min_counts: {spot: 200}, required: [a, b]}}",
        "checks: {gene_sparsity: {waive: true, reason: x, owner: me, until: 2020-01-31}}",
        "preprocess: {variants: ablate}",
        "preprocess: {genes: {n: 5e1}}",
        "model: my_fixture\nmarks: slow\ntimeout: 1e3",
    ],
)
def test_what_is_right_is_accepted(load, line):
    load(VALID + line + "\n")


def test_the_matrix_of_an_image_is_a_path_of_the_file(problems):
    found = problems(_change("source: h5ad", "source: xenium\n    image: {path: a.jpg, alignment: ../a.csv}"))
    assert "climbs out" in found["datasets.her2st.image.alignment"][1]
