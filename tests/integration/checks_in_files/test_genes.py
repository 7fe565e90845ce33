"""Section 3 of the checks: which genes are evaluated, and whether they can tell anything."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix, hstack

LAST = "P06S1"


def sparse(number, positive, **data):
    """So many of 40 evaluated genes are seen in so many spots of one slide only."""

    def damage(files):
        asked = files.ranked()[:40]
        files.genes(asked)
        files.data.update(data)

        def thin(matrix, genes):
            rng = np.random.default_rng(5)
            for gene in asked[:number]:
                column = genes.index(gene)
                matrix[:, column] = 0
                matrix[rng.choice(len(matrix), positive, replace=False), column] = 2

        files.counts([LAST], thin)

    return damage


def spike(number, share):
    """So many of 40 evaluated genes have this share of their counts in 1% of the spots."""

    def damage(files):
        asked = files.ranked()[:40]
        files.genes(asked)

        def add(matrix, genes):
            top = len(matrix) // 100
            for gene in asked[:number]:
                column = genes.index(gene)
                matrix[:top, column] = round(matrix[top:, column].sum() * share / (1 - share) / top)

        files.counts([LAST], add)

    return damage


def ubiquitous(number):
    """So many of 40 evaluated genes are in all spots of one slide alike."""

    def damage(files):
        asked = files.ranked()[:40]
        files.genes(asked)

        def flatten(matrix, genes):
            rng = np.random.default_rng(6)
            columns = [genes.index(gene) for gene in asked[:number]]
            # What is left of the library, so that the share of these genes is the same everywhere.
            depth = np.delete(matrix, columns, axis=1).sum(axis=1)
            for gene in asked[:number]:
                matrix[:, genes.index(gene)] = rng.poisson(20 * depth / depth.mean())

        files.counts([LAST], flatten)

    return damage


def whole_transcriptome(adata):
    """The panel among 1,700 further genes without a pattern."""
    rng = np.random.default_rng(adata.n_obs)
    more = rng.poisson(0.3, (adata.n_obs, 1700)).astype(np.float32)
    names = [*adata.var_names, *(f"LINC{n:05d}" for n in range(1700))]
    return anndata.AnnData(
        X=hstack([adata.X, csr_matrix(more)]).tocsr(), obs=adata.obs, obsm=dict(adata.obsm),
        var=pd.DataFrame(index=names),
    )  # fmt: skip


def asked_by_rank(top):
    """The list of 40 holds so many of the 40 genes of a whole transcriptome with most pattern."""

    def damage(files):
        files.data.update(panel="whole_transcriptome", absent_gene="zero")
        ranked = files.ranked()
        files.change(files.slides, whole_transcriptome)
        files.genes([*ranked[:top], *ranked[90 : 130 - top]])

    return damage


def noise_genes(files):
    """The genes of a targeted panel that vary most have no pattern at all."""
    asked = files.ranked()[100:140]

    def disperse(matrix, genes):
        rng = np.random.default_rng(7)
        for gene in asked:
            matrix[:, genes.index(gene)] = rng.negative_binomial(0.5, 0.03, len(matrix))

    files.counts(files.slides, disperse)
    files.genes(asked)


def panel_by_rank(top, rest=slice(60, 100)):
    """The same of a targeted panel of 300: by chance 5 of a list of 40 are among the best 40."""

    def damage(files):
        ranked = files.ranked()
        files.genes([*ranked[:top], *ranked[rest][: 40 - top]])

    return damage


def shuffled_places(files):
    def shuffle(adata):
        order = np.random.default_rng(0).permutation(adata.n_obs)
        adata.obsm["spatial"] = adata.obsm["spatial"][order]

    files.change([LAST], shuffle)


def pattern_left(share):
    """All genes of one slide but this share are shuffled over its spots, each by itself."""

    def damage(files):
        kept = set(files.ranked()[: round(share * 300)])

        def shuffle(matrix, genes):
            rng = np.random.default_rng(9)
            for column, gene in enumerate(genes):
                if gene not in kept:
                    matrix[:, column] = rng.permutation(matrix[:, column])

        files.counts([LAST], shuffle)

    return damage


CASES = [
    ("gene_sparsity", "3_of_40", sparse(3, 20), "pass", ()),
    ("gene_sparsity", "5_of_40", sparse(5, 20), "warn", (LAST,)),
    ("gene_sparsity", "12_of_40", sparse(12, 20), "warn", (LAST,)),
    ("gene_sparsity", "13_of_40", sparse(13, 20), "fail", (LAST,)),
    # 5% of the list may be so: 2 of 50 genes, immunoglobulins of plasma cells, are on a good section.
    ("gene_sparsity", "2_in_9_spots", sparse(2, 9), "pass", ()),
    ("gene_sparsity", "3_in_9_spots", sparse(3, 9), "warn", (LAST,)),
    ("gene_sparsity", "3_in_10_spots", sparse(3, 10), "pass", ()),
    (
        "gene_sparsity", "cells_may_be_sparser",
        sparse(13, 20, technology="Xenium", resolution="cell"), "pass", (),
    ),
    ("gene_sparsity", "2_spikes", spike(2, 0.6), "pass", ()),
    ("gene_sparsity", "3_spikes", spike(3, 0.99), "warn", (LAST,)),
    ("gene_sparsity", "6_spikes_60_percent", spike(6, 0.6), "warn", (LAST,)),
    ("gene_sparsity", "6_spikes_40_percent", spike(6, 0.4), "pass", ()),
    ("ubiquitous_low_variability", "3_of_40", ubiquitous(3), "pass", ()),
    ("ubiquitous_low_variability", "5_of_40", ubiquitous(5), "warn", (LAST,)),
    ("ubiquitous_low_variability", "15_of_40", ubiquitous(15), "fail", (LAST,)),
    ("hvg_not_svg", "14_of_40", asked_by_rank(14), "pass", ()),
    ("hvg_not_svg", "9_of_40", asked_by_rank(9), "warn", ()),
    ("hvg_not_svg", "2_of_40", asked_by_rank(2), "fail", ()),
    ("hvg_not_svg", "noise_genes", noise_genes, "fail", ()),
    ("hvg_not_svg", "panel_10_of_40", panel_by_rank(10), "pass", ()),
    ("hvg_not_svg", "panel_5_of_40", panel_by_rank(5), "warn", ()),
    ("hvg_not_svg", "median_without_pattern", panel_by_rank(16, slice(260, 300)), "fail", ()),
    ("no_spatial_signal", "shuffled", shuffled_places, "fail", (LAST,)),
    ("no_spatial_signal", "1_percent", pattern_left(0.01), "fail", (LAST,)),
    ("no_spatial_signal", "5_percent", pattern_left(0.05), "warn", (LAST,)),
    ("no_spatial_signal", "14_percent", pattern_left(0.14), "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)
