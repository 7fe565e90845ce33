"""Genes that can be simulated, each in one programme.

A programme is a group of signatures whose genes follow the same latent factor, so that signatures
can be scored and genes predicted from each other. Beside them stand housekeeping genes, the genes
of ligand-receptor pairs, and background genes. Sources of signatures and pairs stand in the tables
that ship with the package.
"""

from __future__ import annotations

import functools
import itertools
from typing import TYPE_CHECKING

from pytest_stbench.resources import background_families, housekeeping, lr_pairs, signatures

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAMMES: Mapping[str, tuple[str, ...]] = {
    "tumour": ("EPITHELIAL_KERATIN", "HER2_AMPLICON_17Q12", "ER_LUMINAL"),
    "density": ("PROLIFERATION_PAM50_11",),
    "polarity": ("PARTIAL_EMT", "TGFB_RESPONSE_F_TBRS", "CAF_MYCAF"),
    "adipose": ("ADIPOCYTE",),
    "hypoxia": ("GLYCOLYSIS", "HYPOXIA_BUFFA", "TAM_SPP1"),
    "interferon": ("IFNG_6", "IFN_TYPE_I_6", "ANTIGEN_PRESENTATION_MHC_I"),
    "stroma": ("FIBROBLAST", "CAF_ICAF", "ENDOTHELIAL", "PERICYTE", "ANGIOGENESIS"),
    "immune": (
        "T_CELL",
        "B_CELL",
        "PLASMA_CELL",
        "CD8_T_CELL",
        "CYTOTOXIC_LYMPHOCYTE",
        "NK_CELL",
        "MACROPHAGE",
        "TLS_CHEMOKINE_12",
        "TFH_8",
        "TREG_TUMOUR",
        "ANTIGEN_PRESENTATION_MHC_II",
        "CD8_EXHAUSTION",
        "TIS_GEP_18",
        "TAM_C1QC",
        "TLS_IMPRINT_29",
    ),
}
"""Signatures of each programme, by the latent factor that its genes follow."""

HOUSEKEEPING = "housekeeping"
"""Programme of the genes of the housekeeping lists, which follow no factor."""

COMMUNICATION = "communication"
"""Programme of ligands and receptors that are in no signature of a programme."""

BACKGROUND = "background"
"""Programme of all other genes."""

ACTIVE_PAIRS = 24
PAIR_EVERY = 20


def background_genes() -> tuple[str, ...]:
    """Return genes of no programme, so that panels can differ: of all families in turn."""
    turns = itertools.zip_longest(*background_families().values())
    return tuple(gene for turn in turns for gene in turn if gene is not None)


@functools.cache
def programme_genes() -> Mapping[str, str]:
    """Return the genes of signatures and of the housekeeping lists, and their programme.

    A gene of several programmes belongs to the first that lists it. The order takes one gene of
    each programme in turn, so that any first n of them cover all programmes.
    """
    members = signatures()
    groups = {name: [gene for part in parts for gene in members[part]] for name, parts in PROGRAMMES.items()}
    groups[HOUSEKEEPING] = sorted(housekeeping())
    seen: set[str] = set()
    queues: dict[str, list[str]] = {}
    for programme, genes in groups.items():
        queues[programme] = [gene for gene in dict.fromkeys(genes) if gene not in seen]
        seen.update(queues[programme])
    rounds = range(max(map(len, queues.values())))
    return {genes[turn]: name for turn in rounds for name, genes in queues.items() if turn < len(genes)}


@functools.cache
def active_pairs() -> tuple[tuple[str, str], ...]:
    """Return the ligand-receptor pairs that signal in the cohort: (ligand, receptor).

    One pair per pathway, in the order of the table; no gene is in two of them, and none in a
    programme of signatures. All other pairs of the table are silent.
    """
    taken = {*programme_genes(), *background_genes()}
    pathways: set[str] = set()
    found: list[tuple[str, str]] = []
    for pair in lr_pairs():
        genes = {pair.ligand, pair.receptor}
        if pair.pathway not in pathways and not genes & taken and len(found) < ACTIVE_PAIRS:
            pathways.add(pair.pathway)
            taken |= genes
            found.append((pair.ligand, pair.receptor))
    return tuple(found)


@functools.cache
def available_genes() -> Mapping[str, str]:
    """Return every gene that can be simulated and its programme.

    Those of :func:`programme_genes` come first, then the pairs of :func:`active_pairs`, other
    ligands and receptors, the rest of the signatures, and background genes.
    """
    pairs = [gene for pair in active_pairs() for gene in pair]
    others = [gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)]
    rest = [gene for genes in signatures().values() for gene in genes]
    found = dict(programme_genes())
    for genes, programme in (((*pairs, *others), COMMUNICATION), ((*rest, *background_genes()), BACKGROUND)):
        for gene in genes:
            found.setdefault(gene, programme)
    return found


def panel(n_genes: int, *, communicating: bool = False) -> dict[str, str]:
    """Return `n_genes` genes with their programmes, sorted by symbol.

    They are the first of :func:`available_genes`; with `communicating`, one gene in ten belongs to
    an active pair and one to a silent one.
    """
    genes = available_genes()
    order = list(genes)
    if communicating:
        active = {gene for pair in active_pairs() for gene in pair}
        silent = [
            (pair.ligand, pair.receptor)
            for pair in lr_pairs()
            if {genes[pair.ligand], genes[pair.receptor]} == {COMMUNICATION}
            and not active & {pair.ligand, pair.receptor}
        ]
        pairs = (*active_pairs()[: n_genes // PAIR_EVERY], *silent[: n_genes // PAIR_EVERY])
        order = list(dict.fromkeys((*(gene for pair in pairs for gene in pair), *order)))
    return {gene: genes[gene] for gene in sorted(order[:n_genes])}
