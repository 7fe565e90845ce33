"""What a run recalls from the store is what it would compute: of these files, and of no other ones."""

from __future__ import annotations

import csv
import json

import pytest
import yaml

from pytest_stbench.resources import lr_pairs
from pytest_stbench.run.scores.scoring import Scorer

WAIVED = {"waive": True, "reason": "small"}
EXPLORATORY = {"claim": "exploratory", "checks": {"task_truth_coverage": WAIVED, "hvg_not_svg": WAIVED}}
FOUR = {"datasets": {"cohort": {"params": {"patients": 4, "units": 100}}}}
SMALL = {"datasets": {"cohort": {"params": {"patients": 3, "units": 150}}}}
FAMILIES = ("imputation", "niches", "segmentation", "embedding")


def shown(run):
    """Return what a run says of its tasks, without what it took from the store and how long it took."""
    lines = run.out[run.out.index("= stbench: ") :].splitlines()
    return [line for line in lines if not line.startswith("store ") and " in 0:" not in line][:-1]


def test_a_run_again_scores_nothing_and_says_the_same(bench, monkeypatch):
    for family in FAMILIES:
        task = {"extends": f"stbench:smoke-{family}", "name": f"small-{family}", **EXPLORATORY, **SMALL}
        bench.write(f"{family}.stbench.yaml", yaml.safe_dump(task))
    options = ("--stbench-model=ridge", "-q", "-W", "ignore")
    first = bench.run(".", *options)
    assert sum("* " in line for line in shown(first)) >= len(FAMILIES)
    monkeypatch.setattr(Scorer, "score", lambda *_: pytest.fail("it was scored in the run before"))
    again = bench.run(".", *options)
    assert again.code == first.code
    assert shown(again) == shown(first)


DATA = {
    "seed": {"datasets": {"cohort": {"params": {"seed": 1}}}},
    "depth": {"datasets": {"cohort": {"params": {"depth": 3000}}}},
    "absent genes": {"datasets": {"cohort": {"absent_gene": "zero"}}},
    "technology": {"datasets": {"cohort": {"technology": "Cytassist"}}},
    "pitch": {"datasets": {"cohort": {"pitch_um": 150}}},
    "filter": {"preprocess": {"filter": {"min_counts": 1500}}},
    "folds": {"splits": [{"pgkf": {"k": 2, "seed": 1}}]},
    "folds otherwise": {"splits": [{"pgkf": {"k": 2, "seed": 2}}]},
    "seeds": {"seeds": [0, 1]},
}
GENES = {
    "log1p": {"preprocess": {"normalise": "log1p"}},
    "median": {"preprocess": {"normalise": "log1p_median"}},
    "residuals": {"preprocess": {"normalise": "pearson_residuals"}},
    "variable": {"preprocess": {"genes": {"select": "hvg"}}},
    "fewer": {"preprocess": {"genes": {"n": 20}}},
    "detection": {"preprocess": {"genes": {"min_detection": 0.4}}},
    "hidden": {"imputation": {"hide": {"folds": 5, "fold": 1}}},
}
EDITS = {
    "imputation": {
        **DATA,
        **GENES,
        "baselines": {"baselines": ["train_mean", "knn"]},
        "primary": {"primary": "rmse"},
    },
    "coexpression": {name: GENES[name] for name in ("log1p", "fewer", "hidden")},
    "niches": {
        **DATA,
        "both": {"niches": {"input": "both"}},
        "counts": {"niches": {"input": "expression"}},
        "map": {"niches": {"map": {"tumour": "stroma"}}},
        "clusters": {"niches": {"mode": "unsupervised"}},
        "clusters otherwise": {"niches": {"mode": "unsupervised", "clustering": "ward"}},
        "trust": {"niches": {"trust": "silver"}},
    },
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("family", EDITS)
def test_an_edited_task_is_judged_as_in_an_empty_store(bench, family):
    base = {"extends": f"stbench:smoke-{family}", "name": "edited", **EXPLORATORY, **FOUR}
    base["checks"] = {**EXPLORATORY["checks"], "library_size_confounding": WAIVED}
    bench.write("_base.stbench-inc.yaml", yaml.safe_dump(base))

    def said(changed, store):
        bench.write("t.stbench.yaml", yaml.safe_dump({"extends": "_base.stbench-inc.yaml", **changed}))
        options = ("--stbench-model=ridge", f"--stbench-store={store}", "-q", "-W", "ignore")
        run = bench.run("t.stbench.yaml", *options)
        assert "= stbench: " in run.out, f"{changed}\n{run.out}"
        return shown(run)

    found = {}
    for edit, changed in {"none": {}, **EDITS[family], "none again": {}}.items():
        found[edit] = said(changed, "kept")
        assert found[edit] == said(changed, f"empty {edit}"), edit
    assert found["none"] == found["none again"]
    assert len({tuple(lines) for lines in found.values()}) > len(found) // 2


def pairs(more):
    """All pairs of the package; with `more` every ligand has a further receptor, of the same genes."""
    rows = [(row.ligand, row.receptor, row.pathway) for row in lr_pairs()]
    receptors = [row[1] for row in rows]
    rows += [(a, b, p) for (a, _, p), b in zip(rows, receptors[7:] + receptors[:7], strict=True) if more]
    return [("ligand", "receptor", "pathway"), *dict.fromkeys(rows)]


def gmt(more):
    sets = {"one": "COL1A1 COL1A2 COL3A1 DCN LUM", "two": "KRT8 KRT18 KRT19 EPCAM CDH1"}
    if more:  # the same genes, dealt otherwise
        sets = {"one": "COL1A1 COL1A2 COL3A1 KRT8 KRT18", "two": "DCN LUM KRT19 EPCAM CDH1"}
    return [(name, "", *genes.split()) for name, genes in sets.items()]


KINDS = {
    "communication": ({"communication": {"pairs": "given.csv"}}, "given.csv", ",", pairs),
    "signatures": ({"signatures": {"gmt": "given.gmt", "names": None}}, "given.gmt", "\t", gmt),
}


@pytest.mark.parametrize("family", KINDS)
def test_another_file_of_the_same_name_is_judged_as_in_an_empty_store(bench, family):
    settings, name, between, rows = KINDS[family]
    base = {"extends": f"stbench:smoke-{family}", "name": "given", **EXPLORATORY, **settings}
    bench.write("given.stbench.yaml", yaml.safe_dump({**base, **SMALL}))

    def scores(more, store):
        with (bench.folder / name).open("w", newline="") as file:
            csv.writer(file, delimiter=between, lineterminator="\n").writerows(rows(more))
        saved = bench.folder / f"{store}-{more}.json"
        options = (f"--stbench-store={store}", f"--stbench-save={saved}", "-q", "-W", "ignore")
        done = bench.run("given.stbench.yaml", "--stbench-model=ridge", *options)
        found = json.loads(saved.read_text())["scores"]
        assert found, done.out
        left = ("seconds", "peak_memory_mb")
        return [{key: value for key, value in one.items() if key not in left} for one in found]

    before = scores(more=False, store="kept")
    after = scores(more=True, store="kept")
    assert after == scores(more=True, store="empty")
    assert after != before
