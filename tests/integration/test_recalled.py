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
