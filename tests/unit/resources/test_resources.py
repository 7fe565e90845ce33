from __future__ import annotations

import re

import pytest

from pytest_stbench import resources
from pytest_stbench.errors import StbenchError
from pytest_stbench.resources import (
    cell_type_markers,
    class_signatures,
    gene_aliases,
    gene_sets,
    gene_symbols,
    housekeeping,
    lr_pairs,
    signatures,
    tasks_dir,
)


def test_signatures_are_the_biological_sets():
    sets = signatures()

    assert len(sets) == 40
    assert not any(name.startswith("HOUSEKEEPING") for name in sets)
    assert sets["CYT"] == ("GZMA", "PRF1")
    assert len(sets["HYPOXIA_BUFFA"]) == 51
    assert all(len(set(genes)) == len(genes) >= 2 for genes in sets.values())


def test_what_a_caller_does_to_the_sets_stays_with_the_caller():
    signatures().clear()

    assert len(signatures()) == 40


def test_classes_are_marked_by_signatures():
    found = class_signatures()

    assert found["tls"] == ("TLS_IMPRINT_29", "TLS_CHEMOKINE_12")
    assert {name for sets in found.values() for name in sets} <= set(signatures())
    assert all(re.fullmatch(r"[a-z_]+", name) and len(set(sets)) == len(sets) for name, sets in found.items())


def test_housekeeping_genes():
    assert len(housekeeping()) == 21
    assert {"ACTB", "GAPDH", "VCP"} <= housekeeping()


def test_all_genes_of_the_tables_are_376_symbols():
    genes = {gene for genes in signatures().values() for gene in genes} | housekeeping()

    assert len(genes) == 376
    assert all(re.fullmatch(r"[A-Z0-9][A-Za-z0-9-]*", gene) for gene in genes)


def test_ligand_receptor_pairs():
    pairs = lr_pairs()

    assert len(pairs) == len({(pair.ligand, pair.receptor) for pair in pairs}) == 193
    assert len({gene for pair in pairs for gene in (pair.ligand, pair.receptor)}) == 277
    assert all(pair.ligand != pair.receptor for pair in pairs)
    assert all(0 <= pair.n_resources <= 15 for pair in pairs)


def test_installed_task_files_come_before_those_of_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "src" / "pytest_stbench" / "resources"
    package.mkdir(parents=True)
    monkeypatch.setattr(resources, "HERE", package)

    with pytest.raises(StbenchError, match="reinstall"):
        tasks_dir()
    (tmp_path / "tasks").mkdir()
    with pytest.raises(StbenchError, match="reinstall"):
        tasks_dir()
    (tmp_path / "pyproject.toml").touch()
    assert tasks_dir() == tmp_path / "tasks"
    (package / "tasks").mkdir()
    assert tasks_dir() == package / "tasks"


def test_every_symbol_of_the_tables_is_current():
    known = gene_symbols()
    assert len(known) == 41_132
    used = {gene for members in gene_sets().values() for gene in members}
    used |= {gene for pair in lr_pairs() for gene in (pair.ligand, pair.receptor)}
    used |= {gene for members in cell_type_markers().values() for gene in members}
    assert not used - known
    assert not set(gene_aliases().values()) - known
    assert not gene_aliases().keys() & known
    assert {"ERBB2", "MT-CO1", "IGKC", "HLA-DRA", "C1orf159", "XIST"} <= known
