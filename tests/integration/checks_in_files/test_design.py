"""Section 6 of the checks: labels, and what the task asks and claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

LAST = "P06S1"


def niches(*changes):
    """The task names the compartments of the tissue."""

    def damage(files):
        files.task["family"] = "niches"
        for change in changes:
            change(files)

    return damage


def label(share, name, slides=(LAST,)):
    """This share of the units has this label."""

    def put(adata):
        labels = adata.obs["region"].astype(object).to_numpy().copy()
        chosen = np.random.default_rng(20).permutation(len(labels))[: round(share * len(labels))]
        labels[chosen] = name
        adata.obs["region"] = labels

    return lambda files: files.change(files.slides if slides == "all" else slides, put)


def one_class_of_its_own(files):
    """All of a slide is of one class that training has, but for a class of its own."""
    label(1.0, "stroma")(files)
    label(0.2, "necrosis")(files)


def keys_shifted(share):
    """Labels were joined by shifted keys: this share of the units finds none."""
    return label(share, None)


def family(name, **settings):
    def damage(files):
        files.task["family"] = name
        files.task.update(settings)

    return damage


def no_images(files):
    """Niches are to be named from the image, and there is none: nothing simple can be learned."""
    niches()(files)
    files.task["niches"] = {"input": "image"}
    del files.data["image"]


def metrics(*names, **settings):
    return lambda files: files.task.update(metrics=list(names), **settings)


def organs(number, *scope):
    def damage(files):
        files.data.pop("organ")
        files.samples["organ"] = [("breast", "lung", "colon")[i % number] for i in range(6)]
        files.task["scope"] = list(scope)

    return damage


def sites(number):
    def damage(files):
        files.samples["site"] = [("north", "south")[i % number] for i in range(6)]
        files.task["scope"] = ["generalises"]

    return damage


def two_panels(kind="expression"):
    def damage(files):
        files.samples["panel"] = ["left", "right"] * 3
        if kind == "cell_types":
            files.data.update(technology="Xenium", resolution="cell", keys={"cell_type": "type"})

            def name(adata):
                types = ["tumor", "T cell", "fibroblast"]
                adata.obs["type"] = np.random.default_rng(21).choice(types, adata.n_obs)

            files.change(files.slides, name)
        files.task["family"] = kind

    return damage


def within(**params):
    return lambda files: files.task.update(splits=[{"within": params}], claim="exploratory")


CASES = [
    ("class_imbalance", "own_class_10_percent", niches(label(0.1, "necrosis")), "warn", ("necrosis",)),
    ("class_imbalance", "own_class_30_percent", niches(label(0.3, "necrosis")), "fail", ("necrosis",)),
    ("class_imbalance", "one_class_left", niches(one_class_of_its_own), "fail", (LAST,)),
    ("class_imbalance", "majority_97_percent", niches(label(0.97, "stroma")), "warn", ("P06", "stroma")),
    ("class_imbalance", "majority_90_percent", niches(label(0.87, "stroma")), "pass", ()),
    ("class_imbalance", "class_of_two", niches(label(0.1, "necrosis", ("P01S1", LAST))), "pass", ()),
    ("label_alignment", "97_percent", niches(keys_shifted(0.03)), "pass", ()),
    ("label_alignment", "93_percent", niches(keys_shifted(0.07)), "warn", (LAST,)),
    ("label_alignment", "82_percent", niches(keys_shifted(0.18)), "warn", (LAST,)),
    ("label_alignment", "78_percent", niches(keys_shifted(0.22)), "fail", (LAST,)),
    ("label_alignment", "undetermined_35_percent", niches(label(0.35, "undetermined")), "warn", (LAST,)),
    ("label_alignment", "undetermined_25_percent", niches(label(0.25, "undetermined")), "pass", ()),
    ("baseline_missing", "both", niches(), "pass", ()),
    ("baseline_missing", "nothing_to_learn_from", no_images, "fail", ()),
    ("metric_monoculture", "pearson_within_slides", metrics("pearson_gene"), "warn", ()),
    ("metric_monoculture", "two_correlations", metrics("pearson_gene", "spearman_gene"), "warn", ()),
    ("metric_monoculture", "two_kinds", metrics("pearson_gene", "rmse"), "pass", ()),
    ("narrow_scope", "pan_cancer_of_one", organs(1, "pan-cancer"), "fail", ()),
    ("narrow_scope", "pan_cancer_of_two", organs(2, "pan-cancer"), "fail", ()),
    ("narrow_scope", "pan_cancer_of_three", organs(3, "pan-cancer"), "pass", ()),
    ("narrow_scope", "generalises_one_site", sites(1), "warn", ()),
    ("narrow_scope", "generalises_two_sites", sites(2), "pass", ()),
    ("no_panel_independent_eval", "two_panels", two_panels(), "warn", ()),
    ("no_panel_independent_eval", "two_panels_and_types", two_panels("cell_types"), "pass", ()),
    ("split_within_slide", "gap_200", within(block_um=500, gap_um=200), "pass", ()),
    ("split_within_slide", "gap_190", within(block_um=500, gap_um=190), "fail", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)


@pytest.mark.parametrize(("split", "status"), [("train", "pass"), ("test", "fail")])
def test_a_sheet_that_puts_units_of_a_slide_on_both_sides(files, split, status):
    """A random split of spots, as its sheet of slides tells it: a slide stands there twice."""
    sheet = pd.DataFrame(
        {
            "slide": [f"S{n}" for n in range(1, 9)] + ["S8"],
            "patient": [f"P{n}" for n in range(1, 9)] + ["P8"],
            "split": ["train"] * 4 + ["test"] * 3 + ["train", split],
        }
    )
    path = files.folder / "sheet.csv"
    sheet.to_csv(path, index=False)
    done = files.command(str(path), "--split", "split", "--select", "split_within_slide,patient_leakage")
    assert (done.exit_code == 1) == (status == "fail"), done.output
    assert ("S8" in done.output) == (status == "fail")
