from __future__ import annotations

import re

import pytest

from pytest_stbench.data.simulate.programmes import (
    ACTIVE_PAIRS,
    COMMUNICATION,
    HOUSEKEEPING,
    PROGRAMMES,
    active_pairs,
    available_genes,
    panel,
    programme_genes,
)
from pytest_stbench.data.simulate.settings import FACTORS, SETTINGS
from pytest_stbench.resources import housekeeping, lr_pairs, signatures


def test_programmes_follow_a_factor():
    assert set(PROGRAMMES) <= set(FACTORS)
    assert all(set(setting.effects) <= set(FACTORS) for setting in SETTINGS.values())


def test_genes_are_members_of_their_programme():
    members = signatures()
    for gene, programme in programme_genes().items():
        if programme == HOUSEKEEPING:
            assert gene in housekeeping()
        else:
            assert any(gene in members[signature] for signature in PROGRAMMES[programme])


def test_a_gene_of_two_programmes_is_in_the_first():
    # GAPDH is a glycolytic and a housekeeping gene
    assert available_genes()["GAPDH"] == "hypoxia"


def test_symbols_are_human_genes():
    assert all(re.fullmatch(r"[A-Z][A-Z0-9]*(-[A-Z0-9]+)?|C\d+orf\d+", gene) for gene in available_genes())


@pytest.mark.parametrize("n", [50, 120, 300])
def test_panel_covers_all_programmes(n):
    chosen = panel(n)
    assert len(chosen) == n
    assert list(chosen) == sorted(chosen)
    assert set(chosen.values()) == {*PROGRAMMES, HOUSEKEEPING}


def test_smaller_panel_is_part_of_the_larger():
    assert panel(100).items() <= panel(200).items()


def test_default_panel_covers_signatures_of_every_programme():
    members, chosen = signatures(), panel(300)
    covered = {name for name, genes in members.items() if 2 * len(chosen.keys() & set(genes)) >= len(genes)}
    assert all(covered & set(parts) for parts in PROGRAMMES.values())
    assert len(covered) >= 25


def test_programme_genes_come_first():
    assert list(available_genes())[: len(programme_genes())] == list(programme_genes())


def test_active_pairs_are_pairs_of_the_table_that_share_no_gene():
    pairs = active_pairs()
    table = {(pair.ligand, pair.receptor): pair.pathway for pair in lr_pairs()}
    assert len(pairs) == ACTIVE_PAIRS
    assert len({gene for pair in pairs for gene in pair}) == 2 * len(pairs)
    assert len({table[pair] for pair in pairs}) == len(pairs)
    assert {available_genes()[gene] for pair in pairs for gene in pair} == {COMMUNICATION}


def test_communicating_panel_holds_whole_pairs():
    chosen = panel(120, communicating=True)
    assert len(chosen) == 120
    assert sum({*pair} <= chosen.keys() for pair in active_pairs()) == 6
    assert sum({pair.ligand, pair.receptor} <= chosen.keys() for pair in lr_pairs()) >= 12
    assert set(chosen.values()) >= {*PROGRAMMES, HOUSEKEEPING}
