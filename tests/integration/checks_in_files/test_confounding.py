"""Section 4 of the checks: depth, patients, batch correction."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

LAST = "P06S1"
PLAIN = ("pearson_gene", "rmse", "moran_concordance")


def follows_depth(power, number=40, metrics=PLAIN):
    """The share of so many of 40 evaluated genes rises or falls with a power of the depth."""

    def damage(files):
        asked = files.ranked()[:40]
        files.genes(asked)
        files.task["metrics"] = list(metrics)

        def bend(matrix, genes):
            depth = matrix.sum(axis=1)
            ratio = depth / np.median(depth)
            rng = np.random.default_rng(13)
            for place, gene in enumerate(asked[:number]):
                column = genes.index(gene)
                flat = matrix[:, column].mean() * ratio ** (1 + power * (-1) ** place)
                matrix[:, column] = rng.poisson(flat)

        files.counts([LAST], bend)

    return damage


def raw(metrics=PLAIN):
    """Log counts without normalisation: every gene follows depth."""

    def damage(files):
        files.task["preprocess"]["normalise"] = "log1p"
        files.task["metrics"] = list(metrics)

        def spread(matrix, genes):
            # Real spots differ more in depth than those of the clean cohort.
            depth = matrix.sum(axis=1, keepdims=True)
            return np.random.default_rng(14).poisson(matrix * (depth / np.median(depth)) ** 3)

        files.counts(files.slides, spread)

    return damage


def shifted_patients(spread):
    """Each patient has a level of its own for each gene, by this SD of the logarithm."""

    def damage(files):
        for number, slide in enumerate(files.slides):

            def shift(matrix, genes, number=number):
                rng = np.random.default_rng([15, number])
                return rng.poisson(matrix * np.exp(rng.normal(0, spread, len(genes))))

            files.counts([slide], shift)

    return damage


def corrected(matrices):
    """Log values from which the mean of each slide is taken, as a plain correction does."""
    logs = [np.log1p(matrix / matrix.sum(axis=1, keepdims=True) * 3000) for matrix in matrices]
    middle = np.vstack(logs).mean(axis=0)
    return [log - log.mean(axis=0) + middle for log in logs]


def correct(files, put):
    """Compute corrected values over all slides; put(adata, values) writes them."""
    slides = [files.read(slide) for slide in files.slides]
    values = corrected([adata.X.toarray().astype(float) for adata in slides])
    for slide, adata, value in zip(files.slides, slides, values, strict=True):
        put(adata, value.astype(np.float32))
        files.write(slide, adata)


def corrected_counts(files):
    correct(files, lambda adata, value: setattr(adata, "X", value))


def corrected_layer(name):
    def damage(files):
        correct(files, lambda adata, value: adata.layers.__setitem__(name, value))
        files.data["keys"]["counts"] = name

    return damage


def rounded(value):
    """Corrected values brought back to whole numbers: neither sign nor fraction tells."""
    return csr_matrix(np.maximum(np.expm1(value), 0).round())


def rounded_layer(name):
    """Patients differ, and in the evaluated layer that is gone; the raw counts are beside it."""

    def damage(files):
        shifted_patients(0.6)(files)
        correct(files, lambda adata, value: adata.layers.__setitem__(name, rounded(value)))
        files.data["keys"]["counts"] = name

    return damage


def declared(files):
    """The file records a correction, and its matrix is as measured."""
    files.change(files.slides, lambda adata: adata.uns.update(harmony={"batch_key": "patient"}))


def declared_and_corrected(files):
    """The file records a correction, its matrix is corrected, and a layer keeps the raw counts."""

    def put(adata, value):
        adata.layers["counts"] = adata.X.copy()
        adata.X = rounded(value)

    shifted_patients(0.6)(files)
    correct(files, put)
    declared(files)


def embedding(name):
    """A model is given features of the units that were integrated over all slides."""

    def damage(files):
        def add(adata):
            adata.obsm[name] = np.random.default_rng(16).normal(size=(adata.n_obs, 8)).astype(np.float32)

        files.change(files.slides, add)
        files.data["keys"]["embedding"] = name

    return damage


def unknown_list(files):
    files.genes(files.ranked()[:40])
    del files.task["preprocess"]["genes"]["provenance"]


def list_of(where):
    def damage(files):
        files.genes(files.ranked()[:40])
        files.task["preprocess"]["genes"]["provenance"] = where

    return damage


CASES = [
    ("library_size_confounding", "raw", raw(), "fail", ()),
    ("library_size_confounding", "raw_partial", raw((*PLAIN, "partial_pearson_gene")), "warn", ()),
    ("library_size_confounding", "strong", follows_depth(1.0), "fail", (LAST,)),
    ("library_size_confounding", "moderate", follows_depth(0.3), "warn", (LAST,)),
    ("library_size_confounding", "weak", follows_depth(0.05), "pass", ()),
    ("library_size_confounding", "strong_in_6_of_40", follows_depth(1.0, 6), "warn", (LAST,)),
    ("library_size_confounding", "strong_in_3_of_40", follows_depth(1.0, 3), "pass", ()),
    ("patient_effect", "weak", shifted_patients(0.2), "pass", ()),
    ("patient_effect", "moderate", shifted_patients(0.6), "warn", ()),
    ("patient_effect", "strong", shifted_patients(1.5), "warn", ("pooled",)),
    ("batch_corrected_eval", "values_in_x", corrected_counts, "fail", (LAST,)),
    ("batch_corrected_eval", "layer_combat", corrected_layer("combat"), "fail", ("combat",)),
    ("batch_corrected_eval", "layer_whole_numbers", rounded_layer("scvi_corrected"), "fail", ("scvi",)),
    ("batch_corrected_eval", "layer_without_patients", rounded_layer("final"), "fail", ("final",)),
    ("batch_corrected_eval", "recorded_and_done", declared_and_corrected, "fail", ("harmony",)),
    ("batch_corrected_eval", "recorded_and_not_done", declared, "pass", ()),
    ("fitted_on_test", "harmony_embedding", embedding("X_pca_harmony"), "fail", ("X_pca_harmony",)),
    ("fitted_on_test", "embedding", embedding("uni"), "pass", ()),
    ("fitted_on_test", "unknown_list", unknown_list, "warn", ()),
    ("fitted_on_test", "list_of_these_slides", list_of("P01S1, P06S1"), "warn", ("P06S1",)),
    ("fitted_on_test", "list_of_all_slides", list_of("all slides"), "warn", ()),
    ("fitted_on_test", "list_of_another_study", list_of("another study"), "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)
