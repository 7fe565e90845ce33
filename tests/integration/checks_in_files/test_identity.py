"""Section 1 of the checks: panels, patients, slides, units, metadata."""

from __future__ import annotations

import os

import numpy as np

LAST = "P06S1"
P_VALUE = {"pearson_gene": {"beats": {"baselines": ["train_mean"]}}}


def two_panels(size, shared):
    """The last three slides have another panel of as many genes, some of them shared."""

    def damage(files):
        genes = files.read(LAST).var_names
        files.change(files.slides[:3], lambda adata: adata[:, genes[:size]].copy())
        files.change(
            files.slides[3:], lambda adata: adata[:, genes[size - shared : 2 * size - shared]].copy()
        )
        files.samples["panel"] = ["left"] * 3 + ["right"] * 3

    return damage


def requested_missing(number):
    """One slide lacks some of the 40 genes that the task asks for."""

    def damage(files):
        genes = list(files.read(LAST).var_names)
        files.genes(genes[30:70])
        files.change([LAST], lambda adata: adata[:, [*genes[:30], *genes[30 + number :]]].copy())

    return damage


def patients(number, **task):
    """So many patients are left, two sections of each."""

    def damage(files):
        for slide in files.slides[number:]:
            files.path(slide).unlink()
        files.samples = files.samples[:number]
        files.task.update(task)

    return damage


def fixed_test(number):
    """A split whose test has so many of the six patients."""

    def damage(files):
        files.samples["split"] = ["train"] * (6 - number) + ["test"] * number
        files.task["splits"] = [{"fixed": {"column": "split"}}]

    return damage


def missing_as_zero(number):
    """The last slide did not measure so many genes of a panel, and absent is said to mean zero."""

    def damage(files):
        files.data["absent_gene"] = "zero"
        files.change([LAST], lambda adata: adata[:, : adata.n_vars - number].copy())

    return damage


def no_patient(files):
    """One row of a fixed split names no patient; lopo refuses such a sheet before any check."""
    fixed_test(3)(files)
    last_patient(None)(files)


def last_patient(name):
    def damage(files):
        files.samples.loc[files.samples.slide == LAST, "patient"] = name

    return damage


def same_id_of_two_studies(files):
    last_patient("P01")(files)
    files.samples["corpus"] = ["study_a"] * 5 + ["study_b"]


def whole_copy(files, patient="P07"):
    files.add("P07S1", "P01S1", patient)


def shuffled_copy(files):
    """The counts of a slide under other barcodes, in another order, somewhere else."""

    def disguise(adata):
        rng = np.random.default_rng(1)
        adata = adata[rng.permutation(adata.n_obs)].copy()
        adata.obs_names = [f"spot{i}" for i in range(adata.n_obs)]
        adata.obsm["spatial"] = adata.obsm["spatial"][:, ::-1] + 500
        return adata

    whole_copy(files)
    files.change(["P07S1"], disguise)
    (files.folder / "images" / "P07S1.png").unlink()
    os.link(files.folder / "images" / "P02S1.png", files.folder / "images" / "P07S1.png")


def same_names(files):
    """Two slides with the same 500 barcodes, in another order, and with counts of their own."""
    rng = np.random.default_rng(3)
    barcodes = np.array(["".join(letters) for letters in rng.choice(list("ACGT"), (500, 16))])

    def rename(adata):
        adata = adata[:500].copy()
        adata.obs_names = rng.permutation(barcodes)
        return adata

    files.change(["P01S1", LAST], rename)


def same_image(files):
    path = files.folder / "images" / f"{LAST}.png"
    path.unlink()
    os.link(files.folder / "images" / "P01S1.png", path)


def shared_units(share):
    """This share of the units of the last slide is copied out of the first."""

    def damage(files):
        first = files.read("P01S1").X.toarray()

        def copy(counts, genes):
            number = round(share * len(counts))
            counts[:number] = first[:number]

        files.counts([LAST], copy)

    return damage


def rename_units(adata):
    names = adata.obs_names.to_numpy().copy()
    names[7] = names[3]
    adata.obs_names = names


def on(slide, function):
    return lambda files: files.change([slide], function)


def places(number, distance):
    """So many units lie at this distance from another."""

    def move(adata):
        adata.obsm["spatial"][:number] = adata.obsm["spatial"][100 : 100 + number]
        adata.obsm["spatial"][:number, 0] += distance

    return on(LAST, move)


def same_counts(number):
    """So many units have the counts of others."""

    def copy(counts, genes):
        counts[:number] = counts[100 : 100 + number]

    return lambda files: files.counts([LAST], copy)


