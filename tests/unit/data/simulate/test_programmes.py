from __future__ import annotations

import re

import pytest

from pytest_stbench.data.simulate.programmes import HOUSEKEEPING, PROGRAMMES, available_genes, panel
from pytest_stbench.data.simulate.settings import FACTORS, SETTINGS
from pytest_stbench.resources import housekeeping, signatures


def test_programmes_follow_a_factor():
    assert set(PROGRAMMES) <= set(FACTORS)
    assert all(set(setting.effects) <= set(FACTORS) for setting in SETTINGS.values())


def test_genes_are_members_of_their_programme():
    members = signatures()
    for gene, programme in available_genes().items():
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
