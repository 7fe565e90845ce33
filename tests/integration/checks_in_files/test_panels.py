"""Section 3 of the checks, its second half: what a panel can tell of the tissue."""

from __future__ import annotations

import numpy as np

from pytest_stbench.resources import housekeeping, lr_pairs, signatures

HOUSEKEEPING = sorted(housekeeping())


def housekeeping_share(number, of=20):
    """So many of the evaluated genes are housekeeping genes, the others have a pattern."""

    def damage(files):
        others = [gene for gene in files.ranked() if gene not in HOUSEKEEPING]
        files.genes([*HOUSEKEEPING[:number], *others[: of - number]])

    return damage


def ribosomal(number, of=20):
    """The same by name: ribosomal and mitochondrial genes are in no list."""

    def damage(files):
        names = [f"RPL{n}" for n in range(3, 9)] + [f"MT-CO{n}" for n in range(1, 4)] + ["EEF2", "MRPL3"]
        replaced = dict(zip(files.ranked()[-number:], names[:number], strict=True))
        others = [g for g in files.ranked() if g not in HOUSEKEEPING and g not in replaced]
        files.change(
            files.slides,
            lambda adata: setattr(adata, "var_names", [replaced.get(g, g) for g in adata.var_names]),
        )
        files.genes([*names[:number], *others[: of - number]])

    return damage


def without_biology(number, of=20):
    """So many of the evaluated genes, none of them housekeeping, are shuffled over the spots."""

    def damage(files):
        asked = [gene for gene in files.ranked() if gene not in HOUSEKEEPING][:of]
        files.genes(asked)

        def shuffle(matrix, genes):
            rng = np.random.default_rng(10)
            for gene in asked[:number]:
                column = genes.index(gene)
                matrix[:, column] = rng.permutation(matrix[:, column])

        files.counts(files.slides, shuffle)

    return damage


def signature_task(*names):
    return lambda files: files.task.update(family="signatures", signatures={"names": list(names)})


def members_measured(number):
    """So many of the eight genes of FIBROBLAST are in the panel, and it alone is asked."""

    def damage(files):
        gone = signatures()["FIBROBLAST"][number:]
        files.change(files.slides, lambda adata: adata[:, ~adata.var_names.isin(gone)].copy())
        signature_task("FIBROBLAST")(files)

    return damage


def pairs_measured(number):
    """So many ligand-receptor pairs are in the panel."""

    def damage(files):
        measured = set(files.ranked())
        kept = set()
        for pair in lr_pairs():
            if (
                found(kept) < number
                and found(kept | {pair.ligand, pair.receptor}, measured) == found(kept) + 1
            ):
                kept |= {pair.ligand, pair.receptor}
        assert found(kept) == number
        gone = {gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)} - kept
        files.change(files.slides, lambda adata: adata[:, ~adata.var_names.isin(gone)].copy())
        files.task["family"] = "communication"

    def found(genes, measured=None):
        genes = genes if measured is None else genes & measured
        return sum({pair.ligand, pair.receptor} <= genes for pair in lr_pairs())

    return damage


def candidate_genes(number):
    """Marker lists of niches are to be made of so many genes."""

    def damage(files):
        files.change(files.slides, lambda adata: adata[:, 30 : 30 + number].copy())
        files.task["family"] = "niche_signatures"

    return damage


def two_panels(files):
    """Two panels of the same genes, each at both sites."""
    files.samples["panel"] = ["left", "left", "right", "left", "right", "right"]
    return list(files.samples.slide[files.samples.panel == "right"])


def probes_drift(spread):
    """Probes of the second panel catch more or less of their genes, by this SD of the logarithm."""

    def damage(files):
        def catch(matrix, genes):
            yields = np.exp(np.random.default_rng(11).normal(0, spread, len(genes)))
            return np.random.default_rng(12).poisson(matrix * yields)

        files.counts(two_panels(files), catch)

    return damage


def other_neighbours(files):
    """In the second panel genes of like abundance are exchanged: they go together with others."""
    right = two_panels(files)
    order = np.argsort(sum(files.read(slide).X.toarray().mean(axis=0) for slide in right))
    other = np.roll(order.reshape(-1, 6), 3, axis=1).ravel()

    def exchange(matrix, genes):
        matrix[:, order] = matrix[:, other]

    files.counts(right, exchange)


def panels_by_split(**split):
    """Training on one panel, test on the other."""

    def damage(files):
        right = two_panels(files)
        files.samples["split"] = np.where(files.samples.slide.isin(right), "test", "train")
        files.task["splits"] = [split or {"fixed": {"column": "split"}}]

    return damage


CASES = [
    ("housekeeping_only_panel", "10_of_20", housekeeping_share(10), "fail", ()),
    ("housekeeping_only_panel", "ribosomal_10_of_20", ribosomal(10), "fail", ("RPL3",)),
    ("housekeeping_only_panel", "9_of_20", housekeeping_share(9), "warn", ()),
    ("housekeeping_only_panel", "4_of_20", housekeeping_share(4), "warn", (HOUSEKEEPING[0],)),
    ("housekeeping_only_panel", "3_of_20", housekeeping_share(3), "pass", ()),
    ("housekeeping_only_panel", "biology_in_1_of_20", without_biology(19), "fail", ()),
    ("housekeeping_only_panel", "biology_in_5_of_20", without_biology(15), "warn", ()),
    ("housekeeping_only_panel", "biology_in_8_of_20", without_biology(12), "pass", ()),
    (
        "task_gene_coverage", "2_of_5_signatures",
        signature_task("FIBROBLAST", "T_CELL", "LUNG_AT2", "BASAL", "MELANOMA_MITF"), "fail", ("LUNG_AT2",),
    ),
    ("task_gene_coverage", "signatures", signature_task("FIBROBLAST", "T_CELL", "ADIPOCYTE"), "pass", ()),
    ("task_gene_coverage", "3_of_8_members", members_measured(3), "fail", ("FIBROBLAST",)),
    ("task_gene_coverage", "4_of_8_members", members_measured(4), "pass", ()),
    ("task_gene_coverage", "one_pair", pairs_measured(1), "fail", ()),
    ("task_gene_coverage", "9_pairs", pairs_measured(9), "fail", ()),
    ("task_gene_coverage", "10_pairs", pairs_measured(10), "pass", ()),
    ("task_gene_coverage", "19_candidates", candidate_genes(19), "fail", ()),
    ("task_gene_coverage", "20_candidates", candidate_genes(20), "pass", ()),
    ("panel_effect", "same_probes", lambda files: two_panels(files) and None, "pass", ()),
    ("panel_effect", "drift_2", probes_drift(2.0), "warn", ("left", "right")),
    ("panel_effect", "drift_1", probes_drift(1.0), "warn", ("left", "right")),
    # Of three patients a panel components of variance differ twofold by chance.
    ("panel_effect", "drift_0.4", probes_drift(0.4), "pass", ()),
    ("panel_effect", "drift_0.02", probes_drift(0.02), "pass", ()),
    ("panel_effect", "other_neighbours", other_neighbours, "warn", ("left", "right")),
    ("panel_split", "panel_is_the_split", panels_by_split(), "fail", ("right",)),
    ("panel_split", "leave_one_panel_out", panels_by_split(lopanel={}), "pass", ()),
    ("panel_split", "panels_on_both_sides", lambda files: two_panels(files) and None, "pass", ()),
]  # fmt: skip


def test_defect(files, check, damage, status, named):
    damage(files)
    files.verdict(check, status, *named)