def blank(key, rows=(5,)):
    """The samples sheet says it slide by slide, and leaves it open for some."""

    def damage(files):
        value = files.data.pop(key)
        files.samples[key] = [None if row in rows else value for row in range(6)]

    return damage


CASES = [
    ("panel_mismatch", "49_shared_genes", two_panels(100, 49), "fail", ()),
    ("panel_mismatch", "29_percent", two_panels(175, 51), "fail", ()),
    ("panel_mismatch", "55_percent", two_panels(100, 55), "warn", ()),
    ("panel_mismatch", "65_percent", two_panels(100, 65), "pass", ()),
    ("panel_mismatch", "lacks_22_percent_of_the_task", requested_missing(9), "fail", (LAST,)),
    ("panel_mismatch", "lacks_17_percent_of_the_task", requested_missing(7), "pass", ()),
    ("panel_mismatch", "zero_on_a_panel", missing_as_zero(100), "fail", (LAST,)),
    ("panel_mismatch", "some_zero_on_a_panel", missing_as_zero(30), "warn", (LAST,)),
    ("panel_mismatch", "zero_and_all_measured", missing_as_zero(0), "pass", ()),
    ("too_few_patients", "three", patients(3), "fail", ()),
    ("too_few_patients", "three_exploratory", patients(3, claim="exploratory"), "warn", ()),
    # The gate is underpowered then, and shown as such: an exploratory task may say so.
    ("too_few_patients", "three_with_p_value", patients(3, claim="exploratory", gates=P_VALUE), "warn", ()),
    ("too_few_patients", "four", patients(4), "warn", ()),
    ("too_few_patients", "five", patients(5), "warn", ()),
    ("too_few_patients", "three_of_six_in_test", fixed_test(3), "fail", ()),
    ("patient_leakage", "case_and_dash", last_patient("p-01"), "fail", ("p-01",)),
    ("patient_leakage", "spaces", last_patient(" P 01 "), "fail", ("P01",)),
    ("patient_leakage", "data_set_prefix", last_patient("cohort:P01"), "fail", ("P01",)),
    ("patient_leakage", "zeros_and_word", last_patient("patient 1"), "warn", ("patient 1", "P01")),
    ("patient_leakage", "word_before_the_id", last_patient("Patient P01"), "warn", ("P01",)),
    ("patient_leakage", "missing", no_patient, "fail", (LAST,)),
    ("patient_leakage", "another_person", last_patient("P011"), "pass", ()),
    ("patient_leakage", "two_studies", same_id_of_two_studies, "pass", ()),
    ("slide_leakage", "copy", whole_copy, "fail", ("P01S1", "P07S1")),
    ("slide_leakage", "copy_of_one_patient", lambda f: whole_copy(f, "P01"), "fail", ("P01S1", "P07S1")),
    ("slide_leakage", "disguised_copy", shuffled_copy, "fail", ("P01S1", "P07S1")),
    # Names alone say nothing: barcodes are those of the array, and many files number their units.
    ("slide_leakage", "names", same_names, "pass", ()),
    ("slide_leakage", "image", same_image, "fail", ("P01S1", LAST)),
    ("slide_leakage", "crop_25_percent", shared_units(0.25), "fail", ("P01S1", LAST)),
    ("slide_leakage", "crop_15_percent", shared_units(0.15), "pass", ()),
    ("duplicate_units", "name", on(LAST, rename_units), "fail", (LAST,)),
    ("duplicate_units", "place", places(1, 0.0), "fail", (LAST,)),
    ("duplicate_units", "place_within_0.05_um", places(1, 0.05), "fail", (LAST,)),
    ("duplicate_units", "place_beyond_0.3_um", places(1, 0.3), "pass", ()),
    ("duplicate_units", "counts_2_percent", same_counts(12), "warn", (LAST,)),
    ("duplicate_units", "counts_half_percent", same_counts(2), "pass", ()),
    ("metadata_missing", "technology", blank("technology"), "fail", (LAST,)),
    ("metadata_missing", "panel", blank("panel"), "fail", (LAST,)),
    ("metadata_missing", "resolution", blank("resolution"), "fail", (LAST,)),
    ("metadata_missing", "patient", no_patient, "fail", (LAST,)),
    ("metadata_missing", "organ", blank("organ"), "warn", (LAST,)),
    ("metadata_missing", "disease", blank("disease"), "warn", (LAST,)),
    ("metadata_missing", "preservation", blank("preservation", range(6)), "warn", ("preservation",)),
    ("metadata_missing", "said_by_the_sheet", blank("panel", ()), "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)
