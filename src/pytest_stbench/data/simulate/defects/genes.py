"""Defects of what is measured: lost genes, wrong names, controls and antibodies among genes."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, hstack

from pytest_stbench.kernels.streams import stream
from pytest_stbench.resources import background_families, gene_aliases, housekeeping, lr_pairs, signatures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_stbench.data.readers.protocol import RawSlide
    from pytest_stbench.data.simulate.params import SimulationParams

MAX_CONTROLS = 40
CONTROL_RATE = 0.05
ANTIBODIES = (
    "PanCK", "CD45RA", "PTPRC-1", "CD4_TotalSeqB", "CD8", "EPCAM-1", "HLA-DR", "VIM-1", "CD45RO", "CD3",
    "mouse_IgG2a", "rat_IgG2a", "CD68-1", "CD163-1", "MS4A1-1", "PECAM1-1", "ACTA2-1", "CD57", "IgD", "IgM",
)  # fmt: skip
"""As panels call them, and as making names unique leaves those that are called like their genes."""
ANTIBODY_RATE = 100.0
DATES = tuple(f"{day}-{month}" for month, last in (("Mar", 11), ("Sep", 13)) for day in range(1, last + 1))
"""What spreadsheets make of MARCH1 to MARCH11 and SEPT1 to SEPT13."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenePlan:
    """Which columns of a clean slide are kept, what they are called, and the mean of each that is added."""

    kept: tuple[int, ...]
    names: tuple[str, ...]
    added: tuple[float, ...] = ()


def plan_genes(params: SimulationParams, slide_id: str, genes: Sequence[str]) -> GenePlan:
    """Return what the defects of a cohort make of the `genes` of a slide."""
    lost = _lost(params, slide_id, genes)
    kept = tuple(place for place, gene in enumerate(genes) if gene not in lost)
    names = _renamed(params, [genes[place] for place in kept])
    n_controls = math.ceil(params.defects.get("controls_in_matrix", 0) * MAX_CONTROLS)
    n_antibodies = math.ceil(params.defects.get("controls_in_matrix.antibodies", 0) * len(ANTIBODIES))
    controls = tuple(f"NegControlProbe_{number:05d}" for number in range(1, n_controls + 1))
    return GenePlan(
        kept=kept,
        names=(*names, *controls, *ANTIBODIES[:n_antibodies]),
        added=(CONTROL_RATE,) * n_controls + (ANTIBODY_RATE,) * n_antibodies,
    )


def spoil_genes(params: SimulationParams, slide: RawSlide) -> RawSlide:
    """Return `slide` with the columns of :func:`plan_genes`."""
    genes = tuple(slide.genes.tolist())
    plan = plan_genes(params, slide.slide_id, genes)
    if plan.names == genes:
        return slide
    counts = slide.counts[:, np.array(plan.kept, dtype=np.intp)]
    if plan.added:
        rng = stream(params.seed, "defect", "controls_in_matrix", slide.slide_id)
        rates = np.tile(np.asarray(plan.added, dtype=np.float64), (counts.shape[0], 1))
        extra = csr_matrix(rng.poisson(rates).astype(np.int32))
        counts = hstack([counts, extra], format="csr", dtype=np.int32)
    return replace(slide, genes=np.array(plan.names, dtype=np.str_), counts=csr_matrix(counts))


def chosen_genes(seed: int, defect: str, genes: Sequence[str], share: float) -> list[str]:
    """Return `share` of `genes`, at least one, in random order: the same genes on every slide."""
    rank = {gene: hashlib.sha256(f"{seed} {defect} {gene}".encode()).digest() for gene in genes}
    return sorted(genes, key=rank.__getitem__)[: math.ceil(share * len(genes) - 1e-9)]


def _lost(params: SimulationParams, slide_id: str, genes: Sequence[str]) -> set[str]:
    lost: set[str] = set()
    defects = params.defects
    if "panel_mismatch" in defects:
        lost |= set(chosen_genes(params.seed, f"panel_mismatch {slide_id}", genes, defects["panel_mismatch"]))
    if "task_gene_coverage" in defects:
        asked = {gene for members in signatures().values() for gene in members}
        asked |= {gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)}
        there = [gene for gene in genes if gene in asked]
        lost |= set(chosen_genes(params.seed, "task_gene_coverage", there, defects["task_gene_coverage"]))
    if "housekeeping_only_panel" in defects:
        everywhere = housekeeping().union(*(background_families()[stem] for stem in ("RPL", "RPS")))
        n_kept = sum(gene in everywhere for gene in genes)
        others = [gene for gene in genes if gene not in everywhere]
        allowed = round(n_kept / defects["housekeeping_only_panel"]) - n_kept
        lost |= set(others) - set(chosen_genes(params.seed, "housekeeping", others, 1.0)[:allowed])
    return lost


def _renamed(params: SimulationParams, genes: Sequence[str]) -> tuple[str, ...]:
    new: dict[str, str] = {}
    defects = params.defects
    if "gene_ids" in defects:
        for gene in chosen_genes(params.seed, "gene_ids", genes, defects["gene_ids"]):
            number = int.from_bytes(hashlib.sha256(gene.encode()).digest()[:6], "big") % 10**11
            new[gene] = f"ENSG{number:011d}"
    if "gene_ids.dates" in defects:
        chosen = chosen_genes(params.seed, "dates", genes, defects["gene_ids.dates"])
        new |= dict(zip(chosen, DATES, strict=False))
    if "gene_ids.mouse" in defects:
        chosen = chosen_genes(params.seed, "mouse", genes, defects["gene_ids.mouse"])
        new |= {gene: gene.capitalize() for gene in chosen}
    if "gene_ids.genomes" in defects:
        chosen = chosen_genes(params.seed, "genomes", genes, defects["gene_ids.genomes"])
        new |= {gene: f"GRCh38_{gene}" for gene in genes} | {gene: f"mm10_{gene}" for gene in chosen}
    if "gene_ids.aliases" in defects:
        retired = {symbol: alias for alias, symbol in gene_aliases().items()}
        there = [gene for gene in genes if gene in retired]
        chosen = chosen_genes(params.seed, "aliases", there, defects["gene_ids.aliases"])
        new |= {gene: retired[gene] for gene in chosen}
    return tuple(new.get(gene, gene) for gene in genes)
