"""How many times as long as ours the project asks others to take: of a group and a contestant in it."""

from __future__ import annotations

ASKED = {
    ("squared error, R2 and Pearson, 500 genes", "gene loop"): 30,
    ("Pearson per gene, 500 genes", "pearson axis"): 8,
    ("Spearman per gene, 500 genes", "spearman loop"): 3,
    ("gene-gene correlations, 2,000 genes, float64", "numpy corrcoef"): 1.4,
    ("gene-gene correlations, 2,000 genes, float32", "numpy corrcoef"): 2,
    ("structural similarity", "skimage"): 50,
    ("Wilcoxon of 9 niches, 5,000 genes", "wilcoxon illico"): 0.8,
    ("scores of 20 signatures, 5,000 genes", "signatures scanpy"): 12,
    ("Moran's I, 18,000 genes", "moran squidpy"): 12,
    ("Moran's I, 100 permutations of 200 genes", "moran permutations squidpy"): 15,
    ("transcripts to spots of 55 um", "binning pseudovisium"): 30,
    ("average precision", "ap cellpose"): 100,
    ("PCA of 256 and ridge, 1,536 features", "pca ridge sklearn"): 11,
    ("Spearman with library size, 5,000 genes", "library size rankdata"): 8,
    ("variance between 8 patients, 2,000 genes", "patient eta2 f oneway"): 20,
    ("all checks of cells, 500 genes", "scanpy and squidpy"): 4,
    ("LOPO fits, 30,000 cells x 300 genes", "fits with sums made in every fold"): 8,
    ("patches of a whole-slide image", "openslide"): 5,
    ("patches of a whole-slide image", "tiffslide"): 15,
}
