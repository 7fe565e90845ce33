"""Genes of the simulated panel: members of published signatures, each in one programme.

A programme is a group of signatures whose genes follow the same latent factor, so that signatures
can be scored and genes predicted from each other. Sources of the signatures stand in the table
that ships with the package.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from pytest_stbench.resources import housekeeping, signatures

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
"""The last programme: genes of the housekeeping lists, which follow no factor."""


@functools.cache
def available_genes() -> Mapping[str, str]:
    """Return every gene that can be simulated and its programme.

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


def panel(n_genes: int) -> dict[str, str]:
    """Return the first `n_genes` genes with their programmes, sorted by symbol."""
    chosen = list(available_genes().items())[:n_genes]
    return dict(sorted(chosen))
