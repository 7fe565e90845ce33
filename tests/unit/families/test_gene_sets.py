"""Which sets of genes of the package a panel must cover, and which signatures are asked by name."""

from __future__ import annotations

import pytest

from pytest_stbench.families.cell_types.declare import CellTypes
from pytest_stbench.families.communication.declare import Communication
from pytest_stbench.families.imputation.declare import Imputation
from pytest_stbench.families.signatures.declare import Signatures

SOME = frozenset({"evaluated", "communication"})


@pytest.mark.parametrize(
    ("block", "sets"),
    [
        (Imputation(), SOME),
        (CellTypes(), SOME | {"cell_types"}),
        (Signatures(gmt="own.gmt"), SOME | {"signatures"}),
        (Communication(), SOME),
        (Communication(pairs="liana"), {"evaluated"}),
        (Communication(pairs="own.csv"), {"evaluated"}),
    ],
)
def test_a_family_adds_what_it_looks_at_and_drops_what_it_brings(block, sets):
    assert block.gene_sets(SOME) == sets


def test_pairs_of_the_package_are_wanted_whatever_the_metrics():
    assert Communication().gene_sets(frozenset()) == {"communication"}


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (Imputation(), None),
        (Signatures(), None),
        (Signatures(names=("TLS",)), {"TLS"}),
        (Signatures(gmt="own.gmt"), frozenset()),
        (Signatures(names=("TLS",), gmt="own.gmt"), {"TLS"}),
    ],
)
def test_signatures_are_asked_by_name(block, names):
    assert block.named_signatures == names
