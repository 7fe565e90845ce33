"""Section 2 of the checks: counts, names of genes, controls."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

LAST = "P06S1"
MONTHS = ("1-Mar", "2-Sep", "10-Sep")


def chances(row):
    row = row.astype(float)
    return row / row.sum()


def shallow(share, counts=150):
    """This share of the spots of the last slide has too few counts to be tissue."""

    def thin(matrix, genes):
        rng = np.random.default_rng(2)
        rows = rng.choice(len(matrix), round(share * len(matrix)), replace=False)
        for row in rows:
            matrix[row] = rng.multinomial(counts, chances(matrix[row]))

    return lambda files: files.counts([LAST], thin)


def shallow_cells(counts):
    """An eighth of the cells of the last slide has so few counts."""

    def damage(files):
        files.data.update(technology="Xenium", resolution="cell")
        shallow(0.125, counts)(files)

    return damage


def empty_after_filter(files):
    def empty(matrix, genes):
        matrix[11] = 0

    files.counts([LAST], empty)
    files.task["preprocess"]["filter"] = {"min_counts": 0, "min_genes": 0}


def everywhere(function):
    return lambda files: files.counts(files.slides, function)


def one_slide(function):
    return lambda files: files.counts([LAST], function)


def log1p(matrix, genes):
    return np.log1p(matrix)


def scaled(matrix, genes):
    return matrix / matrix.sum(axis=1, keepdims=True) * 10_000


def fractions(share, size=0.4):
    """This share of the counts above 0 is no whole number."""

    def spoil(matrix, genes):
        rows, columns = np.nonzero(matrix)
        chosen = np.random.default_rng(3).choice(len(rows), round(share * len(rows)), replace=False)
        matrix[rows[chosen], columns[chosen]] += size

    return spoil


def equal_totals(spread):
    """All spots have the same total, but for this coefficient of variation."""

    def thin(matrix, genes):
        rng = np.random.default_rng(4)
        totals = (1000 * (1 + spread * rng.normal(size=len(matrix)))).round().astype(int)
        return np.array([rng.multinomial(n, chances(row)) for n, row in zip(totals, matrix, strict=True)])

    return thin


def capped(largest):
    """No count is above this in a slide of a whole transcriptome."""

    def damage(files):
        files.data.update(panel="whole_transcriptome", absent_gene="zero")
        files.counts([LAST], lambda matrix, genes: np.minimum(matrix, largest))

    return damage


def renamed(number, function, only=()):
    """So many genes have other names: the last ones, since the first are housekeeping genes."""

    def rename(adata):
        names = list(adata.var_names)
        names[-number:] = [function(i, name) for i, name in enumerate(names[-number:])]
        adata.var_names = names

    return lambda files: files.change(only or files.slides, rename)


def ensembl(i, name):
    return f"ENSG{141736 + i:011d}"


def versioned(i, name):
    return f"{ensembl(i, name)}.{i % 9 + 1}"


def mouse(i, name):
    return name.capitalize()


def value(number):
    """One stored count of one slide is something else."""

    def put(adata):
        dense = adata.X.toarray()
        dense[5, 5] = number
        adata.X = csr_matrix(dense)

    return lambda files: files.change([LAST], put)


def not_measured(files):
    files.data["allow_nan"] = True
    value(np.nan)(files)


def coordinate(number):
    def put(adata):
        adata.obsm["spatial"][5, 1] = number

    return lambda files: files.change([LAST], put)


def named(*names):
    """The first columns are of something else; the file does not say what its features are."""

    def damage(files):
        genes = [gene for gene in files.read(LAST).var_names if gene not in names]
        files.change(
            files.slides,
            lambda adata: setattr(adata, "var_names", [*names, *genes][: adata.n_vars]),
        )
        files.task["preprocess"]["genes"] = {"select": "all"}

    return damage


CASES = [
    ("empty_units", "8_percent", shallow(0.08), "pass", ()),
    ("empty_units", "12_percent", shallow(0.12), "warn", (LAST,)),
    ("empty_units", "28_percent", shallow(0.28), "warn", (LAST,)),
    ("empty_units", "33_percent", shallow(0.33), "fail", (LAST,)),
    ("empty_units", "33_percent_just_deep_enough", shallow(0.33, 201), "pass", ()),
    ("empty_units", "cells_of_9_counts", shallow_cells(9), "warn", (LAST,)),
    ("empty_units", "cells_of_11_counts", shallow_cells(11), "pass", ()),
    ("empty_units", "zeros_after_the_filter", empty_after_filter, "fail", (LAST,)),
    ("normalised_not_counts", "log", everywhere(log1p), "fail", (LAST,)),
    ("normalised_not_counts", "log_in_one_slide", one_slide(log1p), "fail", (LAST,)),
    ("normalised_not_counts", "scaled", one_slide(scaled), "fail", (LAST,)),
    ("normalised_not_counts", "fractions_2_percent", one_slide(fractions(0.02)), "fail", (LAST,)),
    ("normalised_not_counts", "fractions_half_percent", one_slide(fractions(0.005)), "pass", ()),
    ("normalised_not_counts", "rounding", one_slide(fractions(0.5, 5e-4)), "pass", ()),
    ("normalised_not_counts", "equal_totals", one_slide(equal_totals(0.0)), "fail", (LAST,)),
    ("normalised_not_counts", "nearly_equal_totals", one_slide(equal_totals(0.006)), "fail", (LAST,)),
    ("normalised_not_counts", "totals_by_2_percent", one_slide(equal_totals(0.02)), "pass", ()),
    ("normalised_not_counts", "largest_19", capped(19), "fail", (LAST,)),
    ("normalised_not_counts", "largest_20", capped(20), "pass", ()),
    ("gene_ids", "ensembl_1_percent", renamed(3, ensembl), "pass", ()),
    ("gene_ids", "ensembl_3_percent", renamed(9, ensembl), "fail", ("ENSG",)),
    ("gene_ids", "ensembl_half", renamed(150, versioned), "fail", ("ENSG",)),
    ("gene_ids", "ensembl_in_one_slide", renamed(9, ensembl, [LAST]), "fail", ("ENSG",)),
    ("gene_ids", "mouse_1_percent", renamed(3, mouse), "pass", ()),
    ("gene_ids", "mouse_10_percent", renamed(30, mouse), "fail", ()),
    ("gene_ids", "duplicates", renamed(1, lambda i, name: "ACTB", [LAST]), "warn", (LAST,)),
    ("gene_ids", "duplicates_by_name", renamed(1, lambda i, name: "ACTB"), "warn", ("ACTB",)),
    ("gene_ids", "retired", renamed(1, lambda i, name: "CTGF"), "warn", ("CTGF",)),
    ("gene_ids", "ensembl_alone", renamed(300, ensembl), "warn", ()),
    ("gene_ids", "unknown_90_percent", renamed(270, lambda i, name: f"NOVEL{i}X"), "warn", ()),
    ("gene_ids", "dates", renamed(3, lambda i, name: MONTHS[i]), "fail", ("1-Mar",)),
    ("gene_ids", "unknown_25_percent", renamed(75, lambda i, name: f"NOVEL{i}X"), "warn", ()),
    ("gene_ids", "unknown_15_percent", renamed(45, lambda i, name: f"NOVEL{i}X"), "pass", ()),
    ("gene_ids", "open_reading_frames", renamed(9, lambda i, name: f"C{i + 1}orf{i + 50}"), "pass", ()),
    ("nonfinite_negative", "nan", value(np.nan), "fail", (LAST,)),
    ("nonfinite_negative", "infinite", value(np.inf), "fail", (LAST,)),
    ("nonfinite_negative", "negative", value(-1), "fail", (LAST,)),
    ("nonfinite_negative", "nan_not_measured", not_measured, "pass", ()),
    ("nonfinite_negative", "coordinate_nan", coordinate(np.nan), "fail", (LAST,)),
    ("nonfinite_negative", "coordinate_infinite", coordinate(np.inf), "fail", (LAST,)),
    ("controls_in_matrix", "negative_probe_left_out", named("NegControlProbe_00042"), "pass", ()),
    ("controls_in_matrix", "codeword_left_out", named("UnassignedCodeword_0001"), "pass", ()),
    ("controls_in_matrix", "antibody_left_out", named("CD4_TotalSeqB"), "pass", ()),
    ("controls_in_matrix", "gene_named_alike", named("NEGR1", "ADTRP", "CD24"), "pass", ()),
    ("controls_in_matrix", "isotype_alone", named("mouse_IgG2a"), "fail", ("isotype",)),
    ("controls_in_matrix", "no_gene", named("PanCK"), "fail", ("PanCK",)),
    ("controls_in_matrix", "proteins", named("CD45", "CD20"), "fail", ("CD20", "CD45")),
    ("controls_in_matrix", "one_old_symbol", named("CD97"), "pass", ()),
    ("controls_in_matrix", "second_column", named("CD4", "CD4-1"), "fail", ("CD4-1",)),
    ("controls_in_matrix", "equal_names", named("PTPRC", "PTPRC"), "fail", ("PTPRC",)),
    ("controls_in_matrix", "both_sex_chromosomes", named("CD99", "CD99-1"), "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)
